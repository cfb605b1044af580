/* documents.h: the lines of the text that a ledger speaks of. */
#ifndef VECTRAIL_RUN_DOCUMENTS_H
#define VECTRAIL_RUN_DOCUMENTS_H

#include "run/run_text.h"
#include "run/store.h"

/* Puts a row for each sentence of the store's ledger into its table `document`: which line of which input it is, and
 * its text (the first VT_DOCUMENT_BYTES of it). text: opened with lines. *count: how many. One pass over the inputs up
 * to the last of those lines. */
#define VT_DOCUMENT_BYTES 4096
enum vt_status vt_documents_keep(struct vt_store *store, const struct vt_run_text *text, size_t *count,
                                 struct vt_error *error);

#endif

/*
 * store.h: the database of a run, and the only door to SQLite.
 *
 * Tables, columns and keys are in store.c and documented in docs/run-format.md. One handle belongs to one thread at a
 * time. While one process writes (write-ahead log), any number may read; neither waits for the other.
 */
#ifndef VECTRAIL_RUN_STORE_H
#define VECTRAIL_RUN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vt_store;

enum vt_store_type { VT_STORE_NULL, VT_STORE_INTEGER, VT_STORE_REAL, VT_STORE_TEXT, VT_STORE_BLOB };

/* One column of one row. Text and blobs are borrowed; read ones live until the callback returns, text terminated. */
struct vt_store_value {
  enum vt_store_type type;
  int64_t integer;
  double real;
  const void *data;
  size_t bytes;
};

/* NaN becomes NULL. */
struct vt_store_value vt_store_integer(uint64_t value);
struct vt_store_value vt_store_real(double value);
struct vt_store_value vt_store_text(const char *text);
struct vt_store_value vt_store_blob(const void *data, size_t bytes);

enum vt_store_table {
  VT_STORE_META,     /* key, value */
  VT_STORE_WORD,     /* id, text, count */
  VT_STORE_STEP,     /* step, epoch, tokens, seconds, lr */
  VT_STORE_METRIC,   /* step, name, value */
  VT_STORE_PAIR,     /* a, b, step, cosine */
  VT_STORE_TRAIL,    /* word, step, vector */
  VT_STORE_SNAPSHOT, /* step, path, dtype, sha256 */
  VT_STORE_EVENT,    /* step, kind, severity, text */
  VT_STORE_LEDGER,   /* word, source, role, span, updates, vector */
  VT_STORE_DOCUMENT, /* id, input, line, text; not in databases of earlier versions, until a replay makes it */
  VT_STORE_TABLES
};

/* Makes a new database with all tables; the file must not exist yet. */
enum vt_status vt_store_create(const char *path, struct vt_store **store, struct vt_error *error);
/* Opens one for reading: VT_ERROR_NOT_FOUND, VT_ERROR_VERSION (a newer schema), VT_ERROR_CORRUPT. Works on read-only
 * media too, unless a writer died there and left work to recover (VT_ERROR_IO). */
enum vt_status vt_store_open(const char *path, struct vt_store **store, struct vt_error *error);
/* Opens one to write on; errors as above. What a killed writer left in the log is recovered. */
enum vt_status vt_store_open_writable(const char *path, struct vt_store **store, struct vt_error *error);
/* Closes for good, as vt_store_close does, what a killed writer left open; does nothing where nothing was left. */
enum vt_status vt_store_settle(const char *path, struct vt_error *error);
/* Of a store that was written: everything committed is moved into the one file. Accepts NULL. */
void vt_store_close(struct vt_store *store);

/* Rows are inserted inside a transaction, values in the order of the table's columns; a row with the same key is
 * replaced. */
enum vt_status vt_store_begin(struct vt_store *store, struct vt_error *error);
enum vt_status vt_store_insert(struct vt_store *store, enum vt_store_table table, const struct vt_store_value *values,
                               struct vt_error *error);
enum vt_status vt_store_commit(struct vt_store *store, struct vt_error *error); /* synced when it returns */
/* What becomes of the events at the very step from which on a record is cut. */
enum vt_store_events {
  VT_STORE_EVENTS_KEEP, /* they led to it, and stay, but for 'converged', which is found again */
  VT_STORE_EVENTS_CUT,  /* they came with what is cut */
};
/* Deletes, inside a transaction, what was recorded at `step` or after it, and the events after it. */
enum vt_status vt_store_cut(struct vt_store *store, uint64_t step, enum vt_store_events events, struct vt_error *error);

/* Calls back with each row of a table, in key order (events: in order of insertion); a status other than VT_OK ends
 * the walk. */
typedef enum vt_status vt_store_row(void *context, const struct vt_store_value *values, struct vt_error *error);
enum vt_status vt_store_read(struct vt_store *store, enum vt_store_table table, vt_store_row *row, void *context,
                             struct vt_error *error);
/* The rows of `metric` with one name, by step. */
enum vt_status vt_store_read_metric(struct vt_store *store, const char *name, vt_store_row *row, void *context,
                                    struct vt_error *error);
/* The rows of `ledger` with one word, by source, role and span; and all words that have rows, in order, as rows of one
 * column. */
enum vt_status vt_store_read_ledger(struct vt_store *store, uint32_t word, vt_store_row *row, void *context,
                                    struct vt_error *error);
enum vt_status vt_store_read_ledger_words(struct vt_store *store, vt_store_row *row, void *context,
                                          struct vt_error *error);
/* The sentences that a ledger speaks of, in order, as rows of one column. */
enum vt_status vt_store_read_ledger_documents(struct vt_store *store, vt_store_row *row, void *context,
                                              struct vt_error *error);
/* The row of `document` with one id, if there is one: input, line, text. */
enum vt_status vt_store_read_document(struct vt_store *store, uint64_t id, vt_store_row *row, void *context,
                                      struct vt_error *error);
/* Takes over, inside a transaction, the ledger, trail, pair, snapshot and document rows of another database that
 * nobody has open, in the place of those with the same keys. Of a word of its ledger all earlier rows go whose spans
 * are others; where they are the same, those of roles that the other does not have stay. vt_store_attach comes before
 * the transaction. */
enum vt_status vt_store_attach(struct vt_store *store, const char *path, struct vt_error *error);
enum vt_status vt_store_take_attached(struct vt_store *store, struct vt_error *error);
/* The last row of `step`, if there is one. */
enum vt_status vt_store_read_last_step(struct vt_store *store, vt_store_row *row, void *context,
                                       struct vt_error *error);

#endif

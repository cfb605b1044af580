/*
 * run_text.h: the text of a run, read again as it was read for training.
 */
#ifndef VECTRAIL_ANALYSIS_RUN_TEXT_H
#define VECTRAIL_ANALYSIS_RUN_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vectrail/corpus.h"
#include "vectrail/run.h"

/* A number of the run's settings, or what to take where there is none. */
uint64_t vt_run_text_setting(const struct vt_run *run, const char *key, uint64_t otherwise);
double vt_run_text_real(const struct vt_run *run, const char *key, double otherwise);

/*
 * Reads and encodes the text of a run (inputs; none: the files it was trained on) with its vocabulary, into a temporary
 * file whose name is gone before this returns. Free with vt_corpus_free. VT_ERROR_NOT_FOUND, VT_ERROR_IO: it cannot be
 * read; VT_ERROR_CORRUPT: it is not the text that the run was trained on; VT_ERROR_UNSUPPORTED: the run does not say
 * how it read it.
 */
enum vt_status vt_run_text_open(struct vt_run *run, const char *const *inputs, size_t input_count, int threads,
                                struct vt_corpus **corpus, struct vt_error *error);

/* Any text, encoded into such a file. */
enum vt_status vt_run_text_encode(const char *const *inputs, size_t input_count,
                                  const struct vt_corpus_options *options, struct vt_vocab **vocab,
                                  struct vt_corpus **corpus, struct vt_error *error);

#endif

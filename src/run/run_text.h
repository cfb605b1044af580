/*
 * run_text.h: the text that a run was trained on, read and encoded again as it was then.
 */
#ifndef VECTRAIL_RUN_RUN_TEXT_H
#define VECTRAIL_RUN_RUN_TEXT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/file.h"
#include "vectrail/corpus.h"
#include "vectrail/run.h"

/* A whole number of the run's settings, or what to take where there is none. */
uint64_t vt_run_text_setting(const struct vt_run *run, const char *key, uint64_t otherwise);

/* By which rules the run's text was cut into words and counted; all else as vt_corpus_options_init has it. */
void vt_run_text_rules(const struct vt_run *run, struct vt_corpus_options *options);

struct vt_run_text_options {
  const char *const *inputs; /* where the text is now; none: where it was */
  size_t input_count;
  int threads;
  const char *folder; /* to encode it in; the file's name is gone once it is mapped. NULL: that of temporary files */
  bool lines;         /* say in which line each sentence stands */
  void (*progress)(void *context, uint64_t input_bytes, uint64_t input_bytes_total); /* may be NULL */
  void *progress_context;
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};

struct vt_run_text {
  struct vt_corpus *corpus;
  char **inputs; /* that were read */
  size_t input_count;
  struct vt_mapping lines; /* where asked for: as struct vt_corpus_options's lines_path */
};

/* Reads the text again and holds it against what the run says. VT_ERROR_CORRUPT: it has changed, and the message says
 * which file; VT_ERROR_IO: one is missing; VT_ERROR_UNSUPPORTED, VT_ERROR_NOT_FOUND: the run does not say which text
 * it was, or it was standard input. Free with vt_run_text_release, also on failure. */
enum vt_status vt_run_text_open(struct vt_run *run, const struct vt_run_text_options *options, struct vt_run_text *text,
                                struct vt_error *error);
void vt_run_text_release(struct vt_run_text *text); /* accepts an all-zero one */

/* The places of sentence n: which of the inputs, and which line of it, from 0. n < sentences of the corpus. */
static inline void vt_run_text_line(const struct vt_run_text *text, uint64_t sentence, size_t *input, uint64_t *line) {
  uint64_t place = ((const uint64_t *)(const void *)text->lines.data)[sentence];
  *input = (size_t)(place >> VT_CORPUS_LINE_BITS);
  *line = place & (((uint64_t)1 << VT_CORPUS_LINE_BITS) - 1);
}

#endif

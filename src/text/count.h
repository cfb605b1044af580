/*
 * count.h: the one pass over the text. Every thread numbers words as it meets them, counts them, and puts their
 * numbers away; what the words are worth is decided later.
 */
#ifndef VECTRAIL_TEXT_COUNT_H
#define VECTRAIL_TEXT_COUNT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/pool.h"
#include "text/chunks.h"
#include "text/spill.h"
#include "text/utf8.h"
#include "text/word_table.h"

/* What is kept of a stretch of text. */
struct vt_count_record {
  struct vt_spill_place place; /* its numbers, in the numbering of the worker; VT_CORPUS_END at line ends */
  uint64_t entries;            /* how many */
  uint64_t bytes;
  uint64_t hash; /* of the text */
  uint64_t bad_bytes;
  uint64_t bad_offset; /* of the first of them in the text of the input */
  size_t input;
  int worker;
};

/* The first failure in the order of the text. */
struct vt_count_failure {
  bool set;
  uint64_t index; /* of the stretch */
  struct vt_error error;
};

struct vt_count_worker {
  struct vt_word_table table;
  struct vt_canonical *canonical;
  unsigned char *text;
  uint32_t *numbers;
};

struct vt_count {
  const char *const *inputs;
  const struct vt_corpus_options *options;
  struct vt_chunks *chunks;
  struct vt_spill *spill;
  struct vt_count_worker *workers;
  int worker_count;
  pthread_mutex_t mutex; /* records and failure */
  struct vt_count_record *records;
  size_t record_count;
  size_t record_capacity;
  struct vt_count_failure failure;
  _Atomic bool stop;
};

/* Prepares the workers; chunks and spill stay the caller's. On failure, too, release it. */
enum vt_status vt_count_init(struct vt_count *count, const char *const *inputs, const struct vt_corpus_options *options,
                             struct vt_chunks *chunks, struct vt_spill *spill, struct vt_error *error);
void vt_count_release(struct vt_count *count); /* accepts an all-zero one */

/* Reads everything. The error is that of the smallest place in the text, at any number of threads. */
enum vt_status vt_count_run(struct vt_count *count, struct vt_pool *pool, struct vt_error *error);

#endif

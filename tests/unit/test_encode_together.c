/* A text that several ranks read a part of each gives the file, the vocabulary, the report and the hashes of one that
 * reads all, however it is cut; and what one rank finds wrong ends it on all (label: threads). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "dist/ranks.h"
#include "support/temporary.h"
#include "support/thread_ranks.h"
#include "text/encode.h"
#include "text/vocab_internal.h"

#define INPUTS 5
#define RANKS_MAX 5

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/* Words, some of them rare, in lines of all lengths: none, or far beyond a stretch. */
static void write_text(const char *path, uint64_t seed, int words, const char *before, bool ends) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, 0, 0);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fputs(before, file);
  for (int k = 0; k < words; k++) {
    fprintf(file, "w%u", vt_rng_below(&rng, 1 + vt_rng_below(&rng, 300)));
    fputs(vt_rng_below(&rng, seed % 2 == 0 ? 9 : 200) == 0 ? "\n\n" : " ", file);
  }
  if (ends) fputs("\n", file);
  fclose(file);
}

struct texts {
  struct vtt_folder *folder;
  const char *inputs[INPUTS];
};

static void make_texts(struct texts *texts) {
  texts->folder = vtt_folder_create();
  static const char *const names[INPUTS] = {"a.txt", "empty.txt", "b.txt", "c.txt", "d.txt"};
  for (int k = 0; k < INPUTS; k++) texts->inputs[k] = vtt_path(texts->folder, names[k]);
  write_text(texts->inputs[0], 1, 900, "", false);
  write_text(texts->inputs[1], 2, 0, "", false);
  write_text(texts->inputs[2], 3, 40000, "\xEF\xBB\xBF", true); /* longer than what is looked at first */
  write_text(texts->inputs[3], 4, 5, "\n\n\n", false);
  write_text(texts->inputs[4], 5, 3000, "bad \xff byte\n", true);
}

/* ---- the team ---------------------------------------------------------------------------------------------------- */

struct member {
  struct vt_ranks *ranks;
  struct vt_box box;
};

static enum vt_status agree(void *context, enum vt_status status, struct vt_error *error) {
  return vt_ranks_agree(((struct member *)context)->ranks, status, error);
}
static enum vt_status send_to_zero(void *context, const void *data, size_t bytes, struct vt_error *error) {
  return vt_ranks_send(((struct member *)context)->ranks, 0, data, bytes, error);
}
static enum vt_status receive(void *context, int from, const void **data, size_t *bytes, struct vt_error *error) {
  struct member *member = context;
  enum vt_status status = vt_ranks_receive(member->ranks, from, &member->box, error);
  *data = member->box.data;
  *bytes = member->box.bytes;
  return status;
}
static enum vt_status broadcast(void *context, const void **data, size_t *bytes, struct vt_error *error) {
  struct member *member = context;
  enum vt_status status = vt_ranks_broadcast_box(member->ranks, *data, *bytes, &member->box, error);
  if (vt_ranks_rank(member->ranks) == 0) return status;
  *data = member->box.data;
  *bytes = member->box.bytes;
  return status;
}

struct job {
  const char *const *inputs;
  size_t input_count;
  struct vt_corpus_options options;
  struct vt_encode_sizes sizes;
  const char *paths[RANKS_MAX];
  uint64_t hashes[INPUTS];
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_corpus_report report;
  enum vt_status status[RANKS_MAX];
  struct vt_error error[RANKS_MAX];
};

static void take_part(void *context, struct vt_ranks *ranks) {
  struct job *job = context;
  int rank = vt_ranks_rank(ranks);
  struct member member = {.ranks = ranks};
  uint64_t hashes[INPUTS];
  struct vt_corpus_options options = job->options;
  options.input_hashes = rank == 0 ? job->hashes : hashes;
  const struct vt_encode_team team = {rank, vt_ranks_size(ranks), &member, agree, send_to_zero, receive, broadcast};
  job->status[rank] = vt_corpus_encode_together(
      job->inputs, job->input_count, &options, &job->sizes, &team, job->paths[rank], rank == 0 ? &job->vocab : NULL,
      rank == 0 ? &job->corpus : NULL, rank == 0 ? &job->report : NULL, &job->error[rank]);
  vt_box_release(&member.box);
}

static void job_init(struct job *job, struct texts *texts, size_t chunk_bytes, int threads) {
  *job = (struct job){.inputs = texts->inputs, .input_count = INPUTS};
  job->sizes = (struct vt_encode_sizes){chunk_bytes, 1000, 4096};
  vt_corpus_options_init(&job->options);
  job->options.threads = threads;
  for (int r = 0; r < RANKS_MAX; r++) {
    char name[16];
    snprintf(name, sizeof name, "part%d", r);
    job->paths[r] = vtt_path(texts->folder, name);
  }
}

static void job_release(struct job *job) {
  vt_vocab_free(job->vocab);
  vt_corpus_free(job->corpus);
}

static void compare(const struct job *a, const struct job *b, const char *path_a, const char *path_b) {
  struct vt_mapping x, y;
  assert_int_equal(vt_mapping_open(path_a, &x, NULL), VT_OK);
  assert_int_equal(vt_mapping_open(path_b, &y, NULL), VT_OK);
  assert_int_equal(x.bytes, y.bytes);
  assert_memory_equal(x.data, y.data, x.bytes);
  vt_mapping_release(&x);
  vt_mapping_release(&y);
  assert_int_equal(vt_vocab_size(a->vocab), vt_vocab_size(b->vocab));
  for (uint32_t id = 0; id < vt_vocab_size(a->vocab); id++) {
    assert_string_equal(vt_vocab_text(a->vocab, id), vt_vocab_text(b->vocab, id));
    assert_true(a->vocab->counts[id] == b->vocab->counts[id]);
  }
  assert_memory_equal(a->hashes, b->hashes, sizeof a->hashes);
  struct vt_corpus_report left = a->report, right = b->report;
  left.seconds = right.seconds = 0;
  assert_memory_equal(&left, &right, sizeof left);
}

static void parts_give_the_whole(void **state) {
  (void)state;
  static const size_t chunks[] = {1, 100, 5000, 8192, 65536, 200000};
  struct texts texts;
  make_texts(&texts);
  for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c += vtt_sanitized ? 2 : 1) {
    struct job alone;
    job_init(&alone, &texts, chunks[c], 1);
    alone.options.input_hashes = alone.hashes;
    const char *path = vtt_path(texts.folder, "alone");
    assert_int_equal(vt_corpus_encode_sized(texts.inputs, INPUTS, &alone.options, &alone.sizes, path, &alone.vocab,
                                            &alone.corpus, &alone.report, &alone.error[0]),
                     VT_OK);
    assert_true(alone.report.replaced_bytes == 1 && alone.report.tokens > 40000);
    for (int ranks = 1; ranks <= RANKS_MAX; ranks++) {
      struct job job;
      job_init(&job, &texts, chunks[c], 1 + ranks % 2);
      vtt_ranks_run(ranks, 1, take_part, &job);
      for (int r = 0; r < ranks; r++)
        if (job.status[r] != VT_OK) fail_msg("rank %d: %s", r, job.error[r].message);
      compare(&alone, &job, path, job.paths[0]);
      job_release(&job);
    }
    job_release(&alone);
  }
  vtt_folder_remove(texts.folder);
}

static void expect_failure(struct texts *texts, const char *input, enum vt_status status, const char *part) {
  const char *const *before = texts->inputs;
  const char *inputs[INPUTS];
  memcpy(inputs, before, sizeof inputs);
  inputs[INPUTS - 1] = input;
  size_t entries = vtt_folder_entries(texts->folder);
  struct job job;
  job_init(&job, texts, 3000, 2);
  job.inputs = inputs;
  vtt_ranks_run(4, 1, take_part, &job);
  for (int r = 0; r < 4; r++) {
    if (job.status[r] != status || strstr(job.error[r].message, part) == NULL)
      fail_msg("rank %d: %d, %s", r, (int)job.status[r], job.error[r].message);
  }
  assert_int_equal(vtt_folder_entries(texts->folder), entries);
}

static void what_is_wrong_in_one_part_ends_all(void **state) {
  (void)state;
  struct texts texts;
  make_texts(&texts);
  const char *nul = vtt_path(texts.folder, "nul.txt");
  FILE *file = fopen(nul, "wb");
  assert_non_null(file);
  fwrite("words and\0more", 1, 14, file);
  fclose(file);
  expect_failure(&texts, nul, VT_ERROR_FORMAT, "byte 9 is NUL");
  expect_failure(&texts, vtt_path(texts.folder, "missing.txt"), VT_ERROR_IO, "missing.txt");
  struct job job;
  job_init(&job, &texts, 3000, 1);
  job.options.min_count = 1000000;
  vtt_ranks_run(3, 1, take_part, &job);
  assert_int_equal(job.status[2], VT_ERROR_EMPTY);
  assert_non_null(strstr(job.error[2].message, "no word occurs"));
  vtt_folder_remove(texts.folder);
}

/* A vocabulary that has nothing of what a rank reads: there the part is empty. */
static void a_part_without_words(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct texts texts = {.folder = folder};
  const char *path = vtt_path(folder, "rare.txt"), *whole = vtt_path(folder, "whole");
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  for (int k = 0; k < 500; k++) fputs("often ", file);
  for (int k = 0; k < 3000; k++) fprintf(file, "once%d ", k);
  fputs("\noften\n", file);
  fclose(file);
  struct job alone, job;
  job_init(&alone, &texts, 300, 1);
  alone.options.input_hashes = alone.hashes;
  assert_int_equal(vt_corpus_encode_sized(&path, 1, &alone.options, &alone.sizes, whole, &alone.vocab, &alone.corpus,
                                          &alone.report, NULL),
                   VT_OK);
  job_init(&job, &texts, 300, 1);
  job.inputs = &path;
  job.input_count = 1;
  vtt_ranks_run(4, 1, take_part, &job);
  assert_int_equal(job.status[0], VT_OK);
  compare(&alone, &job, whole, job.paths[0]);
  job_release(&alone);
  job_release(&job);
  vtt_folder_remove(folder);
}

static void what_cannot_be_read_in_parts(void **state) {
  (void)state;
  struct texts texts;
  make_texts(&texts);
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  bool can;
  assert_int_equal(vt_corpus_can_be_shared(texts.inputs, INPUTS, &options, &can, NULL), VT_OK);
  assert_true(can);
  const char *pipe = "-";
  assert_int_equal(vt_corpus_can_be_shared(&pipe, 1, &options, &can, NULL), VT_OK);
  assert_false(can);
  const char *packed = vtt_path(texts.folder, "packed");
  FILE *file = fopen(packed, "wb");
  assert_non_null(file);
  fwrite("\x28\xb5\x2f\xfd....", 1, 8, file);
  fclose(file);
  assert_int_equal(vt_corpus_can_be_shared(&packed, 1, &options, &can, NULL), VT_OK);
  assert_false(can);
  options.phrases = 1;
  assert_int_equal(vt_corpus_can_be_shared(texts.inputs, INPUTS, &options, &can, NULL), VT_OK);
  assert_false(can);
  vtt_folder_remove(texts.folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_give_the_whole),
      cmocka_unit_test(what_is_wrong_in_one_part_ends_all),
      cmocka_unit_test(a_part_without_words),
      cmocka_unit_test(what_cannot_be_read_in_parts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

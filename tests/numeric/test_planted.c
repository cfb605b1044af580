/* label: optimised. Training finds what was planted in a generated corpus, and the random start holds none of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "support/planted.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

static uint32_t id_of(const struct vt_vectors *vectors, const char *format, int a, int b) {
  char text[32];
  uint32_t id;
  snprintf(text, sizeof text, format, a, b); /* NOLINT: formats are the literals below */
  assert_true(vt_vocab_find(vectors->vocab, text, &id));
  return id;
}

static bool is_in_top3(const struct vt_vectors *vectors, uint32_t word, uint32_t other) {
  struct vt_neighbor neighbors[3];
  size_t count;
  assert_int_equal(vt_vectors_nearest(vectors, vt_vectors_row(vectors, word), 3, 0, &word, 1, neighbors, &count, NULL),
                   VT_OK);
  for (size_t k = 0; k < count; k++)
    if (neighbors[k].id == other) return true;
  return false;
}

static double analogy_share(const struct vt_vectors *vectors) {
  int asked = 0, right = 0;
  for (int c = 0; c < VTT_CLASSES; c++) {
    for (int d = 0; d < VTT_CLASSES; d++) {
      for (int g = 0; g < VTT_ATTRIBUTES; g++) {
        for (int h = 0; h < VTT_ATTRIBUTES; h++) {
          if (c == d || g == h) continue;
          struct vt_neighbor best;
          size_t count;
          assert_int_equal(vt_vectors_analogy(vectors, id_of(vectors, "w%dg%d", c, g), id_of(vectors, "w%dg%d", c, h),
                                              id_of(vectors, "w%dg%d", d, g), 1, &best, &count, NULL),
                           VT_OK);
          asked++;
          right += best.id == id_of(vectors, "w%dg%d", d, h);
        }
      }
    }
  }
  return (double)right / asked;
}

static bool synonyms_found(const struct vt_vectors *vectors) {
  bool found = true;
  for (int s = 0; s < VTT_SYNONYMS; s++) {
    uint32_t a = id_of(vectors, "syn%da", s, 0), b = id_of(vectors, "syn%db", s, 0);
    found = found && is_in_top3(vectors, a, b) && is_in_top3(vectors, b, a);
  }
  return found;
}

static void check_planted(enum vt_model model, enum vt_loss loss, double lr, double loss_at_start) {
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 40000, 7), *path = vtt_path(folder, "run");
  struct vt_train_request request = {.inputs = &corpus, .input_count = 1, .run_path = path};
  vt_corpus_options_init(&request.corpus);
  vt_train_options_init(&request.train);
  vt_record_options_init(&request.record);
  request.train.model = model;
  request.train.loss = loss;
  request.train.lr = lr;
  request.train.dim = 32;
  request.train.epochs = 5;
  request.train.sample = 1e-3;
  request.train.block_tokens = 128;
  request.train.blocks = 4;
  request.record.snapshots = 3;
  struct vt_train_result result;
  assert_int_equal(vt_train(&request, &result, NULL), VT_OK);
  assert_true(result.loss > 0 && result.loss < loss_at_start);
  struct vt_run *run;
  assert_int_equal(vt_run_open(path, &run, NULL), VT_OK);
  struct vt_vectors *vectors;
  assert_int_equal(vt_run_vectors(run, VT_STEP_LAST, &vectors, NULL), VT_OK);
  assert_true(synonyms_found(vectors));
  double share = analogy_share(vectors);
  if (share <= 0.9) fail_msg("analogies: %.3f", share);
  vt_vectors_free(vectors);
  /* At the start nothing of that is there. */
  assert_int_equal(vt_run_vectors(run, 0, &vectors, NULL), VT_OK);
  assert_false(synonyms_found(vectors));
  assert_true(analogy_share(vectors) < 0.1);
  vt_vectors_free(vectors);
  vt_run_close(run);
  vtt_folder_remove(folder);
}

static void planted_synonyms_and_analogies_are_found(void **state) {
  (void)state;
  check_planted(VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, 0.025, 6 * log(2));
  check_planted(VT_MODEL_SKIPGRAM, VT_LOSS_HIERARCHICAL_SOFTMAX, 0.025, 9 * log(2));
  check_planted(VT_MODEL_CBOW, VT_LOSS_NEGATIVE_SAMPLING, 0.1, 6 * log(2));
  check_planted(VT_MODEL_CBOW, VT_LOSS_HIERARCHICAL_SOFTMAX, 0.1, 9 * log(2));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(planted_synonyms_and_analogies_are_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

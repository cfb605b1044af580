/*
 * label: threads. A run made ready to be looked at: the same answers whatever the number of threads, the memory for
 * vectors and the order in which questions are asked; a map that keeps words where an earlier one had them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "support/planted.h"
#include "support/rank_jobs.h"
#include "support/temporary.h"
#include "vectrail/view.h"

enum { SNAPSHOTS = 12, DIM = 8, NEAR = 4, ASKED = 24 };

static struct vtt_folder *folder;
static const char *path;

static int train(void **state) {
  (void)state;
  folder = vtt_folder_create();
  path = vtt_path(folder, "run");
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 300, 1);
  struct vt_train_request request;
  vtt_request_small(&request, &corpus, path, DIM);
  request.train.epochs = 4;
  request.record.snapshots = SNAPSHOTS;
  return vt_train(&request, NULL, NULL) == VT_OK ? 0 : -1;
}

static int forget(void **state) {
  (void)state;
  vtt_folder_remove(folder);
  return 0;
}

static struct vt_view_options options_for(int threads) {
  struct vt_view_options options;
  vt_view_options_init(&options);
  options.threads = threads;
  return options;
}

static struct vt_view *open_view(const struct vt_view_options *options) {
  struct vt_view *view = NULL;
  struct vt_error error;
  uint64_t damaged;
  if (vt_view_open(path, options, &view, &damaged, &error) != VT_OK) fail_msg("%s", error.message);
  if (vt_view_prepare(view, NULL, &damaged, &error) != VT_OK) fail_msg("%s", error.message);
  return view;
}

static void expect_same_maps(struct vt_view *a, struct vt_view *b) {
  const struct vt_view_facts facts = vt_view_facts(a);
  assert_int_equal(vt_view_facts(b).frames, facts.frames);
  assert_memory_equal(vt_view_cluster_of(a), vt_view_cluster_of(b), facts.map_words);
  for (size_t f = 0; f < facts.frames; f++) {
    assert_true(vt_view_step(a, f) == vt_view_step(b, f));
    assert_memory_equal(vt_view_positions(a, f), vt_view_positions(b, f), facts.map_words * 2 * sizeof(int16_t));
    assert_memory_equal(vt_view_movement(a, f), vt_view_movement(b, f), facts.map_words);
  }
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

struct answer {
  struct vt_neighbor neighbors[NEAR];
  struct vt_view_pair pair;
  struct vt_view_word story;
};

struct questions {
  struct vt_view *view;
  struct answer answers[ASKED]; /* by question; each is of another frame than the one before */
};

static void ask(void *context, size_t begin, size_t end) {
  struct questions *questions = context;
  struct vt_view *view = questions->view;
  for (size_t k = begin; k < end; k++) {
    struct answer *answer = &questions->answers[k];
    const size_t frame = k * 5 % SNAPSHOTS;
    const uint32_t word = (uint32_t)(k * 3 % 20);
    size_t count;
    assert_int_equal(vt_view_neighbors(view, word, frame, NEAR, answer->neighbors, &count, NULL), VT_OK);
    assert_int_equal(count, NEAR);
    assert_int_equal(vt_view_pair_at(view, word, answer->neighbors[0].id, frame, true, &answer->pair, NULL), VT_OK);
    assert_int_equal(vt_view_word_at(view, word, frame, &answer->story, NULL), VT_OK);
  }
}

static void expect_same_answers(const struct questions *a, const struct questions *b) {
  for (size_t k = 0; k < ASKED; k++) {
    const struct answer *x = &a->answers[k], *y = &b->answers[k];
    for (size_t n = 0; n < NEAR; n++) {
      assert_int_equal(x->neighbors[n].id, y->neighbors[n].id);
      assert_true(x->neighbors[n].cosine == y->neighbors[n].cosine);
    }
    assert_true(x->pair.cosine == y->pair.cosine && x->pair.rank_ab == 1 && y->pair.rank_ab == 1);
    assert_true(x->story.norm == y->story.norm && x->story.displacement == y->story.displacement);
    assert_true(x->story.speed == y->story.speed || (isnan(x->story.speed) && isnan(y->story.speed)));
  }
}

/* Of twelve snapshots one view holds all, the other the least there is to be, so that it reads them again and again. */
static void little_memory_and_many_who_ask_change_no_answer(void **state) {
  (void)state;
  struct vt_view_options roomy = options_for(1), narrow = options_for(2);
  narrow.cache_bytes = 0;
  static struct questions alone, together;
  alone.view = open_view(&roomy);
  together.view = open_view(&narrow);
  assert_int_equal(vt_view_facts(alone.view).frames, SNAPSHOTS);
  expect_same_maps(alone.view, together.view);
  struct vt_pool *pool = NULL;
  assert_int_equal(vt_pool_create(3, &pool, NULL), VT_OK);
  vt_pool_share(NULL, ASKED, ASKED, ask, &alone);
  vt_pool_share(pool, ASKED, 1, ask, &together);
  expect_same_answers(&alone, &together);
  vt_pool_free(pool);
  vt_view_free(alone.view);
  vt_view_free(together.view);
}

/* ---- the map of a run that has grown ----------------------------------------------------------------------------- */

/* How far words stand from where the other map has them, at the last frame of that one. */
static double distance(struct vt_view *map, struct vt_view *before) {
  const struct vt_view_facts facts = vt_view_facts(before);
  const uint64_t step = vt_view_step(before, facts.frames - 1);
  size_t frame = 0;
  while (vt_view_step(map, frame) != step) frame++;
  const int16_t *at = vt_view_positions(map, frame), *was = vt_view_positions(before, facts.frames - 1);
  const double unit = vt_view_facts(map).edge, unit_before = facts.edge;
  double sum = 0;
  for (size_t k = 0; k < 2 * facts.map_words; k++) {
    const double d = (double)at[k] * unit - (double)was[k] * unit_before;
    sum += d * d;
  }
  return sqrt(sum) / VT_VIEW_EDGE;
}

static void a_map_is_turned_onto_the_one_before(void **state) {
  (void)state;
  struct vt_view_options options = options_for(2);
  struct vt_view *whole = open_view(&options);
  options.before = whole;
  struct vt_view *again = open_view(&options);
  assert_true(distance(again, whole) <= 0.01 * vt_view_facts(whole).edge);
  /* As it was when it had three snapshots. */
  uint64_t later[SNAPSHOTS];
  for (size_t f = 3; f < SNAPSHOTS; f++) later[f - 3] = vt_view_step(whole, f);
  options = options_for(2);
  options.skip = later;
  options.skip_count = SNAPSHOTS - 3;
  struct vt_view *young = open_view(&options);
  assert_int_equal(vt_view_facts(young).frames, 3);
  options = options_for(2);
  options.before = young;
  struct vt_view *grown = open_view(&options);
  assert_int_equal(vt_view_facts(grown).frames, SNAPSHOTS);
  assert_true(distance(grown, young) <= distance(whole, young) + 1e-9);
  vt_view_free(grown);
  vt_view_free(young);
  vt_view_free(again);
  vt_view_free(whole);
}

static void what_is_not_there_is_refused(void **state) {
  (void)state;
  struct vt_view_options options = options_for(1);
  struct vt_view *view = open_view(&options);
  const uint32_t words = (uint32_t)vt_view_facts(view).words, axes[4] = {1, 1, 2, 2};
  struct vt_view_pair pair;
  struct vt_view_word story;
  double share[2];
  assert_int_equal(vt_view_pair_at(view, 0, words, 0, false, &pair, NULL), VT_ERROR_ARGUMENT);
  assert_int_equal(vt_view_word_at(view, 0, SNAPSHOTS, &story, NULL), VT_ERROR_ARGUMENT);
  assert_int_equal(vt_view_plane_share(view, axes, share, NULL), VT_ERROR_EMPTY);
  uint64_t all[SNAPSHOTS], damaged = 0;
  for (size_t f = 0; f < SNAPSHOTS; f++) all[f] = vt_view_step(view, f);
  vt_view_free(view);
  options.skip = all;
  options.skip_count = SNAPSHOTS;
  assert_int_equal(vt_view_open(path, &options, &view, &damaged, NULL), VT_ERROR_EMPTY);
  assert_true(damaged == UINT64_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(little_memory_and_many_who_ask_change_no_answer),
      cmocka_unit_test(a_map_is_turned_onto_the_one_before),
      cmocka_unit_test(what_is_not_there_is_refused),
  };
  VTT_TSAN_RUNS("little_memory_*");
  return cmocka_run_group_tests(tests, train, forget);
}

/* The ledger (label: threads, label: long): v(T) = v(0) + its sum, for every objective, with the cap and the decay at
 * work, the same bits at any number of threads and across a stop; and its sources are those that a text allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/planted.h"
#include "support/temporary.h"
#include "vectrail/ledger.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

#define DIM 20
#define ROUNDING_MAX 1e-4 /* of the displacement: float32 rounds every step of a block, to 6e-8 of the row */

static const char *const watched[] = {"the0", "syn7a", "topic7x1"};
#define WATCHED (sizeof watched / sizeof watched[0])

static volatile sig_atomic_t stop;

struct setting {
  const char *name;
  enum vt_model model;
  enum vt_loss loss;
  enum vt_optimizer_kind optimizer;
  bool classic;
  double lr;
  double l2;
  uint32_t sources;
  uint32_t batch; /* exact softmax */
};

static const struct setting settings[] = {
    {"skipgram-ns", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, false, 0.025, 0, 0, 0},
    {"skipgram-hs", VT_MODEL_SKIPGRAM, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_SGD, false, 0.025, 0, 0, 0},
    {"cbow-ns", VT_MODEL_CBOW, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, false, 0.1, 0, 0, 0},
    {"cbow-hs", VT_MODEL_CBOW, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_SGD, false, 0.1, 0, 0, 0},
    {"classic-ns", VT_MODEL_CBOW, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, true, 0.05, 0, 0, 0},
    {"classic-hs", VT_MODEL_CBOW, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_SGD, true, 0.05, 0, 0, 0},
    {"capped", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, false, 0.3, 0, 0, 0},
    {"decay", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, false, 0.05, 1e-3, 0, 0},
    {"decay-hs", VT_MODEL_SKIPGRAM, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_SGD, false, 0.05, 1e-3, 0, 0},
    {"decay-cbow", VT_MODEL_CBOW, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, false, 0.1, 1e-3, 0, 0},
    /* The books of the decay are begun anew when the product of its factors has become very small. */
    {"renewed", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, false, 0.3, 0.3, 0, 0},
    {"adagrad", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_ADAGRAD, false, 0.15, 0, 0, 0},
    {"adagrad-decay", VT_MODEL_CBOW, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_ADAGRAD, false, 0.15, 1e-4, 0, 0},
    {"softmax", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_SGD, false, 2, 0, 0, 64},
    {"softmax-decay", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_SGD, false, 2, 1e-4, 0, 64},
    {"softmax-adagrad", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_ADAGRAD, false, 0.1, 1e-4, 0, 64},
    {"softmax-adamw", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_ADAMW, false, 0.005, 1e-3, 0, 64},
    {"full", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_SGD, false, 300, 0, 0, VT_BATCH_FULL},
    {"full-adagrad", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_ADAGRAD, false, 0.1, 1e-5, 0, VT_BATCH_FULL},
    {"full-adamw", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_ADAMW, false, 0.01, 1e-4, 0, VT_BATCH_FULL},
    {"glove", VT_MODEL_GLOVE, VT_LOSS_SQUARES, VT_OPTIMIZER_ADAGRAD, false, 1, 0, 0, 0},
    {"glove-decay", VT_MODEL_GLOVE, VT_LOSS_SQUARES, VT_OPTIMIZER_ADAGRAD, false, 1, 1e-2, 0, 0},
    {"few", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, false, 0.025, 0, 7, 0},
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static void request_init(struct vt_train_request *request, const char *const *inputs, const char *run,
                         const struct setting *setting, int threads) {
  *request = (struct vt_train_request){.inputs = inputs, .input_count = 1, .run_path = run, .interrupt = &stop};
  vt_corpus_options_init(&request->corpus);
  vt_train_options_init(&request->train);
  vt_record_options_init(&request->record);
  request->corpus.min_count = 1;
  request->train.dim = DIM;
  request->train.block_tokens = 128;
  request->train.blocks = 4;
  request->train.epochs = 3;
  request->train.sample = 1e-2;
  request->train.model = setting->model;
  request->train.loss = setting->loss;
  request->train.optimizer = setting->optimizer;
  request->train.cbow_classic = setting->classic;
  request->train.lr = setting->lr;
  request->train.batch = setting->batch;
  if (setting->loss == VT_LOSS_SOFTMAX && setting->batch == VT_BATCH_FULL) request->train.epochs = 24; /* steps */
  request->train.l2 = setting->l2;
  request->train.threads = request->corpus.threads = threads;
  request->record.snapshots = 12;
  request->record.float32 = true;
  request->record.ledger = watched;
  request->record.ledger_count = WATCHED;
  request->record.ledger_spans = 4;
  request->record.ledger_sources = setting->sources;
}

static struct vt_run *open_run(const char *path) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  return run;
}

static struct vt_vectors *vectors_at(struct vt_run *run, uint64_t step) {
  struct vt_vectors *vectors;
  struct vt_error error;
  if (vt_run_vectors(run, step, &vectors, &error) != VT_OK) fail_msg("%s", error.message);
  return vectors;
}

static uint32_t id_of(struct vt_run *run, const char *word) {
  uint32_t id;
  if (!vt_vocab_find(vt_run_vocab(run), word, &id)) fail_msg("%s is not in the vocabulary", word);
  return id;
}

/* ---- what a ledger says ------------------------------------------------------------------------------------------ */

struct sums {
  uint64_t until; /* spans that end later are left out */
  double all[DIM];
  double start[DIM];
  double rounding[DIM];
  double decay[DIM];
  size_t rows;
  size_t spans_seen;
  uint64_t last_span;
  size_t others;
  uint64_t hash; /* of every byte */
};

static void mix(uint64_t *hash, const void *data, size_t bytes) {
  const unsigned char *at = data;
  for (size_t k = 0; k < bytes; k++) *hash = (*hash ^ at[k]) * UINT64_C(1099511628211);
}

static enum vt_status add_row(void *context, const struct vt_ledger_entry *entry, struct vt_error *error) {
  struct sums *sums = context;
  (void)error;
  if (entry->span > sums->until) return VT_OK;
  double *part = strcmp(entry->role, "start") == 0      ? sums->start
                 : strcmp(entry->role, "rounding") == 0 ? sums->rounding
                 : strcmp(entry->role, "decay") == 0    ? sums->decay
                                                        : NULL;
  for (size_t k = 0; k < DIM; k++) {
    sums->all[k] += (double)entry->vector[k];
    if (part != NULL) part[k] += (double)entry->vector[k];
  }
  sums->rows++;
  sums->others += entry->source == VT_LEDGER_OTHER_SOURCES;
  if (entry->span > sums->last_span) sums->last_span = entry->span;
  mix(&sums->hash, &entry->span, sizeof entry->span);
  mix(&sums->hash, &entry->source, sizeof entry->source);
  mix(&sums->hash, entry->role, strlen(entry->role));
  mix(&sums->hash, &entry->updates, sizeof entry->updates);
  mix(&sums->hash, entry->vector, DIM * sizeof *entry->vector);
  return VT_OK;
}

static struct sums sum_up(struct vt_run *run, const char *word, uint64_t until) {
  struct sums sums = {.until = until, .hash = UINT64_C(14695981039346656037)};
  struct vt_error error;
  if (vt_run_ledger(run, id_of(run, word), DIM, add_row, &sums, &error) != VT_OK) fail_msg("%s", error.message);
  return sums;
}

static double length(const double *a) {
  double sum = 0;
  for (size_t k = 0; k < DIM; k++) sum += a[k] * a[k];
  return sqrt(sum);
}

/* |v(T) - v(0) - sum| / |v(T) - v(0)|, at a step at which a span ends. */
static double residual(struct vt_run *run, const char *word, uint64_t step, const struct sums *sums) {
  struct vt_vectors *first = vectors_at(run, 0), *last = vectors_at(run, step);
  uint32_t id = id_of(run, word);
  double moved[DIM], rest[DIM];
  for (size_t k = 0; k < DIM; k++) {
    double from = (double)vt_vectors_row(first, id)[k], to = (double)vt_vectors_row(last, id)[k];
    moved[k] = to - from;
    rest[k] = to - sums->all[k]; /* v(0) is among the rows */
    assert_true(from == sums->start[k]);
  }
  vt_vectors_free(first);
  vt_vectors_free(last);
  assert_true(length(moved) > 1e-3);
  assert_true(length(sums->rounding) <= ROUNDING_MAX * length(moved));
  return length(rest) / length(moved);
}

static uint64_t train(const char *corpus, const char *path, const struct setting *setting, int threads) {
  struct vt_train_request request;
  request_init(&request, &corpus, path, setting, threads);
  struct vt_train_result result;
  struct vt_error error;
  if (vt_train(&request, &result, &error) != VT_OK) fail_msg("%s: %s", setting->name, error.message);
  assert_true(result.ledger_bytes > 0);
  return result.steps;
}

static double last_of(struct vt_run *run, const char *metric) {
  struct vt_run_point *points;
  size_t count;
  assert_int_equal(vt_run_metric(run, metric, &points, &count, NULL), VT_OK);
  double value = 0;
  for (size_t k = 0; k < count; k++) value = points[k].value > value ? points[k].value : value;
  vt_run_points_free(points);
  return value;
}

static void check_setting(const char *corpus, struct vtt_folder *folder, const struct setting *setting) {
  uint64_t hashes[WATCHED] = {0};
  const int fewest = vtt_sanitized ? 3 : 1;
  for (int threads = fewest; threads <= 3; threads += 2) {
    char name[64];
    snprintf(name, sizeof name, "%s-%d", setting->name, threads);
    const char *path = vtt_path(folder, name);
    uint64_t steps = train(corpus, path, setting, threads);
    struct vt_run *run = open_run(path);
    for (size_t w = 0; w < WATCHED; w++) {
      struct sums sums = sum_up(run, watched[w], steps);
      assert_int_equal(sums.last_span, steps);
      assert_true(residual(run, watched[w], steps, &sums) <= 1e-5);
      assert_true((length(sums.decay) > 0) == (setting->l2 > 0));
      assert_true((sums.others > 0) == (setting->sources > 0));
      if (threads == fewest) hashes[w] = sums.hash;
      assert_true(hashes[w] == sums.hash);
      /* It holds at the end of every span, too. */
      struct sums half = sum_up(run, watched[w], sums.last_span / 2);
      assert_true(half.last_span > 0 && half.rows < sums.rows);
      assert_true(residual(run, watched[w], half.last_span, &half) <= 1e-5);
    }
    if (strcmp(setting->name, "capped") == 0) assert_true(last_of(run, "capped") > 0.01);
    vt_run_close(run);
  }
}

static void the_ledger_is_what_moved(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 200, 1);
  /* TSan is shown one of each kind of engine. */
  for (size_t k = 0; k < SETTINGS; k += vtt_under_tsan ? 3 : 1) check_setting(corpus, folder, &settings[k]);
  vtt_folder_remove(folder);
}

/* ---- it changes nothing, and survives a stop --------------------------------------------------------------------- */

static void snapshot_hash(const char *path, char sha256[80]) {
  struct vt_run *run = open_run(path);
  snprintf(sha256, 80, "%s", vt_run_snapshot_at(run, vt_run_snapshot_count(run) - 1).sha256);
  vt_run_close(run);
}

static void the_vectors_do_not_know_of_it(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 120, 1);
  char with[80], without[80];
  for (size_t k = 0; k < SETTINGS; k += vtt_sanitized ? 12 : 3) {
    char name[64];
    snprintf(name, sizeof name, "%s-with", settings[k].name);
    train(corpus, vtt_path(folder, name), &settings[k], 2);
    snapshot_hash(vtt_path(folder, name), with);
    snprintf(name, sizeof name, "%s-without", settings[k].name);
    struct vt_train_request request;
    request_init(&request, &corpus, vtt_path(folder, name), &settings[k], 2);
    request.record.ledger_count = 0;
    assert_int_equal(vt_train(&request, NULL, NULL), VT_OK);
    snapshot_hash(vtt_path(folder, name), without);
    assert_string_equal(with, without);
  }
  vtt_folder_remove(folder);
}

static void stop_at(void *context, const struct vt_train_progress *progress) {
  if (progress->step + 1 >= *(const uint64_t *)context) stop = 1;
}

/* Stopped in the middle of a span, the ledger explains the vector as it is then; gone on with, it ends as the one of a
 * training that was never stopped. */
static void check_stop(const char *corpus, struct vtt_folder *folder, const struct setting *setting, uint64_t at) {
  char name[64];
  snprintf(name, sizeof name, "%s-whole", setting->name);
  const char *whole = vtt_path(folder, name);
  snprintf(name, sizeof name, "%s-stopped", setting->name);
  const char *stopped = vtt_path(folder, name);
  uint64_t steps = train(corpus, whole, setting, 1);
  struct vt_train_request request;
  request_init(&request, &corpus, stopped, setting, 2);
  request.progress = stop_at;
  request.progress_context = &at;
  stop = 0;
  assert_int_equal(vt_train(&request, NULL, NULL), VT_ERROR_INTERRUPTED);
  stop = 0;
  struct vt_run *run = open_run(stopped);
  for (size_t w = 0; w < WATCHED; w++) {
    struct sums sums = sum_up(run, watched[w], steps);
    assert_int_equal(sums.last_span, at);
    assert_true(residual(run, watched[w], at, &sums) <= 1e-5);
  }
  vt_run_close(run);
  struct vt_resume_request resume;
  vt_resume_request_init(&resume);
  resume.run_path = stopped;
  resume.threads = 3;
  struct vt_error error;
  if (vt_resume(&resume, NULL, &error) != VT_OK) fail_msg("%s", error.message);
  struct vt_run *a = open_run(whole), *b = open_run(stopped);
  for (size_t w = 0; w < WATCHED; w++)
    assert_true(sum_up(a, watched[w], steps).hash == sum_up(b, watched[w], steps).hash);
  vt_run_close(a);
  vt_run_close(b);
}

static void a_stop_leaves_no_trace_in_it(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 300, 1);
  for (size_t k = 0; k < SETTINGS; k++)
    if (strcmp(settings[k].name, "skipgram-ns") == 0 || (settings[k].l2 > 0 && !vtt_sanitized) ||
        settings[k].sources > 0)
      /* A minibatch's step is one block: the words have to come first. GloVe's takes a sixteenth of the records. */
      check_stop(corpus, folder, &settings[k],
                 settings[k].batch > 0                 ? 41
                 : settings[k].model == VT_MODEL_GLOVE ? 25
                                                       : 7);
  vtt_folder_remove(folder);
}

/* ---- its sources ------------------------------------------------------------------------------------------------- */

struct seen {
  struct vt_run *run;
  const char *attractor; /* the one word that can attract */
  const char *role;
  size_t attracted, pushed;
};

static enum vt_status look_at_row(void *context, const struct vt_ledger_entry *entry, struct vt_error *error) {
  struct seen *seen = context;
  (void)error;
  if (strcmp(entry->role, seen->role) == 0) {
    assert_int_equal(entry->source, id_of(seen->run, seen->attractor));
    seen->attracted++;
  }
  if (strcmp(entry->role, "pushed") == 0) {
    assert_int_not_equal(entry->source, id_of(seen->run, seen->attractor)); /* no noise word is its own centre */
    seen->pushed++;
  }
  return VT_OK;
}

/* Two words to a sentence: each has the other as its only centre. */
static void sources_are_those_the_text_allows(void **state) {
  (void)state;
  static const char *const pair_words[] = {"sun", "moon"};
  struct vtt_folder *folder = vtt_folder_create();
  const size_t size = 64 * 400;
  char *text = malloc(size);
  assert_non_null(text);
  size_t at = 0;
  for (int k = 0; k < 400; k++)
    at += (size_t)snprintf(text + at, size - at, "%s\n", k % 2 == 0 ? "sun moon" : k % 4 == 1 ? "cat dog" : "oak elm");
  const char *corpus = vtt_write_text(folder, "corpus.txt", text);
  free(text);
  for (size_t k = 0; k < 6; k++) {
    struct vt_train_request request;
    const char *path = vtt_path(folder, settings[k].name);
    request_init(&request, &corpus, path, &settings[k], 2);
    request.train.sample = 0;
    request.record.ledger = pair_words;
    request.record.ledger_count = 2;
    struct vt_error error;
    if (vt_train(&request, NULL, &error) != VT_OK) fail_msg("%s", error.message);
    struct vt_run *run = open_run(path);
    bool sampled = settings[k].loss == VT_LOSS_NEGATIVE_SAMPLING;
    for (int w = 0; w < 2; w++) {
      struct seen seen = {.run = run, .attractor = pair_words[1 - w], .role = sampled ? "attracted" : "path"};
      assert_int_equal(vt_run_ledger(run, id_of(run, pair_words[w]), DIM, look_at_row, &seen, NULL), VT_OK);
      assert_int_equal(seen.attracted, 4); /* in each span */
      assert_true((seen.pushed > 0) == sampled);
    }
    vt_run_close(run);
  }
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_ledger_is_what_moved),
      cmocka_unit_test(the_vectors_do_not_know_of_it),
      cmocka_unit_test(a_stop_leaves_no_trace_in_it),
      cmocka_unit_test(sources_are_those_the_text_allows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Replays (label: threads, label: long): every objective comes to the same bits; what is recorded afterwards is what
 * would have been recorded then; a ledger by document speaks of the lines of the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/run_internal.h"
#include "support/planted.h"
#include "support/temporary.h"
#include "vectrail/ledger.h"
#include "vectrail/replay.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

#define DIM 20

static const char *const watched[] = {"the0", "syn7a", "the1"};
#define WATCHED (sizeof watched / sizeof watched[0])

struct setting {
  const char *name;
  enum vt_model model;
  enum vt_loss loss;
  enum vt_optimizer_kind optimizer;
  double lr;
  double l2;
  uint32_t batch;
  uint32_t phrases;
  double held_out;
  bool until_converged;
  bool documents; /* a ledger by document can be kept */
};

static const struct setting settings[] = {
    {"ns", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, 0.025, 0, 0, 0, 0, false, true},
    {"cbow-hs", VT_MODEL_CBOW, VT_LOSS_HIERARCHICAL_SOFTMAX, VT_OPTIMIZER_SGD, 0.1, 1e-3, 0, 0, 0.1, false, true},
    {"adagrad", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_ADAGRAD, 0.15, 1e-4, 0, 2, 0, false, true},
    {"converged", VT_MODEL_SKIPGRAM, VT_LOSS_NEGATIVE_SAMPLING, VT_OPTIMIZER_SGD, 0.05, 0, 0, 0, 0, true, true},
    {"softmax", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_ADAMW, 0.005, 1e-4, 64, 0, 0, false, true},
    {"full", VT_MODEL_SKIPGRAM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_SGD, 300, 1e-5, VT_BATCH_FULL, 0, 0, false, false},
    {"nnlm", VT_MODEL_NNLM, VT_LOSS_SOFTMAX, VT_OPTIMIZER_ADAMW, 0.003, 0, 32, 0, 0.1, false, false},
    {"transformer", VT_MODEL_TRANSFORMER, VT_LOSS_SOFTMAX, VT_OPTIMIZER_ADAMW, 0.003, 0, 16, 0, 0, false, false},
};
#define SETTINGS (sizeof settings / sizeof settings[0])

static void train(const char *const *inputs, size_t input_count, const char *path, const struct setting *setting,
                  bool ledger) {
  struct vt_train_request request = {.inputs = inputs, .input_count = input_count, .run_path = path};
  vt_corpus_options_init(&request.corpus);
  vt_train_options_init(&request.train);
  vt_record_options_init(&request.record);
  vt_train_options_for(&request.train, setting->model);
  if (setting->model == VT_MODEL_TRANSFORMER) {
    request.train.network.context = 16;
    request.train.network.layers = 2;
    request.train.network.dropout = 0.1;
    request.train.network.routes = true;
  }
  request.corpus.min_count = 1;
  request.corpus.phrases = setting->phrases;
  request.train.dim = DIM;
  request.train.block_tokens = 128;
  request.train.blocks = 4;
  request.train.epochs = setting->until_converged                                              ? 60
                         : setting->batch == VT_BATCH_FULL && setting->loss == VT_LOSS_SOFTMAX ? 12
                         : setting->batch > 0 && vtt_sanitized                                 ? 1
                                                                                               : 3;
  request.train.sample = 1e-2;
  request.train.model = setting->model;
  request.train.loss = setting->loss;
  request.train.optimizer = setting->optimizer;
  request.train.lr = setting->lr;
  request.train.l2 = setting->l2;
  request.train.batch = setting->batch;
  request.train.held_out = setting->held_out;
  request.train.until_converged = setting->until_converged;
  if (setting->until_converged) request.train.schedule = VT_SCHEDULE_CONSTANT;
  request.train.threads = request.corpus.threads = 2;
  request.record.snapshots = 8;
  if (vt_model_is_network(setting->model)) request.record.probes = 4;
  request.record.output = setting->held_out > 0 && setting->model != VT_MODEL_NNLM;
  request.record.watch = request.record.ledger = watched;
  request.record.watch_count = request.record.ledger_count = ledger ? WATCHED : 0;
  request.record.watch_every = 1;
  request.record.ledger_spans = 4;
  struct vt_error error;
  if (vt_train(&request, NULL, &error) != VT_OK) fail_msg("%s: %s", setting->name, error.message);
}

static void request_init(struct vt_replay_request *request, const char *path, int threads) {
  vt_replay_request_init(request);
  request->run_path = path;
  request->threads = threads;
}

static struct vt_replay_result replay(const struct vt_replay_request *request) {
  struct vt_replay_result result;
  struct vt_error error;
  if (vt_replay(request, &result, &error) != VT_OK) fail_msg("%s: %s", request->run_path, error.message);
  return result;
}

static struct vt_run *open_run(const char *path) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) fail_msg("%s", error.message);
  return run;
}

static uint32_t id_of(struct vt_run *run, const char *word) {
  uint32_t id;
  if (!vt_vocab_find(vt_run_vocab(run), word, &id)) fail_msg("%s is not in the vocabulary", word);
  return id;
}

/* ---- what is in a run -------------------------------------------------------------------------------------------- */

struct rows {
  uint64_t hash;
  size_t count;
};

static enum vt_status hash_row(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct rows *rows = context;
  (void)error;
  for (int c = 0; c < 3; c++) {
    const unsigned char *at = values[c].data;
    rows->hash = (rows->hash ^ (uint64_t)values[c].integer) * UINT64_C(1099511628211);
    for (size_t k = 0; k < values[c].bytes; k++) rows->hash = (rows->hash ^ at[k]) * UINT64_C(1099511628211);
  }
  rows->count++;
  return VT_OK;
}

static struct rows rows_of(struct vt_run *run, enum vt_store_table table) {
  struct rows rows = {.hash = UINT64_C(14695981039346656037)};
  assert_int_equal(vt_store_read(vt_run_store(run), table, hash_row, &rows, NULL), VT_OK);
  return rows;
}

struct sums {
  double all[DIM], start[DIM];
  uint64_t start_span, last_span;
  uint64_t hash;
  size_t documents, sources;
};

static enum vt_status add_row(void *context, const struct vt_ledger_entry *entry, struct vt_error *error) {
  struct sums *sums = context;
  (void)error;
  bool start = strcmp(entry->role, "start") == 0;
  for (size_t k = 0; k < DIM; k++) *(start ? &sums->start[k] : &sums->all[k]) += (double)entry->vector[k];
  if (start) sums->start_span = entry->span;
  if (entry->span > sums->last_span) sums->last_span = entry->span;
  sums->documents += strcmp(entry->role, "document") == 0;
  sums->sources += strcmp(entry->role, "attracted") == 0 || strcmp(entry->role, "path") == 0;
  const unsigned char *at = (const unsigned char *)entry->vector;
  for (size_t k = 0; k < DIM * sizeof *entry->vector; k++) sums->hash = (sums->hash ^ at[k]) * UINT64_C(1099511628211);
  sums->hash = (sums->hash ^ (uint64_t)entry->source ^ entry->span << 20) * UINT64_C(1099511628211) + entry->updates;
  return VT_OK;
}

static struct sums sums_of(struct vt_run *run, const char *word) {
  struct sums sums = {.hash = UINT64_C(14695981039346656037)};
  assert_int_equal(vt_run_ledger(run, id_of(run, word), DIM, add_row, &sums, NULL), VT_OK);
  return sums;
}

/* |v(T) - v(S) - sum| / |v(T) - v(S)|, the ledger being of one kind. */
static double residual(struct vt_run *run, const char *word, const struct sums *sums) {
  struct vt_vectors *last;
  assert_int_equal(vt_run_vectors(run, sums->last_span, &last, NULL), VT_OK);
  assert_int_equal(last->step, sums->last_span);
  double rest = 0, moved = 0;
  for (size_t k = 0; k < DIM; k++) {
    double way = (double)vt_vectors_row(last, id_of(run, word))[k] - sums->start[k];
    moved += way * way;
    rest += (way - sums->all[k]) * (way - sums->all[k]);
  }
  vt_vectors_free(last);
  assert_true(moved > 1e-6);
  return sqrt(rest / moved);
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static void two_inputs(struct vtt_folder *folder, const char *inputs[2], uint32_t sentences) {
  inputs[0] = vtt_planted_corpus(folder, "first.txt", sentences * 2 / 3, 1);
  inputs[1] = vtt_planted_corpus(folder, "second.txt", sentences / 3, 2);
}

static void a_replay_is_what_would_have_been_recorded(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *inputs[2];
  two_inputs(folder, inputs, 120);
  for (size_t s = 0; s < SETTINGS; s += vtt_under_tsan ? 4 : 1) {
    char name[64];
    snprintf(name, sizeof name, "%s-live", settings[s].name);
    const char *live = vtt_path(folder, name);
    snprintf(name, sizeof name, "%s-bare", settings[s].name);
    const char *bare = vtt_path(folder, name);
    train(inputs, 2, live, &settings[s], true);
    train(inputs, 2, bare, &settings[s], false);
    struct vt_replay_request request;
    request_init(&request, bare, 1);
    struct vt_run *run = open_run(bare);
    size_t snapshots = vt_run_snapshot_count(run);
    vt_run_close(run);
    assert_int_equal(replay(&request).snapshots, snapshots); /* a check, and nothing more */
    request.threads = 3;
    request.watch = request.ledger = watched;
    request.watch_count = request.ledger_count = WATCHED;
    struct vt_replay_result result = replay(&request);
    assert_true(result.snapshots == snapshots && result.added == 0 && result.ledger_bytes > 0);
    struct vt_run *a = open_run(live), *b = open_run(bare);
    struct rows live_rows = rows_of(a, VT_STORE_TRAIL), rows = rows_of(b, VT_STORE_TRAIL);
    assert_true(rows.count > 10 && rows.count == live_rows.count && rows.hash == live_rows.hash);
    for (size_t w = 0; w < WATCHED; w++) {
      struct sums then = sums_of(a, watched[w]), now = sums_of(b, watched[w]);
      assert_true(then.hash == now.hash);
      assert_true(residual(b, watched[w], &now) <= 1e-5);
    }
    assert_string_equal(vt_run_meta(b, "ledger"), "the0\nsyn7a\nthe1");
    assert_string_equal(vt_run_meta(b, "watch"), vt_run_meta(a, "watch"));
    vt_run_close(a);
    vt_run_close(b);
  }
  vtt_folder_remove(folder);
}

/* Begun in the middle, a ledger starts from where the vector was. */
static void a_ledger_may_begin_later(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vtt_folder *folder = vtt_folder_create();
  const char *inputs[2];
  two_inputs(folder, inputs, 300);
  for (size_t s = 0; s < SETTINGS; s++) {
    const char *path = vtt_path(folder, settings[s].name);
    train(inputs, 2, path, &settings[s], true); /* what is there is replaced, for its spans are others */
    struct vt_replay_request request;
    request_init(&request, path, 2);
    request.ledger = watched;
    request.ledger_count = WATCHED;
    request.from = 5;
    replay(&request);
    struct vt_run *run = open_run(path);
    for (size_t w = 0; w < WATCHED; w++) {
      struct sums sums = sums_of(run, watched[w]);
      assert_int_equal(sums.start_span, 5);
      assert_true(residual(run, watched[w], &sums) <= 1e-5);
    }
    vt_run_close(run);
  }
  vtt_folder_remove(folder);
}

/* ---- documents --------------------------------------------------------------------------------------------------- */

static char *line_of(const char *path, uint64_t line) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  static char text[8192];
  for (uint64_t k = 0; k < line; k++) assert_non_null(fgets(text, sizeof text, file));
  fclose(file);
  text[strcspn(text, "\n")] = '\0';
  return text;
}

static bool has_word(const char *line, const char *word) {
  size_t bytes = strlen(word);
  for (const char *at = strstr(line, word); at != NULL; at = strstr(at + 1, word))
    if ((at == line || at[-1] == ' ') && (at[bytes] == ' ' || at[bytes] == '\0')) return true;
  return false;
}

static void check_explanation(struct vt_run *run, const char *word, bool phrases) {
  const struct vt_explain_request request = {.word = id_of(run, word),
                                             .has_toward = true,
                                             .toward = id_of(run, "the2"),
                                             .by = VT_EXPLAIN_BY_DOCUMENT,
                                             .step = VT_STEP_LAST};
  struct vt_explanation *explanation;
  struct vt_error error;
  if (vt_explain(run, &request, &explanation, &error) != VT_OK) fail_msg("%s", error.message);
  double sum = explanation->start + explanation->others;
  size_t documents = 0;
  for (size_t k = 0; k < explanation->count; k++) {
    const struct vt_contribution *at = &explanation->contributions[k];
    sum += at->contribution;
    if (k > 0) assert_true(at->contribution <= at[-1].contribution);
    if (strcmp(at->role, "document") != 0) continue;
    struct vt_document document;
    assert_int_equal(vt_run_document(run, (uint64_t)at->source, &document, NULL), VT_OK);
    assert_string_equal(line_of(document.file, document.line), document.text);
    /* The word is in every line that moved it. */
    if (!phrases) assert_true(has_word(document.text, word));
    vt_document_release(&document);
    documents++;
  }
  if (documents < 2) fail_msg("%zu documents of %s", documents, word);
  assert_true(fabs(sum - explanation->cosine) <= 1e-5);
  vt_explanation_free(explanation);
  struct vt_document none;
  assert_int_equal(vt_run_document(run, 1000000, &none, NULL), VT_ERROR_NOT_FOUND);
}

static void documents_are_the_lines_of_the_text(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *inputs[2];
  two_inputs(folder, inputs, 120);
  for (size_t s = 0; s < SETTINGS; s += vtt_under_tsan ? 4 : 1) {
    const char *path = vtt_path(folder, settings[s].name);
    train(inputs, 2, path, &settings[s], true);
    struct vt_replay_request request;
    request_init(&request, path, 2);
    request.ledger = watched;
    request.ledger_count = 2;
    request.by_document = true;
    struct vt_error error;
    if (!settings[s].documents) {
      assert_int_equal(vt_replay(&request, NULL, &error), VT_ERROR_UNSUPPORTED);
      continue;
    }
    struct vt_run *run = open_run(path);
    size_t sources = sums_of(run, watched[0]).sources;
    vt_run_close(run);
    assert_true(replay(&request).documents > 0);
    run = open_run(path);
    for (size_t w = 0; w < 2; w++) check_explanation(run, watched[w], settings[s].phrases > 0);
    /* The ledger by word has the same spans, so it is still there. */
    struct sums sums = sums_of(run, watched[0]);
    assert_true(sources > 0 && sums.sources == sources && sums.documents > 0);
    vt_run_close(run);
    /* With other spans it would not fit together: it goes. */
    request.ledger_spans = 2;
    replay(&request);
    run = open_run(path);
    assert_int_equal(sums_of(run, watched[0]).sources, 0);
    check_explanation(run, watched[0], settings[s].phrases > 0);
    vt_run_close(run);
  }
  vtt_folder_remove(folder);
}

/* ---- more snapshots, pairs, windows ------------------------------------------------------------------------------ */

static void a_replay_adds_snapshots_and_pairs(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *inputs[2];
  two_inputs(folder, inputs, 120);
  const char *path = vtt_path(folder, "run");
  train(inputs, 2, path, &settings[0], false);
  struct vt_run *run = open_run(path);
  size_t before = vt_run_snapshot_count(run);
  uint64_t last = vt_run_snapshot_at(run, before - 1).step;
  vt_run_close(run);
  static const char *const pair[] = {"syn7a", "syn7b"};
  struct vt_replay_request request;
  request_init(&request, path, 2);
  request.pairs = pair;
  request.pair_count = 1;
  request.every = 2;
  request.from = 3;
  request.until = last - 1;
  request.snapshots = 30;
  struct vt_replay_result result = replay(&request);
  assert_int_equal(result.snapshots, before - 1);
  assert_true(result.added > 2 && result.steps < last);
  run = open_run(path);
  assert_int_equal(vt_run_snapshot_count(run), before + result.added);
  for (size_t k = 0; k < vt_run_snapshot_count(run); k++) {
    struct vt_vectors *vectors;
    assert_int_equal(vt_run_vectors(run, vt_run_snapshot_at(run, k).step, &vectors, NULL), VT_OK);
    vt_vectors_free(vectors);
  }
  struct rows pairs = rows_of(run, VT_STORE_PAIR);
  assert_int_equal(pairs.count, result.steps / 2 - 1); /* 4, 6, 8 ... */
  assert_string_equal(vt_run_meta(run, "pairs"), "syn7a\tsyn7b");
  vt_run_close(run);
  /* All of them agree with the next replay. */
  request_init(&request, path, 1);
  assert_int_equal(replay(&request).snapshots, before + result.added);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_replay_is_what_would_have_been_recorded),
      cmocka_unit_test(a_ledger_may_begin_later),
      cmocka_unit_test(documents_are_the_lines_of_the_text),
      cmocka_unit_test(a_replay_adds_snapshots_and_pairs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

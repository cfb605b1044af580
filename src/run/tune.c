/*
 * tune.c: a run gone on with on other text: its settings, its words with the new ones behind them, and its vectors as
 * the start of a training that is otherwise as any other (begin.c).
 */
#include "vectrail/tune.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "run/folder.h"
#include "run/run_internal.h"
#include "run/run_recorder.h"
#include "run/run_text.h"
#include "run/session.h"
#include "run/start.h"
#include "train/huffman.h"
#include "train/window.h"

/* ---- may it be gone on with -------------------------------------------------------------------------------------- */

static enum vt_status check_base(const struct vt_run *run, const char *path, const struct vt_train_options *options,
                                 struct vt_error *error) {
  if (options->loss == VT_LOSS_QUADRATIC)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train on that text, by this loss or another",
                        "%s: the quadratic loss ends where it does from any start, and its theory is that of a start "
                        "near zero: its runs cannot be gone on with on other text",
                        path);
  if (vt_run_text_setting(run, "phrases", 0) > 0)
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED,
                   "%s: its words were joined to phrases by the counts of its own text, which other text does not have",
                   path);
  if (vt_run_find_event(run, "diverged", NULL))
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: its training diverged, so there is nothing sound to go on from",
                   path);
  return VT_OK;
}

/* tuning: of the run itself, if it had gone on with another. */
static enum vt_status read_options(const struct vt_run *run, const char *path, struct vt_train_options *train,
                                   struct vt_error *error) {
  struct vt_settings settings;
  const char *origin = vt_run_meta(run, VT_ORIGIN_KEY);
  if (origin != NULL && !vt_origin_is_adapted(origin))
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED,
                   "%s: vectrail did not train this run, so it knows no settings to go on "
                   "with",
                   path);
  VT_TRY(vt_settings_read(&settings, run, path, error));
  VT_TRY(check_base(run, path, &settings.train, error));
  *train = settings.train;
  train->replicas = 0;
  train->until_converged = false;
  return VT_OK;
}

enum vt_status vt_tune_options(const char *base, struct vt_train_options *train, struct vt_corpus_options *corpus,
                               struct vt_error *error) {
  struct vt_run *run;
  VT_TRY(vt_run_open(base, &run, error));
  enum vt_status status = read_options(run, base, train, error);
  if (status == VT_OK) train->tuning = (struct vt_tuning_options){0};
  vt_run_text_rules(run, corpus);
  corpus->max_vocab = 0;
  vt_run_close(run);
  return status;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

struct tuning {
  const struct vt_tune_request *request;
  struct vt_run *base;
  size_t words; /* of the base */
  struct vt_vocab *vocab;
  struct vt_train_options settings; /* of the base, as they were */
  double *tree;                     /* hierarchical softmax: its links */
  char *tokenizer;
  bool output;
  size_t placed;
};

/* The tree that a run predicted along: the one it went on with, or that of its own text's counts. */
static enum vt_status base_tree(struct vt_run *run, const struct vt_train_options *options, struct vt_huffman *tree,
                                struct vt_error *error) {
  const struct vt_vocab *vocab = vt_run_vocab(run);
  const uint32_t words = (uint32_t)vt_vocab_size(vocab);
  double *links;
  VT_TRY(vt_start_tree(options, words, vt_run_path(run), &links, error));
  enum vt_status status =
      links == NULL ? vt_huffman_init(tree, vocab, error) : vt_huffman_from_links(tree, words, links, error);
  vt_free(links);
  return status;
}

/* Hierarchical softmax: the base's tree goes on, and the new words have one of their own beside it. */
static enum vt_status join_trees(struct tuning *tuning, const char *const *words, const uint64_t *counts, size_t count,
                                 struct vt_error *error) {
  if (tuning->request->train.train.loss != VT_LOSS_HIERARCHICAL_SOFTMAX) return VT_OK;
  struct vt_huffman known = {0}, fresh = {0};
  struct vt_vocab *vocab = NULL;
  enum vt_status status = base_tree(tuning->base, &tuning->settings, &known, error);
  if (status == VT_OK && count > 0) status = vt_vocab_create(words, counts, count, &vocab, error);
  if (status == VT_OK && count > 0) status = vt_huffman_init(&fresh, vocab, error);
  if (status == VT_OK) {
    const size_t links = vt_huffman_link_count((uint32_t)(tuning->words + count));
    tuning->tree = vt_alloc(links, sizeof *tuning->tree);
    if (tuning->tree == NULL)
      status = VT_FAIL_MEMORY(error, links * sizeof *tuning->tree);
    else
      vt_huffman_join_links(&known, count > 0 ? &fresh : NULL, tuning->tree);
  }
  vt_vocab_free(vocab);
  vt_huffman_release(&known);
  vt_huffman_release(&fresh);
  return status;
}

/* The words of the base, and behind them those of the text that it does not have and that occur often enough. */
static enum vt_status join_words(struct tuning *tuning, const struct vt_vocab *text, struct vt_error *error) {
  const struct vt_vocab *base = vt_run_vocab(tuning->base);
  const size_t most = tuning->words + vt_vocab_size(text);
  const uint64_t least = tuning->request->train.corpus.min_count;
  const char **words = vt_alloc(most, sizeof *words);
  uint64_t *counts = vt_alloc(most, sizeof *counts);
  size_t count = 0;
  if (words == NULL || counts == NULL) {
    vt_free(words);
    vt_free(counts);
    return VT_FAIL_MEMORY(error, most * sizeof *words);
  }
  for (uint32_t id = 0; id < tuning->words; id++) words[count++] = vt_vocab_text(base, id);
  for (uint32_t id = 0, known; id < vt_vocab_size(text); id++)
    if (vt_vocab_count(text, id) >= least && !vt_vocab_find(base, vt_vocab_text(text, id), &known)) {
      counts[count] = vt_vocab_count(text, id);
      words[count++] = vt_vocab_text(text, id);
    }
  enum vt_status status = vt_vocab_create(words, NULL, count, &tuning->vocab, error);
  if (status == VT_OK)
    status = join_trees(tuning, words + tuning->words, counts + tuning->words, count - tuning->words, error);
  vt_free(words);
  vt_free(counts);
  return status;
}

static enum vt_status count_words(struct tuning *tuning, struct vt_error *error) {
  const struct vt_train_request *train = &tuning->request->train;
  if (train->corpus.tokens == VT_TOKENS_BPE) { /* pieces are whatever the tokenizer has */
    tuning->tokenizer = vt_path_join(tuning->request->base, VT_RUN_TOKENIZER);
    if (tuning->tokenizer == NULL) return VT_FAIL_MEMORY(error, strlen(tuning->request->base));
    return join_trees(tuning, NULL, NULL, 0, error);
  }
  struct vt_corpus_options options = train->corpus;
  struct vt_vocab *text;
  struct vt_corpus *corpus;
  options.min_count = 1;
  options.max_vocab = options.phrases = 0;
  options.vocab = NULL;
  if (options.interrupt == NULL) options.interrupt = train->interrupt;
  VT_TRY(vt_corpus_encode_unnamed(train->inputs, train->input_count, &options, &text, &corpus, NULL, error));
  vt_corpus_free(corpus);
  enum vt_status status = join_words(tuning, text, error);
  vt_vocab_free(text);
  return status;
}

/* ---- vectors of new words ---------------------------------------------------------------------------------------- */

struct neighbours {
  const uint32_t *ids;
  uint64_t entries;
  const uint32_t *keep; /* of subsampling */
  size_t words, fresh, window;
  struct vt_start_rows input;
  double *sums; /* [fresh][dim] */
  double *weights;
};

static void add_neighbour(struct neighbours *near, size_t fresh, uint32_t word) {
  const double weight = ((double)near->keep[word] + 1) / 4294967296.0;
  const float *row = near->input.data + word * near->input.stride;
  double *sum = near->sums + fresh * near->input.columns;
  for (size_t k = 0; k < near->input.columns; k++) sum[k] += weight * (double)row[k];
  near->weights[fresh] += weight;
}

/* Of the place of a new word, those around it in its sentence. */
static void look_around(struct neighbours *near, uint64_t place) {
  const size_t fresh = near->ids[place] - near->words;
  for (int side = -1; side <= 1; side += 2)
    for (uint64_t k = 1; k <= near->window; k++) {
      if (side < 0 ? k > place : place + k >= near->entries) break;
      const uint32_t other = near->ids[side < 0 ? place - k : place + k];
      if (other == VT_CORPUS_END) break;
      if (other < near->words) add_neighbour(near, fresh, other);
    }
}

static size_t place_words(struct neighbours *near) {
  size_t placed = 0;
  for (uint64_t place = 0; place < near->entries; place++)
    if (near->ids[place] != VT_CORPUS_END && near->ids[place] >= near->words) look_around(near, place);
  for (size_t fresh = 0; fresh < near->fresh; fresh++) {
    if (near->weights[fresh] == 0) continue;
    float *row = near->input.data + (near->words + fresh) * near->input.stride;
    for (size_t k = 0; k < near->input.columns; k++)
      row[k] = (float)(near->sums[fresh * near->input.columns + k] / near->weights[fresh]);
    placed++;
  }
  return placed;
}

/* Every row from `words` on, of those below `end`, becomes the mean of those before. */
static enum vt_status mean_rows(const struct vt_start_rows *rows, size_t words, size_t end, struct vt_error *error) {
  double *mean = vt_alloc_zero(rows->columns, sizeof *mean);
  if (mean == NULL) return VT_FAIL_MEMORY(error, rows->columns * sizeof *mean);
  for (size_t row = 0; row < words; row++)
    for (size_t k = 0; k < rows->columns; k++) mean[k] += (double)rows->data[row * rows->stride + k];
  for (size_t row = words; row < end; row++)
    for (size_t k = 0; k < rows->columns; k++) rows->data[row * rows->stride + k] = (float)(mean[k] / (double)words);
  vt_free(mean);
  return VT_OK;
}

static enum vt_status begin_words(struct tuning *tuning, struct vt_session *session, struct vt_error *error) {
  const size_t all = vt_vocab_size(session->vocab);
  struct neighbours near = {.ids = vt_corpus_ids(session->corpus),
                            .entries = vt_corpus_entries(session->corpus),
                            .words = tuning->words,
                            .fresh = all - tuning->words,
                            .window = session->settings.train.window};
  struct vt_start_rows output, biases;
  uint32_t *keep = NULL;
  if (near.fresh == 0) return VT_OK;
  vt_start_rows(session->engine, &near.input, &output, &biases);
  struct vt_train_options options = session->settings.train;
  const bool glove = options.model == VT_MODEL_GLOVE;
  if (glove) options.sample = 0; /* it counts all there is */
  VT_TRY(vt_window_keep(&options, session->vocab, &keep, error));
  near.keep = keep;
  near.sums = vt_alloc_zero(near.fresh * near.input.columns, sizeof *near.sums);
  near.weights = vt_alloc_zero(near.fresh, sizeof *near.weights);
  enum vt_status status = VT_OK;
  if (near.sums == NULL || near.weights == NULL)
    status = VT_FAIL_MEMORY(error, near.fresh * near.input.columns * sizeof *near.sums);
  if (status == VT_OK) tuning->placed = place_words(&near);
  if (status == VT_OK && glove) { /* its vectors are the sums of both rows */
    near.input = output;
    memset(near.sums, 0, near.fresh * output.columns * sizeof *near.sums);
    memset(near.weights, 0, near.fresh * sizeof *near.weights);
    place_words(&near);
  }
  /* A softmax over all words takes a row of zeros for a word of middling probability, not for one that it knows nothing
   * of. */
  const bool whole = session->settings.train.loss == VT_LOSS_SOFTMAX;
  if (status == VT_OK && whole && output.data != NULL) status = mean_rows(&output, near.words, all, error);
  if (status == VT_OK && whole && biases.data != NULL) status = mean_rows(&biases, near.words, all, error);
  vt_free(keep);
  vt_free(near.sums);
  vt_free(near.weights);
  return status;
}

static enum vt_status fill(void *context, struct vt_session *session, struct vt_error *error) {
  struct tuning *tuning = context;
  VT_TRY(vt_start_fill(session->engine, vt_vocab_size(session->vocab), tuning->base, &tuning->output, error));
  return begin_words(tuning, session, error);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void count_groups(const struct vt_session *session, size_t words, struct vt_tune_result *result) {
  size_t *const counts[VT_DRIFT_GROUPS] = {&result->seen, &result->unseen, &result->fresh};
  for (uint32_t id = 0; id < vt_vocab_size(session->vocab); id++)
    ++*counts[vt_drift_group_of(session->vocab, (uint32_t)words, id)];
}

static void tell(struct tuning *tuning, struct vt_session *session, struct vt_tune_result *result) {
  double means[VT_DRIFT_GROUPS];
  vt_drift_measure(&session->drift, vt_engine_table(session->engine, VT_TABLE_INPUT), vt_engine_pool(session->engine),
                   means);
  result->drift_seen = means[VT_DRIFT_SEEN];
  result->drift_unseen = means[VT_DRIFT_UNSEEN];
  result->drift_fresh = means[VT_DRIFT_NEW];
  result->placed = tuning->placed;
  result->output = tuning->output;
  count_groups(session, tuning->words, result);
}

static enum vt_status train(struct tuning *tuning, struct vt_tune_result *result, struct vt_error *error) {
  const struct vt_tune_request *request = tuning->request;
  struct vt_train_request changed = request->train;
  changed.train.tuning.words = (uint32_t)tuning->words;
  changed.train.tuning.tree = tuning->tree;
  changed.record.output = !vt_model_is_network(changed.train.model);
  changed.corpus.vocab = tuning->vocab != NULL ? tuning->vocab : vt_run_vocab(tuning->base);
  changed.corpus.tokenizer = tuning->tokenizer;
  const struct vt_session_base base = {.path = request->base,
                                       .freeze = request->freeze,
                                       .freeze_count = request->freeze_count,
                                       .fill = fill,
                                       .context = tuning};
  struct vt_session session = {.lock = -1, .base = &base};
  enum vt_status status = vt_session_begin(&session, &changed, error);
  vt_session_result(&session, status, &result->train);
  if (status == VT_OK) tell(tuning, &session, result);
  vt_session_release(&session);
  return status;
}

static enum vt_status open_base(struct tuning *tuning, struct vt_error *error) {
  const struct vt_tune_request *request = tuning->request;
  const struct vt_train_options *options = &tuning->settings;
  VT_TRY(vt_run_open(request->base, &tuning->base, error));
  VT_TRY(read_options(tuning->base, request->base, &tuning->settings, error));
  tuning->words = vt_vocab_size(vt_run_vocab(tuning->base));
  if (options->model != request->train.train.model || options->loss != request->train.train.loss ||
      options->dim != request->train.train.dim)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "the options are not those of the run %s", request->base);
  for (size_t k = 0; k < request->train.input_count; k++)
    if (strcmp(request->train.inputs[k], "-") == 0)
      return VT_FAIL(error, VT_ERROR_ARGUMENT,
                     "the new text is read twice, which standard input ('-') cannot be; name a file");
  if (request->train.input_count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "pass at least one file", "no new text was given");
  return VT_OK;
}

enum vt_status vt_tune(const struct vt_tune_request *request, struct vt_tune_result *result, struct vt_error *error) {
  struct vt_error own;
  struct vt_tune_result ignored;
  struct tuning tuning = {.request = request};
  if (error == NULL) error = &own;
  if (result == NULL) result = &ignored;
  *result = (struct vt_tune_result){0};
  bool there;
  enum vt_status status = open_base(&tuning, error);
  /* Before the text is read, which may take long. */
  if (status == VT_OK) status = vt_run_folder_check(request->train.run_path, request->train.force, &there, error);
  if (status == VT_OK) status = count_words(&tuning, error);
  if (status == VT_OK) status = train(&tuning, result, error);
  vt_vocab_free(tuning.vocab);
  vt_run_close(tuning.base);
  vt_free(tuning.tokenizer);
  vt_free(tuning.tree);
  return status;
}

/* ---- the old text ------------------------------------------------------------------------------------------------ */

static enum vt_status measure_old(struct vt_engine *engine, struct vt_run *base, struct vt_run *run, size_t words,
                                  struct vt_tune_old *result, struct vt_error *error) {
  bool kept, kept_after;
  VT_TRY(vt_start_fill(engine, words, base, &kept, error));
  if (!kept)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train with --save-output",
                        "%s: the run kept no output vectors, without which it has no loss", vt_run_path(base));
  vt_engine_filled(engine);
  result->probe_before = vt_engine_probe(engine).loss;
  result->held_out_before = vt_engine_held_out_loss(engine);
  VT_TRY(vt_start_fill(engine, words, run, &kept_after, error));
  if (!kept_after) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: its output vectors are missing", vt_run_path(run));
  vt_engine_filled(engine);
  result->probe_after = vt_engine_probe(engine).loss;
  result->held_out_after = vt_engine_held_out_loss(engine);
  return VT_OK;
}

static enum vt_status old_loss(const struct vt_tune_old_request *request, struct vt_run *base, struct vt_run *run,
                               struct vt_tune_old *result, struct vt_error *error) {
  struct vt_train_options options;
  VT_TRY(read_options(base, request->base, &options, error));
  options.threads = request->threads;
  options.kernel = request->kernel;
  options.network.routes = false;
  const struct vt_run_text_options text_options = {.inputs = request->inputs,
                                                   .input_count = request->input_count,
                                                   .threads = request->threads,
                                                   .interrupt = request->interrupt};
  const size_t words = vt_vocab_size(vt_run_vocab(base));
  double *tree;
  VT_TRY(vt_start_tree(&options, words, request->base, &tree, error));
  options.tuning = (struct vt_tuning_options){.tree = tree};
  struct vt_run_text text;
  struct vt_engine *engine = NULL;
  enum vt_status status = vt_run_text_open(base, &text_options, &text, error);
  if (status == VT_OK) status = vt_engine_create(&options, vt_run_vocab(base), text.corpus, &engine, error);
  if (status == VT_OK)
    status = vt_engine_begin(engine, &(struct vt_engine_place){.interrupt = request->interrupt}, error);
  if (status == VT_OK) status = measure_old(engine, base, run, words, result, error);
  vt_engine_free(engine);
  vt_free(tree);
  vt_run_text_release(&text);
  return status;
}

enum vt_status vt_tune_old_loss(const struct vt_tune_old_request *request, struct vt_tune_old *result,
                                struct vt_error *error) {
  struct vt_run *base, *run = NULL;
  *result = (struct vt_tune_old){NAN, NAN, NAN, NAN};
  VT_TRY(vt_run_open(request->base, &base, error));
  enum vt_status status = vt_run_open(request->run, &run, error);
  if (status == VT_OK) status = old_loss(request, base, run, result, error);
  vt_run_close(run);
  vt_run_close(base);
  return status;
}

/* engine.c: which engine trains what, and the loop that all have in common. */
#include "train/engine.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "dist/ranks.h"
#include "train/counted.h"
#include "train/engine_type.h"

#define LR_FLOOR 1e-4 /* the rate falls to this share of its start, as in word2vec */

double vt_engine_rate(const struct vt_train_options *options, double done) {
  double share = 1;
  if (options->schedule == VT_SCHEDULE_LINEAR) share = 1 - done;
  if (options->schedule == VT_SCHEDULE_COSINE) share = (1 + cos(3.14159265358979323846 * done)) / 2;
  return options->lr * (share > LR_FLOOR ? share : LR_FLOOR);
}

static const struct vt_engine_type *type_for(const struct vt_train_options *options) {
  if (options->model == VT_MODEL_GLOVE) return &vt_engine_glove;
  if (vt_model_is_network(options->model)) return &vt_engine_network;
  if (options->loss == VT_LOSS_QUADRATIC) return &vt_engine_quadratic;
  if (options->loss != VT_LOSS_SOFTMAX) return &vt_engine_sparse;
  return options->batch == VT_BATCH_FULL ? &vt_engine_softmax_full : &vt_engine_softmax;
}

static enum vt_status check_network_ranks(const struct vt_train_options *options, int ranks, struct vt_error *error) {
  if (options->deal_tables)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "leave --deal-tables out",
                        "a network's parameters are not dealt to machines: each rank holds all of them");
  if (options->network.routes)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "leave --routes out, or start it without mpirun",
                        "routes are measured where one process trains, and there are %d", ranks);
  if ((uint32_t)ranks > options->network.accumulate)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "start fewer ranks, or make a step of more batches (--accumulate)",
                        "%d ranks share the %" PRIu32 " batches of a step: some would have none", ranks,
                        options->network.accumulate);
  return VT_OK;
}

static enum vt_status check_ranks(const struct vt_engine_type *type, const struct vt_train_options *options,
                                  struct vt_error *error) {
  int ranks = vt_ranks_size(options->ranks);
  if (ranks == 1) return VT_OK;
  if (type->collect == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "start it without mpirun, with more threads",
                        "this loss is trained by one process, and there are %d", ranks);
  if (options->tuning.words > 0)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "start it without mpirun, with more threads",
                        "what goes on with another run's vectors is trained by one process, and there are %d", ranks);
  if (vt_model_is_network(options->model)) return check_network_ranks(options, ranks, error);
  if (options->deal_tables && (options->replicas > 0 || options->l2 != 0))
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "leave --deal-tables out",
                        "tables are dealt to machines where every superstep is brought together, without --l2");
  if (options->replicas > 0 && (uint32_t)ranks > options->replicas)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "start fewer ranks, or ask for more --replicas",
                        "%d ranks share %" PRIu32 " replicas: some would have none", ranks, options->replicas);
  if (options->replicas == 0 && (uint32_t)ranks > options->blocks)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "start fewer ranks, or ask for more blocks (--blocks)",
                        "%d ranks share the %" PRIu32 " blocks of a step: some would have none", ranks,
                        options->blocks);
  return VT_OK;
}

/* What each rank does for itself. */
static enum vt_status prepare(struct vt_engine *engine, struct vt_error *error) {
  const struct vt_train_options *options = &engine->options;
  if (options->held_out > 0)
    VT_TRY(vt_held_out_init(&engine->held_out, engine->ids, engine->entries, engine->corpus, options->seed,
                            options->held_out, error));
  enum vt_status status = engine->type->create(engine, error);
  vt_corpus_forget(engine->corpus); /* the probes came from all over it */
  return status;
}

/* corpus or counts: the other is NULL. */
static enum vt_status create(const struct vt_train_options *options, const struct vt_vocab *vocab,
                             const struct vt_corpus *corpus, const struct vt_cooccur *counts, struct vt_engine **out,
                             struct vt_error *error) {
  const struct vt_engine_type *type = type_for(options);
  VT_TRY(check_ranks(type, options, error));
  struct vt_cooccur_source source = {0};
  if (counts != NULL) source = vt_cooccur_counted_on(counts);
  struct vt_engine *engine = vt_alloc_zero(1, type->bytes);
  enum vt_status status = VT_OK;
  if (engine == NULL) {
    status = VT_FAIL_MEMORY(error, type->bytes);
  } else {
    *engine = (struct vt_engine){
        .type = type,
        .options = *options,
        .vocab = vocab,
        .corpus = corpus,
        .counts = counts,
        .ids = corpus == NULL ? NULL : vt_corpus_ids(corpus),
        .entries = corpus == NULL ? source.tokens + source.sentences : vt_corpus_entries(corpus),
        .state = {.epoch = 1, .lr = options->lr, .gradient = NAN, .objective = NAN, .squared_error = NAN}};
    status = prepare(engine, error);
  }
  if (vt_ranks_size(options->ranks) > 1) status = vt_ranks_agree(options->ranks, status, error);
  if (status == VT_OK && type->join != NULL) status = type->join(engine, error);
  if (status != VT_OK) {
    vt_engine_free(engine);
    return status;
  }
  *out = engine;
  return VT_OK;
}

enum vt_status vt_engine_create(const struct vt_train_options *options, const struct vt_vocab *vocab,
                                const struct vt_corpus *corpus, struct vt_engine **engine, struct vt_error *error) {
  return create(options, vocab, corpus, NULL, engine, error);
}

enum vt_status vt_engine_create_counted(const struct vt_train_options *options, const struct vt_vocab *vocab,
                                        const struct vt_cooccur *counts, struct vt_engine **engine,
                                        struct vt_error *error) {
  VT_TRY(vt_counted_check(options, counts, error));
  if (vt_vocab_size(vocab) != vt_cooccur_words(counts))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "the vocabulary is not that of the counts");
  return create(options, vocab, NULL, counts, engine, error);
}

void vt_engine_free(struct vt_engine *engine) {
  if (engine == NULL) return;
  engine->type->free(engine);
  vt_held_out_release(&engine->held_out);
  vt_free(engine);
}

uint64_t vt_engine_sentences_before(struct vt_engine *engine, uint64_t entry) {
  if (entry < engine->sentences_end) engine->sentences = engine->sentences_end = 0;
  for (; engine->sentences_end < entry; engine->sentences_end++)
    engine->sentences += engine->ids[engine->sentences_end] == VT_CORPUS_END;
  return engine->sentences;
}

enum vt_status vt_engine_begin(struct vt_engine *engine, const struct vt_engine_place *place, struct vt_error *error) {
  return engine->type->begin == NULL ? VT_OK : engine->type->begin(engine, place, error);
}

static enum vt_status observe(struct vt_engine *engine, const struct vt_observer *observers, size_t count,
                              struct vt_error *error) {
  for (size_t o = 0; o < count; o++) VT_TRY(observers[o].boundary(observers[o].context, engine, error));
  return VT_OK;
}

enum vt_status vt_engine_run(struct vt_engine *engine, const struct vt_observer *observers, size_t observer_count,
                             struct vt_error *error) {
  VT_TRY(vt_engine_begin(engine, &(struct vt_engine_place){0}, error));
  if (engine->state.step == 0) VT_TRY(observe(engine, observers, observer_count, error));
  while (engine->state.step < engine->state.steps) {
    VT_TRY(engine->type->step(engine, error));
    vt_corpus_passed(engine->corpus, engine->state.position, &engine->kept);
    VT_TRY(observe(engine, observers, observer_count, error));
  }
  return VT_OK;
}

enum vt_status vt_engine_collect(struct vt_engine *engine, struct vt_error *error) {
  return vt_ranks_size(engine->options.ranks) == 1 ? VT_OK : engine->type->collect(engine, error);
}

enum vt_status vt_engine_stop(struct vt_engine *engine, struct vt_error *error) {
  return vt_ranks_size(engine->options.ranks) == 1 ? VT_OK : engine->type->stop(engine, error);
}

enum vt_status vt_engine_follow(struct vt_engine *engine, struct vt_error *error) {
  enum vt_status status = vt_engine_run(engine, NULL, 0, error);
  if (status == VT_ERROR_INTERRUPTED) return VT_OK; /* nobody but rank 0 can have wanted that */
  VT_TRY(status);
  return engine->type->wait(engine, error);
}

enum vt_status vt_engine_spread(struct vt_engine *engine, struct vt_error *error) {
  struct vt_ranks *ranks = engine->options.ranks;
  struct vt_engine_state state = engine->state;
  if (vt_ranks_size(ranks) == 1) return VT_OK;
  VT_TRY(vt_ranks_broadcast(ranks, &state, sizeof state, error));
  if (state.step == 0) return VT_OK;
  VT_TRY(engine->type->spread(engine, error));
  return vt_ranks_rank(ranks) == 0 ? VT_OK : vt_engine_resume(engine, &state, error);
}

struct vt_pool *vt_engine_pool(const struct vt_engine *engine) {
  return engine->type->pool == NULL ? NULL : engine->type->pool(engine);
}

size_t vt_engine_parts(struct vt_engine *engine, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  return engine->type->parts(engine, parts);
}

enum vt_status vt_engine_resume(struct vt_engine *engine, const struct vt_engine_state *state, struct vt_error *error) {
  uint64_t per_epoch = engine->state.steps / engine->options.epochs;
  bool possible = state->steps == engine->state.steps && state->step <= state->steps && state->epoch >= 1 &&
                  state->epoch <= engine->options.epochs && state->position <= engine->entries &&
                  state->epoch_ended == (state->position == engine->entries) && per_epoch > 0 &&
                  state->step <= state->epoch * per_epoch &&
                  (state->step == 0 ? state->epoch == 1 : state->step > (state->epoch - 1) * per_epoch);
  if (!possible)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "step %" PRIu64 " at entry %" PRIu64 " is no place of this run",
                   state->step, state->position);
  engine->state = *state;
  engine->type->resumed(engine);
  return VT_OK;
}

size_t vt_engine_start_parts(struct vt_engine *engine, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]) {
  static const char *const names[] = {"input", "output", "input_bias", "output_bias", "parameters"};
  struct vt_engine_part all[VT_ENGINE_PARTS_MAX];
  if (engine->type->start != NULL) return engine->type->start(engine, parts);
  const size_t count = engine->type->parts(engine, all);
  size_t found = 0; /* the others are the optimiser's, which begins anew */
  for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
    for (size_t k = 0; k < count; k++)
      if (strcmp(all[k].name, names[n]) == 0) parts[found++] = all[k];
  return found;
}

void vt_engine_filled(struct vt_engine *engine) {
  if (engine->type->filled != NULL) engine->type->filled(engine);
}

enum vt_status vt_engine_started(struct vt_engine *engine, const uint32_t *frozen, size_t count,
                                 struct vt_error *error) {
  if (engine->type->started == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train on that text, by this loss or another",
                        "the quadratic loss ends where it does from any start, and its theory is that of a start near "
                        "zero: a run of it cannot be gone on with on other text");
  vt_engine_filled(engine);
  return engine->type->started(engine, frozen, count, error);
}

const struct vt_engine_state *vt_engine_state(const struct vt_engine *engine) { return &engine->state; }

const struct vt_table *vt_engine_table(struct vt_engine *engine, enum vt_table_role role) {
  return engine->type->table(engine, role);
}

enum vt_status vt_engine_keep_ledger(struct vt_engine *engine, const struct vt_ledger_options *options,
                                     struct vt_error *error) {
  if (vt_ranks_size(engine->options.ranks) > 1)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "start it without mpirun, with more threads",
                        "a ledger is kept where one process trains, and there are %d",
                        vt_ranks_size(engine->options.ranks));
  if (engine->options.replicas > 0)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "leave --sync at exact",
                        "no ledger can be kept of replicas that train apart");
  if (engine->held)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "tune without --anchor and --freeze",
                        "no ledger can be kept of vectors that are held to where they began");
  if (engine->type->keep_ledger == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train by another model or loss",
                        "no ledger can be kept with this loss");
  return engine->type->keep_ledger(engine, options, error);
}

struct vt_ledger *vt_engine_ledger(struct vt_engine *engine) {
  return engine->ledger;
}

enum vt_status vt_engine_close_ledger(struct vt_engine *engine, vt_ledger_visit *visit, void *context,
                                      struct vt_error *error) {
  const struct vt_decay *decay = NULL;
  const struct vt_table *input =
      engine->type->owing != NULL ? engine->type->owing(engine, &decay) : engine->type->table(engine, VT_TABLE_INPUT);
  if (engine->state.step == 0) return vt_ledger_start(engine->ledger, input, visit, context, error);
  return vt_ledger_close(engine->ledger, input, decay, visit, context, error);
}

bool vt_engine_biases(const struct vt_engine *engine, const float *biases[VT_TABLE_COUNT], size_t *stride) {
  if (engine->type->biases == NULL) return false;
  *stride = engine->type->biases(engine, biases);
  return true;
}

enum vt_status vt_engine_metrics(struct vt_engine *engine, vt_engine_metric_visit *visit, void *context,
                                 struct vt_error *error) {
  return engine->type->metrics == NULL ? VT_OK : engine->type->metrics(engine, visit, context, error);
}

const struct vt_net_layout *vt_engine_model(struct vt_engine *engine, const float **values) {
  return engine->type->model == NULL ? NULL : engine->type->model(engine, values);
}

const char *vt_engine_kernel_name(const struct vt_engine *engine) { return engine->kernel; }

struct vt_probe_result vt_engine_probe(struct vt_engine *engine) {
  return engine->type->probe(engine);
}

double vt_engine_held_out_loss(struct vt_engine *engine) {
  return engine->held_out.count == 0 ? (double)NAN : engine->type->held_out_loss(engine);
}

uint64_t vt_engine_held_out_tokens(const struct vt_engine *engine) { return engine->held_out.tokens; }

size_t vt_engine_held_out_sentences(const struct vt_engine *engine) { return engine->held_out.count; }

size_t vt_engine_probe_pairs(const struct vt_engine *engine) { return engine->probe_pairs; }

/*
 * engine.h: the sparse engine, block-synchronous SGD (docs/architecture.md).
 *
 * A superstep takes `blocks` blocks of text. Workers take blocks one by one; each block copies the rows it touches,
 * runs plain sequential SGD on the copies with a random stream of its own, and stops. Then the copies are merged into
 * the tables, in block order, each row by one thread. No float is ever written by one thread while another reads it,
 * and nothing depends on which worker did what: the same bits at any number of threads.
 */
#ifndef VECTRAIL_TRAIN_ENGINE_H
#define VECTRAIL_TRAIN_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "train/ledger.h"
#include "train/table.h"
#include "vectrail/cooccur.h"
#include "vectrail/corpus.h"
#include "vectrail/train.h"
#include "vectrail/vocab.h"

struct vt_engine;
struct vt_pool;

/* Where the training stands, at a superstep boundary. The lower half is about the superstep just done. */
struct vt_engine_state {
  uint64_t step;
  uint64_t steps;
  uint32_t epoch; /* of the superstep just done, from 1; 1 before the first */
  uint64_t tokens;
  double lr;       /* of its first block; at step 0 the rate to start with */
  double loss_sum; /* nats, over the loss_pairs measured */
  uint64_t loss_pairs;
  double step_squared; /* sum over all rows of both tables of |applied step|^2 */
  uint64_t rows_moved;
  uint64_t rows_capped;
  double gradient; /* |gradient| of the whole objective before the step, where it is computed exactly; else NaN */
  /* The loss over all there is, after the step, where it is computed: GloVe at the end of an epoch; else NaN. As a mean
   * over the records, and as the mean of the squared difference by its weights. */
  double objective;
  double squared_error;
  bool epoch_ended;
  uint64_t position; /* in this epoch: entries of the corpus trained */
};

/* Called at step 0 and after every superstep, on the calling thread, with the workers at rest; a status other than
 * VT_OK ends the run and is handed through. */
struct vt_observer {
  enum vt_status (*boundary)(void *context, struct vt_engine *engine, struct vt_error *error);
  void *context;
};

/* Options are copied and must have passed vt_train_options_check; vocab and corpus are borrowed. Memory: two tables of
 * vocabulary x dim float32, and the working sets of one superstep. */
enum vt_status vt_engine_create(const struct vt_train_options *options, const struct vt_vocab *vocab,
                                const struct vt_corpus *corpus, struct vt_engine **engine, struct vt_error *error);
/* The same from counts of a text in place of it (vectrail/cooccur.h), borrowed as long as the engine lives: GloVe, the
 * exact softmax in full batches and the quadratic model, which come to the vectors that they would have come to by the
 * text. VT_ERROR_ARGUMENT: another model or loss, or counts of another kind than it takes (train/counted.h). */
enum vt_status vt_engine_create_counted(const struct vt_train_options *options, const struct vt_vocab *vocab,
                                        const struct vt_cooccur *counts, struct vt_engine **engine,
                                        struct vt_error *error);
void vt_engine_free(struct vt_engine *engine); /* accepts NULL */

/* Keeps a ledger from here on (ledger.h): to be called once, before vt_engine_run or by an observer.
 * VT_ERROR_UNSUPPORTED: what this engine trains has none, or none by document. */
enum vt_status vt_engine_keep_ledger(struct vt_engine *engine, const struct vt_ledger_options *options,
                                     struct vt_error *error);
/* NULL: none is kept. */
struct vt_ledger *vt_engine_ledger(struct vt_engine *engine);
/* For observers: hands out what the ledger holds and begins its next span; at step 0 it hands out v(0). */
enum vt_status vt_engine_close_ledger(struct vt_engine *engine, vt_ledger_visit *visit, void *context,
                                      struct vt_error *error);

/* Makes ready what the first step needs, where that takes long: GloVe counts its text. To be called before the engine
 * is asked for the probe; vt_engine_run does it otherwise. VT_ERROR_INTERRUPTED: it can be called again. */
struct vt_engine_place {
  const char *folder;                     /* for files without a name; NULL: that of TMPDIR, or /tmp */
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};
enum vt_status vt_engine_begin(struct vt_engine *engine, const struct vt_engine_place *place, struct vt_error *error);

/* Trains to the end. VT_ERROR_DIVERGED names the word and the step; the tables then hold what was finite. */
enum vt_status vt_engine_run(struct vt_engine *engine, const struct vt_observer *observers, size_t observer_count,
                             struct vt_error *error);

const struct vt_engine_state *vt_engine_state(const struct vt_engine *engine);
/* The arrays that change as the run goes on, besides the state: with both, a run can be gone on with. All of them, for
 * whatever this engine trains; names are static. */
#define VT_ENGINE_PARTS_MAX 8
enum vt_engine_part_type { VT_PART_F32, VT_PART_F64 };
struct vt_engine_part {
  const char *name;
  enum vt_engine_part_type type;
  void *data; /* rows x columns, rows stride_bytes apart */
  uint64_t rows;
  uint64_t columns;
  size_t stride_bytes;
};
size_t vt_engine_parts(struct vt_engine *engine, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]);
/* Goes on where another engine with the same options, vocabulary and corpus stood: its parts have been copied into this
 * engine's and state is what vt_engine_state gave. To be called before vt_engine_run, which then does not call the
 * observers for the step it starts from, unless that is step 0. VT_ERROR_CORRUPT: no place where a run like this one
 * can stand. */
enum vt_status vt_engine_resume(struct vt_engine *engine, const struct vt_engine_state *state, struct vt_error *error);
/* Where what a training begins with lies, as floats, to be filled before vt_engine_started: parts "input" and "output",
 * those of them that there are; GloVe: "input_bias" and "output_bias" behind them; a network: "parameters". */
size_t vt_engine_start_parts(struct vt_engine *engine, struct vt_engine_part parts[VT_ENGINE_PARTS_MAX]);
/* Whoever has filled them and wants no more than to look calls this, and may do so again. */
void vt_engine_filled(struct vt_engine *engine);
/* Those parts hold what the training is to begin with, another run's, in place of a start of its own. To be called
 * once, at step 0, before vt_engine_resume. What the options hold to the start (struct vt_tuning_options), and the
 * input rows `frozen`, is held from here on. VT_ERROR_UNSUPPORTED: what this engine trains cannot go on with another
 * run. */
enum vt_status vt_engine_started(struct vt_engine *engine, const uint32_t *frozen, size_t count,
                                 struct vt_error *error);
/* For observers: with L2, a copy with all decay applied. Valid until the next superstep. */
const struct vt_table *vt_engine_table(struct vt_engine *engine, enum vt_table_role role);
/* For observers: threads that are at rest meanwhile; NULL where this engine lends none. */
struct vt_pool *vt_engine_pool(const struct vt_engine *engine);
/* Where the model has biases, they are at biases[table][row * stride]: true. For observers, as the tables. */
bool vt_engine_biases(const struct vt_engine *engine, const float *biases[VT_TABLE_COUNT], size_t *stride);
/* Measures that this engine has besides, of the step just done; each is recorded under its name. */
typedef enum vt_status vt_engine_metric_visit(void *context, const char *name, double value, struct vt_error *error);
enum vt_status vt_engine_metrics(struct vt_engine *engine, vt_engine_metric_visit *visit, void *context,
                                 struct vt_error *error);
/* Of a network, all parameters (network/shape.h); NULL: what is trained is no network. */
struct vt_net_layout;
const struct vt_net_layout *vt_engine_model(struct vt_engine *engine, const float **values);
/* Static. */
const char *vt_engine_kernel_name(const struct vt_engine *engine);

/* ---- several processes (options.ranks) --------------------------------------------------------------------------- */

/* All ranks make the same engine; vt_engine_create is collective there, and fails on all or on none. Rank 0 runs it
 * with its observers and then stops it; the others follow, without any, and return when rank 0 has stopped, or all have
 * failed. All of this does nothing where there is one process. */

/* On rank 0, at a boundary, before its parts are looked at: makes them complete. */
enum vt_status vt_engine_collect(struct vt_engine *engine, struct vt_error *error);
/* On rank 0, after vt_engine_run, whatever came of it. */
enum vt_status vt_engine_stop(struct vt_engine *engine, struct vt_error *error);
/* On the others, in place of vt_engine_run. A training that rank 0 has ended is VT_OK. */
enum vt_status vt_engine_follow(struct vt_engine *engine, struct vt_error *error);
/* Collective, after vt_engine_resume on rank 0 and in its place on the others: all stand where rank 0 does. */
enum vt_status vt_engine_spread(struct vt_engine *engine, struct vt_error *error);

/* Loss and gradient on the probe (probe.h), by all threads; NaN where the corpus is too small to have one. */
struct vt_probe_result {
  double loss;     /* mean over the pairs of - log sigma(v.u) - sum_k log sigma(- v.u_k), nats */
  double gradient; /* |gradient of that mean| over all rows of both tables */
};
struct vt_probe_result vt_engine_probe(struct vt_engine *engine);
size_t vt_engine_probe_pairs(const struct vt_engine *engine);
/* The loss on a fixed sample of pairs of the sentences that are held out; NaN where none are. */
double vt_engine_held_out_loss(struct vt_engine *engine);
/* Words and sentences held out; 0 where none are. */
uint64_t vt_engine_held_out_tokens(const struct vt_engine *engine);
size_t vt_engine_held_out_sentences(const struct vt_engine *engine);

#endif

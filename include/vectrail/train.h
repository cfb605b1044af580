/*
 * vectrail/train.h: train embeddings from text into a run folder.
 *
 * Training is block-synchronous SGD (docs/architecture.md): the same corpus, settings and seed give the same bits
 * at every number of threads. `threads` and `progress` never change a result; every other field of the settings
 * does and is written into the run.
 */
#ifndef VECTRAIL_TRAIN_H
#define VECTRAIL_TRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/corpus.h"
#include "vectrail/ranks.h"
#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Nnlm and transformer are networks (docs/networks.md). */
enum vt_model {
  VT_MODEL_SKIPGRAM = 0,
  VT_MODEL_CBOW = 1,
  VT_MODEL_GLOVE = 2,
  VT_MODEL_NNLM = 3,
  VT_MODEL_TRANSFORMER = 4
};
static inline bool vt_model_is_network(enum vt_model model) { return model >= VT_MODEL_NNLM; }
/* How a Transformer knows the place of a token: by a learned vector, by sinusoids, or by rotating queries and keys. */
enum vt_positions { VT_POSITIONS_LEARNED = 0, VT_POSITIONS_SINUSOIDAL = 1, VT_POSITIONS_ROTARY = 2 };
/* How the learning rate falls over the run. Linear and cosine end at lr / 10000. */
enum vt_schedule { VT_SCHEDULE_LINEAR = 0, VT_SCHEDULE_CONSTANT = 1, VT_SCHEDULE_COSINE = 2 };
/* How gradients become steps. SGD; AdaGrad, whose rate falls for each element as its gradients add up; AdamW, for the
 * exact softmax only. */
enum vt_optimizer_kind { VT_OPTIMIZER_SGD = 0, VT_OPTIMIZER_ADAGRAD = 1, VT_OPTIMIZER_ADAMW = 2 };
/* Exact softmax: P(c | w) = e^(u_c.v_w) / sum over all words of e^(u_c'.v_w). */
/* Squares: GloVe's, and only GloVe's (Pennington et al. 2014, equation 8), f(X) (v.u + b + c - log X)^2 for each pair
 * of words that meet, X by vectrail/cooccur.h with weights 1 / distance, f(X) = min(1, (X / x_max)^alpha). It is
 * trained by AdaGrad; the vectors that are published are the sums v + u, and the output table that can be kept is u. */
/* Quadratic: the model whose training is known in closed form (vectrail/theory.h): one table W, and
 * |W W' - M|^2 / (2 |M|^2) with M_ij = 2 (P_ij - P_i P_j) / (P_ij + P_i P_j), P_ij being how often two words meet. */
enum vt_loss {
  VT_LOSS_NEGATIVE_SAMPLING = 0,
  VT_LOSS_HIERARCHICAL_SOFTMAX = 1,
  VT_LOSS_SOFTMAX = 2,
  VT_LOSS_SQUARES = 3,
  VT_LOSS_QUADRATIC = 4
};
#define VT_QUADRATIC_START 1e-6
#define VT_BATCH_FULL 0               /* as struct vt_train_options's batch */
#define VT_BATCH_MAX 65536            /* pairs */
#define VT_BATCH_FULL_WORDS_MAX 20000 /* the vocabulary that a full batch takes */

/* What networks have besides; the others do not look at it. */
struct vt_network_options {
  uint32_t context; /* tokens that are looked at, 1 to 65536 [nnlm 6, transformer 128] */
  uint32_t stride;  /* nnlm: from sample to sample, at least 1 [3] */
  uint32_t hidden;  /* nnlm: of the hidden layer, 1 to 65536 [128] */
  uint32_t layers;  /* transformer: 1 to 60 [4] */
  uint32_t heads;   /* transformer: divides dim, at most 64 [4] */
  enum vt_positions positions;
  double rotary_share; /* of a head's dimensions that are rotated, above 0, at most 1 [1] */
  bool tied;           /* transformer: the output matrix is the token table [true] */
  bool parallel;       /* transformer: attention and MLP read the same row, as in GPT-NeoX [false] */
  bool exact_gelu;     /* by erf instead of tanh, as in GPT-NeoX [false] */
  double dropout;      /* transformer: 0 to 0.9 [0] */
  double decay;        /* AdamW's, on matrices: v <- (1 - rate decay) v - ...; 0 to 10 [0.01] */
  double beta_2;       /* AdamW's, of the squares: below 1; 0: nnlm 0.999, transformer 0.95 [0] */
  double clip;         /* the gradient's length is cut to this; 0: never [nnlm 0, transformer 1] */
  uint32_t warmup;     /* steps in which the rate rises [nnlm 0, transformer 100] */
  uint32_t accumulate; /* batches whose gradients make one step, and which ranks share out, 1 to 65536 [1] */
  bool routes;         /* measure through which parts of the network the token table's gradient comes [false] */
};

/* Of a training that goes on with another one's vectors (vectrail/tune.h, which sets the first). */
struct vt_tuning_options {
  uint32_t words; /* so many words, the first of the vocabulary, come with vectors; 0: it begins by itself [0] */
  /* mu of the penalty mu |v - v(0)|^2 on the rows of both tables; networks: on the token table, and the output matrix
   * where that is another. Added to the mean loss of a word; 0: none [0] */
  double anchor;
  bool freeze_input, freeze_output; /* the table does not move [false] */
  /* Hierarchical softmax: the tree, as src/train/huffman.h has its links; borrowed, and vt_tune's own to give. NULL:
   * the tree of the counts [NULL] */
  const double *tree;
};

/* What the optimiser does. vt_train_options_init gives the defaults in brackets. */
struct vt_train_options {
  enum vt_model model;
  enum vt_loss loss;
  uint32_t dim;          /* length of a vector, 1 to 4096 [100] */
  uint32_t window;       /* context words each side, at most; each centre draws 1..window, 1 to 1000 [5] */
  uint32_t negative;     /* noise words for each centre, 1 to 64; not used by hierarchical softmax [5] */
  double noise_exponent; /* noise is drawn with probability ~ count^exponent, 0 to 1 [0.75] */
  double sample;         /* subsampling threshold, 0 for none [1e-4] */
  uint32_t epochs;       /* passes over the corpus, at least 1 [5] */
  /* Learning rate at the start [0.025]; quadratic, up to 1e12: 0 for a twentieth of the largest that is stable. */
  double lr;
  enum vt_schedule schedule; /* [linear] */
  /* [sgd]. AdaGrad holds the sums of squared gradients: twice the memory of the tables. */
  enum vt_optimizer_kind optimizer;
  /* Exact softmax: pairs whose mean loss makes one step; VT_BATCH_FULL: all there are in the text, as often as they
   * are expected to be drawn without subsampling, so that each step has the exact gradient and epochs are steps [512].
   * The rate is that of the mean, so it is larger than those of the other losses.
   * Quadratic: so many pairs that meet and as many that chance brings together; VT_BATCH_FULL: the exact gradient. */
  uint32_t batch;
  /* Quadratic: the start is drawn from N(0, start^2 / dim), 0 for VT_QUADRATIC_START [0]. */
  double start;
  /* Penalty lambda |row|^2 on all rows of both tables, for each word trained; 0 for none [0]. With a penalty the
   * tables are held twice. GloVe: on the two vectors of a record, for each record trained, biases excepted. */
  double l2;
  double x_max;          /* GloVe: counts from here on have weight 1; above 0 [100] */
  double alpha;          /* GloVe: 0 to 10 [0.75] */
  bool one_sided;        /* GloVe: only words that stand before a word count as near it [false] */
  uint64_t memory_bytes; /* GloVe: what counting may take; changes no result [1 GiB] */
  uint64_t seed;         /* [1] */
  uint32_t block_tokens; /* corpus tokens in one block, 16 to 65536 [2048] */
  uint32_t blocks;       /* blocks in one superstep, 1 to 4096 [8]; never derived from threads */
  /* 0: every superstep is brought together, exactly [0]. Else so many replicas of the tables train apart and are
   * joined after sync_every supersteps of each: for slow networks (docs/scaling.md); ranks share the replicas, and
   * change no result. With sgd and without l2 only. 1 to 4096. */
  uint32_t replicas;
  uint32_t sync_every; /* [16] */
  /* CBOW: each context word gets the whole gradient of their mean, as in word2vec.c, not its share [false] */
  bool cbow_classic;
  /* Share of the sentences that are never trained on, 0 to 0.5; their loss is measured with the probe's [0]. */
  double held_out;
  bool until_converged; /* end the run at the measurement at which it has converged (vectrail/measure.h) [false] */
  struct vt_network_options network;
  struct vt_tuning_options tuning;
  const char *kernel; /* NULL: vt_kernel_resolve decides */
  int threads;        /* at least 1 [the processors this process may use] */
  /* The processes that train together, borrowed; threads are each one's own. All pass the same request. NULL: this one
   * alone [NULL] */
  struct vt_ranks *ranks;
  /* With ranks on several machines: each machine holds the rows that its ranks own alone, and asks for those that it is
   * about to train on, so that tables may be as large as the memory of all machines. Rank 0 looks at them through a
   * temporary file of their size. Negative sampling and hierarchical softmax, every superstep brought together, without
   * l2. Changes no result [false] */
  bool deal_tables;
};

VT_API void vt_train_options_init(struct vt_train_options *options);
/* What differs with the model, where nobody says otherwise: nnlm as in the exercise (batches of 32 samples, AdamW at a
 * constant 0.001), transformer (8 sequences, AdamW at 0.001, cosine). */
VT_API void vt_train_options_for(struct vt_train_options *options, enum vt_model model);
/* The exercise that docs/networks.md describes: nnlm with the letters rule, 25 epochs; seed, threads and kernel stay.
 */
VT_API void vt_train_preset_exercise(struct vt_corpus_options *corpus, struct vt_train_options *train);
/* The learning rate to start with where nobody knows better: 0.025 for skip-gram, 0.125 for CBOW, whose gradient is
 * shared out among the context words, 0.05 for classic CBOW, 0.15 for AdaGrad, 0.5 for GloVe; for the exact
 * softmax 5, with AdaGrad 0.1, with AdamW 0.005; for the quadratic loss 0, which lets the engine choose. */
VT_API double vt_train_default_lr(const struct vt_train_options *options);
/* Whether the options can be trained with: VT_ERROR_ARGUMENT names the first that cannot, and its range. */
VT_API enum vt_status vt_train_options_check(const struct vt_train_options *options, struct vt_error *error);

#define VT_CHECKPOINT_SECONDS_MAX 1e6

/* What is written into the run folder. */
struct vt_record_options {
  uint32_t snapshots; /* how many over the run, start and end included, at least 2 [40]; the last is float32 */
  bool float32;       /* all snapshots in float32 instead of float16 [false] */
  bool output;        /* the output table too [false] */
  uint32_t metrics;   /* about how many steps get a row of metrics [2000] */
  uint32_t probes;    /* how many of those also measure the probe, spread evenly [100] */
  /* Seconds from checkpoint to checkpoint, 0: only when interrupted [60]. Takes the memory of both tables for a moment
   * where they have up to 256 MB; larger ones are written while the training waits. */
  double checkpoint_seconds;
  /* Words whose vectors are kept at every metrics step; a word outside the vocabulary is VT_ERROR_NOT_FOUND. */
  const char *const *watch;
  size_t watch_count;
  uint32_t watch_every; /* keep them at every so many steps instead; 0: at metrics steps [0] */
  /* Pairs of words, one behind the other, whose cosine is kept at every metrics step; errors as for watch. */
  const char *const *pairs;
  size_t pair_count; /* pairs: half as many as there are words */
  /* Words whose ledger is kept (vectrail/ledger.h), each once; likewise. */
  const char *const *ledger;
  size_t ledger_count;
  uint32_t ledger_spans;   /* into how many spans of the run it is cut, at most; each ends with a snapshot [10] */
  uint32_t ledger_sources; /* kept for each word, role and span, the others in one sum; 0: all [4000] */
};

VT_API void vt_record_options_init(struct vt_record_options *options);

/* What a progress callback sees, at superstep boundaries. */
struct vt_train_progress {
  uint64_t step;
  uint64_t steps; /* in the whole run; exact */
  uint32_t epoch; /* current, from 1 */
  uint32_t epochs;
  uint64_t tokens;         /* trained so far, over all epochs */
  uint64_t tokens_total;   /* epochs x corpus tokens */
  double seconds;          /* spent training, in all sittings of the run */
  double words_per_second; /* over the last second or so */
  double lr;
  double loss;           /* running mean per pair, nats */
  double probe_loss;     /* last measured; NaN before the first */
  double probe_gradient; /* likewise */
  double moving;         /* share of words whose speed exceeded 1% of their norm between the last two snapshots */
  bool epoch_ended;      /* true on the call that ends an epoch */
};

struct vt_train_request {
  const char *const *inputs; /* corpus files; "-" is standard input */
  size_t input_count;
  /* In place of inputs: counts that vt_cooccur_save wrote as a database, for GloVe (weights by distance), the exact
   * softmax in full batches and the quadratic loss (linear weights on both sides; subsampled or not). They bring the
   * vocabulary, window, sample and sides, and come to the vectors that their text would have come to; held_out is 0.
   * The run notes where they are, and resuming and replaying read them there again. NULL: none [NULL] */
  const char *counts;
  const char *run_path; /* folder to make; its parent must exist */
  bool force;           /* replace an earlier run there (only a folder that holds a run.db is ever replaced) */
  struct vt_corpus_options corpus; /* its threads and progress fields are used as given */
  struct vt_train_options train;
  struct vt_record_options record;
  void (*progress)(void *context, const struct vt_train_progress *progress); /* may be NULL */
  void *progress_context;
  /* Called once the corpus is read, before training starts; may be NULL. */
  void (*corpus_ready)(void *context, const struct vt_corpus_report *report, const struct vt_vocab *vocab);
  void *corpus_ready_context;
  /* Set to nonzero (from a signal handler, say) to finish the superstep, save and return VT_ERROR_INTERRUPTED; while
   * the corpus is read, to stop reading and leave nothing. May be NULL. */
  const volatile sig_atomic_t *interrupt;
};

struct vt_train_result {
  uint64_t steps;
  uint64_t first_step; /* where this call began: 0, or where it went on from; `steps` when there was nothing to do */
  uint64_t tokens;
  double seconds; /* training alone, in all sittings: no reading, no final writing */
  double words_per_second;
  double loss;             /* on the probe, at the end */
  bool converged;          /* at some measurement: vectrail/measure.h */
  uint64_t converged_step; /* the first; 0 where it never did */
  const char *kernel;      /* static */
  uint64_t ledger_bytes;   /* the most that the ledger held in memory at the end of a span */
  bool resumable;          /* it did not end, and vt_resume may go on with what there is of it */
};

/* Reads the corpus, trains, records. On VT_ERROR_DIVERGED the message names the word and the step, and the run keeps
 * its last good snapshot; on VT_ERROR_INTERRUPTED the run holds a snapshot of where it stopped, and vt_resume goes on
 * from there, as it does after other errors and after a crash. On any error before the first step no folder is left
 * behind. result may be NULL. */
VT_API enum vt_status vt_train(const struct vt_train_request *request, struct vt_train_result *result,
                               struct vt_error *error);

/* What may differ from the sitting before: nothing here changes the result. */
struct vt_resume_request {
  const char *run_path;
  const char *kernel;        /* NULL: vt_kernel_resolve decides */
  int threads;               /* at least 1 [the processors this process may use] */
  double checkpoint_seconds; /* negative: as before [-1] */
  struct vt_ranks *ranks;    /* as in struct vt_train_options; their number may differ too [NULL] */
  bool deal_tables;          /* likewise [false] */
  /* As in struct vt_train_request; corpus_ready is told what was read when the run was begun. Progress is called for
   * the step that is gone on from, too. */
  void (*progress)(void *context, const struct vt_train_progress *progress);
  void *progress_context;
  void (*corpus_ready)(void *context, const struct vt_corpus_report *report, const struct vt_vocab *vocab);
  void *corpus_ready_context;
  const volatile sig_atomic_t *interrupt;
};

VT_API void vt_resume_request_init(struct vt_resume_request *request);
/* Goes on with a run that was interrupted, killed, or ended by an error, from its last checkpoint, or from step 0 where
 * there is none. What was recorded after the checkpoint is removed and recorded again: at the end the run has the
 * snapshots and metrics of an unbroken one, bit for bit (but for the seconds). The text is not read again.
 *
 * A finished run is left as it is: VT_OK, result->first_step is result->steps. VT_ERROR_NOT_FOUND: there is no run, or
 * its encoded corpus is missing; VT_ERROR_BUSY: another process is writing it; VT_ERROR_DIVERGED: there is nothing
 * sound to go on from; VT_ERROR_VERSION: another version began it; VT_ERROR_CORRUPT: damaged. result may be NULL. */
VT_API enum vt_status vt_resume(const struct vt_resume_request *request, struct vt_train_result *result,
                                struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

/*
 * ledger.h: for some words, every update that was applied to their input vectors, summed by where it came from.
 *
 * What a source gave to a vector v in a span of the training is the sum of the steps g u that it was part of, as the
 * block applied them to its copy (kernel.h: u as it was before the step), times the factor with which the merge took
 * the block's changes over (merge.h: the cap; with AdaGrad another one for each element). With the decay (L2) and what
 * float32 rounding changed besides, in the training and in the sums, booked as sources of their own, the sum of
 * everything is what the vector moved:
 *
 *   v(t) = v(0) + sum of the ledger up to t
 *
 * Sources, and their roles: the word that drew v towards its output vector (attracted: the centre of a window that v
 * stood in), the noise word that pushed v away (pushed); with hierarchical softmax the word whose path it was (path);
 * or, where that is asked for, the sentence in which it happened (document). Decay, rounding and what the optimiser did
 * besides name the word itself.
 *
 * An engine whose steps are whole gradients tells the parts of a watched row's gradient instead (vt_ledger_part), and
 * then how the step was made of it (vt_ledger_step).
 *
 * Blocks note their part in sums of their own (struct vt_block_ledger); at the merge each watched word is brought up to
 * date by one thread, blocks in order. So the same numbers come out at any number of threads. A block that holds no
 * watched word pays one test of a flag for each centre.
 *
 * Memory: for each watched word about 6 x `sources` sums of dim floats at most: when there are more, all but the
 * `sources` longest of each role are folded into one sum of others, of the same role. The blocks hold what one block
 * can bring.
 */
#ifndef VECTRAIL_TRAIN_LEDGER_H
#define VECTRAIL_TRAIN_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernel/kernel.h"
#include "train/decay.h"
#include "train/ledger_sums.h"
#include "train/table.h"
#include "train/working_set.h"

#define VT_LEDGER_PLACES 16 /* of a context, that have roles of their own */
#define VT_LEDGER_HEADS 64
enum vt_ledger_role {
  VT_LEDGER_START, /* v(0); only among what is handed out at step 0 */
  VT_LEDGER_ATTRACTED,
  VT_LEDGER_PUSHED,
  VT_LEDGER_PATH,
  VT_LEDGER_DOCUMENT,
  VT_LEDGER_DECAY,
  VT_LEDGER_ROUNDING,
  VT_LEDGER_OPTIMIZER, /* momentum: what was held back, or came later than its gradient */
  /* Of networks: the routes that a gradient of the token table came by (network/routes.h). */
  VT_LEDGER_OUTPUT,
  VT_LEDGER_RESIDUAL,
  VT_LEDGER_MLP,
  VT_LEDGER_PLACE,                                     /* nnlm: and so many places of the context more */
  VT_LEDGER_HEAD = VT_LEDGER_PLACE + VT_LEDGER_PLACES, /* query, key and value of each head */
  VT_LEDGER_ROLES = VT_LEDGER_HEAD + 3 * VT_LEDGER_HEADS
};
/* Static. */
const char *vt_ledger_role_name(enum vt_ledger_role role);

/* How a source and a role are one key of struct vt_ledger_sums. */
#define VT_LEDGER_ROLE_BITS 8
/* As a source: those that were folded together; no word, no sentence. */
#define VT_LEDGER_OTHERS (UINT64_MAX >> VT_LEDGER_ROLE_BITS)
static inline uint64_t vt_ledger_key(uint64_t source, enum vt_ledger_role role) {
  return source << VT_LEDGER_ROLE_BITS | (uint64_t)role;
}
static inline uint64_t vt_ledger_source_of(uint64_t key) { return key >> VT_LEDGER_ROLE_BITS; }
static inline enum vt_ledger_role vt_ledger_role_of(uint64_t key) {
  return (enum vt_ledger_role)(key & ((UINT64_C(1) << VT_LEDGER_ROLE_BITS) - 1));
}

struct vt_ledger_options {
  const uint32_t *words; /* distinct ids; copied */
  size_t word_count;     /* at least 1 */
  bool by_document;      /* sentences as sources, not words */
  uint32_t sources;      /* kept for each word and role; 0: all */
};

/* ---- what a block notes ------------------------------------------------------------------------------------------ */

/* An input row of a step that is a watched word's copy, and the share of the step that it takes. */
struct vt_ledger_row {
  uint32_t word; /* place among the watched words */
  uint32_t times;
  int input; /* of the step; CBOW: not used, all rows take the step of the mean */
  double share;
};

struct vt_block_ledger {
  bool active;         /* the block holds a watched word; all else is meaningless where it does not */
  uint32_t *slots;     /* by watched word: its slot among the inputs, or VT_NO_SLOT */
  uint32_t *marks;     /* by input slot: the place among the watched words + 1, or 0; all 0 between blocks */
  const float *copies; /* of the input rows, by slot, `stride` floats apart */
  size_t stride;
  bool by_document;
  uint64_t document;          /* of the centre that is being trained */
  struct vt_ledger_row *rows; /* of the step that is being made */
  size_t row_count;
  float *held;                 /* the step's outputs as they were before it: VT_STEP_OUTPUTS_MAX x width */
  struct vt_ledger_sums *sums; /* by watched word */
  bool failed;                 /* out of memory */
};

struct vt_ledger;
struct vt_targets;

/* After the input rows are copied: finds the watched words among them. Cost: a look-up for each watched word. */
void vt_block_ledger_begin(const struct vt_ledger *ledger, struct vt_block_ledger *block,
                           const struct vt_working_set *inputs);
/* When the block is done. */
void vt_block_ledger_end(const struct vt_ledger *ledger, struct vt_block_ledger *block);

/* For the steps that come next: none of their input rows is watched, ... */
static inline void vt_block_ledger_clear(struct vt_block_ledger *block) { block->row_count = 0; }
/* ... but row `input`, which is that of a slot, if the slot is watched. One that is noted again (CBOW) takes its share
 * again. */
void vt_block_ledger_note_watched(struct vt_block_ledger *block, uint32_t slot, int input, double share);
static inline void vt_block_ledger_note(struct vt_block_ledger *block, uint32_t slot, int input, double share) {
  if (block->marks[slot] != 0) vt_block_ledger_note_watched(block, slot, input, share); /* hardly ever */
}
/* Around kernel->step, where row_count > 0: the step's outputs are the targets from `first` on, drawn for the word
 * `centre`. */
void vt_block_ledger_before(struct vt_block_ledger *block, const struct vt_step *step);
void vt_block_ledger_after(struct vt_block_ledger *block, const struct vt_kernel *kernel, const struct vt_step *step,
                           const struct vt_working_set *outputs, const struct vt_targets *targets, int first,
                           uint32_t centre);

/* ---- the whole --------------------------------------------------------------------------------------------------- */

/* Of the input table. Before anything is booked, vt_ledger_start or vt_ledger_close has to be called. kernel: its name,
 * as options have it; blocks: in a superstep; capacity: input rows that a block can hold. */
enum vt_status vt_ledger_create(const struct vt_ledger_options *options, const struct vt_table *input,
                                const char *kernel, uint32_t blocks, uint32_t capacity, struct vt_ledger **ledger,
                                struct vt_error *error);
void vt_ledger_free(struct vt_ledger *ledger); /* accepts NULL */

size_t vt_ledger_words(const struct vt_ledger *ledger);
uint32_t vt_ledger_word(const struct vt_ledger *ledger, size_t k);
struct vt_block_ledger *vt_ledger_block(struct vt_ledger *ledger, uint32_t block);
bool vt_ledger_is_by_document(const struct vt_ledger *ledger);

/* Before a merge of the blocks: keeps the rows as they are. decay, squares: NULL without L2, AdaGrad. */
void vt_ledger_before_merge(struct vt_ledger *ledger, uint32_t block_count, const struct vt_table *input,
                            const struct vt_decay *decay);
/* After it: what the blocks noted about the watched word k. Different words may be taken at once. */
void vt_ledger_take(struct vt_ledger *ledger, size_t k, uint32_t block_count, const struct vt_table *input,
                    const struct vt_table *squares);
/* After the decay of the superstep was added: rows that were paid then. */
void vt_ledger_after_decay(struct vt_ledger *ledger, const struct vt_table *input);
/* For engines that tell the parts of a row's step: books step[dim] of the watched word k under a role, the word itself
 * being its source; the same of its decay; and that this was all of the step, the rest being rounding. */
void vt_ledger_add(struct vt_ledger *ledger, size_t k, enum vt_ledger_role role, const double *step);
void vt_ledger_add_decay(struct vt_ledger *ledger, size_t k, const double *step);
void vt_ledger_end_step(struct vt_ledger *ledger, size_t k);
/* VT_ERROR_MEMORY, where anything above ran out of it. */
enum vt_status vt_ledger_check(const struct vt_ledger *ledger, struct vt_error *error);

/* ---- for engines that move whole rows by whole gradients --------------------------------------------------------- */

/* A part of the gradient of watched word k at the step to come: factor times vector[dim], from a source. A thread for
 * each word may do this at once, and the next. */
void vt_ledger_part(struct vt_ledger *ledger, size_t k, uint64_t key, double factor, const float *vector);
void vt_ledger_part_double(struct vt_ledger *ledger, size_t k, uint64_t key, double factor, const double *vector);

/* The row moved by factors[dim] (elementwise) times the sum of the parts told since the last step, by decay[dim] and by
 * held[dim], which is the optimiser's (role VT_LEDGER_OPTIMIZER); both may be NULL, for none. */
void vt_ledger_step(struct vt_ledger *ledger, size_t k, const double *factors, const double *decay, const double *held);

/* What was summed of a word since the last close, in an order that depends on nothing but the training. */
struct vt_ledger_span {
  uint32_t word;
  uint32_t dim;
  size_t count;
  const uint64_t *keys;    /* count: vt_ledger_key; a source is an id, a sentence from 0, or VT_LEDGER_OTHERS */
  const uint64_t *updates; /* count */
  const float *vectors;    /* count rows of dim, `stride` apart */
  size_t stride;
};
/* What the span points to lives until the call returns. */
typedef enum vt_status vt_ledger_visit(void *context, const struct vt_ledger_span *span, struct vt_error *error);
/* Hands everything out, decay as of now included, and begins a new span. */
enum vt_status vt_ledger_close(struct vt_ledger *ledger, const struct vt_table *input, const struct vt_decay *decay,
                               vt_ledger_visit *visit, void *context, struct vt_error *error);
/* The vectors as they are, as role VT_LEDGER_START, and the beginning of a span: v(0) at step 0; where a ledger begins
 * later, after a close that nobody keeps. */
enum vt_status vt_ledger_start(struct vt_ledger *ledger, const struct vt_table *input, vt_ledger_visit *visit,
                               void *context, struct vt_error *error);

/* Memory held now, blocks included. */
size_t vt_ledger_bytes(const struct vt_ledger *ledger);

/* ---- going on with it -------------------------------------------------------------------------------------------- */

/* The open span in one piece: for each watched word in order counts[word] sums, what it was when the span began, and
 * what decay took since then less what was owed then. */
struct vt_ledger_packed {
  uint64_t words;
  uint64_t count; /* of sums: the sum of counts */
  uint64_t dim;
  uint64_t *counts;  /* words */
  uint64_t *keys;    /* count */
  uint64_t *updates; /* count */
  float *vectors;    /* count x dim */
  float *begun;      /* words x dim */
  double *decayed;   /* words x dim */
};
enum vt_status vt_ledger_pack(const struct vt_ledger *ledger, struct vt_ledger_packed *packed, struct vt_error *error);
/* Room for so many; what is in it is undefined. On error nothing is held. */
enum vt_status vt_ledger_packed_init(struct vt_ledger_packed *packed, uint64_t words, uint64_t count, uint64_t dim,
                                     struct vt_error *error);
void vt_ledger_packed_release(struct vt_ledger_packed *packed); /* accepts an all-zero one */
/* VT_ERROR_CORRUPT: not of a ledger like this one. */
enum vt_status vt_ledger_unpack(struct vt_ledger *ledger, const struct vt_ledger_packed *packed,
                                struct vt_error *error);

#endif

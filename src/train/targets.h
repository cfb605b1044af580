/*
 * targets.h: what a centre word is told apart from: the outputs of a step, with their labels.
 *
 * Negative sampling: the centre (label 1) and K noise words (label 0) from a pool drawn once for the block, whose rows
 * stay in the cache. Hierarchical softmax: the inner nodes on the centre's path (label 1 where it takes the first
 * child). Skip-gram and CBOW train on either.
 */
#ifndef VECTRAIL_TRAIN_TARGETS_H
#define VECTRAIL_TRAIN_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "train/huffman.h"
#include "train/objective/objective.h"
#include "train/window.h"

#define VT_NEGATIVE_MAX 64
#define VT_TARGETS_MAX VT_HUFFMAN_DEPTH_MAX /* of a centre; at least 1 + VT_NEGATIVE_MAX */

struct vt_targets {
  bool sampled; /* the centre and noise words; otherwise a path */
  int count;
  uint32_t slots[VT_TARGETS_MAX]; /* distinct, in the output working set */
  float labels[VT_TARGETS_MAX];
};

/* One worker's memory. */
struct vt_targets_scratch;

enum vt_status vt_targets_scratch_create(struct vt_targets_scratch **scratch, struct vt_error *error);
void vt_targets_scratch_free(struct vt_targets_scratch *scratch); /* accepts NULL */

/* Distinct output rows that a block of `entries` may touch. */
uint32_t vt_targets_capacity(const struct vt_train_options *options, uint32_t entries);

/* Before the tokens are drawn: draws what the block needs of its own. */
void vt_targets_begin(const struct vt_objective_setup *setup, struct vt_targets_scratch *scratch,
                      struct vt_block *block);
/* After: copies the output rows of the centres. */
void vt_targets_gather(const struct vt_objective_setup *setup, struct vt_block *block, const struct vt_token *tokens,
                       uint32_t count);
/* A centre word that is to be trained on. */
struct vt_centre {
  uint32_t word;
  uint32_t sentence;      /* number within the block */
  uint32_t context_count; /* at least 1 */
  uint32_t *contexts;     /* their input slots, the caller's to change */
  struct vt_targets targets;
};

/* The centres of a block, one after the other. The targets of each are drawn, and their rows asked for, while the one
 * before it is trained: a step's own reads would wait for the second-level cache, or at long rows for the third. */
struct vt_centres {
  const struct vt_objective_setup *setup;
  struct vt_targets_scratch *scratch;
  struct vt_block *block;
  const struct vt_token *tokens;
  uint32_t count;
  uint32_t begin, end; /* the sentence */
  uint32_t at;         /* the next token to look at */
  int ready;           /* which of the two is the next one; -1 at the end */
  struct vt_centre two[2];
};

/* contexts: room for four times the window, the caller's. tokens[count]: as vt_window_tokens left them. */
void vt_centres_begin(struct vt_centres *centres, const struct vt_objective_setup *setup,
                      struct vt_targets_scratch *scratch, struct vt_block *block, const struct vt_token *tokens,
                      uint32_t count, uint32_t *contexts);
/* Valid until the next call; NULL at the end. */
struct vt_centre *vt_centres_next(struct vt_centres *centres);

/* All of the above, for an objective's plan: takes the slots of a block in the order of its training. Room as there. */
void vt_targets_plan(const struct vt_objective_setup *setup, struct vt_targets_scratch *scratch, struct vt_block *block,
                     struct vt_token *tokens, uint32_t *contexts, struct vt_centres *centres);

/* Fills a step with as many targets as it takes, from `first` on; returns how many. */
int vt_targets_fill(const struct vt_targets *targets, int first, const struct vt_block *block, struct vt_step *step);
/* - sum over the step's scores of log sigma(score) or log sigma(-score), by label. */
double vt_targets_loss(const struct vt_step *step);

#endif

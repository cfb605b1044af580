/*
 * cbow.c: continuous bag of words (Mikolov et al. 2013): the mean of the context's input vectors predicts the centre,
 *
 *   h = (1/m) sum_c v_c        l = - log sigma(h . u_centre) - sum_k log sigma(- h . u_noise_k)
 *
 * or the same along the centre's path. The gradient for each v_c is dl/dh / m. word2vec.c leaves the 1/m out, which
 * is a step m times as long (Irsoy, Benton and Stratos 2021, "Corrected CBOW performs as well as skip-gram");
 * --cbow-classic does as word2vec.c does. h stays what it was while all targets of a centre are taken.
 */
#include <string.h>

#include "base/memory.h"
#include "train/objective/objective.h"
#include "train/targets.h"
#include "train/window.h"

struct vt_objective_scratch {
  struct vt_step step;
  struct vt_token *tokens; /* of the block */
  uint32_t *contexts;      /* of the centres */
  struct vt_targets_scratch *targets_scratch;
  struct vt_centres centres;
  uint64_t trained;  /* centres */
  bool booking;      /* the block holds words of the ledger */
  float **rows;      /* of the bag: the contexts' */
  float *memory;     /* of the bag's own three rows, aligned and padded as a step wants them */
  struct vt_bag bag; /* its mean is h */
};

static void capacities(const struct vt_train_options *options, uint32_t entries, uint32_t out[VT_TABLE_COUNT]) {
  out[VT_TABLE_INPUT] = entries;
  out[VT_TABLE_OUTPUT] = vt_targets_capacity(options, entries);
}

static void scratch_free(struct vt_objective_scratch *scratch) {
  if (scratch == NULL) return;
  vt_free(scratch->tokens);
  vt_free(scratch->contexts);
  vt_targets_scratch_free(scratch->targets_scratch);
  vt_free(scratch->rows);
  vt_free_aligned(scratch->memory);
  vt_free_aligned(scratch);
}

static enum vt_status scratch_create(const struct vt_train_options *options, uint32_t entries,
                                     struct vt_objective_scratch **out, struct vt_error *error) {
  struct vt_objective_scratch *scratch = vt_alloc_aligned(1, sizeof *scratch);
  if (scratch == NULL) return VT_FAIL_MEMORY(error, sizeof *scratch);
  size_t stride = (vt_kernel_width(options->dim) + 15) / 16 * 16;
  scratch->tokens = vt_alloc(entries, sizeof *scratch->tokens);
  scratch->contexts = vt_alloc(4 * (size_t)options->window, sizeof *scratch->contexts);
  scratch->rows = vt_alloc(2 * (size_t)options->window, sizeof *scratch->rows);
  scratch->memory = vt_alloc_aligned(3 * stride, sizeof *scratch->memory);
  enum vt_status status = vt_targets_scratch_create(&scratch->targets_scratch, error);
  if (status == VT_OK &&
      (scratch->tokens == NULL || scratch->contexts == NULL || scratch->rows == NULL || scratch->memory == NULL))
    status = VT_FAIL_MEMORY(error, entries * sizeof *scratch->tokens);
  if (status != VT_OK) {
    scratch_free(scratch);
    return status;
  }
  memset(scratch->memory, 0, 3 * stride * sizeof *scratch->memory); /* what follows a row must be zero */
  scratch->bag = (struct vt_bag){.rows = scratch->rows,
                                 .width = vt_kernel_width(options->dim),
                                 .mean = scratch->memory,
                                 .moved = scratch->memory + stride,
                                 .delta = scratch->memory + 2 * stride};
  *out = scratch;
  return VT_OK;
}

/* Steps over all targets with h held; the bag's delta is what h would have moved. */
static void train_targets(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                          struct vt_block *block, const struct vt_centre *centre) {
  bool booked = scratch->booking && block->ledger->row_count > 0;
  bool measure = scratch->trained++ % VT_LOSS_EVERY == 0;
  for (int first = 0; first < centre->targets.count;) {
    int from = first;
    first += vt_targets_fill(&centre->targets, first, block, &scratch->step);
    if (booked) vt_block_ledger_before(block->ledger, &scratch->step);
    setup->kernel->step(&scratch->step);
    if (setup->frozen != NULL)
      vt_block_restore(setup, block, VT_TABLE_OUTPUT, scratch->step.outputs, scratch->step.output_count);
    if (booked)
      vt_block_ledger_after(block->ledger, setup->kernel, &scratch->step, &block->sets[VT_TABLE_OUTPUT],
                            &centre->targets, from, centre->word);
    setup->kernel->bag_take(&scratch->bag);
    if (measure) block->loss_sum += vt_targets_loss(&scratch->step);
  }
  if (measure) block->loss_pairs++;
}

static void train_centre(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                         struct vt_block *block, const struct vt_centre *centre) {
  const uint32_t count = centre->context_count;
  struct vt_working_set *inputs = &block->sets[VT_TABLE_INPUT];
  for (uint32_t c = 0; c < count; c++) scratch->rows[c] = vt_working_set_row(inputs, centre->contexts[c]);
  scratch->bag.count = count;
  setup->kernel->bag_mean(&scratch->bag);
  float share = setup->options->cbow_classic ? 1 : 1 / (float)count;
  if (scratch->booking) {
    vt_block_ledger_clear(block->ledger);
    for (uint32_t c = 0; c < count; c++) vt_block_ledger_note(block->ledger, centre->contexts[c], 0, (double)share);
  }
  train_targets(setup, scratch, block, centre);
  setup->kernel->bag_give(&scratch->bag, share);
  if (setup->frozen != NULL) vt_block_restore(setup, block, VT_TABLE_INPUT, scratch->rows, (int)count);
}

static void train_block(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                        struct vt_block *block) {
  scratch->trained = 0;
  scratch->step.width = block->sets[VT_TABLE_INPUT].table->width;
  scratch->step.rate = block->rate;
  scratch->step.input_count = 1;
  scratch->step.inputs[0] = scratch->bag.moved;
  for (int j = 0; j < 2 * VT_STEP_SCORE_STRIDE; j++) scratch->step.labels[j] = 0;
  vt_targets_begin(setup, scratch->targets_scratch, block);
  uint32_t count = vt_window_tokens(setup, block, scratch->tokens);
  vt_targets_gather(setup, block, scratch->tokens, count);
  scratch->booking = vt_window_ledger_begin(setup, block);
  vt_centres_begin(&scratch->centres, setup, scratch->targets_scratch, block, scratch->tokens, count,
                   scratch->contexts);
  for (const struct vt_centre *centre; (centre = vt_centres_next(&scratch->centres)) != NULL;) {
    if (scratch->booking) block->ledger->document = block->first_sentence + centre->sentence;
    train_centre(setup, scratch, block, centre);
  }
  if (scratch->booking) vt_block_ledger_end(setup->ledger, block->ledger);
}

static void plan_block(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                       struct vt_block *block) {
  vt_targets_plan(setup, scratch->targets_scratch, block, scratch->tokens, scratch->contexts, &scratch->centres);
}

const struct vt_objective vt_objective_cbow = {
    .name = "cbow",
    .capacities = capacities,
    .scratch_create = scratch_create,
    .scratch_free = scratch_free,
    .block = train_block,
    .plan = plan_block,
};

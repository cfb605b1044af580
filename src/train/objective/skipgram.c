/*
 * skipgram.c: skip-gram (Mikolov et al. 2013), batched by centre word.
 *
 * As in word2vec, the input vectors of the words around a centre predict the centre; for negative sampling (eq. 4)
 *
 *   l = - log sigma(v_context . u_centre) - sum_k log sigma(- v_context . u_noise_k)
 *
 * and for hierarchical softmax the same form along the centre's path. All contexts of a centre share its targets (as
 * in pWord2Vec, Ji et al. 2016), so one centre is one small matrix step: contexts x targets. A step needs distinct
 * rows, so a context that occurs twice is taken in a second step; more contexts or targets than fit into one step are
 * further steps in sequence.
 *
 * Every block is trained in the order of its text. A window ends at the ends of its sentence and of its block.
 */
#include "base/memory.h"
#include "train/objective/objective.h"
#include "train/targets.h"
#include "train/window.h"

struct vt_objective_scratch {
  struct vt_token *tokens; /* of the block */
  uint32_t *contexts;      /* of the centres */
  uint32_t *last_seen;     /* by input slot: the number of the last step that took it */
  struct vt_targets_scratch *targets_scratch;
  struct vt_centres centres;
  uint32_t steps;
  uint64_t trained; /* centres */
  bool booking;     /* the block holds words of the ledger */
  struct vt_step step;
};

static void capacities(const struct vt_train_options *options, uint32_t entries, uint32_t out[VT_TABLE_COUNT]) {
  out[VT_TABLE_INPUT] = entries;
  out[VT_TABLE_OUTPUT] = vt_targets_capacity(options, entries);
}

static void scratch_free(struct vt_objective_scratch *scratch) {
  if (scratch == NULL) return;
  vt_free(scratch->tokens);
  vt_free(scratch->contexts);
  vt_free(scratch->last_seen);
  vt_targets_scratch_free(scratch->targets_scratch);
  vt_free_aligned(scratch);
}

static enum vt_status scratch_create(const struct vt_train_options *options, uint32_t entries,
                                     struct vt_objective_scratch **out, struct vt_error *error) {
  struct vt_objective_scratch *scratch = vt_alloc_aligned(1, sizeof *scratch);
  if (scratch == NULL) return VT_FAIL_MEMORY(error, sizeof *scratch);
  scratch->tokens = vt_alloc(entries, sizeof *scratch->tokens);
  scratch->contexts = vt_alloc(4 * (size_t)options->window, sizeof *scratch->contexts);
  scratch->last_seen = vt_alloc_zero(entries, sizeof *scratch->last_seen);
  enum vt_status status = vt_targets_scratch_create(&scratch->targets_scratch, error);
  if (status == VT_OK && (scratch->tokens == NULL || scratch->contexts == NULL || scratch->last_seen == NULL))
    status = VT_FAIL_MEMORY(error, entries * sizeof *scratch->tokens);
  if (status != VT_OK) {
    scratch_free(scratch);
    return status;
  }
  *out = scratch;
  return VT_OK;
}

/* The inputs that the step holds, against all targets. */
static void train_inputs(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                         struct vt_block *block, const struct vt_centre *centre, bool measure) {
  struct vt_step *step = &scratch->step;
  bool booked = scratch->booking && block->ledger->row_count > 0;
  for (int first = 0; first < centre->targets.count;) {
    int from = first;
    first += vt_targets_fill(&centre->targets, first, block, step);
    if (booked) vt_block_ledger_before(block->ledger, step);
    setup->kernel->step(step);
    if (setup->frozen != NULL) {
      vt_block_restore(setup, block, VT_TABLE_INPUT, step->inputs, step->input_count);
      vt_block_restore(setup, block, VT_TABLE_OUTPUT, step->outputs, step->output_count);
    }
    if (booked)
      vt_block_ledger_after(block->ledger, setup->kernel, step, &block->sets[VT_TABLE_OUTPUT], &centre->targets, from,
                            centre->word);
    if (measure) block->loss_sum += vt_targets_loss(step);
  }
  if (measure) block->loss_pairs += (uint64_t)step->input_count;
}

static void train_centre(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                         struct vt_block *block, struct vt_centre *centre) {
  uint32_t *contexts = centre->contexts,
           context_count = centre->context_count; /* then those put off to a further step */
  bool measure = scratch->trained++ % VT_LOSS_EVERY == 0;
  while (context_count > 0) {
    uint32_t put_off = 0;
    int inputs = 0;
    scratch->steps++;
    if (scratch->booking) vt_block_ledger_clear(block->ledger);
    for (uint32_t c = 0; c < context_count; c++) {
      uint32_t slot = contexts[c];
      if (inputs == VT_STEP_INPUTS_MAX || scratch->last_seen[slot] == scratch->steps) {
        contexts[put_off++] = slot;
      } else {
        scratch->last_seen[slot] = scratch->steps;
        if (scratch->booking) vt_block_ledger_note(block->ledger, slot, inputs, 1);
        scratch->step.inputs[inputs++] = vt_working_set_row(&block->sets[VT_TABLE_INPUT], slot);
      }
    }
    scratch->step.input_count = inputs;
    train_inputs(setup, scratch, block, centre, measure);
    context_count = put_off;
  }
}

static void start_block(struct vt_objective_scratch *scratch, struct vt_block *block) {
  scratch->trained = 0;
  scratch->step.width = block->sets[VT_TABLE_INPUT].table->width;
  scratch->step.rate = block->rate;
  for (int j = 0; j < 2 * VT_STEP_SCORE_STRIDE; j++) scratch->step.labels[j] = 0;
  /* The numbers of the steps of earlier blocks must not be taken for this one's, also when they wrap around. */
  if (scratch->steps > UINT32_MAX / 2) {
    for (uint32_t slot = 0; slot < block->sets[VT_TABLE_INPUT].capacity; slot++) scratch->last_seen[slot] = 0;
    scratch->steps = 0;
  }
}

static void train_block(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                        struct vt_block *block) {
  start_block(scratch, block);
  vt_targets_begin(setup, scratch->targets_scratch, block);
  uint32_t count = vt_window_tokens(setup, block, scratch->tokens);
  vt_targets_gather(setup, block, scratch->tokens, count);
  scratch->booking = vt_window_ledger_begin(setup, block);
  vt_centres_begin(&scratch->centres, setup, scratch->targets_scratch, block, scratch->tokens, count,
                   scratch->contexts);
  for (struct vt_centre *centre; (centre = vt_centres_next(&scratch->centres)) != NULL;) {
    if (scratch->booking) block->ledger->document = block->first_sentence + centre->sentence;
    train_centre(setup, scratch, block, centre);
  }
  if (scratch->booking) vt_block_ledger_end(setup->ledger, block->ledger);
}

static void plan_block(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                       struct vt_block *block) {
  vt_targets_plan(setup, scratch->targets_scratch, block, scratch->tokens, scratch->contexts, &scratch->centres);
}

const struct vt_objective vt_objective_skipgram = {
    .name = "skipgram",
    .capacities = capacities,
    .scratch_create = scratch_create,
    .scratch_free = scratch_free,
    .block = train_block,
    .plan = plan_block,
};

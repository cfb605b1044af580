/* ledger_block.c: what a block notes while it trains. Everything here belongs to the one thread that trains it. */
#include <string.h>

#include "train/ledger.h"
#include "train/targets.h"

/* The slot of a row of the table that is in the set already, or VT_NO_SLOT. */
static uint32_t find_slot(const struct vt_working_set *set, uint32_t id) {
  uint32_t at = (id * UINT32_C(2654435769)) >> set->index_shift;
  while (set->index[at] != VT_NO_SLOT && set->ids[set->index[at]] != id) at = (at + 1) & set->index_mask;
  return set->index[at];
}

void vt_block_ledger_begin(const struct vt_ledger *ledger, struct vt_block_ledger *block,
                           const struct vt_working_set *inputs) {
  block->active = false;
  block->row_count = 0;
  block->copies = inputs->rows;
  block->stride = inputs->stride;
  for (size_t k = 0; k < vt_ledger_words(ledger); k++) {
    uint32_t slot = find_slot(inputs, vt_ledger_word(ledger, k));
    block->slots[k] = slot;
    if (slot == VT_NO_SLOT) continue;
    block->active = true;
    block->marks[slot] = (uint32_t)k + 1;
    vt_ledger_sums_clear(&block->sums[k]);
  }
}

void vt_block_ledger_end(const struct vt_ledger *ledger, struct vt_block_ledger *block) {
  for (size_t k = 0; block->active && k < vt_ledger_words(ledger); k++)
    if (block->slots[k] != VT_NO_SLOT) block->marks[block->slots[k]] = 0;
}

void vt_block_ledger_note_watched(struct vt_block_ledger *block, uint32_t slot, int input, double share) {
  uint32_t word = block->marks[slot] - 1;
  for (size_t r = 0; r < block->row_count; r++) {
    if (block->rows[r].word != word) continue;
    block->rows[r].share += share;
    block->rows[r].times++;
    return;
  }
  block->rows[block->row_count++] = (struct vt_ledger_row){.word = word, .times = 1, .input = input, .share = share};
}

void vt_block_ledger_before(struct vt_block_ledger *block, const struct vt_step *step) {
  for (int j = 0; j < step->output_count; j++)
    memcpy(block->held + (size_t)j * step->width, step->outputs[j], step->width * sizeof(float));
}

/* Where the steps towards and away from one target are booked. */
static uint64_t key_of_target(const struct vt_block_ledger *block, const struct vt_working_set *outputs,
                              const struct vt_targets *targets, int target, uint32_t centre) {
  if (block->by_document) return vt_ledger_key(block->document, VT_LEDGER_DOCUMENT);
  if (!targets->sampled) return vt_ledger_key(centre, VT_LEDGER_PATH);
  if (targets->labels[target] > 0) return vt_ledger_key(centre, VT_LEDGER_ATTRACTED);
  return vt_ledger_key(outputs->ids[targets->slots[target]], VT_LEDGER_PUSHED);
}

void vt_block_ledger_after(struct vt_block_ledger *block, const struct vt_kernel *kernel, const struct vt_step *step,
                           const struct vt_working_set *outputs, const struct vt_targets *targets, int first,
                           uint32_t centre) {
  for (size_t r = 0; r < block->row_count; r++) {
    const struct vt_ledger_row *row = &block->rows[r];
    struct vt_ledger_sums *sums = &block->sums[row->word];
    _Alignas(64) float sigma[VT_STEP_SCORE_STRIDE] = {0};
    memcpy(sigma, step->scores + (size_t)row->input * VT_STEP_SCORE_STRIDE, (size_t)step->output_count * sizeof *sigma);
    kernel->sigmoid(sigma, VT_STEP_SCORE_STRIDE);
    for (int j = 0; j < step->output_count; j++) {
      double g = row->share * (double)step->rate * ((double)step->labels[j] - (double)sigma[j]);
      float *to = vt_ledger_sums_at(sums, key_of_target(block, outputs, targets, first + j, centre), row->times);
      if (to == NULL) {
        block->failed = true;
        return;
      }
      kernel->add_scaled(to, block->held + (size_t)j * step->width, (float)g, step->width);
    }
  }
}

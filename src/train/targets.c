/* targets.c: the noise pool, paths in the tree, and the centres that are told apart from them. */
#include "train/targets.h"

#include "base/memory.h"

#define POOL_DRAWS 1024  /* noise words drawn for a block */
#define PREFETCH_AHEAD 4 /* rows */
#define REDRAWS 8        /* tries to find a noise word that is not in the step already */

struct vt_targets_scratch {
  uint32_t pool[POOL_DRAWS]; /* output slots */
};

enum vt_status vt_targets_scratch_create(struct vt_targets_scratch **scratch, struct vt_error *error) {
  *scratch = vt_alloc_zero(1, sizeof **scratch);
  return *scratch == NULL ? VT_FAIL_MEMORY(error, sizeof **scratch) : VT_OK;
}

void vt_targets_scratch_free(struct vt_targets_scratch *scratch) { vt_free(scratch); }

uint32_t vt_targets_capacity(const struct vt_train_options *options, uint32_t entries) {
  if (options->loss == VT_LOSS_NEGATIVE_SAMPLING) return entries + POOL_DRAWS;
  return entries * VT_HUFFMAN_DEPTH_MAX; /* entries are at most 2^17 */
}

/* The rows are copied from all over the table, so they are asked for some draws ahead. */
void vt_targets_begin(const struct vt_objective_setup *setup, struct vt_targets_scratch *scratch,
                      struct vt_block *block) {
  if (setup->options->loss != VT_LOSS_NEGATIVE_SAMPLING) return;
  struct vt_working_set *outputs = &block->sets[VT_TABLE_OUTPUT];
  for (int k = 0; k < POOL_DRAWS; k++) scratch->pool[k] = vt_noise_draw(setup->noise, &block->rng);
  for (int k = 0; k < POOL_DRAWS; k++) {
    if (k + PREFETCH_AHEAD < POOL_DRAWS) vt_working_set_prefetch(outputs, scratch->pool[k + PREFETCH_AHEAD]);
    scratch->pool[k] = vt_working_set_slot(outputs, scratch->pool[k]);
  }
}

void vt_targets_gather(const struct vt_objective_setup *setup, struct vt_block *block, const struct vt_token *tokens,
                       uint32_t count) {
  struct vt_working_set *outputs = &block->sets[VT_TABLE_OUTPUT];
  if (setup->options->loss != VT_LOSS_NEGATIVE_SAMPLING) return; /* paths are looked up as they come */
  for (uint32_t t = 0; t < count; t++) {
    if (t + PREFETCH_AHEAD < count) vt_working_set_prefetch(outputs, tokens[t + PREFETCH_AHEAD].word);
    vt_working_set_slot(outputs, tokens[t].word);
  }
}

static void draw_noise(const struct vt_objective_setup *setup, const struct vt_targets_scratch *scratch,
                       struct vt_block *block, uint32_t word, struct vt_targets *targets) {
  int count = 1, wanted = 1 + (int)setup->options->negative;
  targets->slots[0] = vt_working_set_slot(&block->sets[VT_TABLE_OUTPUT], word);
  targets->labels[0] = 1;
  for (int tries = REDRAWS; count < wanted && tries > 0;) {
    /* One random number gives four places of the pool. */
    uint64_t bits = vt_rng_next(&block->rng);
    for (int part = 0; part < 4 && count < wanted && tries > 0; part++, bits >>= 16) {
      uint32_t drawn = scratch->pool[((bits & 0xffff) * POOL_DRAWS) >> 16];
      bool fresh = true;
      for (int k = 0; k < count; k++) fresh = fresh && targets->slots[k] != drawn;
      if (fresh) {
        targets->labels[count] = 0;
        targets->slots[count++] = drawn;
      } else {
        tries--;
      }
    }
  }
  targets->count = count;
}

static void follow_path(const struct vt_huffman *tree, struct vt_block *block, uint32_t word,
                        struct vt_targets *targets) {
  uint64_t from = tree->start[word], to = tree->start[word + 1];
  targets->count = (int)(to - from);
  for (int k = 0; k < targets->count; k++) {
    targets->slots[k] = vt_working_set_slot(&block->sets[VT_TABLE_OUTPUT], tree->nodes[from + (uint64_t)k]);
    targets->labels[k] = tree->turns[from + (uint64_t)k] == 0 ? 1 : 0;
  }
}

/* The targets of one centre. */
static void draw(const struct vt_centres *centres, uint32_t word, struct vt_targets *targets) {
  const struct vt_objective_setup *setup = centres->setup;
  targets->sampled = setup->options->loss == VT_LOSS_NEGATIVE_SAMPLING;
  if (targets->sampled)
    draw_noise(setup, centres->scratch, centres->block, word, targets);
  else
    follow_path(setup->huffman, centres->block, word, targets);
}

/* Goes to the next token that is a centre and has contexts, and writes them down; false at the end. */
static bool find_centre(struct vt_centres *centres, struct vt_centre *centre) {
  const struct vt_token *tokens = centres->tokens;
  for (; centres->at < centres->count; centres->at++) {
    if (centres->at == centres->end) {
      centres->begin = centres->end;
      centres->end = vt_window_sentence_end(tokens, centres->count, centres->begin);
    }
    const struct vt_token *token = &tokens[centres->at];
    if (token->probe) continue;
    centre->context_count = vt_window_contexts(tokens, centres->begin, centres->end, centres->at, centre->contexts);
    if (centre->context_count == 0) continue;
    centre->word = token->word;
    centre->sentence = token->sentence;
    centres->at++;
    return true;
  }
  return false;
}

static void prepare(struct vt_centres *centres, int which) {
  struct vt_centre *centre = &centres->two[which];
  if (!find_centre(centres, centre)) {
    centres->ready = -1;
    return;
  }
  draw(centres, centre->word, &centre->targets);
  centres->ready = which;
  if (!centre->targets.sampled) return; /* a path: its upper nodes are in the first cache as it is */
  const struct vt_working_set *outputs = &centres->block->sets[VT_TABLE_OUTPUT];
  for (int j = 0; j < centre->targets.count; j++)
    vt_prefetch_row(vt_working_set_row(outputs, centre->targets.slots[j]), outputs->stride);
}

void vt_centres_begin(struct vt_centres *centres, const struct vt_objective_setup *setup,
                      struct vt_targets_scratch *scratch, struct vt_block *block, const struct vt_token *tokens,
                      uint32_t count, uint32_t *contexts) {
  centres->setup = setup;
  centres->scratch = scratch;
  centres->block = block;
  centres->tokens = tokens;
  centres->count = count;
  centres->begin = centres->end = centres->at = 0;
  centres->two[0].contexts = contexts;
  centres->two[1].contexts = contexts + 2 * (size_t)setup->options->window;
  prepare(centres, 0);
}

struct vt_centre *vt_centres_next(struct vt_centres *centres) {
  if (centres->ready < 0) return NULL;
  int which = centres->ready;
  prepare(centres, 1 - which);
  return &centres->two[which];
}

/* The rows of negative sampling are all asked for before the first centre; those of paths as the centres come. */
void vt_targets_plan(const struct vt_objective_setup *setup, struct vt_targets_scratch *scratch, struct vt_block *block,
                     struct vt_token *tokens, uint32_t *contexts, struct vt_centres *centres) {
  vt_targets_begin(setup, scratch, block);
  uint32_t count = vt_window_tokens(setup, block, tokens);
  vt_targets_gather(setup, block, tokens, count);
  if (setup->options->loss == VT_LOSS_NEGATIVE_SAMPLING) return;
  vt_centres_begin(centres, setup, scratch, block, tokens, count, contexts);
  while (vt_centres_next(centres) != NULL) continue;
}

int vt_targets_fill(const struct vt_targets *targets, int first, const struct vt_block *block, struct vt_step *step) {
  int count = targets->count - first;
  if (count > VT_STEP_OUTPUTS_MAX) count = VT_STEP_OUTPUTS_MAX;
  for (int j = 0; j < count; j++) {
    step->outputs[j] = vt_working_set_row(&block->sets[VT_TABLE_OUTPUT], targets->slots[first + j]);
    step->labels[j] = step->labels[VT_STEP_SCORE_STRIDE + j] = targets->labels[first + j];
  }
  step->output_count = count;
  return count;
}

double vt_targets_loss(const struct vt_step *step) {
  double sum = 0;
  for (int i = 0; i < step->input_count; i++) {
    for (int j = 0; j < step->output_count; j++) {
      double score = (double)step->scores[i * VT_STEP_SCORE_STRIDE + j];
      sum += vt_softplus(step->labels[j] > 0 ? -score : score);
    }
  }
  return sum;
}

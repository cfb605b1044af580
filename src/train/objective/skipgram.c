/*
 * skipgram.c: skip-gram with negative sampling (Mikolov et al. 2013, eq. 4), batched by centre word.
 *
 * As in word2vec, the input vectors of the words around a centre predict the output vector of the centre:
 *
 *   l = - log sigma(v_context . u_centre) - sum_k log sigma(- v_context . u_noise_k)
 *
 * All contexts of a centre share its noise words (as in pWord2Vec, Ji et al. 2016), so one centre is one small matrix
 * step: contexts x (centre and noise). Noise words come from a pool drawn once for the block: their rows stay in the
 * cache. A step needs distinct rows; so a noise word equal to the centre or to another is drawn again, and a context
 * that occurs twice is taken in a second step. More than VT_STEP_INPUTS_MAX contexts, or more noise than fits into one
 * step, are further steps in sequence.
 *
 * Every block is trained in the order of its text. A window ends at the ends of its sentence and of its block.
 */
#include <math.h>

#include "base/memory.h"
#include "train/objective/objective.h"
#include "vectrail/corpus.h"

#define POOL_DRAWS 1024  /* noise words drawn for a block */
#define PREFETCH_AHEAD 4 /* rows */
#define REDRAWS 8        /* tries to find a noise word that is not in the step already */
#define LOSS_EVERY 64    /* the running loss is measured on every 64th centre: enough, and nearly free */
#define NEGATIVE_MAX 64

/* A word that survived subsampling. */
struct token {
  uint32_t input; /* slots in the working sets */
  uint32_t output;
  uint32_t reach;    /* context words each side */
  uint32_t sentence; /* number within the block */
  bool probe;        /* no centre: its pairs are measured, never trained on */
};

struct vt_objective_scratch {
  struct token *tokens; /* of the block */
  uint32_t *contexts;   /* slots of one centre's context, then those put off to the next step */
  uint32_t *last_seen;  /* by input slot: the number of the last step that took it */
  uint32_t steps;
  uint32_t pool[POOL_DRAWS];
  uint64_t centres;
  struct vt_step step;
};

static void capacities(const struct vt_train_options *options, uint32_t entries, uint32_t out[VT_TABLE_COUNT]) {
  (void)options;
  out[VT_TABLE_INPUT] = entries;
  out[VT_TABLE_OUTPUT] = entries + POOL_DRAWS;
}

static void scratch_free(struct vt_objective_scratch *scratch) {
  if (scratch == NULL) return;
  vt_free(scratch->tokens);
  vt_free(scratch->contexts);
  vt_free(scratch->last_seen);
  vt_free_aligned(scratch);
}

static enum vt_status scratch_create(const struct vt_train_options *options, uint32_t entries,
                                     struct vt_objective_scratch **out, struct vt_error *error) {
  struct vt_objective_scratch *scratch = vt_alloc_aligned(1, sizeof *scratch);
  if (scratch == NULL) return VT_FAIL_MEMORY(error, sizeof *scratch);
  scratch->tokens = vt_alloc(entries, sizeof *scratch->tokens);
  scratch->contexts = vt_alloc(2 * (size_t)options->window, sizeof *scratch->contexts);
  scratch->last_seen = vt_alloc_zero(entries, sizeof *scratch->last_seen);
  if (scratch->tokens == NULL || scratch->contexts == NULL || scratch->last_seen == NULL) {
    scratch_free(scratch);
    return VT_FAIL_MEMORY(error, entries * sizeof *scratch->tokens);
  }
  *out = scratch;
  return VT_OK;
}

/* The centre and its noise words as output slots, all distinct; returns how many. */
static int draw_outputs(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                        struct vt_block *block, uint32_t centre, uint32_t outputs[1 + NEGATIVE_MAX]) {
  int count = 1, wanted = 1 + (int)setup->options->negative;
  outputs[0] = centre;
  for (int tries = REDRAWS; count < wanted && tries > 0;) {
    /* One random number gives four places of the pool. */
    uint64_t bits = vt_rng_next(&block->rng);
    for (int part = 0; part < 4 && count < wanted && tries > 0; part++, bits >>= 16) {
      uint32_t drawn = scratch->pool[((bits & 0xffff) * POOL_DRAWS) >> 16];
      bool fresh = true;
      for (int k = 0; k < count; k++) fresh = fresh && outputs[k] != drawn;
      if (fresh)
        outputs[count++] = drawn;
      else
        tries--;
    }
  }
  return count;
}

/* log(1 + e^x) without overflow. */
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

static double step_loss(const struct vt_step *step) {
  double sum = 0;
  for (int i = 0; i < step->input_count; i++) {
    for (int j = 0; j < step->output_count; j++) {
      double score = (double)step->scores[i * VT_STEP_SCORE_STRIDE + j];
      sum += softplus(step->labels[j] > 0 ? -score : score);
    }
  }
  return sum;
}

/* The inputs that the step holds, against all outputs. */
static void train_inputs(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                         struct vt_block *block, const uint32_t *outputs, int output_count, bool measure) {
  struct vt_step *step = &scratch->step;
  for (int first = 0; first < output_count; first += VT_STEP_OUTPUTS_MAX) {
    int count = output_count - first;
    if (count > VT_STEP_OUTPUTS_MAX) count = VT_STEP_OUTPUTS_MAX;
    for (int j = 0; j < count; j++)
      step->outputs[j] = vt_working_set_row(&block->sets[VT_TABLE_OUTPUT], outputs[first + j]);
    step->output_count = count;
    step->labels[0] = step->labels[VT_STEP_SCORE_STRIDE] = first == 0 ? 1 : 0;
    setup->kernel->step(step);
    if (measure) {
      block->loss_sum += step_loss(step);
      if (first == 0) block->loss_pairs += (uint64_t)step->input_count;
    }
  }
}

static void train_centre(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                         struct vt_block *block, const struct token *tokens, uint32_t count, uint32_t centre) {
  uint32_t reach = tokens[centre].reach, *contexts = scratch->contexts, context_count = 0;
  uint32_t from = centre > reach ? centre - reach : 0, to = centre + reach < count ? centre + reach : count - 1;
  for (uint32_t t = from; t <= to; t++)
    if (t != centre) contexts[context_count++] = tokens[t].input;
  if (context_count == 0) return;

  uint32_t outputs[1 + NEGATIVE_MAX];
  int output_count = draw_outputs(setup, scratch, block, tokens[centre].output, outputs);
  bool measure = scratch->centres++ % LOSS_EVERY == 0;
  while (context_count > 0) {
    uint32_t put_off = 0;
    int inputs = 0;
    scratch->steps++;
    for (uint32_t c = 0; c < context_count; c++) {
      uint32_t slot = contexts[c];
      if (inputs == VT_STEP_INPUTS_MAX || scratch->last_seen[slot] == scratch->steps) {
        contexts[put_off++] = slot;
      } else {
        scratch->last_seen[slot] = scratch->steps;
        scratch->step.inputs[inputs++] = vt_working_set_row(&block->sets[VT_TABLE_INPUT], slot);
      }
    }
    scratch->step.input_count = inputs;
    train_inputs(setup, scratch, block, outputs, output_count, measure);
    context_count = put_off;
  }
}

static void train_sentence(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                           struct vt_block *block, const struct token *tokens, uint32_t count) {
  for (uint32_t centre = 0; centre < count; centre++)
    if (!tokens[centre].probe) train_centre(setup, scratch, block, tokens, count, centre);
}

/* The first probe position at or after a place in the corpus. */
static size_t first_probe(const struct vt_objective_setup *setup, uint64_t position) {
  size_t low = 0, high = setup->probe_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (setup->probe_positions[middle] < position)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The rows are copied from all over the table, so they are asked for some draws ahead. */
static void draw_pool(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                      struct vt_block *block) {
  struct vt_working_set *outputs = &block->sets[VT_TABLE_OUTPUT];
  for (int k = 0; k < POOL_DRAWS; k++) scratch->pool[k] = vt_noise_draw(setup->noise, &block->rng);
  for (int k = 0; k < POOL_DRAWS; k++) {
    if (k + PREFETCH_AHEAD < POOL_DRAWS) vt_working_set_prefetch(outputs, scratch->pool[k + PREFETCH_AHEAD]);
    scratch->pool[k] = vt_working_set_slot(outputs, scratch->pool[k]);
  }
}

static void start_block(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                        struct vt_block *block) {
  block->tokens = 0;
  block->loss_sum = 0;
  block->loss_pairs = 0;
  scratch->centres = 0;
  scratch->step.width = block->sets[VT_TABLE_INPUT].table->width;
  scratch->step.rate = block->rate;
  for (int j = 0; j < 2 * VT_STEP_SCORE_STRIDE; j++) scratch->step.labels[j] = 0;
  /* The numbers of the steps of earlier blocks must not be taken for this one's, also when they wrap around. */
  if (scratch->steps > UINT32_MAX / 2) {
    for (uint32_t slot = 0; slot < block->sets[VT_TABLE_INPUT].capacity; slot++) scratch->last_seen[slot] = 0;
    scratch->steps = 0;
  }
  draw_pool(setup, scratch, block);
}

/* Draws which words survive and how far each looks; tokens hold words, not slots yet. Returns how many. */
static uint32_t draw_tokens(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                            struct vt_block *block) {
  size_t probe = first_probe(setup, block->begin);
  uint32_t count = 0, sentence = 0;
  for (uint64_t place = block->begin; place < block->end; place++) {
    uint32_t word = block->ids[place];
    if (word == VT_CORPUS_END) {
      sentence++;
      continue;
    }
    block->tokens++;
    bool is_probe = probe < setup->probe_count && setup->probe_positions[probe] == place;
    if (is_probe) probe++;
    uint64_t bits = vt_rng_next(&block->rng);
    if ((uint32_t)(bits >> 32) > setup->keep[word]) continue;
    scratch->tokens[count++] = (struct token){
        .input = word,
        .output = word,
        .reach = 1 + (uint32_t)(((bits & UINT32_MAX) * setup->options->window) >> 32),
        .sentence = sentence,
        .probe = is_probe,
    };
  }
  return count;
}

/* Puts slots in the place of words. */
static void gather_tokens(struct vt_objective_scratch *scratch, struct vt_block *block, uint32_t count) {
  struct vt_working_set *inputs = &block->sets[VT_TABLE_INPUT], *outputs = &block->sets[VT_TABLE_OUTPUT];
  for (uint32_t t = 0; t < count; t++) {
    if (t + PREFETCH_AHEAD < count) {
      vt_working_set_prefetch(inputs, scratch->tokens[t + PREFETCH_AHEAD].input);
      vt_working_set_prefetch(outputs, scratch->tokens[t + PREFETCH_AHEAD].output);
    }
    scratch->tokens[t].input = vt_working_set_slot(inputs, scratch->tokens[t].input);
    scratch->tokens[t].output = vt_working_set_slot(outputs, scratch->tokens[t].output);
  }
}

static void train_block(const struct vt_objective_setup *setup, struct vt_objective_scratch *scratch,
                        struct vt_block *block) {
  start_block(setup, scratch, block);
  uint32_t count = draw_tokens(setup, scratch, block);
  gather_tokens(scratch, block, count);
  for (uint32_t begin = 0, end = 0; begin < count; begin = end) {
    while (end < count && scratch->tokens[end].sentence == scratch->tokens[begin].sentence) end++;
    train_sentence(setup, scratch, block, scratch->tokens + begin, end - begin);
  }
}

const struct vt_objective vt_objective_skipgram = {
    .name = "skipgram",
    .capacities = capacities,
    .scratch_create = scratch_create,
    .scratch_free = scratch_free,
    .block = train_block,
};

/* window.c: drawing first and copying after, so that rows can be asked for some words ahead. */
#include "train/window.h"

#include <math.h>

#include "base/memory.h"
#include "vectrail/corpus.h"

#define PREFETCH_AHEAD 4 /* rows */

/* The probability that a token of a word survives subsampling, as word2vec.c computes it: with f the word's share of
 * the text and t the threshold, (sqrt(f / t) + 1) t / f; as a threshold on 32 random bits. */
static uint32_t keep_threshold(double share, double sample) {
  if (sample == 0 || share == 0) return UINT32_MAX;
  double keep = (sqrt(share / sample) + 1) * sample / share;
  return keep >= 1 ? UINT32_MAX : (uint32_t)(keep * 4294967296.0);
}

enum vt_status vt_window_keep(const struct vt_train_options *options, const struct vt_vocab *vocab, uint32_t **keep,
                              struct vt_error *error) {
  size_t size = vt_vocab_size(vocab);
  double tokens = (double)vt_vocab_tokens(vocab);
  *keep = vt_alloc(size, sizeof **keep);
  if (*keep == NULL) return VT_FAIL_MEMORY(error, size * sizeof **keep);
  for (uint32_t w = 0; w < size; w++) {
    double share = tokens > 0 ? (double)vt_vocab_count(vocab, w) / tokens : 0;
    (*keep)[w] = keep_threshold(share, options->sample);
  }
  return VT_OK;
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

uint32_t vt_window_draw(const struct vt_objective_setup *setup, struct vt_block *block, struct vt_token *tokens) {
  size_t probe = first_probe(setup, block->begin);
  size_t span = setup->held_out == NULL ? 0 : vt_held_out_after(setup->held_out, block->begin);
  uint32_t count = 0, sentence = 0;
  for (uint64_t place = block->begin; place < block->end; place++) {
    uint32_t word = block->ids[place];
    if (word == VT_CORPUS_END) {
      sentence++;
      continue;
    }
    if (setup->held_out != NULL) {
      while (span < setup->held_out->count && place >= setup->held_out->spans[span].end) span++;
      if (span < setup->held_out->count && place >= setup->held_out->spans[span].begin) continue;
    }
    block->tokens++;
    bool is_probe = probe < setup->probe_count && setup->probe_positions[probe] == place;
    if (is_probe) probe++;
    uint64_t bits = vt_rng_next(&block->rng);
    if ((uint32_t)(bits >> 32) > setup->keep[word]) continue;
    tokens[count++] = (struct vt_token){
        .word = word,
        .input = word,
        .reach = 1 + (uint32_t)(((bits & UINT32_MAX) * setup->options->window) >> 32),
        .sentence = sentence,
        .probe = is_probe,
    };
  }
  return count;
}

uint32_t vt_window_tokens(const struct vt_objective_setup *setup, struct vt_block *block, struct vt_token *tokens) {
  struct vt_working_set *inputs = &block->sets[VT_TABLE_INPUT];
  uint32_t count = vt_window_draw(setup, block, tokens);
  for (uint32_t t = 0; t < count; t++) {
    if (t + PREFETCH_AHEAD < count) vt_working_set_prefetch(inputs, tokens[t + PREFETCH_AHEAD].word);
    tokens[t].input = vt_working_set_slot(inputs, tokens[t].word);
  }
  return count;
}

double vt_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

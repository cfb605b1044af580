/*
 * window.h: a block of text as the word objectives see it: the words that survive subsampling, each with the reach of
 * its window, and their rows copied in.
 */
#ifndef VECTRAIL_TRAIN_WINDOW_H
#define VECTRAIL_TRAIN_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "train/objective/objective.h"
#include "vectrail/vocab.h"

/* A word that survived subsampling. */
struct vt_token {
  uint32_t word;
  uint32_t input;    /* slot of its input row in the working set */
  uint32_t reach;    /* context words each side */
  uint32_t sentence; /* number within the block */
  bool probe;        /* no centre: its pairs are measured, never trained on */
};

/* For each word, the threshold of struct vt_objective_setup's keep; freed by the caller (vt_free). */
enum vt_status vt_window_keep(const struct vt_train_options *options, const struct vt_vocab *vocab, uint32_t **keep,
                              struct vt_error *error);

/* Draws which words of the block survive and how far each looks, as below, and copies nothing: `input` is the word. */
uint32_t vt_window_draw(const struct vt_objective_setup *setup, struct vt_block *block, struct vt_token *tokens);

/* Draws which words of the block survive and how far each looks (one random number a word, in order), counts
 * block->tokens, and copies the input rows in. tokens: as many as the block has entries. Returns how many there are. */
uint32_t vt_window_tokens(const struct vt_objective_setup *setup, struct vt_block *block, struct vt_token *tokens);

/* The end of the sentence that begins at tokens[begin]. */
static inline uint32_t vt_window_sentence_end(const struct vt_token *tokens, uint32_t count, uint32_t begin) {
  uint32_t end = begin + 1;
  while (end < count && tokens[end].sentence == tokens[begin].sentence) end++;
  return end;
}

/* The input slots of the words around a centre, from left to right; contexts: twice the window. Returns how many. */
static inline uint32_t vt_window_contexts(const struct vt_token *tokens, uint32_t begin, uint32_t end, uint32_t centre,
                                          uint32_t *contexts) {
  uint32_t reach = tokens[centre].reach, count = 0;
  uint32_t from = centre - begin > reach ? centre - reach : begin, to = end - centre > reach ? centre + reach + 1 : end;
  for (uint32_t t = from; t < centre; t++) contexts[count++] = tokens[t].input;
  for (uint32_t t = centre + 1; t < to; t++) contexts[count++] = tokens[t].input;
  return count;
}

/* Once the input rows are copied: whether the block holds words of the ledger, whose part in it then begins. */
static inline bool vt_window_ledger_begin(const struct vt_objective_setup *setup, struct vt_block *block) {
  if (block->ledger == NULL) return false;
  vt_block_ledger_begin(setup->ledger, block->ledger, &block->sets[VT_TABLE_INPUT]);
  return block->ledger->active;
}

/* log(1 + e^x) without overflow: - log sigma(-x). */
double vt_softplus(double x);

#endif

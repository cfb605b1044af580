/*
 * stream.h: a text as one row of tokens, and the samples that are cut from it.
 *
 * nnlm: `context` tokens and the one behind them, every `stride` tokens; line ends leave no mark. Transformer:
 * stretches of `context` tokens, each predicting the next; a line end is a token of its own, behind the vocabulary's.
 * Sentences that are held out make a stream of their own. The order of the samples, and with the Transformer where the
 * first one begins, are drawn anew for each epoch.
 */
#ifndef VECTRAIL_NETWORK_STREAM_H
#define VECTRAIL_NETWORK_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "network/shape.h"
#include "train/held_out.h"

struct vt_token_stream {
  const struct vt_net_shape *shape;
  size_t stride;
  uint32_t *tokens;
  size_t count;
  size_t samples;  /* in an epoch; 0 where the text is too short for one */
  uint32_t *order; /* of the samples, in the epoch that was begun */
  size_t first;    /* where the first of them begins */
};

/* ids: of a corpus, with VT_CORPUS_END behind each sentence; end: what stands for it, or VT_NO_TARGET to leave it out.
 * held_out: only what is held out, instead of all the rest. */
enum vt_status vt_token_stream_init(struct vt_token_stream *stream, const struct vt_net_shape *shape, size_t stride,
                                    const uint32_t *ids, uint64_t entries, uint32_t end, const struct vt_held_out *held,
                                    bool held_out, struct vt_error *error);
void vt_token_stream_release(struct vt_token_stream *stream); /* accepts an all-zero one */

/* Draws the order of an epoch, from 0. */
void vt_token_stream_begin(struct vt_token_stream *stream, uint64_t seed, uint64_t epoch);

/* Samples, one behind the other. */
struct vt_token_samples {
  uint32_t *inputs, *targets; /* [count][context], [count][rows of a sample] */
  size_t count;
};

/* Rows that the loss of a sample is measured on: the one at the end for nnlm, else all. */
static inline size_t vt_token_sample_rows(const struct vt_net_shape *shape) {
  return shape->model == VT_MODEL_NNLM ? 1 : shape->context;
}
/* Room for so many; there are none yet. Free with vt_token_samples_release, also where it fails. */
enum vt_status vt_token_samples_init(struct vt_token_samples *samples, const struct vt_net_shape *shape, size_t most,
                                     struct vt_error *error);
void vt_token_samples_release(struct vt_token_samples *samples); /* accepts an all-zero one */
/* Adds a sample that `order` names. */
void vt_token_samples_take(struct vt_token_samples *samples, const struct vt_token_stream *stream, size_t sample);
/* Made of samples spread evenly over a stream, as they lie there: of at most `rows` rows, but one at least. */
enum vt_status vt_token_samples_spread(struct vt_token_samples *samples, const struct vt_token_stream *stream,
                                       size_t rows, struct vt_error *error);

#endif

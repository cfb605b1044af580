/* stream.c */
#include "network/stream.h"

#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "network/net.h"
#include "vectrail/corpus.h"

/* Copies entries [begin, stop), what stands for line ends included. */
static void copy(struct vt_token_stream *stream, const uint32_t *ids, uint64_t begin, uint64_t stop, uint32_t end) {
  for (uint64_t i = begin; i < stop; i++) {
    if (ids[i] != VT_CORPUS_END)
      stream->tokens[stream->count++] = ids[i];
    else if (end != VT_NO_TARGET)
      stream->tokens[stream->count++] = end;
  }
}

static void fill(struct vt_token_stream *stream, const uint32_t *ids, uint64_t entries, uint32_t end,
                 const struct vt_held_out *held, bool held_out) {
  uint64_t from = 0;
  for (size_t k = 0; k < held->count; k++) {
    const struct vt_span *span = &held->spans[k];
    uint64_t behind = span->end < entries ? span->end + 1 : entries; /* with its end mark */
    if (held_out)
      copy(stream, ids, span->begin, behind, end);
    else
      copy(stream, ids, from, span->begin, end);
    from = behind;
  }
  if (!held_out) copy(stream, ids, from, entries, end);
}

static size_t count_samples(const struct vt_token_stream *stream) {
  const size_t context = stream->shape->context;
  if (stream->count <= context) return 0;
  if (stream->shape->model == VT_MODEL_NNLM) return (stream->count - context - 1) / stream->stride + 1;
  size_t samples = (stream->count - context) / context;
  return samples > 0 ? samples : 1;
}

enum vt_status vt_token_stream_init(struct vt_token_stream *stream, const struct vt_net_shape *shape, size_t stride,
                                    const uint32_t *ids, uint64_t entries, uint32_t end, const struct vt_held_out *held,
                                    bool held_out, struct vt_error *error) {
  *stream = (struct vt_token_stream){.shape = shape, .stride = stride};
  uint64_t size = held_out ? held->tokens + held->count : entries;
  stream->tokens = vt_alloc((size_t)size, sizeof *stream->tokens);
  if (stream->tokens == NULL) return VT_FAIL_MEMORY(error, size * sizeof *stream->tokens);
  fill(stream, ids, entries, end, held, held_out);
  stream->samples = count_samples(stream);
  stream->order = vt_alloc(stream->samples, sizeof *stream->order);
  if (stream->order == NULL) {
    vt_token_stream_release(stream);
    return VT_FAIL_MEMORY(error, stream->samples * sizeof *stream->order);
  }
  for (size_t k = 0; k < stream->samples; k++) stream->order[k] = (uint32_t)k;
  return VT_OK;
}

void vt_token_stream_release(struct vt_token_stream *stream) {
  vt_free(stream->tokens);
  vt_free(stream->order);
  *stream = (struct vt_token_stream){0};
}

void vt_token_stream_begin(struct vt_token_stream *stream, uint64_t seed, uint64_t epoch) {
  struct vt_rng rng = vt_rng_make(VT_RNG_ORDER, seed, epoch, 0);
  const size_t context = stream->shape->context;
  stream->first = 0;
  if (stream->shape->model == VT_MODEL_TRANSFORMER && stream->samples > 0) {
    size_t slack = stream->count - 1 - stream->samples * context;
    stream->first = vt_rng_below(&rng, (uint32_t)(slack < context ? slack + 1 : context));
  }
  vt_rng_order(&rng, stream->order, stream->samples);
}

/* ---- samples ----------------------------------------------------------------------------------------------------- */

enum vt_status vt_token_samples_init(struct vt_token_samples *samples, const struct vt_net_shape *shape, size_t most,
                                     struct vt_error *error) {
  *samples = (struct vt_token_samples){
      .inputs = vt_alloc(most * shape->context, sizeof *samples->inputs),
      .targets = vt_alloc(most * vt_token_sample_rows(shape), sizeof *samples->targets),
  };
  if (samples->inputs != NULL && samples->targets != NULL) return VT_OK;
  return VT_FAIL_MEMORY(error, most * shape->context * sizeof *samples->inputs);
}

void vt_token_samples_release(struct vt_token_samples *samples) {
  vt_free(samples->inputs);
  vt_free(samples->targets);
  *samples = (struct vt_token_samples){0};
}

void vt_token_samples_take(struct vt_token_samples *samples, const struct vt_token_stream *stream, size_t sample) {
  const size_t context = stream->shape->context, rows = vt_token_sample_rows(stream->shape);
  const bool nnlm = stream->shape->model == VT_MODEL_NNLM;
  const uint32_t *from = stream->tokens + stream->first + sample * (nnlm ? stream->stride : context);
  uint32_t *targets = samples->targets + samples->count * rows;
  memcpy(samples->inputs + samples->count * context, from, context * sizeof *from);
  if (nnlm)
    *targets = from[context];
  else
    memcpy(targets, from + 1, context * sizeof *targets);
  samples->count++;
}

enum vt_status vt_token_samples_spread(struct vt_token_samples *samples, const struct vt_token_stream *stream,
                                       size_t rows, struct vt_error *error) {
  size_t most = rows / vt_token_sample_rows(stream->shape);
  if (most == 0) most = 1;
  const size_t count = stream->samples < most ? stream->samples : most;
  VT_TRY(vt_token_samples_init(samples, stream->shape, count, error));
  for (size_t k = 0; k < count; k++) vt_token_samples_take(samples, stream, k * stream->samples / count);
  return VT_OK;
}

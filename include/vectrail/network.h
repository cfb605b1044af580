/*
 * vectrail/network.h: a trained network as such: what it predicts, and text that it writes.
 *
 * A network comes from a run (its model.safetensors, which `vectrail train` leaves beside the run's database), or from
 * a folder with config.json and model.safetensors as GPT-2 (model_type gpt2) and Pythia (gpt_neox) are published.
 * Formulas: docs/networks.md. A network belongs to one thread, and works with as many as it was given; results do not
 * depend on how many.
 */
#ifndef VECTRAIL_NETWORK_H
#define VECTRAIL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vt_network;

/* threads: at least 1. VT_ERROR_NOT_FOUND: no network lies there; VT_ERROR_CORRUPT: a file is cut short or damaged, or
 * misses a tensor, or its tokenizer does not fit the table; VT_ERROR_UNSUPPORTED: another kind of model, of numbers, or
 * of tokenizer. Free with vt_network_free. Memory: the
 * weights, and the layers of one context. */
VT_API enum vt_status vt_network_open(const char *path, int threads, struct vt_network **network,
                                      struct vt_error *error);
VT_API void vt_network_free(struct vt_network *network); /* accepts NULL */

VT_API uint32_t vt_network_tokens(const struct vt_network *network); /* how many there are, an end mark included */
VT_API uint32_t vt_network_context(const struct vt_network *network);
/* The words of the first tokens; NULL where the network came without them. */
VT_API const struct vt_vocab *vt_network_vocab(const struct vt_network *network);
/* The token that stands for a line end; UINT32_MAX: there is none. */
VT_API uint32_t vt_network_end(const struct vt_network *network);

/* Of a network whose tokens are pieces of words (byte-level BPE), the bytes of one: text is these, one token after the
 * other. NULL: the tokens are words, or the token is a line end, or stands for nothing. Not terminated. */
VT_API const unsigned char *vt_network_token_bytes(const struct vt_network *network, uint32_t token, size_t *bytes);

/* The tokens of a text, line ends included, by the run's own rule; words that the network does not know are left out.
 * A published network has its rule in a tokenizer.json beside its weights, of which the merges are used; its special
 * tokens are not looked for. *ids: free with vt_network_ids_free. VT_ERROR_UNSUPPORTED: it came without its words. */
VT_API enum vt_status vt_network_encode(const struct vt_network *network, const char *text, size_t bytes,
                                        uint32_t **ids, size_t *count, struct vt_error *error);
VT_API void vt_network_ids_free(uint32_t *ids);

/* The logits of the token behind ids[count], of whose last `context` it sees; count at least 1 (nnlm: at least the
 * context), every id below vt_network_tokens (else VT_ERROR_ARGUMENT). to[vt_network_tokens]. */
VT_API enum vt_status vt_network_logits(struct vt_network *network, const uint32_t *ids, size_t count, float *to,
                                        struct vt_error *error);

struct vt_generate_options {
  size_t tokens;      /* how many to write [100] */
  double temperature; /* logits are divided by it; 0: always the likeliest [1] */
  uint32_t top;       /* drawn from so many of the likeliest alone; 0: all [0] */
  uint64_t seed;      /* [1] */
};
VT_API void vt_generate_options_init(struct vt_generate_options *options);
/* Writes ids[count] further: to[options->tokens]. */
VT_API enum vt_status vt_network_generate(struct vt_network *network, const uint32_t *ids, size_t count,
                                          const struct vt_generate_options *options, uint32_t *to,
                                          struct vt_error *error);

struct vt_network_score {
  uint64_t tokens; /* that were predicted */
  double loss;     /* mean of - log P, nats; its exponential is the perplexity */
};
/* How well the network predicts a text: each token once, a Transformer's from at least half a context before it, where
 * the text has that many (it is read in stretches of a context that overlap by half). VT_ERROR_EMPTY: too few tokens.
 */
VT_API enum vt_status vt_network_score(struct vt_network *network, const uint32_t *ids, size_t count,
                                       struct vt_network_score *score, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

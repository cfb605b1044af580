/*
 * network.c: a network that was trained, asked. The words of a run are found by the rule that the run was read with.
 */
#include "vectrail/network.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/rng.h"
#include "kernel/kernel.h"
#include "network/net.h"
#include "run/folder.h"
#include "run/model_file.h"
#include "run/network_internal.h"
#include "run/run_internal.h"
#include "text/bpe_corpus.h"
#include "text/tokens.h"
#include "text/utf8.h"
#include "text/vocab_internal.h"
#include "vectrail/corpus.h"
#include "vectrail/run.h"

struct candidate {
  float logit;
  uint32_t token;
};

struct vt_network {
  struct vt_net_layout layout;
  float *values;
  struct vt_pool *pool;
  struct vt_net_net *net;
  struct vt_run *run;      /* NULL: a published model */
  uint32_t *window;        /* [context] */
  float *logits;           /* [tokens] */
  struct candidate *order; /* [tokens] */
  struct vt_bpe *bpe;      /* where tokens are pieces of words, with both of these: */
  uint32_t *ids;           /* by the tokenizer's number: the network's */
  uint32_t *pieces;        /* [tokens]: back; UINT32_MAX: none */
};

/* Its numbers are those of a published network; a run has its vocabulary's. */
static enum vt_status take_tokenizer(struct vt_network *network, const char *path, struct vt_error *error) {
  VT_TRY(vt_bpe_read(path, &network->bpe, error));
  const size_t size = vt_bpe_size(network->bpe), tokens = network->layout.shape.tokens;
  if (size > tokens)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: has %zu tokens, and the network a table of %zu", path, size, tokens);
  network->ids = vt_alloc(size, sizeof *network->ids);
  network->pieces = vt_alloc(tokens, sizeof *network->pieces);
  if (network->ids == NULL || network->pieces == NULL) return VT_FAIL_MEMORY(error, tokens * sizeof *network->pieces);
  for (size_t k = 0; k < size; k++) network->ids[k] = (uint32_t)k;
  if (network->run != NULL) VT_TRY(vt_bpe_match(network->bpe, vt_run_vocab(network->run), network->ids, error));
  for (size_t k = 0; k < tokens; k++) network->pieces[k] = UINT32_MAX;
  for (size_t k = 0; k < size; k++) network->pieces[network->ids[k]] = (uint32_t)k;
  return VT_OK;
}

static enum vt_status find_tokenizer(struct vt_network *network, const char *path, struct vt_error *error) {
  const char *rule = network->run == NULL ? NULL : vt_run_meta(network->run, "tokens_rule");
  if (network->run != NULL && (rule == NULL || strcmp(rule, "bpe") != 0)) return VT_OK;
  char *file = vt_path_join(path, VT_RUN_TOKENIZER);
  if (file == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  struct stat info;
  enum vt_status status = VT_OK;
  if (network->run != NULL || stat(file, &info) == 0) status = take_tokenizer(network, file, error);
  vt_free(file);
  return status;
}

static enum vt_status open_network(struct vt_network *network, const char *path, int threads, struct vt_error *error) {
  const struct vt_kernel *kernel;
  struct vt_run *run;
  VT_TRY(vt_kernel_choose(NULL, &kernel, error));
  VT_TRY(vt_model_load(path, &network->layout, &network->values, error));
  if (network->run == NULL && vt_run_open(path, &run, NULL) == VT_OK) network->run = run;
  const struct vt_net_shape *shape = &network->layout.shape;
  if (network->run != NULL && vt_vocab_size(vt_run_vocab(network->run)) > shape->tokens)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the run has %zu words, and its network a table of %" PRIu32, path,
                   vt_vocab_size(vt_run_vocab(network->run)), shape->tokens);
  VT_TRY(find_tokenizer(network, path, error));
  VT_TRY(vt_pool_create(threads, &network->pool, error));
  VT_TRY(vt_net_create(&network->layout, vt_dense_choose(kernel->name), network->pool,
                       shape->model == VT_MODEL_NNLM ? 1 : shape->context, false, false, &network->net, error));
  network->net->values = network->values;
  network->window = vt_alloc(2 * (size_t)shape->context, sizeof *network->window);
  network->logits = vt_alloc(shape->tokens, sizeof *network->logits);
  network->order = vt_alloc(shape->tokens, sizeof *network->order);
  if (network->window != NULL && network->logits != NULL && network->order != NULL) return VT_OK;
  return VT_FAIL_MEMORY(error, shape->tokens * sizeof *network->logits);
}

static enum vt_status open_either(const char *path, struct vt_run *run, int threads, struct vt_network **out,
                                  struct vt_error *error) {
  struct vt_network *network = vt_alloc_zero(1, sizeof *network);
  if (network == NULL) {
    vt_run_close(run);
    return VT_FAIL_MEMORY(error, sizeof *network);
  }
  network->run = run;
  enum vt_status status = open_network(network, path, threads, error);
  if (status != VT_OK) {
    vt_network_free(network);
    return status;
  }
  *out = network;
  return VT_OK;
}

enum vt_status vt_network_open(const char *path, int threads, struct vt_network **network, struct vt_error *error) {
  return open_either(path, NULL, threads, network, error);
}

enum vt_status vt_network_open_run(struct vt_run *run, int threads, struct vt_network **network,
                                   struct vt_error *error) {
  return open_either(vt_run_path(run), run, threads, network, error);
}

void vt_network_free(struct vt_network *network) {
  if (network == NULL) return;
  vt_net_free(network->net);
  vt_pool_free(network->pool);
  vt_net_layout_release(&network->layout);
  vt_free_aligned(network->values);
  vt_run_close(network->run);
  vt_free(network->window);
  vt_free(network->logits);
  vt_free(network->order);
  vt_bpe_free(network->bpe);
  vt_free(network->ids);
  vt_free(network->pieces);
  vt_free(network);
}

const struct vt_net_layout *vt_network_layout(const struct vt_network *network) { return &network->layout; }
float *vt_network_values(struct vt_network *network) { return network->values; }
struct vt_pool *vt_network_pool(struct vt_network *network) {
  return network->pool;
}
struct vt_run *vt_network_run(struct vt_network *network) {
  return network->run;
}

void vt_network_set_dropout(struct vt_network *network, double dropout) { network->layout.shape.dropout = dropout; }

uint32_t vt_network_tokens(const struct vt_network *network) { return network->layout.shape.tokens; }
uint32_t vt_network_context(const struct vt_network *network) { return network->layout.shape.context; }

const struct vt_vocab *vt_network_vocab(const struct vt_network *network) {
  return network->run == NULL ? NULL : vt_run_vocab(network->run);
}

uint32_t vt_network_end(const struct vt_network *network) {
  const struct vt_vocab *vocab = vt_network_vocab(network);
  if (vocab == NULL || network->layout.shape.model == VT_MODEL_NNLM) return UINT32_MAX;
  uint32_t words = (uint32_t)vt_vocab_size(vocab);
  return words < network->layout.shape.tokens ? words : UINT32_MAX;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

struct encoding {
  const struct vt_vocab *vocab;
  uint32_t end;
  uint32_t *ids;
  size_t count, capacity;
};

static bool put(struct encoding *encoding, uint32_t id) {
  if (encoding->count == encoding->capacity) {
    size_t capacity = 2 * encoding->capacity + 64;
    uint32_t *ids = vt_realloc(encoding->ids, capacity, sizeof *ids);
    if (ids == NULL) return false;
    encoding->ids = ids;
    encoding->capacity = capacity;
  }
  encoding->ids[encoding->count++] = id;
  return true;
}

static enum vt_status encode_tokens(struct encoding *encoding, struct vt_scan *scan, struct vt_canonical *canonical,
                                    struct vt_error *error) {
  struct vt_token tokens[VT_SCAN_TOKENS_MIN];
  size_t line = encoding->count; /* where it begins: a line without words leaves no mark */
  for (size_t got; (got = vt_scan_next(scan, tokens, VT_SCAN_TOKENS_MIN)) > 0;)
    for (size_t k = 0; k < got; k++) {
      const unsigned char *word;
      size_t bytes;
      uint32_t id;
      bool good = true;
      if (tokens[k].bytes == 0) {
        if (encoding->end != UINT32_MAX && encoding->count > line) good = put(encoding, encoding->end);
        line = encoding->count;
      } else if (vt_canonical_apply(canonical, scan->data + tokens[k].start, tokens[k].bytes, &word, &bytes) &&
                 vt_vocab_find_bytes(encoding->vocab, (const char *)word, bytes, &id)) {
        good = put(encoding, id);
      }
      if (!good) return VT_FAIL_MEMORY(error, encoding->capacity * sizeof *encoding->ids);
    }
  return VT_OK;
}

/* A line end is a token where there is one for it, else a byte as all others. */
static enum vt_status encode_pieces(const struct vt_network *network, const unsigned char *text, size_t bytes,
                                    struct encoding *encoding, struct vt_error *error) {
  for (size_t at = 0; at < bytes;) {
    const unsigned char *line = encoding->end == UINT32_MAX ? NULL : memchr(text + at, '\n', bytes - at);
    size_t stop = line == NULL ? bytes : (size_t)(line - text), first = encoding->count;
    size_t length = line != NULL && stop > at && text[stop - 1] == '\r' ? stop - at - 1 : stop - at;
    VT_TRY(
        vt_bpe_encode(network->bpe, text + at, length, &encoding->ids, &encoding->count, &encoding->capacity, error));
    for (size_t k = first; k < encoding->count; k++) encoding->ids[k] = network->ids[encoding->ids[k]];
    if (line != NULL && encoding->count > first && !put(encoding, encoding->end))
      return VT_FAIL_MEMORY(error, encoding->capacity * sizeof *encoding->ids);
    at = line == NULL ? stop : stop + 1;
  }
  return VT_OK;
}

static enum vt_status hand_out(struct encoding *encoding, enum vt_status status, uint32_t **ids, size_t *count) {
  if (status != VT_OK) {
    vt_free(encoding->ids);
    return status;
  }
  *ids = encoding->ids;
  *count = encoding->count;
  return VT_OK;
}

const unsigned char *vt_network_token_bytes(const struct vt_network *network, uint32_t token, size_t *bytes) {
  if (network->bpe == NULL || token >= network->layout.shape.tokens || network->pieces[token] == UINT32_MAX)
    return NULL;
  return vt_bpe_bytes(network->bpe, network->pieces[token], bytes);
}

enum vt_status vt_run_words(const struct vt_run *run, uint32_t end, const char *text, size_t bytes, uint32_t **ids,
                            size_t *count, struct vt_error *error) {
  if (bytes > UINT32_MAX - VT_SCAN_PADDING_BYTES) return VT_FAIL(error, VT_ERROR_ARGUMENT, "the text is too long");
  struct encoding encoding = {.vocab = vt_run_vocab(run), .end = end};
  enum vt_token_rule rule = VT_TOKENS_WORDS;
  const char *name = vt_run_meta(run, "tokens_rule"), *fold = vt_run_meta(run, "fold_case");
  if (name != NULL) (void)vt_token_rule_find(name, &rule);
  unsigned flags = (fold != NULL && strcmp(fold, "1") == 0 ? VT_CANONICAL_FOLD : 0u) |
                   (rule == VT_TOKENS_WORDS ? VT_CANONICAL_APOSTROPHE : 0u);
  unsigned char *copy = vt_alloc(bytes + VT_SCAN_PADDING_BYTES, 1);
  struct vt_canonical *canonical = NULL;
  enum vt_status status = copy == NULL ? VT_FAIL_MEMORY(error, bytes) : vt_canonical_create(flags, &canonical, error);
  if (status == VT_OK) {
    memcpy(copy, text, bytes);
    struct vt_scan scan;
    vt_scan_start(&scan, rule, copy, bytes);
    status = encode_tokens(&encoding, &scan, canonical, error);
  }
  vt_canonical_free(canonical);
  vt_free(copy);
  return hand_out(&encoding, status, ids, count);
}

enum vt_status vt_network_encode(const struct vt_network *network, const char *text, size_t bytes, uint32_t **ids,
                                 size_t *count, struct vt_error *error) {
  if (network->run == NULL && network->bpe == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "give numbers of tokens instead (--ids)",
                        "this network came without its words");
  if (network->bpe == NULL) return vt_run_words(network->run, vt_network_end(network), text, bytes, ids, count, error);
  struct encoding pieces = {.end = vt_network_end(network)};
  enum vt_status encoded = encode_pieces(network, (const unsigned char *)text, bytes, &pieces, error);
  return hand_out(&pieces, encoded, ids, count);
}

void vt_network_ids_free(uint32_t *ids) { vt_free(ids); }

/* ---- predicting -------------------------------------------------------------------------------------------------- */

static enum vt_status check_ids(const struct vt_network *network, const uint32_t *ids, size_t count,
                                struct vt_error *error) {
  const struct vt_net_shape *shape = &network->layout.shape;
  const size_t least = shape->model == VT_MODEL_NNLM ? shape->context : 1;
  if (count < least)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "words that the network does not know do not count",
                        "the network needs %zu tokens to begin with, and there are %zu", least, count);
  for (size_t k = 0; k < count; k++)
    if (ids[k] >= shape->tokens)
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "token %" PRIu32 " does not fit a table of %" PRIu32, ids[k],
                     shape->tokens);
  return VT_OK;
}

static void predict(struct vt_network *network, const uint32_t *ids, size_t count, float *to) {
  const struct vt_net_shape *shape = &network->layout.shape;
  size_t length = count < shape->context ? count : shape->context;
  vt_net_forward(network->net, ids + count - length, 1, length, false, 0, 0);
  vt_net_row_logits(network->net, network->net->rows - 1, to);
}

enum vt_status vt_network_logits(struct vt_network *network, const uint32_t *ids, size_t count, float *to,
                                 struct vt_error *error) {
  VT_TRY(check_ids(network, ids, count, error));
  predict(network, ids, count, to);
  return VT_OK;
}

void vt_generate_options_init(struct vt_generate_options *options) {
  *options = (struct vt_generate_options){.tokens = 100, .temperature = 1, .seed = 1};
}

/* The likeliest first, equal ones by number. */
static int by_logit(const void *a, const void *b) {
  const struct candidate *x = a, *y = b;
  if (x->logit != y->logit) return (x->logit < y->logit) - (x->logit > y->logit);
  return (x->token > y->token) - (x->token < y->token);
}

/* One of the likeliest tokens, or of all. */
static uint32_t draw(struct vt_network *network, const struct vt_generate_options *options, uint64_t place) {
  const uint32_t tokens = network->layout.shape.tokens;
  uint32_t among = options->top > 0 && options->top < tokens ? options->top : tokens;
  for (uint32_t k = 0; k < tokens; k++) network->order[k] = (struct candidate){network->logits[k], k};
  qsort(network->order, tokens, sizeof *network->order, by_logit);
  if (options->temperature == 0) return network->order[0].token;
  const double largest = (double)network->order[0].logit;
  struct vt_rng rng = vt_rng_make(VT_RNG_GENERATE, options->seed, place, 0);
  double sum = 0, share = (double)(vt_rng_next(&rng) >> 11) * 0x1p-53;
  for (uint32_t k = 0; k < among; k++) sum += exp(((double)network->order[k].logit - largest) / options->temperature);
  for (uint32_t k = 0; k < among; k++) {
    share -= exp(((double)network->order[k].logit - largest) / options->temperature) / sum;
    if (share < 0) return network->order[k].token;
  }
  return network->order[among - 1].token;
}

enum vt_status vt_network_generate(struct vt_network *network, const uint32_t *ids, size_t count,
                                   const struct vt_generate_options *options, uint32_t *to, struct vt_error *error) {
  if (!(options->temperature >= 0 && options->temperature <= 100))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "temperature is %g; it must lie between 0 and 100", options->temperature);
  VT_TRY(check_ids(network, ids, count, error));
  const size_t context = network->layout.shape.context;
  size_t held = count < context ? count : context;
  memcpy(network->window, ids + count - held, held * sizeof *ids);
  for (size_t k = 0; k < options->tokens; k++) {
    predict(network, network->window, held, network->logits);
    to[k] = draw(network, options, k);
    if (held == context) memmove(network->window, network->window + 1, --held * sizeof *network->window);
    network->window[held++] = to[k];
  }
  return VT_OK;
}

/* Tokens first + 1 .. first + length from those before them, but for the first `known`, which were counted already. */
static void score_stretch(struct vt_network *network, const uint32_t *ids, size_t length, size_t known,
                          struct vt_network_score *score) {
  uint32_t *targets = network->window;
  for (size_t k = 0; k < length; k++) targets[k] = k < known ? VT_NO_TARGET : ids[k + 1];
  vt_net_forward(network->net, ids, 1, length, false, 0, 0);
  const struct vt_net_loss loss = {.targets = targets};
  score->loss += vt_net_loss(network->net, &loss);
  score->tokens += length - known;
}

static void score_text(struct vt_network *network, const uint32_t *ids, size_t count, struct vt_network_score *score) {
  const size_t context = network->layout.shape.context;
  for (size_t done = 0, known; done + 1 < count; done += context - known) { /* so many have been predicted */
    known = done == 0 ? 0 : context / 2;
    const size_t first = done - known, left = count - 1 - first;
    score_stretch(network, ids + first, left < context ? left : context, known, score);
  }
}

/* nnlm: each from its window. */
static void score_windows(struct vt_network *network, const uint32_t *ids, size_t count,
                          struct vt_network_score *score) {
  const size_t context = network->layout.shape.context;
  for (size_t first = 0; first + context < count; first++) {
    vt_net_forward(network->net, ids + first, 1, context, false, 0, 0);
    const struct vt_net_loss loss = {.targets = ids + first + context};
    score->loss += vt_net_loss(network->net, &loss);
    score->tokens++;
  }
}

enum vt_status vt_network_score(struct vt_network *network, const uint32_t *ids, size_t count,
                                struct vt_network_score *score, struct vt_error *error) {
  VT_TRY(check_ids(network, ids, count, error));
  *score = (struct vt_network_score){0};
  if (network->layout.shape.model == VT_MODEL_NNLM)
    score_windows(network, ids, count, score);
  else
    score_text(network, ids, count, score);
  if (score->tokens == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "the text has %zu tokens: nothing to predict", count);
  score->loss /= (double)score->tokens;
  return VT_OK;
}

/*
 * measure_prepare.c: the words that are looked at, chosen without chance: every so many ranks.
 *
 * The sample is spread evenly over all ranks, as that of the training's own metrics is, so its means are means over
 * words, most of which are rare. Words whose neighbours are looked for are spread over the ranks of each frequency
 * band, so that frequent words, of which there are few, are seen too.
 */
#include "analysis/measure_prepare.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/cooccurrence.h"
#include "base/memory.h"
#include "base/processors.h"

#define TOGETHER_PAIRS 500
#define APART_PAIRS 500
#define WATCH_ALL_PAIRS 8 /* up to so many watched words, each pair of them is followed */

static const uint64_t band_from[VT_MEASURE_BANDS] = {0, 10, 100, 1000};

void vt_measure_options_init(struct vt_measure_options *options) {
  *options = (struct vt_measure_options){
      .groups = VT_MEASURE_ALL,
      .sample_words = 1000,
      .neighbor_words = 25,
      .among = 10000,
      .clusters = 20,
      .threads = vt_processors(),
  };
}

enum vt_status vt_measure_options_check(struct vt_run *run, const struct vt_measure_options *options, bool single,
                                        uint32_t word, struct vt_error *error) {
  size_t words = vt_vocab_size(vt_run_vocab(run));
  if (options->threads < 1)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "threads is %d; it must be at least 1", options->threads);
  if (options->clusters < 2) return VT_FAIL(error, VT_ERROR_ARGUMENT, "there must be at least 2 clusters");
  if (single && word >= words) return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no word %lu", (unsigned long)word);
  for (size_t p = 0; p < options->pair_count; p++)
    if (options->pairs[p].a >= words || options->pairs[p].b >= words)
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "pair %zu holds a word that is not in the vocabulary", p);
  return VT_OK;
}

/* ---- lists --------------------------------------------------------------------------------------------------------
 */

/* `wanted` of the words first .. end - 1 (0: all of them), evenly. Appends to *list. */
static enum vt_status add_spread(uint32_t **list, size_t *count, size_t first, size_t end, size_t wanted,
                                 struct vt_error *error) {
  size_t words = end - first;
  if (wanted == 0 || wanted > words) wanted = words;
  uint32_t *grown = vt_realloc(*list, *count + wanted, sizeof *grown);
  if (grown == NULL) return VT_FAIL_MEMORY(error, (*count + wanted) * sizeof *grown);
  *list = grown;
  for (size_t k = 0; k < wanted; k++) grown[(*count)++] = (uint32_t)(first + k * words / wanted);
  return VT_OK;
}

/* Bands are stretches of ranks where words stand by falling count; imported words may stand in any order, and are then
 * one band. */
static enum vt_status choose_queries(struct vt_measuring *m, struct vt_error *error) {
  size_t words = m->out->words, end = words, wanted = m->options.neighbor_words;
  bool sorted = true;
  for (size_t w = 1; w < words && sorted; w++)
    sorted = vt_vocab_count(m->vocab, (uint32_t)w) <= vt_vocab_count(m->vocab, (uint32_t)(w - 1));
  for (size_t b = 0; b < VT_MEASURE_BANDS; b++) {
    m->band_first[b] = m->query_count;
    size_t first = end;
    uint64_t above = b + 1 < VT_MEASURE_BANDS ? band_from[b + 1] : UINT64_MAX;
    while (first > 0 && (!sorted || vt_vocab_count(m->vocab, (uint32_t)(first - 1)) < above)) first--;
    m->band_words[b] = end - first;
    if (end > first) VT_TRY(add_spread(&m->queries, &m->query_count, first, end, wanted, error));
    end = first;
  }
  m->band_first[VT_MEASURE_BANDS] = m->query_count;
  m->out->neighbor_words = m->query_count;
  return VT_OK;
}

static enum vt_status add_pair(struct vt_measure_pair **pairs, size_t *count, struct vt_measure_pair pair,
                               struct vt_error *error) {
  for (size_t k = 0; k < *count; k++)
    if (((*pairs)[k].a == pair.a && (*pairs)[k].b == pair.b) || ((*pairs)[k].a == pair.b && (*pairs)[k].b == pair.a))
      return VT_OK;
  struct vt_measure_pair *grown = vt_realloc(*pairs, *count + 1, sizeof *grown);
  if (grown == NULL) return VT_FAIL_MEMORY(error, (*count + 1) * sizeof *grown);
  *pairs = grown;
  grown[(*count)++] = pair;
  return VT_OK;
}

/* The id of the word that begins text and ends before `end`; false where it is none. */
static bool find_part(const struct vt_vocab *vocab, const char *text, size_t bytes, uint32_t *id) {
  char *word = vt_copy_bytes(text, bytes);
  bool found = word != NULL && vt_vocab_find(vocab, word, id);
  vt_free(word);
  return found;
}

/* What the run was told to watch: lines "a<tab>b" of `pairs`, and each pair of a few words of `watch`. */
static enum vt_status choose_watched(struct vt_measuring *m, uint32_t word, struct vt_error *error) {
  struct vt_measure_pair pair;
  for (size_t p = 0; p < m->options.pair_count; p++)
    VT_TRY(add_pair(&m->watched, &m->watched_count, m->options.pairs[p], error));
  const char *text = vt_run_meta(m->run, "pairs");
  for (; text != NULL && *text != '\0';) {
    size_t bytes = strcspn(text, "\n"), left = strcspn(text, "\t\n");
    if (left < bytes && find_part(m->vocab, text, left, &pair.a) &&
        find_part(m->vocab, text + left + 1, bytes - left - 1, &pair.b))
      VT_TRY(add_pair(&m->watched, &m->watched_count, pair, error));
    text += bytes + (text[bytes] == '\n');
  }
  uint32_t words[WATCH_ALL_PAIRS + 1];
  size_t count = 0;
  text = vt_run_meta(m->run, "watch");
  for (; text != NULL && *text != '\0' && count <= WATCH_ALL_PAIRS;) {
    size_t bytes = strcspn(text, "\n");
    count += find_part(m->vocab, text, bytes, &words[count]);
    text += bytes + (text[bytes] == '\n');
  }
  for (size_t i = 0; i < count && count <= WATCH_ALL_PAIRS; i++)
    for (size_t j = i + 1; j < count; j++)
      VT_TRY(add_pair(&m->watched, &m->watched_count, (struct vt_measure_pair){words[i], words[j]}, error));
  size_t kept = 0;
  for (size_t p = 0; p < m->watched_count; p++)
    if (!m->single || m->watched[p].a == word || m->watched[p].b == word) m->watched[kept++] = m->watched[p];
  m->watched_count = kept;
  return VT_OK;
}

static enum vt_status choose_cooccurring(struct vt_measuring *m, struct vt_error *error) {
  if (!m->options.cooccurrence && m->options.corpus_count == 0) return VT_OK;
  struct vt_cooccurrence found;
  struct vt_error reason;
  enum vt_status status = vt_cooccurrence_read(m->run, m->options.corpus, m->options.corpus_count, m->options.threads,
                                               TOGETHER_PAIRS, APART_PAIRS, &found, &reason);
  if (status == VT_ERROR_MEMORY) {
    if (error != NULL) *error = reason;
    return status;
  }
  if (status != VT_OK)
    return vt_measuring_note(m, error, "pairs that meet or never meet are left out: %s", reason.message);
  m->together = found.together;
  m->together_count = found.together_count;
  m->apart = found.apart;
  m->apart_count = found.apart_count;
  return VT_OK;
}

/* ---- the selection ------------------------------------------------------------------------------------------------
 */

static void mark_pairs(unsigned char *wanted, const struct vt_measure_pair *pairs, size_t count) {
  for (size_t p = 0; p < count; p++) wanted[pairs[p].a] = wanted[pairs[p].b] = 1;
}

static void to_places(const struct vt_measuring *m, uint32_t *list, size_t count) {
  for (size_t k = 0; k < count; k++) list[k] = vt_measuring_place(m, list[k]);
}

static void pairs_to_places(const struct vt_measuring *m, struct vt_measure_pair *pairs, size_t count) {
  for (size_t p = 0; p < count; p++)
    pairs[p] = (struct vt_measure_pair){vt_measuring_place(m, pairs[p].a), vt_measuring_place(m, pairs[p].b)};
}

static enum vt_status select_rows(struct vt_measuring *m, struct vt_error *error) {
  size_t words = m->out->words;
  unsigned char *wanted = vt_alloc_zero(words, 1);
  if (wanted == NULL) return VT_FAIL_MEMORY(error, words);
  for (size_t w = 0; w < m->among; w++) wanted[w] = 1;
  for (size_t k = 0; k < m->sample_count; k++) wanted[m->sample[k]] = 1;
  for (size_t k = 0; k < m->query_count; k++) wanted[m->queries[k]] = 1;
  mark_pairs(wanted, m->watched, m->watched_count);
  mark_pairs(wanted, m->together, m->together_count);
  mark_pairs(wanted, m->apart, m->apart_count);
  for (size_t w = 0; w < words; w++) m->rows += wanted[w];
  m->ids = vt_alloc(m->rows, sizeof *m->ids);
  size_t at = 0;
  for (size_t w = 0; w < words && m->ids != NULL; w++)
    if (wanted[w]) m->ids[at++] = (uint32_t)w;
  vt_free(wanted);
  if (m->ids == NULL) return VT_FAIL_MEMORY(error, m->rows * sizeof *m->ids);
  to_places(m, m->sample, m->sample_count);
  to_places(m, m->queries, m->query_count);
  pairs_to_places(m, m->watched, m->watched_count);
  pairs_to_places(m, m->together, m->together_count);
  pairs_to_places(m, m->apart, m->apart_count);
  return VT_OK;
}

enum vt_status vt_measure_choose(struct vt_measuring *m, uint32_t word, struct vt_error *error) {
  const struct vt_measure_options *options = &m->options;
  size_t words = m->out->words;
  if (m->single) {
    VT_TRY(add_spread(&m->sample, &m->sample_count, word, (size_t)word + 1, 1, error));
    VT_TRY(add_spread(&m->queries, &m->query_count, word, (size_t)word + 1, 1, error));
  } else {
    if (options->groups & ~(unsigned)VT_MEASURE_NEIGHBORS)
      VT_TRY(add_spread(&m->sample, &m->sample_count, 0,
                        options->sample_among == 0 || options->sample_among > words ? words : options->sample_among,
                        options->sample_words, error));
    if (options->groups & VT_MEASURE_NEIGHBORS) VT_TRY(choose_queries(m, error));
    if (options->groups & VT_MEASURE_PAIRS) VT_TRY(choose_cooccurring(m, error));
    m->out->sample_words = m->sample_count;
  }
  if (options->groups & VT_MEASURE_PAIRS) VT_TRY(choose_watched(m, word, error));
  if (m->query_count > 0) {
    m->among = options->among == 0 || options->among > words ? words : options->among;
    m->out->among = m->among;
  }
  return select_rows(m, error);
}

void vt_measure_release_choice(struct vt_measuring *m) {
  vt_free(m->sample);
  vt_free(m->queries);
  vt_free(m->watched);
  vt_free(m->together);
  vt_free(m->apart);
  vt_free(m->ids);
}

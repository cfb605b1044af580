/* meetings.c: one pass over the ids, from each word to the right; units in a triangle of all pairs where that is small,
 * else in an open-addressed table. */
#include "text/meetings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "text/cooccur.h"

#define UNITS 1048576.0     /* for one meeting: 2^20 */
#define TRIANGLE_WORDS 8192 /* up to so many words: 256 MB */
#define WINDOW_MAX 1000     /* as training takes it */
#define REACH_LEAST 0x1p-14 /* what is reached with less than this probability, and all behind it, is left out */

struct entry {
  uint64_t pair; /* smaller word << 32 | larger */
  uint64_t units;
};

struct counting {
  const struct vt_meetings_options *options;
  uint32_t words;
  uint64_t *triangle; /* row by row, diagonal included; or NULL */
  struct entry *entries;
  size_t capacity, used;
  double weight[WINDOW_MAX]; /* by survivors between: (window - m) / window */
};

/* ---- adding ------------------------------------------------------------------------------------------------------ */

static struct entry *find(struct entry *entries, size_t capacity, uint64_t pair) {
  size_t at = (size_t)vt_mix64(pair) & (capacity - 1);
  while (entries[at].units != 0 && entries[at].pair != pair) at = (at + 1) & (capacity - 1);
  return &entries[at];
}

static enum vt_status grow(struct counting *counting, struct vt_error *error) {
  size_t capacity = counting->capacity == 0 ? 1 << 16 : counting->capacity * 2;
  struct entry *larger = vt_alloc_zero(capacity, sizeof *larger);
  if (larger == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *larger);
  for (size_t k = 0; k < counting->capacity; k++)
    if (counting->entries[k].units != 0) *find(larger, capacity, counting->entries[k].pair) = counting->entries[k];
  vt_free(counting->entries);
  counting->entries = larger;
  counting->capacity = capacity;
  return VT_OK;
}

static size_t triangle_at(uint32_t words, uint32_t low, uint32_t high) {
  return (size_t)low * words - (size_t)low * ((size_t)low + 1) / 2 + high;
}

static enum vt_status add(struct counting *counting, uint32_t a, uint32_t b, uint64_t units, struct vt_error *error) {
  if (units == 0) return VT_OK;
  uint32_t low = a < b ? a : b, high = a < b ? b : a;
  if (counting->triangle != NULL) {
    counting->triangle[triangle_at(counting->words, low, high)] += units;
    return VT_OK;
  }
  if (2 * counting->used >= counting->capacity) VT_TRY(grow(counting, error));
  uint64_t pair = (uint64_t)low << 32 | high;
  struct entry *entry = find(counting->entries, counting->capacity, pair);
  if (entry->units == 0) counting->used++;
  entry->pair = pair;
  entry->units += units;
  return VT_OK;
}

/* ---- the pass ---------------------------------------------------------------------------------------------------- */

/* between[m]: the probability that m words survived between the centre and where we are. */
static enum vt_status add_subsampled(struct counting *counting, const uint32_t *sentence, size_t length, size_t at,
                                     struct vt_error *error) {
  const double *keep = counting->options->keep;
  const uint32_t window = counting->options->window;
  double between[WINDOW_MAX] = {1};
  const double own = keep[sentence[at]];
  for (size_t other = at + 1; other < length; other++) {
    double reach = 0, mass = 0, kept = keep[sentence[other]];
    for (uint32_t m = 0; m < window; m++) {
      reach += between[m] * counting->weight[m];
      mass += between[m];
    }
    if (mass < REACH_LEAST) break;
    VT_TRY(add(counting, sentence[at], sentence[other], (uint64_t)(own * kept * reach * UNITS + 0.5), error));
    for (uint32_t m = window; m-- > 0;) between[m] = between[m] * (1 - kept) + (m > 0 ? between[m - 1] * kept : 0);
  }
  return VT_OK;
}

static enum vt_status read_all(struct counting *counting, const struct vt_corpus *corpus, struct vt_error *error) {
  const struct vt_meetings_options *options = counting->options;
  const uint32_t *ids = vt_corpus_ids(corpus);
  uint64_t entries = vt_corpus_entries(corpus), kept = 0;
  size_t span = 0;
  for (uint64_t begin = 0, end = 0; begin < entries; begin = end + 1) {
    for (end = begin; end < entries && ids[end] != VT_CORPUS_END;) end++;
    vt_corpus_passed(corpus, begin, &kept);
    while (span < options->span_count && options->spans[span].end <= begin) span++;
    if (span < options->span_count && options->spans[span].begin <= begin && begin < end) continue;
    for (uint64_t at = begin; at + 1 < end; at++)
      VT_TRY(add_subsampled(counting, ids + begin, (size_t)(end - begin), (size_t)(at - begin), error));
  }
  return VT_OK;
}

/* ---- as rows ----------------------------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  return (x->pair > y->pair) - (x->pair < y->pair);
}

/* Packs what is in the table, sorted, at its front; a triangle is in order as it is. */
static void sort_entries(struct counting *counting) {
  size_t used = 0;
  for (size_t k = 0; k < counting->capacity; k++)
    if (counting->entries[k].units != 0) counting->entries[used++] = counting->entries[k];
  if (used > 0) qsort(counting->entries, used, sizeof *counting->entries, compare_entries);
}

/* Calls for each pair that meets, low <= high, in order of low, then high. */
typedef void visit_pair(struct vt_meetings *meetings, size_t *fill, uint32_t low, uint32_t high, double count);

static void each_pair(const struct counting *counting, struct vt_meetings *meetings, size_t *fill, visit_pair *visit) {
  if (counting->triangle == NULL) {
    for (size_t k = 0; k < counting->used; k++) {
      const struct entry *entry = &counting->entries[k];
      visit(meetings, fill, (uint32_t)(entry->pair >> 32), (uint32_t)entry->pair, (double)entry->units / UNITS);
    }
    return;
  }
  size_t at = 0;
  for (uint32_t low = 0; low < counting->words; low++)
    for (uint32_t high = low; high < counting->words; high++, at++)
      if (counting->triangle[at] != 0) visit(meetings, fill, low, high, (double)counting->triangle[at] / UNITS);
}

static void measure_pair(struct vt_meetings *meetings, size_t *fill, uint32_t low, uint32_t high, double count) {
  (void)fill;
  (void)count;
  meetings->start[low + 1]++;
  if (low != high) meetings->start[high + 1]++;
}

/* Rows come out ascending: the others below a word come first, in their order, then those above. */
static void place_pair(struct vt_meetings *meetings, size_t *fill, uint32_t low, uint32_t high, double count) {
  meetings->others[fill[low]] = high;
  meetings->counts[fill[low]++] = low == high ? 2 * count : count;
  if (low == high) return;
  meetings->others[fill[high]] = low;
  meetings->counts[fill[high]++] = count;
}

static enum vt_status take(struct counting *counting, struct vt_meetings *meetings, struct vt_error *error) {
  const uint32_t words = counting->words;
  meetings->words = words;
  meetings->start = vt_alloc_zero((size_t)words + 1, sizeof *meetings->start);
  meetings->sums = vt_alloc_zero(words, sizeof *meetings->sums);
  size_t *fill = vt_alloc(words, sizeof *fill);
  enum vt_status status = VT_OK;
  if (meetings->start == NULL || meetings->sums == NULL || fill == NULL)
    status = VT_FAIL_MEMORY(error, words * sizeof *fill);
  if (status == VT_OK) {
    sort_entries(counting);
    each_pair(counting, meetings, NULL, measure_pair);
    for (uint32_t w = 0; w < words; w++) meetings->start[w + 1] += meetings->start[w];
    memcpy(fill, meetings->start, words * sizeof *fill);
    size_t pairs = meetings->start[words];
    meetings->others = vt_alloc(pairs, sizeof *meetings->others);
    meetings->counts = vt_alloc(pairs, sizeof *meetings->counts);
    if (meetings->others == NULL || meetings->counts == NULL)
      status = VT_FAIL_MEMORY(error, pairs * (sizeof *meetings->others + sizeof *meetings->counts));
  }
  if (status == VT_OK) each_pair(counting, meetings, fill, place_pair);
  vt_free(fill);
  return status;
}

/* Sums, once the rows are there. */
static enum vt_status add_up(struct vt_meetings *meetings, struct vt_error *error) {
  for (uint32_t w = 0; w < meetings->words; w++) {
    for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++) meetings->sums[w] += meetings->counts[k];
    meetings->total += meetings->sums[w];
  }
  if (meetings->total > 0) return VT_OK;
  return VT_FAIL(error, VT_ERROR_EMPTY, "no two words of the text stand within a window of each other");
}

static enum vt_status count_subsampled(const struct vt_corpus *corpus, const struct vt_meetings_options *options,
                                       struct vt_meetings *meetings, struct vt_error *error) {
  struct counting *counting = vt_alloc_zero(1, sizeof *counting);
  if (counting == NULL) return VT_FAIL_MEMORY(error, sizeof *counting);
  counting->options = options;
  counting->words = vt_corpus_vocab_size(corpus);
  for (uint32_t m = 0; m < options->window; m++)
    counting->weight[m] = (double)(options->window - m) / (double)options->window;
  enum vt_status status = VT_OK;
  if (counting->words <= TRIANGLE_WORDS) {
    size_t cells = (size_t)counting->words * ((size_t)counting->words + 1) / 2;
    counting->triangle = vt_alloc_zero(cells, sizeof *counting->triangle);
    if (counting->triangle == NULL) status = VT_FAIL_MEMORY(error, cells * sizeof *counting->triangle);
  }
  if (status == VT_OK) status = read_all(counting, corpus, error);
  if (status == VT_OK) status = take(counting, meetings, error);
  vt_free(counting->triangle);
  vt_free(counting->entries);
  vt_free(counting);
  return status;
}

/* Every word survives: the counter of text/cooccur.h knows it all. */
static enum vt_status count_plain(const struct vt_corpus *corpus, const struct vt_meetings_options *options,
                                  struct vt_meetings *meetings, struct vt_error *error) {
  const struct vt_cooccur_text text = {.ids = vt_corpus_ids(corpus),
                                       .entries = vt_corpus_entries(corpus),
                                       .words = vt_corpus_vocab_size(corpus),
                                       .spans = options->spans,
                                       .span_count = options->span_count,
                                       .corpus = corpus};
  struct vt_cooccur_options counting;
  vt_cooccur_options_init(&counting);
  counting.window = options->window;
  counting.weight = VT_COOCCUR_LINEAR;
  counting.threads = options->threads;
  struct vt_cooccur *counts;
  VT_TRY(vt_cooccur_count_text(&text, &counting, &counts, NULL, error));
  const size_t pairs = (size_t)vt_cooccur_pairs(counts);
  const double scale = (double)vt_cooccur_scale(counts);
  meetings->words = text.words;
  meetings->start = vt_alloc_zero((size_t)text.words + 1, sizeof *meetings->start);
  meetings->sums = vt_alloc_zero(text.words, sizeof *meetings->sums);
  meetings->others = vt_alloc(pairs, sizeof *meetings->others);
  meetings->counts = vt_alloc(pairs, sizeof *meetings->counts);
  enum vt_status status = VT_OK;
  if (meetings->start == NULL || meetings->sums == NULL || meetings->others == NULL || meetings->counts == NULL)
    status = VT_FAIL_MEMORY(error, pairs * (sizeof *meetings->others + sizeof *meetings->counts));
  for (uint32_t w = 0; status == VT_OK && w < text.words; w++) {
    const uint32_t *columns;
    const uint64_t *units;
    size_t n = vt_cooccur_row(counts, w, &columns, &units), from = meetings->start[w];
    for (size_t k = 0; k < n; k++) {
      meetings->others[from + k] = columns[k];
      meetings->counts[from + k] = (double)units[k] / scale;
    }
    meetings->start[w + 1] = from + n;
  }
  vt_cooccur_free(counts);
  return status;
}

enum vt_status vt_meetings_count(const struct vt_corpus *corpus, const struct vt_meetings_options *options,
                                 struct vt_meetings *meetings, struct vt_error *error) {
  *meetings = (struct vt_meetings){0};
  if (options->window < 1 || options->window > WINDOW_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "window is %u; it must lie between 1 and %d", options->window, WINDOW_MAX);
  enum vt_status status = (options->keep == NULL ? count_plain : count_subsampled)(corpus, options, meetings, error);
  if (status == VT_OK) status = add_up(meetings, error);
  if (status != VT_OK) vt_meetings_release(meetings);
  return status;
}

void vt_meetings_release(struct vt_meetings *meetings) {
  vt_free(meetings->start);
  vt_free(meetings->others);
  vt_free(meetings->counts);
  vt_free(meetings->sums);
  *meetings = (struct vt_meetings){0};
}

/* ---- what is made of them ---------------------------------------------------------------------------------------- */

double vt_meetings_of(const struct vt_meetings *meetings, uint32_t w, uint32_t c) {
  size_t low = meetings->start[w], high = meetings->start[w + 1];
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (meetings->others[middle] == c) return meetings->counts[middle];
    if (meetings->others[middle] < c)
      low = middle + 1;
    else
      high = middle;
  }
  return 0;
}

void vt_meetings_keep(const struct vt_vocab *vocab, double threshold, double *keep) {
  const double tokens = (double)vt_vocab_tokens(vocab);
  const size_t size = vt_vocab_size(vocab);
  for (uint32_t w = 0; w < size; w++) {
    double share = tokens > 0 ? (double)vt_vocab_count(vocab, w) / tokens : 0;
    double kept = threshold > 0 && share > 0 ? (sqrt(share / threshold) + 1) * threshold / share : 1;
    keep[w] = kept < 1 ? kept : 1;
  }
}

double vt_meetings_quadratic(const struct vt_meetings *meetings, double *matrix) {
  const size_t words = meetings->words;
  double squares = 0;
  for (uint32_t w = 0; w < words; w++) {
    double *row = matrix + w * words;
    for (uint32_t c = 0; c < words; c++) row[c] = meetings->sums[w] > 0 && meetings->sums[c] > 0 ? -2 : 0;
    for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++) {
      uint32_t c = meetings->others[k];
      /* The smaller sum first, so that M_wc and M_cw are the same number. */
      double a = meetings->sums[w], b = meetings->sums[c];
      double chance = (a < b ? a / meetings->total * b : b / meetings->total * a);
      row[c] = 2 * (meetings->counts[k] - chance) / (meetings->counts[k] + chance);
    }
    double sum = 0;
    for (uint32_t c = 0; c < words; c++) sum += row[c] * row[c];
    squares += sum;
  }
  return squares;
}

enum vt_status vt_meetings_check_dense(size_t words, struct vt_error *error) {
  if (words <= VT_DENSE_WORDS_MAX) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "train on the most frequent words: --max-vocab 5000 takes 0.2 GB",
                      "the matrix of %zu words takes %.1f GB; it is made for at most %d words", words,
                      (double)words * (double)words * 8e-9, VT_DENSE_WORDS_MAX);
}

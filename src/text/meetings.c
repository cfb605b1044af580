/* meetings.c: counts as rows of doubles, and what is made of them. */
#include "text/meetings.h"

#include "base/memory.h"
#include "text/cooccur.h"

/* Sums, once the rows are there. */
static enum vt_status add_up(struct vt_meetings *meetings, struct vt_error *error) {
  for (uint32_t w = 0; w < meetings->words; w++) {
    for (size_t k = meetings->start[w]; k < meetings->start[w + 1]; k++) meetings->sums[w] += meetings->counts[k];
    meetings->total += meetings->sums[w];
  }
  if (meetings->total > 0) return VT_OK;
  return VT_FAIL(error, VT_ERROR_EMPTY, "no two words of the text stand within a window of each other");
}

enum vt_status vt_meetings_take(const struct vt_cooccur *counts, struct vt_meetings *meetings, struct vt_error *error) {
  const uint32_t words = vt_cooccur_words(counts);
  const size_t pairs = (size_t)vt_cooccur_pairs(counts);
  const double scale = (double)vt_cooccur_scale(counts);
  *meetings = (struct vt_meetings){.words = words,
                                   .start = vt_alloc_zero((size_t)words + 1, sizeof *meetings->start),
                                   .others = vt_alloc(pairs, sizeof *meetings->others),
                                   .counts = vt_alloc(pairs, sizeof *meetings->counts),
                                   .sums = vt_alloc_zero(words, sizeof *meetings->sums)};
  enum vt_status status = VT_OK;
  if (meetings->start == NULL || meetings->sums == NULL || meetings->others == NULL || meetings->counts == NULL)
    status = VT_FAIL_MEMORY(error, pairs * (sizeof *meetings->others + sizeof *meetings->counts));
  for (uint32_t w = 0; status == VT_OK && w < words; w++) {
    const uint32_t *columns;
    const uint64_t *units;
    size_t n = vt_cooccur_row(counts, w, &columns, &units), from = meetings->start[w];
    for (size_t k = 0; k < n; k++) {
      meetings->others[from + k] = columns[k];
      meetings->counts[from + k] = (double)units[k] / scale;
    }
    meetings->start[w + 1] = from + n;
  }
  if (status == VT_OK) status = add_up(meetings, error);
  if (status != VT_OK) vt_meetings_release(meetings);
  return status;
}

enum vt_status vt_meetings_count(const struct vt_corpus *corpus, const struct vt_meetings_options *options,
                                 struct vt_meetings *meetings, struct vt_error *error) {
  *meetings = (struct vt_meetings){0};
  const struct vt_cooccur_text text = {.ids = vt_corpus_ids(corpus),
                                       .entries = vt_corpus_entries(corpus),
                                       .words = vt_corpus_vocab_size(corpus),
                                       .spans = options->spans,
                                       .span_count = options->span_count,
                                       .keep = options->keep,
                                       .corpus = corpus};
  struct vt_cooccur_options counting;
  vt_cooccur_options_init(&counting);
  counting.window = options->window;
  counting.weight = VT_COOCCUR_LINEAR;
  counting.threads = options->threads;
  struct vt_cooccur *counts;
  VT_TRY(vt_cooccur_count_text(&text, &counting, &counts, NULL, error));
  enum vt_status status = vt_meetings_take(counts, meetings, error);
  vt_cooccur_free(counts);
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

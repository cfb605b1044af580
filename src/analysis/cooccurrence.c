/*
 * cooccurrence.c: one pass over the text, encoded anew (run_text.h), and one over its ids. Counts are a square table of
 * the most frequent words: 16 MB.
 */
#include "analysis/cooccurrence.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "run/run_text.h"
#include "vectrail/corpus.h"

#define WORDS 2000
#define EXPECTED_LOW 5

/* ---- counting -----------------------------------------------------------------------------------------------------
 */

struct counts {
  size_t words;
  uint32_t *met; /* words x words; a < b */
  double *meetings;
  double total;
};

static void count_meetings(const struct vt_corpus *corpus, size_t window, struct counts *counts) {
  const uint32_t *ids = vt_corpus_ids(corpus);
  uint64_t entries = vt_corpus_entries(corpus), kept = 0;
  for (uint64_t i = 0; i < entries; i++) {
    vt_corpus_passed(corpus, i, &kept);
    if (ids[i] >= counts->words) continue; /* the end of a sentence too */
    for (uint64_t back = 1; back <= window && back <= i && ids[i - back] != VT_CORPUS_END; back++) {
      uint32_t a = ids[i - back], b = ids[i];
      if (a >= counts->words || a == b) continue;
      uint32_t *met = &counts->met[a < b ? a * counts->words + b : b * counts->words + a];
      if (*met < UINT32_MAX) (*met)++;
    }
  }
  for (size_t a = 0; a < counts->words; a++)
    for (size_t b = a + 1; b < counts->words; b++) {
      double met = counts->met[a * counts->words + b];
      counts->meetings[a] += met;
      counts->meetings[b] += met;
      counts->total += 2 * met;
    }
}

/* ---- choosing -----------------------------------------------------------------------------------------------------
 */

struct scored {
  double score;
  struct vt_measure_pair pair;
};

/* Largest score first, then smaller words: a total order. */
static int compare_scored(const void *a, const void *b) {
  const struct scored *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? 1 : -1;
  if (x->pair.a != y->pair.a) return x->pair.a < y->pair.a ? -1 : 1;
  return (x->pair.b > y->pair.b) - (x->pair.b < y->pair.b);
}

/* The score of a pair; 0 or less: it is none of its kind. */
static double score(const struct counts *counts, bool apart, size_t a, size_t b) {
  double met = counts->met[a * counts->words + b];
  double expected = counts->total > 0 ? counts->meetings[a] * counts->meetings[b] / counts->total : 0;
  if (apart) return met == 0 && expected >= EXPECTED_LOW ? expected : 0;
  return met > 0 && expected > 0 ? met * log(met / expected) : 0;
}

/* Keeps the best so far at the front of a list twice as long: sorted and cut whenever it is full. */
static enum vt_status choose(const struct counts *counts, bool apart, size_t wanted, struct vt_measure_pair **pairs,
                             size_t *count, struct vt_error *error) {
  struct scored *list = vt_alloc(2 * wanted, sizeof *list);
  *pairs = vt_alloc(wanted, sizeof **pairs);
  if (list == NULL || *pairs == NULL) {
    vt_free(list);
    return VT_FAIL_MEMORY(error, 2 * wanted * sizeof *list);
  }
  size_t filled = 0;
  double least = 0;
  for (uint32_t a = 0; a < counts->words; a++)
    for (uint32_t b = a + 1; b < counts->words; b++) {
      double value = score(counts, apart, a, b);
      if (!(value > least)) continue;
      list[filled++] = (struct scored){value, {a, b}};
      if (filled < 2 * wanted) continue;
      qsort(list, filled, sizeof *list, compare_scored);
      filled = wanted;
      least = list[wanted - 1].score;
    }
  qsort(list, filled, sizeof *list, compare_scored);
  *count = filled < wanted ? filled : wanted;
  for (size_t k = 0; k < *count; k++) (*pairs)[k] = list[k].pair;
  vt_free(list);
  return VT_OK;
}

static enum vt_status count_and_choose(struct vt_run *run, const struct vt_corpus *corpus, size_t together,
                                       size_t apart, struct vt_cooccurrence *found, struct vt_error *error) {
  struct counts counts = {.words = vt_vocab_size(vt_run_vocab(run))};
  if (counts.words > WORDS) counts.words = WORDS;
  counts.met = vt_alloc_zero(counts.words * counts.words, sizeof *counts.met);
  counts.meetings = vt_alloc_zero(counts.words, sizeof *counts.meetings);
  enum vt_status status = VT_OK;
  if (counts.met == NULL || counts.meetings == NULL)
    status = VT_FAIL_MEMORY(error, counts.words * counts.words * sizeof *counts.met);
  if (status == VT_OK) {
    count_meetings(corpus, (size_t)vt_run_text_setting(run, "window", 5), &counts);
    status = choose(&counts, false, together, &found->together, &found->together_count, error);
  }
  if (status == VT_OK) status = choose(&counts, true, apart, &found->apart, &found->apart_count, error);
  vt_free(counts.met);
  vt_free(counts.meetings);
  return status;
}

enum vt_status vt_cooccurrence_read(struct vt_run *run, const char *const *inputs, size_t input_count, int threads,
                                    size_t together, size_t apart, struct vt_cooccurrence *found,
                                    struct vt_error *error) {
  *found = (struct vt_cooccurrence){0};
  const struct vt_run_text_options options = {.inputs = inputs, .input_count = input_count, .threads = threads};
  struct vt_run_text text;
  enum vt_status status = vt_run_text_open(run, &options, &text, error);
  if (status == VT_OK) status = count_and_choose(run, text.corpus, together, apart, found, error);
  vt_run_text_release(&text);
  if (status == VT_OK) return VT_OK;
  vt_free(found->together);
  vt_free(found->apart);
  *found = (struct vt_cooccurrence){0};
  return status;
}

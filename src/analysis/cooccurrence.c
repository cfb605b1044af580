/*
 * cooccurrence.c: one pass over the text, encoded anew into a file that is removed while it is still open, and one over
 * its ids. Counts are a square table of the most frequent words: 16 MB.
 */
#define _POSIX_C_SOURCE 200809L

#include "analysis/cooccurrence.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/settings.h"
#include "vectrail/corpus.h"

#define WORDS 2000
#define EXPECTED_LOW 5

/* ---- the text -----------------------------------------------------------------------------------------------------
 */

static uint64_t meta_count(const struct vt_run *run, const char *key, uint64_t otherwise) {
  const char *text = vt_run_meta(run, key);
  return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* The options the run was read with. A vocabulary that phrases made can only be made again; any other is given. */
static void recorded_options(struct vt_run *run, int threads, struct vt_corpus_options *options) {
  vt_corpus_options_init(options);
  const char *rule = vt_run_meta(run, "tokens_rule"), *threshold = vt_run_meta(run, "phrase_threshold");
  if (rule != NULL) (void)vt_token_rule_find(rule, &options->tokens);
  options->fold_case = meta_count(run, "fold_case", 0) == 1;
  options->min_count = meta_count(run, "min_count", options->min_count);
  options->max_vocab = (uint32_t)meta_count(run, "max_vocab", 0);
  options->phrases = (uint32_t)meta_count(run, "phrases", 0);
  if (options->phrases > 0 && threshold != NULL) (void)vt_settings_parse_real(threshold, &options->phrase_threshold);
  if (options->phrases == 0) options->vocab = vt_run_vocab(run);
  options->threads = threads;
  options->unsynced = true;
}

static enum vt_status check_fingerprint(const struct vt_run *run, const struct vt_corpus *corpus,
                                        const char *const *inputs, struct vt_error *error) {
  char fingerprint[24];
  snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, vt_corpus_fingerprint(corpus));
  const char *recorded = vt_run_meta(run, "corpus_fingerprint");
  if (recorded != NULL && strcmp(recorded, fingerprint) == 0) return VT_OK;
  return VT_FAIL(error, VT_ERROR_CORRUPT,
                 "%s is not the text that the run was trained on (fingerprint %s, recorded %.16s)", inputs[0],
                 fingerprint, recorded == NULL ? "none" : recorded);
}

static enum vt_status encode(struct vt_run *run, const char *const *inputs, size_t input_count, int threads,
                             const char *path, struct vt_corpus **corpus, struct vt_error *error) {
  struct vt_corpus_options options;
  recorded_options(run, threads, &options);
  struct vt_vocab *vocab;
  VT_TRY(vt_corpus_encode(inputs, input_count, &options, path, &vocab, corpus, NULL, error));
  vt_vocab_free(vocab);
  enum vt_status status = check_fingerprint(run, *corpus, inputs, error);
  if (status != VT_OK) vt_corpus_free(*corpus);
  return status;
}

/* The encoded file is mapped, so its name may go at once. */
static enum vt_status open_text(struct vt_run *run, const char *const *inputs, size_t input_count, int threads,
                                struct vt_corpus **corpus, struct vt_error *error) {
  const char *base = getenv("TMPDIR");
  char *folder = vt_path_join(base == NULL || base[0] == '\0' ? "/tmp" : base, "vectrail-XXXXXX");
  if (folder == NULL) return VT_FAIL_MEMORY(error, 1);
  enum vt_status status = VT_OK;
  if (mkdtemp(folder) == NULL)
    status = VT_FAIL_HELP(error, VT_ERROR_IO, "set TMPDIR to a folder with room for the encoded text",
                          "%s: cannot make a temporary folder: %s", folder, strerror(errno));
  char *path = vt_path_join(folder, "corpus.ids");
  if (status == VT_OK && path == NULL) status = VT_FAIL_MEMORY(error, 1);
  if (status == VT_OK) {
    status = encode(run, inputs, input_count, threads, path, corpus, error);
    unlink(path);
    rmdir(folder);
  }
  vt_free(path);
  vt_free(folder);
  return status;
}

/* The lines of meta `inputs`. */
static enum vt_status split_inputs(const char *text, char **copy, const char ***inputs, size_t *count,
                                   struct vt_error *error) {
  size_t lines = 1;
  for (const char *c = text; *c != '\0'; c++) lines += *c == '\n';
  *copy = vt_copy_string(text);
  *inputs = vt_alloc(lines, sizeof **inputs);
  if (*copy == NULL || *inputs == NULL) return VT_FAIL_MEMORY(error, lines * sizeof **inputs);
  char *at = *copy;
  for (*count = 0; *count < lines; (*count)++) {
    (*inputs)[*count] = at;
    at += strcspn(at, "\n");
    if (*at != '\0') *at++ = '\0';
  }
  for (size_t k = 0; k < lines; k++)
    if (strcmp((*inputs)[k], "-") == 0)
      return VT_FAIL(error, VT_ERROR_NOT_FOUND, "the run was trained on standard input; name its text with --corpus");
  return VT_OK;
}

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
    count_meetings(corpus, (size_t)meta_count(run, "window", 5), &counts);
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
  const char *recorded = vt_run_meta(run, "inputs");
  char *copy = NULL;
  const char **own = NULL;
  enum vt_status status = VT_OK;
  if (input_count == 0 && (recorded == NULL || recorded[0] == '\0'))
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED,
                   "the run does not say which text it was trained on; name it with --corpus");
  if (input_count == 0) {
    status = split_inputs(recorded, &copy, &own, &input_count, error);
    inputs = own;
  }
  struct vt_corpus *corpus = NULL;
  if (status == VT_OK) status = open_text(run, inputs, input_count, threads, &corpus, error);
  if (status == VT_OK) {
    status = count_and_choose(run, corpus, together, apart, found, error);
    vt_corpus_free(corpus);
  }
  vt_free(own);
  vt_free(copy);
  if (status == VT_OK) return VT_OK;
  vt_free(found->together);
  vt_free(found->apart);
  *found = (struct vt_cooccurrence){0};
  return status;
}

/*
 * eval_similarity.c: how well cosines rank pairs of words as people did.
 *
 * The files in use differ in everything but the order "word, word, ..., score". What is accepted: tab, comma, semicolon
 * or blanks between fields; one header line; '#' lines; columns between the words and the score (a part of speech) and
 * after it (single raters, labels): the score is the first number from the third field on. MEN's lemma form, where
 * every word ends in "-n", "-v" or "-j", is known by exactly that and read without the endings.
 *
 * Memory: a few numbers a pair. Threads: none.
 */
#include "vectrail/eval.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/rank.h"
#include "analysis/text_file.h"
#include "base/error.h"
#include "base/memory.h"

#define FIELDS_MAX 8 /* the score is among these, or the line is malformed */

struct pair {
  struct vt_field first;
  struct vt_field second;
  double score;
  double cosine;
};

struct pair_list {
  struct pair *pairs;
  size_t count;
  size_t capacity;
};

static enum vt_status append(struct pair_list *list, struct pair pair, struct vt_error *error) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 1024 : 2 * list->capacity;
    struct pair *pairs = vt_realloc(list->pairs, capacity, sizeof *pairs);
    if (pairs == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *pairs);
    list->pairs = pairs;
    list->capacity = capacity;
  }
  list->pairs[list->count++] = pair;
  return VT_OK;
}

/* Reads a line into *pair; false where no separator makes two words and a score of it. *fields_most, where a header
 * would show, is the largest number of fields that one makes. */
static bool read_pair(struct vt_field line, struct pair *pair, size_t *fields_most) {
  *fields_most = 0;
  for (const char *separator = "\t;, "; *separator != '\0'; separator++) {
    struct vt_field fields[FIELDS_MAX];
    size_t count = vt_field_split(line, *separator, fields, FIELDS_MAX);
    if (count > *fields_most) *fields_most = count;
    if (count < 3 || fields[0].bytes == 0 || fields[1].bytes == 0) continue;
    *pair = (struct pair){.first = fields[0], .second = fields[1]};
    for (size_t i = 2; i < count && i < FIELDS_MAX; i++)
      if (vt_field_number(fields[i], &pair->score)) return true;
  }
  return false;
}

static enum vt_status read_pairs(const char *path, struct vt_text_file *file, struct pair_list *list,
                                 struct vt_error *error) {
  struct vt_field line;
  bool header_allowed = true;
  while (vt_text_file_next(file, &line)) {
    if (line.text[0] == '#') continue;
    struct pair pair;
    size_t fields;
    if (read_pair(line, &pair, &fields)) {
      VT_TRY(append(list, pair, error));
    } else if (!header_allowed || fields < 3) {
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "each line is: word, word, score (tab, space, comma or semicolon)",
                          "%s: line %zu is not two words and a number", path, file->line_number);
    }
    header_allowed = false;
  }
  if (list->count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "each line is: word, word, score", "%s: holds no word pairs", path);
  return VT_OK;
}

static bool has_lemma_ending(struct vt_field word) {
  return word.bytes > 2 && word.text[word.bytes - 2] == '-' && strchr("nvj", word.text[word.bytes - 1]) != NULL;
}

static void strip_lemma_endings(struct pair_list *list) {
  for (size_t i = 0; i < list->count; i++)
    if (!has_lemma_ending(list->pairs[i].first) || !has_lemma_ending(list->pairs[i].second)) return;
  for (size_t i = 0; i < list->count; i++) {
    list->pairs[i].first.bytes -= 2;
    list->pairs[i].second.bytes -= 2;
  }
}

/* Measures the pairs whose words are known, and keeps only those. */
static enum vt_status measure(const struct vt_vectors *vectors, const char *path, struct pair_list *list,
                              struct vt_error *error) {
  size_t covered = 0;
  for (size_t i = 0; i < list->count; i++) {
    struct pair pair = list->pairs[i];
    uint32_t a, b;
    if (!vt_field_find(pair.first, vectors->vocab, &a) || !vt_field_find(pair.second, vectors->vocab, &b)) continue;
    pair.cosine = vt_vectors_cosine(vectors, a, b);
    if (isnan(pair.cosine))
      return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "take an earlier step, or train with a smaller learning rate",
                          "%s: the vector of \"%s\" or \"%s\" holds NaN or infinity", path,
                          vt_vocab_text(vectors->vocab, a), vt_vocab_text(vectors->vocab, b));
    list->pairs[covered++] = pair;
  }
  list->count = covered;
  return VT_OK;
}

static enum vt_status spearman(const struct pair_list *list, double *rho, struct vt_error *error) {
  const size_t count = list->count;
  double *values = vt_alloc(2 * count, sizeof *values);
  if (values == NULL) return VT_FAIL_MEMORY(error, 2 * count * sizeof *values);
  for (size_t i = 0; i < count; i++) {
    values[i] = list->pairs[i].score;
    values[count + i] = list->pairs[i].cosine;
  }
  enum vt_status status = vt_rank_correlation(values, values + count, count, rho, error);
  vt_free(values);
  return status;
}

enum vt_status vt_eval_similarity(const struct vt_vectors *vectors, const char *path, struct vt_eval_similarity *result,
                                  struct vt_error *error) {
  struct vt_text_file file;
  struct pair_list list = {0};
  struct vt_eval_similarity found = {.spearman = (double)NAN};
  VT_TRY(vt_text_file_open(path, &file, error));
  enum vt_status status = read_pairs(path, &file, &list, error);
  if (status == VT_OK) {
    found.pairs = list.count;
    strip_lemma_endings(&list);
    status = measure(vectors, path, &list, error);
  }
  if (status == VT_OK) {
    found.covered = list.count;
    status = spearman(&list, &found.spearman, error);
  }
  if (status == VT_OK) *result = found;
  vt_free(list.pairs);
  vt_text_file_release(&file);
  return status;
}

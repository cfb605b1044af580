/* pairs.c: from --pairs to words. */
#define _POSIX_C_SOURCE 200809L

#include "pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "watch.h"

static char *trimmed(const char *text, size_t bytes) {
  while (bytes > 0 && strchr(" \t\r", text[0]) != NULL) text++, bytes--;
  while (bytes > 0 && strchr(" \t\r", text[bytes - 1]) != NULL) bytes--;
  char *copy = cli_alloc(bytes + 1, 1);
  memcpy(copy, text, bytes);
  copy[bytes] = '\0';
  return copy;
}

/* One pair, the words parted by one of `separators`. */
static bool take_pair(const char *text, size_t bytes, const char *separators, struct text_list *words) {
  size_t left = 0;
  while (left < bytes && strchr(separators, text[left]) == NULL) left++;
  char *a = trimmed(text, left), *b = left < bytes ? trimmed(text + left + 1, bytes - left - 1) : NULL;
  bool whole = b != NULL && *a != '\0' && *b != '\0' && strpbrk(b, separators) == NULL && strcmp(a, b) != 0;
  if (whole && words->count / 2 < PAIRS_MAX) {
    text_list_add(words, a);
    text_list_add(words, b);
    return true;
  }
  if (whole)
    report(NULL, "--pairs: there are more than %d pairs", PAIRS_MAX);
  else
    report("write --pairs king:queen,man:woman, or --pairs @FILE with two words a line",
           "--pairs: '%.*s' is not a pair of two words", (int)(bytes < 100 ? bytes : 100), text);
  free(a);
  free(b);
  return false;
}

static bool is_blank(const char *text, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    if (strchr(" \t\r", text[i]) == NULL) return false;
  return true;
}

static bool take_pairs(const char *text, bool from_file, struct text_list *words) {
  while (*text != '\0') {
    size_t bytes = strcspn(text, from_file ? "\n" : ","), first = from_file ? strspn(text, " \t") : 0;
    if (first > bytes) first = bytes;
    if (!(from_file && is_blank(text, bytes)) &&
        !take_pair(text + first, bytes - first, from_file ? " \t" : ":", words))
      return false;
    text += bytes + (text[bytes] != '\0');
  }
  return true;
}

bool pair_words_read(const struct text_list *values, struct text_list *words) {
  for (size_t i = 0; i < values->count; i++) {
    const char *value = values->items[i];
    bool from_file = value[0] == '@' && value[1] != '\0';
    char *text = from_file ? word_file_read(value + 1, "--pairs @FILE reads pairs, two words a line") : NULL;
    if (from_file && text == NULL) return false;
    bool taken = take_pairs(from_file ? text : value, from_file, words);
    free(text);
    if (!taken) return false;
  }
  return true;
}

bool pair_ids_find(const struct view *view, const struct text_list *values, struct pair_ids *pairs) {
  struct text_list words = {0};
  bool found = pair_words_read(values, &words);
  *pairs = (struct pair_ids){.items = cli_alloc(words.count / 2 + 1, sizeof *pairs->items)};
  for (size_t i = 0; i + 1 < words.count && found; i += 2) {
    struct vt_measure_pair *pair = &pairs->items[pairs->count];
    found = view_find(view, words.items[i], &pair->a) && view_find(view, words.items[i + 1], &pair->b);
    if (found) pairs->count++;
  }
  watch_words_release(&words);
  return found;
}

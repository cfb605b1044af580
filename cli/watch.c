/*
 * watch.c: from --watch and --ledger to words. A file of words is read in whole and bounded: it is a list made by hand.
 */
#define _POSIX_C_SOURCE 200809L

#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report.h"
#include "vectrail/corpus.h"
#include "words.h"

#define WATCH_FILE_BYTES_MAX (1 << 20)

/* The word stays owned here where it is known already. */
static void add_word(struct text_list *words, char *word) {
  for (size_t i = 0; i < words->count; i++)
    if (strcmp(words->items[i], word) == 0) {
      free(word);
      return;
    }
  text_list_add(words, word);
}

/* Cuts text, which it writes to, at a separator and takes the words. */
static bool take_words(const char *option, char *text, char separator, const char *source, bool words_rule,
                       bool fold_case, struct text_list *words) {
  const char separators[] = {separator, '\0'};
  while (*text != '\0') {
    size_t bytes = strcspn(text, separators);
    char *next = text + bytes + (text[bytes] != '\0');
    text[bytes] = '\0';
    while (bytes > 0 && strchr(" \t\r", text[bytes - 1]) != NULL) text[--bytes] = '\0';
    text += strspn(text, " \t");
    if (strlen(text) > VT_WORD_BYTES_MAX) {
      report(NULL, "%s: a word in %.200s is longer than %d bytes", option, source, VT_WORD_BYTES_MAX);
      return false;
    }
    if (*text != '\0') add_word(words, word_normalised(text, words_rule, fold_case));
    text = next;
  }
  return true;
}

char *word_file_read(const char *path, const char *help) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    report(help, "%s: cannot open: %s", path, strerror(errno));
    return NULL;
  }
  char *text = cli_alloc(WATCH_FILE_BYTES_MAX + 2, 1);
  errno = 0;
  size_t bytes = fread(text, 1, WATCH_FILE_BYTES_MAX + 1, file);
  const char *problem = ferror(file) ? strerror(errno) : NULL;
  if (problem == NULL && bytes > WATCH_FILE_BYTES_MAX) problem = "more than 1 MB for a list of words";
  if (problem == NULL && memchr(text, '\0', bytes) != NULL) problem = "this is binary data, not a list of words";
  fclose(file);
  if (problem == NULL) return text;
  report(help, "%s: %s", path, problem);
  free(text);
  return NULL;
}

bool watch_words_read(const char *option, const struct text_list *values, bool words_rule, bool fold_case,
                      struct text_list *words) {
  char help[64];
  snprintf(help, sizeof help, "%s @FILE reads words, one a line", option);
  for (size_t i = 0; i < values->count; i++) {
    const char *value = values->items[i];
    bool from_file = value[0] == '@' && value[1] != '\0';
    char *text = from_file ? word_file_read(value + 1, help) : strdup(value);
    if (text == NULL && !from_file) report(NULL, "out of memory");
    if (text == NULL) return false;
    bool taken = take_words(option, text, from_file ? '\n' : ',', from_file ? value + 1 : "the list", words_rule,
                            fold_case, words);
    free(text);
    if (!taken) return false;
  }
  return true;
}

void watch_words_release(struct text_list *words) {
  for (size_t i = 0; i < words->count; i++) free((char *)words->items[i]);
  text_list_release(words);
}

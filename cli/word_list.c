/* word_list.c: read in whole and bounded: a list is made by hand, or cut from a vocabulary. */
#define _POSIX_C_SOURCE 200809L

#include "word_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define LIST_BYTES_MAX ((size_t)64 << 20)

/* The whole file, terminated; NULL: the error has been printed. */
static char *read_text(const char *path) {
  static const char help[] = "a list of words has a word a line";
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    report(help, "%s: cannot open: %s", path, strerror(errno));
    return NULL;
  }
  size_t bytes = 0, capacity = 1 << 16;
  char *text = cli_alloc(capacity, 1);
  errno = 0;
  for (size_t got; (got = fread(text + bytes, 1, capacity - bytes - 1, file)) > 0;) {
    bytes += got;
    if (bytes > LIST_BYTES_MAX) break;
    if (capacity - bytes > 1) continue;
    capacity *= 2;
    text = cli_realloc(text, capacity, 1);
  }
  const char *problem = ferror(file) ? strerror(errno) : NULL;
  if (problem == NULL && bytes > LIST_BYTES_MAX) problem = "more than 64 MB for a list of words";
  if (problem == NULL && memchr(text, '\0', bytes) != NULL) problem = "this is binary data, not a list of words";
  fclose(file);
  text[bytes] = '\0';
  if (problem == NULL) return text;
  report(help, "%s: %s", path, problem);
  free(text);
  return NULL;
}

bool word_list_read(const char *path, struct word_list *list) {
  *list = (struct word_list){.text = read_text(path)};
  if (list->text == NULL) return false;
  for (char *line = list->text; *line != '\0';) {
    size_t bytes = strcspn(line, "\n");
    char *next = line + bytes + (line[bytes] == '\n');
    line[bytes] = '\0';
    while (bytes > 0 && strchr(" \t\r", line[bytes - 1]) != NULL) line[--bytes] = '\0';
    line += strspn(line, " \t");
    if (*line != '\0') text_list_add(&list->words, line);
    line = next;
  }
  if (list->words.count > 0) return true;
  report("a list of words has a word a line", "%s: there is no word in it", path);
  return false;
}

void word_list_release(struct word_list *list) {
  text_list_release(&list->words);
  free(list->text);
  *list = (struct word_list){0};
}

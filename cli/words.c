/*
 * words.c: from what is typed to ids.
 *
 * A vocabulary compares bytes. The same word can be typed with other bytes (macOS decomposes accents, phones set
 * curly apostrophes), so a word that is not found as it stands is normalised by the rules its text was read with.
 */
#define _POSIX_C_SOURCE 200809L

#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "report.h"
#include "vectrail/vectors.h"

static char *copy_text(const char *text) {
  size_t bytes = strlen(text) + 1;
  char *copy = cli_alloc(bytes, 1);
  memcpy(copy, text, bytes);
  return copy;
}

/* U+2019 as ', in place. */
static void straighten_apostrophes(char *text) {
  char *to = text;
  for (const char *from = text; *from != '\0';) {
    if (strncmp(from, "\xe2\x80\x99", 3) == 0) {
      *to++ = '\'';
      from += 3;
    } else {
      *to++ = *from++;
    }
  }
  *to = '\0';
}

/* NFC, or with folding NFC(fold(NFD(word))), as the reader of text does; NULL where it is not UTF-8. */
static char *map_unicode(const char *typed, bool fold_case) {
  utf8proc_uint8_t *mapped = NULL;
  if (!fold_case) {
    mapped = utf8proc_NFC((const utf8proc_uint8_t *)typed);
  } else {
    utf8proc_uint8_t *decomposed = utf8proc_NFD((const utf8proc_uint8_t *)typed);
    utf8proc_option_t options = UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD;
    if (decomposed != NULL && utf8proc_map(decomposed, 0, &mapped, options) < 0) mapped = NULL;
    free(decomposed);
  }
  return (char *)mapped;
}

char *word_normalised(const char *typed, bool words_rule, bool fold_case) {
  char *text = map_unicode(typed, fold_case);
  if (text == NULL) text = copy_text(typed);
  if (words_rule) straighten_apostrophes(text);
  return text;
}

enum exit_status view_open(struct view *view, const char *path, uint64_t step) {
  struct vt_error error;
  *view = (struct view){0};
  if (vt_run_open(path, &view->run, &error) != VT_OK) return report_error(&error);
  view->vocab = vt_run_vocab(view->run);
  if (vt_run_vectors(view->run, step, &view->vectors, &error) == VT_OK) return EXIT_DONE;
  view_close(view);
  return report_error(&error);
}

void view_close(struct view *view) {
  vt_vectors_free(view->vectors);
  vt_run_close(view->run);
  *view = (struct view){0};
}

static bool meta_is(const struct vt_run *run, const char *key, const char *value) {
  const char *found = vt_run_meta(run, key);
  return found != NULL && strcmp(found, value) == 0;
}

#define SUGGESTION_BYTES 512

/* "did you mean queen, when?" for a word that is not in the vocabulary; empty where nothing is near. */
static void suggest(const struct vt_vocab *vocab, const char *word, char text[SUGGESTION_BYTES]) {
  enum { SUGGESTIONS = 3 };
  uint32_t ids[SUGGESTIONS];
  size_t count = vt_vocab_suggest(vocab, word, ids, SUGGESTIONS), at = 0;
  text[0] = '\0';
  for (size_t i = 0; i < count; i++) {
    const char *near = vt_vocab_text(vocab, ids[i]);
    if (at + strlen(near) + sizeof "did you mean ?" > SUGGESTION_BYTES) break;
    at += (size_t)snprintf(text + at, SUGGESTION_BYTES - at, "%s%s", at > 0 ? ", " : "did you mean ", near);
  }
  if (at > 0) memcpy(text + at, "?", 2);
}

static void report_absent(const struct view *view, const char *typed, const char *normalised) {
  char help[SUGGESTION_BYTES], rule[64] = "";
  suggest(view->vocab, normalised, help);
  const char *min_count = vt_run_meta(view->run, "min_count");
  if (min_count != NULL) snprintf(rule, sizeof rule, " (min-count %.20s)", min_count);
  report(help, "the word '%.200s' is not in the vocabulary%s", typed, rule);
}

/* Under the others a token is spelled as it stands. */
static bool has_words_rule(const struct vt_run *run) {
  return !meta_is(run, "tokens_rule", "space") && !meta_is(run, "tokens_rule", "bpe");
}

bool view_find(const struct view *view, const char *typed, uint32_t *id) {
  if (vt_vocab_find(view->vocab, typed, id)) return true;
  char *normalised = word_normalised(typed, has_words_rule(view->run), meta_is(view->run, "fold_case", "1"));
  bool found = vt_vocab_find(view->vocab, normalised, id);
  if (!found) report_absent(view, typed, normalised);
  free(normalised);
  return found;
}

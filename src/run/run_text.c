/*
 * run_text.c: encoding a second time. The file of ids is removed while it is still mapped, so nothing is left of it
 * however the process ends.
 */
#define _POSIX_C_SOURCE 200809L

#include "run/run_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/scratch.h"
#include "run/folder.h"
#include "run/run_counts.h"
#include "run/run_internal.h"
#include "run/settings.h"

uint64_t vt_run_text_setting(const struct vt_run *run, const char *key, uint64_t otherwise) {
  const char *text = vt_run_meta(run, key);
  return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

void vt_run_text_rules(const struct vt_run *run, struct vt_corpus_options *options) {
  vt_corpus_options_init(options);
  const char *rule = vt_run_meta(run, "tokens_rule"), *threshold = vt_run_meta(run, "phrase_threshold");
  if (rule != NULL) (void)vt_token_rule_find(rule, &options->tokens);
  options->fold_case = vt_run_text_setting(run, "fold_case", 0) == 1;
  options->min_count = vt_run_text_setting(run, "min_count", options->min_count);
  options->max_vocab = (uint32_t)vt_run_text_setting(run, "max_vocab", 0);
  options->phrases = (uint32_t)vt_run_text_setting(run, "phrases", 0);
  if (options->phrases > 0 && threshold != NULL) (void)vt_settings_parse_real(threshold, &options->phrase_threshold);
}

/* The options the run was read with. A vocabulary that phrases made can only be made again; any other is given. */
static void recorded_options(const struct vt_run *run, const struct vt_run_text_options *from,
                             struct vt_corpus_options *options) {
  vt_run_text_rules(run, options);
  if (options->phrases == 0) options->vocab = vt_run_vocab(run);
  options->threads = from->threads;
  options->unsynced = true;
  options->progress = from->progress;
  options->progress_context = from->progress_context;
  options->interrupt = from->interrupt;
}

/* ---- which files ------------------------------------------------------------------------------------------------- */

static enum vt_status add_input(struct vt_run_text *text, const char *path, size_t bytes, struct vt_error *error) {
  char **grown = vt_realloc(text->inputs, text->input_count + 1, sizeof *grown);
  if (grown == NULL) return VT_FAIL_MEMORY(error, sizeof *grown);
  text->inputs = grown;
  grown[text->input_count] = vt_copy_bytes(path, bytes);
  if (grown[text->input_count] == NULL) return VT_FAIL_MEMORY(error, bytes);
  text->input_count++;
  return VT_OK;
}

static enum vt_status find_inputs(const struct vt_run *run, const struct vt_run_text_options *options,
                                  struct vt_run_text *text, struct vt_error *error) {
  for (size_t i = 0; i < options->input_count; i++)
    VT_TRY(add_input(text, options->inputs[i], strlen(options->inputs[i]), error));
  if (options->input_count > 0) return VT_OK;
  const char *at = vt_run_meta(run, "inputs");
  if (vt_run_has_counts(run))
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "name the text that was counted with --corpus",
                        "the run was trained on counts, not on a text that could be read");
  if (at == NULL || *at == '\0')
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED,
                   "the run does not say which text it was trained on; name it with --corpus");
  for (bool more = true; more;) {
    size_t bytes = strcspn(at, "\n");
    if (bytes == 1 && *at == '-')
      return VT_FAIL(error, VT_ERROR_NOT_FOUND, "the run was trained on standard input; name its text with --corpus");
    VT_TRY(add_input(text, at, bytes, error));
    more = at[bytes] == '\n';
    at += bytes + more;
  }
  return VT_OK;
}

/* ---- is it the same ---------------------------------------------------------------------------------------------- */

#define HELP_CHANGED "put the file back as it was, or name the text of the run with --corpus"

/* Holds the hashes of the inputs against the lines of meta `input_hashes`, which older runs do not have. */
static enum vt_status check_inputs(const struct vt_run *run, const struct vt_run_text *text, const uint64_t *hashes,
                                   struct vt_error *error) {
  const char *at = vt_run_meta(run, "input_hashes");
  if (at == NULL) return VT_OK;
  for (size_t i = 0; i < text->input_count && *at != '\0'; i++) {
    char hash[24];
    snprintf(hash, sizeof hash, "%016" PRIx64, hashes[i]);
    size_t bytes = strcspn(at, "\n");
    if (bytes != strlen(hash) || strncmp(at, hash, bytes) != 0)
      return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, HELP_CHANGED,
                          "%s is not the text that the run was trained on: it has changed since (hash %s, recorded "
                          "%.*s)",
                          text->inputs[i], hash, (int)(bytes < 32 ? bytes : 32), at);
    at += bytes + (at[bytes] == '\n');
  }
  return VT_OK;
}

static enum vt_status check_fingerprint(const struct vt_run *run, const struct vt_run_text *text,
                                        struct vt_error *error) {
  char fingerprint[24];
  snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, vt_corpus_fingerprint(text->corpus));
  const char *recorded = vt_run_meta(run, "corpus_fingerprint");
  if (recorded != NULL && strcmp(recorded, fingerprint) == 0) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, HELP_CHANGED,
                      "%s%s is not the text that the run was trained on (fingerprint %s, recorded %.16s)",
                      text->inputs[0], text->input_count > 1 ? " and the files after it" : "", fingerprint,
                      recorded == NULL ? "none" : recorded);
}

static enum vt_status encode(struct vt_run *run, const struct vt_run_text_options *from, const char *ids,
                             const char *lines, uint64_t *hashes, struct vt_run_text *text, struct vt_error *error) {
  struct vt_corpus_options options;
  recorded_options(run, from, &options);
  options.input_hashes = hashes;
  char *tokenizer = vt_path_join(vt_run_path(run), VT_RUN_TOKENIZER);
  if (tokenizer == NULL) return VT_FAIL_MEMORY(error, strlen(vt_run_path(run)));
  options.tokenizer = tokenizer;
  if (from->lines) options.lines_path = lines;
  struct vt_vocab *vocab = NULL;
  struct vt_error reason;
  enum vt_status status = vt_corpus_encode((const char *const *)text->inputs, text->input_count, &options, ids, &vocab,
                                           &text->corpus, NULL, &reason);
  vt_vocab_free(vocab);
  vt_free(tokenizer);
  /* A text in which no word is left any more has changed, too. */
  if (status == VT_OK || status == VT_ERROR_EMPTY) VT_TRY(check_inputs(run, text, hashes, error));
  if (status != VT_OK) {
    if (error != NULL) *error = reason;
    return status;
  }
  VT_TRY(check_fingerprint(run, text, error));
  return from->lines ? vt_mapping_open(lines, &text->lines, error) : VT_OK;
}

static enum vt_status encode_in(struct vt_run *run, const struct vt_run_text_options *options, const char *folder,
                                struct vt_run_text *text, struct vt_error *error) {
  char *ids = vt_path_join(folder, "corpus.ids"), *lines = vt_path_join(folder, "corpus.lines");
  uint64_t *hashes = vt_alloc_zero(text->input_count, sizeof *hashes);
  enum vt_status status = VT_OK;
  if (ids == NULL || lines == NULL || hashes == NULL)
    status = VT_FAIL_MEMORY(error, text->input_count * sizeof *hashes);
  else
    status = encode(run, options, ids, lines, hashes, text, error);
  if (ids != NULL) unlink(ids);
  if (lines != NULL) unlink(lines);
  vt_free(ids);
  vt_free(lines);
  vt_free(hashes);
  return status;
}

enum vt_status vt_run_text_open(struct vt_run *run, const struct vt_run_text_options *options, struct vt_run_text *text,
                                struct vt_error *error) {
  *text = (struct vt_run_text){0};
  VT_TRY(find_inputs(run, options, text, error));
  if (options->folder != NULL) return encode_in(run, options, options->folder, text, error);
  char *folder;
  VT_TRY(vt_scratch_folder(&folder, error));
  enum vt_status status = encode_in(run, options, folder, text, error);
  rmdir(folder);
  vt_free(folder);
  return status;
}

void vt_run_text_release(struct vt_run_text *text) {
  vt_corpus_free(text->corpus);
  vt_mapping_release(&text->lines);
  for (size_t i = 0; i < text->input_count; i++) vt_free(text->inputs[i]);
  vt_free(text->inputs);
  *text = (struct vt_run_text){0};
}

/*
 * run_text.c: the text is encoded anew, into a file that is removed while it is still open.
 */
#define _POSIX_C_SOURCE 200809L

#include "analysis/run_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/settings.h"

uint64_t vt_run_text_setting(const struct vt_run *run, const char *key, uint64_t otherwise) {
  const char *text = vt_run_meta(run, key);
  return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* The options the run was read with. A vocabulary that phrases made can only be made again; any other is given. */
static void recorded_options(struct vt_run *run, int threads, struct vt_corpus_options *options) {
  vt_corpus_options_init(options);
  const char *rule = vt_run_meta(run, "tokens_rule"), *threshold = vt_run_meta(run, "phrase_threshold");
  options->tokens = rule != NULL && strcmp(rule, "space") == 0 ? VT_TOKENS_SPACE : VT_TOKENS_WORDS;
  options->fold_case = vt_run_text_setting(run, "fold_case", 0) == 1;
  options->min_count = vt_run_text_setting(run, "min_count", options->min_count);
  options->max_vocab = (uint32_t)vt_run_text_setting(run, "max_vocab", 0);
  options->phrases = (uint32_t)vt_run_text_setting(run, "phrases", 0);
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

/* The encoded file is mapped, so its name may go at once. */
enum vt_status vt_run_text_encode(const char *const *inputs, size_t input_count,
                                  const struct vt_corpus_options *options, struct vt_vocab **vocab,
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
    status = vt_corpus_encode(inputs, input_count, options, path, vocab, corpus, NULL, error);
    unlink(path);
    rmdir(folder);
  }
  vt_free(path);
  vt_free(folder);
  return status;
}

static enum vt_status open_text(struct vt_run *run, const char *const *inputs, size_t input_count, int threads,
                                struct vt_corpus **corpus, struct vt_error *error) {
  struct vt_corpus_options options;
  recorded_options(run, threads, &options);
  struct vt_vocab *vocab;
  VT_TRY(vt_run_text_encode(inputs, input_count, &options, &vocab, corpus, error));
  vt_vocab_free(vocab);
  enum vt_status status = check_fingerprint(run, *corpus, inputs, error);
  if (status != VT_OK) vt_corpus_free(*corpus);
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

double vt_run_text_real(const struct vt_run *run, const char *key, double otherwise) {
  const char *text = vt_run_meta(run, key);
  double value;
  return text != NULL && vt_settings_parse_real(text, &value) ? value : otherwise;
}

enum vt_status vt_run_text_open(struct vt_run *run, const char *const *inputs, size_t input_count, int threads,
                                struct vt_corpus **corpus, struct vt_error *error) {
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
  if (status == VT_OK) status = open_text(run, inputs, input_count, threads, corpus, error);
  vt_free(own);
  vt_free(copy);
  return status;
}

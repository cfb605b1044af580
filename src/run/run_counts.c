/* run_counts.c: reading, and holding what was read against what the run says. */
#include "run/run_counts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "train/counted.h"

/* Whether a number of the run's meta, written in hexadecimal, is this one. */
static bool meta_is(const struct vt_run *run, const char *key, uint64_t fingerprint) {
  char text[24];
  const char *recorded = vt_run_meta(run, key);
  snprintf(text, sizeof text, "%016" PRIx64, fingerprint);
  return recorded != NULL && strcmp(recorded, text) == 0;
}

static bool words_agree(const struct vt_vocab *a, const struct vt_vocab *b) {
  if (vt_vocab_size(a) != vt_vocab_size(b)) return false;
  for (uint32_t id = 0; id < vt_vocab_size(a); id++)
    if (strcmp(vt_vocab_text(a, id), vt_vocab_text(b, id)) != 0) return false;
  return true;
}

enum vt_status vt_run_counts_open(const struct vt_run *run, const char *path, const char *folder,
                                  struct vt_cooccur **counts, struct vt_error *error) {
  static const char help[] = "put the counts back where they were, as they were";
  struct vt_error reason;
  struct vt_vocab *vocab;
  if (path == NULL) path = vt_run_meta(run, VT_COUNTS_META);
  if (vt_cooccur_load(path, folder, counts, &vocab, &reason) != VT_OK)
    return VT_FAIL_HELP(error, reason.status, help, "the counts that the run is trained on: %s", reason.message);
  vt_vocab_free(vocab); /* the fingerprint holds for the words, too */
  if (meta_is(run, VT_COUNTS_META_FINGERPRINT, vt_cooccur_fingerprint(*counts))) return VT_OK;
  enum vt_status status =
      VT_FAIL_HELP(error, VT_ERROR_CORRUPT, help,
                   "%s: not the counts that the run was begun with: fingerprint %016" PRIx64 ", recorded %.16s", path,
                   vt_cooccur_fingerprint(*counts), vt_run_meta(run, VT_COUNTS_META_FINGERPRINT));
  vt_cooccur_free(*counts);
  *counts = NULL;
  return status;
}

static enum vt_status check_text(const struct vt_run *run, const char *path, const struct vt_cooccur *counts,
                                 const struct vt_vocab *vocab, struct vt_error *error) {
  const bool words = words_agree(vocab, vt_run_vocab(run));
  if (words && meta_is(run, "corpus_fingerprint", vt_cooccur_counted_on(counts).fingerprint)) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "count the run's text, with the options it was read with",
                      "%s: the counts of another text than the run's%s", path, words ? "" : ": they have other words");
}

enum vt_status vt_run_counts_of_text(const struct vt_run *run, const char *path, uint32_t window, double sample,
                                     struct vt_cooccur **counts, struct vt_error *error) {
  struct vt_vocab *vocab;
  VT_TRY(vt_cooccur_load(path, NULL, counts, &vocab, error));
  enum vt_status status = check_text(run, path, *counts, vocab, error);
  if (status == VT_OK) status = vt_counted_check_expected(*counts, window, sample, error);
  vt_vocab_free(vocab);
  if (status == VT_OK) return VT_OK;
  vt_cooccur_free(*counts);
  *counts = NULL;
  return status;
}

/* fuzz_analogy.c: questions of four words in sections. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "vectrail/eval.h"
#include "vectrail/import.h"
#include "vectrail/vocab.h"

static struct vt_vectors *vectors;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static const char text[] =
      "king 1 0 0.5\nqueen 0.9 0.1 0.5\nman 1 0 0\nwoman 0.9 0.1 0\nna\xC3\xAFve 0 1 0\nstra\xC3\x9F"
      "e 0 0 1\ndon't 0 1 1\n";
  static struct vt_vocab *vocab;
  struct vt_error error;
  (void)argc;
  (void)argv;
  const struct vt_import_options options = {.format = VT_IMPORT_GLOVE};
  vtz_require(vt_import_vectors(vtz_file(1, text, sizeof text - 1), &options, &vocab, &vectors, &error) == VT_OK,
              "vectors to be asked");
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  const char *path = vtz_file(0, data, bytes);
  struct vt_error error;
  struct vt_eval_analogy result;
  if (vt_eval_analogy(vectors, path, 0, 1, &result, &error) == VT_OK) {
    vtz_require(result.all.correct <= result.all.covered && result.all.covered <= result.all.questions &&
                    result.semantic.questions + result.syntactic.questions == result.all.questions,
                "the sections make up the whole");
    vt_eval_analogy_release(&result);
  }
  return 0;
}

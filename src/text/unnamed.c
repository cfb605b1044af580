/* unnamed.c: an encoded text that leaves nothing behind: the file loses its name while it is still mapped, so that it
 * is gone with the process, however that ends. */
#define _POSIX_C_SOURCE 200809L

#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/scratch.h"
#include "vectrail/corpus.h"

enum vt_status vt_corpus_encode_unnamed(const char *const *inputs, size_t input_count,
                                        const struct vt_corpus_options *options, struct vt_vocab **vocab,
                                        struct vt_corpus **corpus, struct vt_corpus_report *report,
                                        struct vt_error *error) {
  struct vt_corpus_options own = *options;
  char *folder;
  VT_TRY(vt_scratch_folder(&folder, error));
  char *path = vt_path_join(folder, "corpus.ids");
  own.unsynced = true;
  enum vt_status status = path == NULL
                              ? VT_FAIL_MEMORY(error, 1)
                              : vt_corpus_encode(inputs, input_count, &own, path, vocab, corpus, report, error);
  if (path != NULL) unlink(path);
  rmdir(folder);
  vt_free(path);
  vt_free(folder);
  return status;
}

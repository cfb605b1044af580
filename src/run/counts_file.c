/* counts_file.c: which format a path asks for; a database is made under another name and then put in place. */
#define _POSIX_C_SOURCE 200809L

#include "run/counts_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

const char *vt_counts_key_name(enum vt_counts_key key) {
  static const char *const names[VT_COUNTS_KEYS] = {
      "window",      "weight",    "sides",     "sample",    "scale",
      "words",       "pairs",     "tokens",    "sentences", "corpus_fingerprint",
      "tokens_rule", "fold_case", "min_count", "max_vocab"};
  return names[key];
}

static bool ends_with(const char *path, const char *ending) {
  size_t bytes = strlen(path), of_ending = strlen(ending);
  return bytes > of_ending && strcasecmp(path + bytes - of_ending, ending) == 0;
}

enum vt_status vt_cooccur_check_path(const char *path, struct vt_error *error) {
  if (ends_with(path, ".npz") || ends_with(path, ".db")) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "name a file that ends in .db (SQLite) or .npz (SciPy)",
                      "%s: the ending tells no format of counts", path);
}

static void remove_database(const char *path, char *scratch, size_t room) {
  static const char *const endings[] = {"", "-journal", "-wal", "-shm"};
  for (size_t k = 0; k < 4; k++) {
    snprintf(scratch, room, "%s%s", path, endings[k]);
    (void)unlink(scratch);
  }
}

static enum vt_status sync_folder_of(const char *path, struct vt_error *error) {
  const char *slash = strrchr(path, '/');
  if (slash == NULL) return vt_sync_folder(".", error);
  if (slash == path) return vt_sync_folder("/", error);
  char *folder = vt_copy_bytes(path, (size_t)(slash - path));
  if (folder == NULL) return VT_FAIL_MEMORY(error, (size_t)(slash - path));
  enum vt_status status = vt_sync_folder(folder, error);
  vt_free(folder);
  return status;
}

static enum vt_status save_database(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                    struct vt_error *error) {
  struct stat there;
  if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
    return VT_FAIL_HELP(error, VT_ERROR_IO, "name a file", "%s: not a plain file", path);
  const size_t room = strlen(path) + 48;
  char *staged = vt_alloc(room, 1), *scratch = vt_alloc(room + 16, 1);
  enum vt_status status = staged == NULL || scratch == NULL ? VT_FAIL_MEMORY(error, room) : VT_OK;
  if (status == VT_OK) {
    snprintf(staged, room, "%s.%ld.tmp", path, (long)getpid());
    remove_database(staged, scratch, room + 16);
    status = vt_counts_write_database(counts, vocab, staged, error);
    if (status == VT_OK) status = vt_sync_file(staged, error);
    if (status == VT_OK && rename(staged, path) != 0)
      status = VT_FAIL(error, VT_ERROR_IO, "%s: cannot put in place: %s", path, strerror(errno));
    if (status == VT_OK)
      status = sync_folder_of(path, error);
    else
      remove_database(staged, scratch, room + 16);
  }
  vt_free(staged);
  vt_free(scratch);
  return status;
}

enum vt_status vt_cooccur_save(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                               struct vt_error *error) {
  VT_TRY(vt_cooccur_check_path(path, error));
  if (vt_vocab_size(vocab) != vt_cooccur_words(counts))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "the vocabulary is not that of the counts");
  if (ends_with(path, ".npz")) return vt_counts_write_npz(counts, vocab, path, error);
  return save_database(counts, vocab, path, error);
}

enum vt_status vt_cooccur_load(const char *path, const char *folder, struct vt_cooccur **counts,
                               struct vt_vocab **vocab, struct vt_error *error) {
  struct stat there;
  if (stat(path, &there) != 0)
    return VT_FAIL(error, errno == ENOENT || errno == ENOTDIR ? VT_ERROR_NOT_FOUND : VT_ERROR_IO, "%s: cannot open: %s",
                   path, strerror(errno));
  if (!S_ISREG(there.st_mode)) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not a plain file", path);
  if (ends_with(path, ".npz"))
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "count into a file that ends in .db",
                        "%s: a matrix for SciPy does not say how it was counted", path);
  return vt_counts_read_database(path, folder, counts, vocab, error);
}

/* folder.c: what may be replaced is looked at twice, before the work and before the rename. */
#define _GNU_SOURCE /* getdents64 */

#include "run/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/checkpoint.h"
#include "run/lock.h"

#define DEPTH_MAX 16 /* folders inside folders; a run has one level */

enum occupant { OCCUPANT_NONE, OCCUPANT_EMPTY_FOLDER, OCCUPANT_RUN, OCCUPANT_OTHER };

static bool is_dot(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static bool is_empty_folder(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) return false;
  bool empty = true;
  for (struct dirent *entry; empty && (entry = readdir(folder)) != NULL;) empty = is_dot(entry->d_name);
  closedir(folder);
  return empty;
}

static enum occupant look(const char *path) {
  struct stat info;
  if (lstat(path, &info) != 0) return errno == ENOENT ? OCCUPANT_NONE : OCCUPANT_OTHER;
  if (!S_ISDIR(info.st_mode)) return OCCUPANT_OTHER;
  if (is_empty_folder(path)) return OCCUPANT_EMPTY_FOLDER;
  char *database = vt_path_join(path, VT_RUN_DATABASE);
  bool run = database != NULL && lstat(database, &info) == 0 && S_ISREG(info.st_mode);
  vt_free(database);
  return run ? OCCUPANT_RUN : OCCUPANT_OTHER;
}

static enum vt_status check_place(const char *path, bool force, struct vt_error *error) {
  switch (look(path)) {
  case OCCUPANT_NONE:
  case OCCUPANT_EMPTY_FOLDER:
    return VT_OK;
  case OCCUPANT_RUN:
    if (force) return VT_OK;
    return VT_FAIL_HELP(error, VT_ERROR_EXISTS,
                        "go on with it by vectrail resume, pass --force to replace it, or choose another folder",
                        "%s: holds a run already", path);
  case OCCUPANT_OTHER:
    break;
  }
  return VT_FAIL_HELP(error, VT_ERROR_EXISTS, "choose another folder: only runs are ever replaced",
                      "%s: exists already and is not a run", path);
}

enum vt_status vt_run_folder_check(const char *path, bool force, bool *run, struct vt_error *error) {
  if (run != NULL) *run = look(path) == OCCUPANT_RUN;
  if (*path == '\0') return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "name a folder", "the run folder has no name");
  return check_place(path, force, error);
}

/* "runs/demo//" is "runs/demo": a new string, or NULL when out of memory. */
static char *without_slashes(const char *path) {
  size_t bytes = strlen(path);
  while (bytes > 1 && path[bytes - 1] == '/') bytes--;
  return vt_copy_bytes(path, bytes);
}

/* A name beside `path`: its folder, a dot, its name, the process, a word. NULL when out of memory. */
static char *name_beside(const char *path, const char *word) {
  char *plain = without_slashes(path);
  if (plain == NULL) return NULL;
  const char *slash = strrchr(plain, '/'), *name = slash == NULL ? plain : slash + 1;
  size_t bytes = strlen(plain) + strlen(word) + 32;
  char *beside = vt_alloc(bytes, 1);
  if (beside != NULL) snprintf(beside, bytes, "%.*s.%s.%ld.%s", (int)(name - plain), plain, name, (long)getpid(), word);
  vt_free(plain);
  return beside;
}

enum vt_status vt_run_folder_stage(const char *path, bool force, char **out, struct vt_error *error) {
  bool run;
  VT_TRY(vt_run_folder_check(path, force, &run, error));
  if (run) { /* that it is being written is said now, not after the text is read */
    int lock;
    VT_TRY(vt_run_lock_take(path, &lock, error));
    vt_run_lock_release(lock, path);
  }
  char *staging = name_beside(path, "partial");
  if (staging == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  /* Left over by a killed process that had our number. */
  if (look(staging) != OCCUPANT_NONE) vt_run_folder_abandon(staging);
  if (mkdir(staging, 0777) != 0) {
    int reason = errno;
    vt_free(staging);
    return VT_FAIL_HELP(error, VT_ERROR_IO,
                        reason == ENOENT ? "make the folder above it first" : "choose a folder that can be written to",
                        "%s: cannot make the run folder: %s", path, strerror(reason));
  }
  *out = staging;
  return VT_OK;
}

/* Takes away what is at `path`: an empty folder goes at once, a run is moved to `aside`. */
static enum vt_status clear_place(const char *path, const char *aside, struct vt_error *error) {
  enum occupant there = look(path);
  int failed = 0;
  if (there == OCCUPANT_EMPTY_FOLDER) failed = rmdir(path);
  if (there == OCCUPANT_RUN) failed = rename(path, aside);
  if (failed != 0) return VT_FAIL(error, VT_ERROR_IO, "%s: cannot replace it: %s", path, strerror(errno));
  return VT_OK;
}

/* With the lock of what is in the place, if that is a run. */
static enum vt_status install(const char *staging, const char *path, struct vt_error *error) {
  char *plain = without_slashes(path), *aside = name_beside(path, "replaced");
  enum vt_status status = VT_OK;
  if (plain == NULL || aside == NULL)
    status = VT_FAIL_MEMORY(error, strlen(path));
  else
    status = clear_place(plain, aside, error);
  if (status == VT_OK && rename(staging, plain) != 0) {
    int reason = errno;
    rename(aside, plain); /* what was there goes back, if it was moved */
    status = VT_FAIL(error, VT_ERROR_IO, "%s: cannot put the run folder in place: %s", path, strerror(reason));
  }
  if (status == VT_OK && look(aside) != OCCUPANT_NONE) vt_run_folder_abandon(aside);
  vt_free(plain);
  vt_free(aside);
  return status;
}

enum vt_status vt_run_folder_install(const char *staging, const char *path, bool force, struct vt_error *error) {
  VT_TRY(check_place(path, force, error));
  if (look(path) != OCCUPANT_RUN) return install(staging, path, error);
  int lock;
  VT_TRY(vt_run_lock_take(path, &lock, error));
  enum vt_status status = install(staging, path, error);
  vt_run_lock_release(lock, path);
  return status;
}

static void remove_entries(int descriptor, int depth);

/* One look at an open folder, in which what is found is removed; whether there may be more to find. No allocation, as
 * opendir would need one: where memory has run out, nothing may be left behind either. */
static bool remove_some(int descriptor, int depth) {
  _Alignas(struct dirent64) char buffer[4096];
  bool removed = false;
  ssize_t bytes = getdents64(descriptor, buffer, sizeof buffer);
  for (ssize_t at = 0; at < bytes;) {
    const struct dirent64 *entry = (const void *)(buffer + at);
    at += entry->d_reclen;
    if (is_dot(entry->d_name)) continue;
    bool gone = unlinkat(descriptor, entry->d_name, 0) == 0;
    if (!gone && depth > 0) {
      int inner = openat(descriptor, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (inner < 0) continue;
      remove_entries(inner, depth - 1);
      gone = unlinkat(descriptor, entry->d_name, AT_REMOVEDIR) == 0;
    }
    removed = removed || gone;
  }
  /* At the end of the folder it is looked at again if names went: some systems skip others then. */
  if (bytes == 0) return false;
  if (removed) lseek(descriptor, 0, SEEK_SET);
  return bytes > 0;
}

/* Empties an open folder; takes over the descriptor. */
static void remove_entries(int descriptor, int depth) {
  while (remove_some(descriptor, depth)) continue;
  close(descriptor);
}

void vt_run_folder_abandon(const char *path) {
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return;
  remove_entries(descriptor, DEPTH_MAX);
  rmdir(path);
}

/* ---- what a killed process left ---------------------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *beginning) {
  return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool ends_with(const char *text, const char *ending) {
  size_t bytes = strlen(text), tail = strlen(ending);
  return bytes >= tail && strcmp(text + bytes - tail, ending) == 0;
}

/* "88.safetensors" of step 88 or later. */
static bool is_late_snapshot(const char *name, uint64_t step) {
  char *end;
  if (*name < '0' || *name > '9') return false;
  uint64_t its = strtoull(name, &end, 10);
  return strcmp(end, VT_SNAPSHOT_ENDING) == 0 && its >= step;
}

/* Names as vt_output gives them to files that are not whole yet; a name that is not ours is left alone. */
static bool is_half_written(const char *name) {
  bool snapshot = name[0] == '.' && name[1] >= '0' && name[1] <= '9' && strstr(name, VT_SNAPSHOT_ENDING ".") != NULL;
  return (snapshot || begins_with(name, "." VT_RUN_CHECKPOINT ".")) && ends_with(name, ".tmp");
}

/* snapshots: it is their folder; elsewhere such a name may be somebody's export. */
static enum vt_status cut_entries(const char *path, bool snapshots, uint64_t step, struct vt_error *error) {
  DIR *folder = opendir(path);
  if (folder == NULL) return VT_FAIL(error, VT_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
  enum vt_status status = VT_OK;
  for (struct dirent *entry; status == VT_OK && (entry = readdir(folder)) != NULL;) {
    bool late = snapshots && is_late_snapshot(entry->d_name, step);
    if (!late && !is_half_written(entry->d_name)) continue;
    if (unlinkat(dirfd(folder), entry->d_name, 0) != 0 && errno != ENOENT)
      status = VT_FAIL(error, VT_ERROR_IO, "%s/%s: cannot remove it: %s", path, entry->d_name, strerror(errno));
  }
  closedir(folder);
  return status;
}

enum vt_status vt_run_folder_cut(const char *path, uint64_t step, struct vt_error *error) {
  VT_TRY(cut_entries(path, false, step, error));
  char *snapshots = vt_path_join(path, VT_RUN_SNAPSHOTS);
  if (snapshots == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  enum vt_status status = cut_entries(snapshots, true, step, error);
  vt_free(snapshots);
  return status;
}

void vt_run_folder_tidy(const char *path) {
  static const char *const names[] = {VT_RUN_CORPUS, VT_RUN_CHECKPOINT};
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
    char file[PATH_MAX];
    if (snprintf(file, sizeof file, "%s/%s", path, names[k]) < (int)sizeof file) unlink(file);
  }
}

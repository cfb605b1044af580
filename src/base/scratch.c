/* scratch.c: unlinked at once, so that the system frees it however the process ends. */
#define _GNU_SOURCE /* madvise, mkdtemp, mkstemp, posix_fallocate */

#include "base/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

static const char *default_folder(void) {
  const char *folder = getenv("TMPDIR");
  return folder == NULL || *folder == '\0' ? "/tmp" : folder;
}

enum vt_status vt_scratch_folder(char **path, struct vt_error *error) {
  char *folder = vt_path_join(default_folder(), "vectrail-XXXXXX");
  if (folder == NULL) return VT_FAIL_MEMORY(error, 1);
  if (mkdtemp(folder) == NULL) {
    enum vt_status status = VT_FAIL_HELP(error, VT_ERROR_IO, "set TMPDIR to a folder with room for the encoded text",
                                         "%s: cannot make a temporary folder: %s", folder, strerror(errno));
    vt_free(folder);
    return status;
  }
  *path = folder;
  return VT_OK;
}

static const char *help_with_room(const struct vt_scratch *scratch) {
  return scratch->chosen ? "make room on that disk" : "make room on that disk, or choose another one by TMPDIR";
}

enum vt_status vt_scratch_open(const char *folder, struct vt_scratch *scratch, struct vt_error *error) {
  *scratch = (struct vt_scratch){.descriptor = -1, .chosen = folder != NULL};
  if (folder == NULL) folder = default_folder();
  if (*folder == '\0') folder = "/tmp";
  char *name = vt_path_join(folder, ".vectrail-XXXXXX");
  scratch->folder = vt_copy_string(folder);
  if (name == NULL || scratch->folder == NULL) {
    vt_free(name);
    vt_scratch_release(scratch);
    return VT_FAIL_MEMORY(error, strlen(folder) + 32);
  }
  scratch->descriptor = mkstemp(name);
  enum vt_status status = VT_OK;
  if (scratch->descriptor < 0)
    status = VT_FAIL_HELP(error, VT_ERROR_IO, help_with_room(scratch), "%s: cannot make a temporary file: %s", folder,
                          strerror(errno));
  else
    (void)unlink(name);
  vt_free(name);
  if (status != VT_OK) vt_scratch_release(scratch);
  return status;
}

static void unmap(struct vt_scratch *scratch) {
  if (scratch->data != NULL) (void)munmap((void *)(uintptr_t)scratch->data, scratch->bytes);
  scratch->data = NULL;
  scratch->bytes = 0;
}

void vt_scratch_release(struct vt_scratch *scratch) {
  unmap(scratch);
  if (scratch->descriptor >= 0) (void)close(scratch->descriptor);
  vt_free(scratch->folder);
  *scratch = (struct vt_scratch){.descriptor = -1};
}

enum vt_status vt_scratch_write(const struct vt_scratch *scratch, const void *data, size_t bytes, uint64_t offset,
                                struct vt_error *error) {
  const unsigned char *from = data;
  for (size_t done = 0; done < bytes;) {
    ssize_t put = pwrite(scratch->descriptor, from + done, bytes - done, (off_t)(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0)
      return VT_FAIL_HELP(error, VT_ERROR_IO, help_with_room(scratch), "%s: cannot write to a temporary file: %s",
                          scratch->folder, strerror(errno));
    done += (size_t)put;
  }
  return VT_OK;
}

enum vt_status vt_scratch_map(struct vt_scratch *scratch, size_t bytes, struct vt_error *error) {
  unmap(scratch);
  if (bytes == 0) return VT_OK;
  void *data = mmap(NULL, bytes, PROT_READ, MAP_SHARED, scratch->descriptor, 0);
  if (data == MAP_FAILED)
    return VT_FAIL(error, VT_ERROR_IO, "%s: cannot map a temporary file: %s", scratch->folder, strerror(errno));
  scratch->data = data;
  scratch->bytes = bytes;
  return VT_OK;
}

enum vt_status vt_scratch_room(struct vt_scratch *scratch, size_t bytes, void **data, struct vt_error *error) {
  unmap(scratch);
  int refused = posix_fallocate(scratch->descriptor, 0, (off_t)bytes);
  if (refused != 0)
    return VT_FAIL_HELP(error, VT_ERROR_IO, help_with_room(scratch),
                        "%s: no room for a temporary file of %zu bytes: %s", scratch->folder, bytes, strerror(refused));
  void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, scratch->descriptor, 0);
  if (mapping == MAP_FAILED)
    return VT_FAIL(error, VT_ERROR_IO, "%s: cannot map a temporary file: %s", scratch->folder, strerror(errno));
  scratch->data = *data = mapping;
  scratch->bytes = bytes;
  return VT_OK;
}

void vt_scratch_forget(const struct vt_scratch *scratch, size_t from, size_t to) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  from = (from + page - 1) / page * page;
  to = to / page * page;
  if (scratch->data != NULL && from < to)
    (void)madvise((void *)(uintptr_t)(scratch->data + from), to - from, MADV_DONTNEED);
}

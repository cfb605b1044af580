/*
 * file.c: files that are whole or absent.
 *
 * Only plain files are ever put in place: a rename would turn a device or a pipe of that name into a file.
 * The temporary name holds the process id and a counter, and is opened with O_EXCL: two writers of one target never
 * meet, the last to commit wins whole. Every failed call names the path that the user knows, not the temporary one.
 */
#define _DEFAULT_SOURCE /* madvise */

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define BUFFER_BYTES ((size_t)256 * 1024)
/* From here on a call to the system is cheaper than a copy. */
#define DIRECT_BYTES ((size_t)64 * 1024)

struct vt_output {
  int descriptor;
  char *path;
  char *temporary;
  char *folder;
  unsigned char *buffer;
  size_t buffered;
  uint64_t written; /* bytes handed to the system, before the buffer */
  bool hashed;
  struct sha256_ctx hash; /* of those bytes, where it was asked for */
};

/* ---- paths ------------------------------------------------------------------------------------------------------- */

char *vt_path_join(const char *folder, const char *name) {
  size_t folder_bytes = strlen(folder), name_bytes = strlen(name);
  while (folder_bytes > 1 && folder[folder_bytes - 1] == '/') folder_bytes--;
  const char *slash = folder_bytes > 0 && folder[folder_bytes - 1] == '/' ? "" : "/";
  size_t bytes = folder_bytes + name_bytes + 2;
  char *path = vt_alloc(bytes, 1);
  if (path != NULL) snprintf(path, bytes, "%.*s%s%s", (int)folder_bytes, folder, slash, name);
  return path;
}

/* The folder of a path as a new string, and where its last part begins. */
static char *folder_of(const char *path, const char **name) {
  const char *slash = strrchr(path, '/');
  *name = slash == NULL ? path : slash + 1;
  if (slash == NULL) return vt_copy_string(".");
  return slash == path ? vt_copy_string("/") : vt_copy_bytes(path, (size_t)(slash - path));
}

static enum vt_status fail_io(struct vt_error *error, const char *path, const char *what) {
  int reason = errno;
  return VT_FAIL(error, VT_ERROR_IO, "%s: %s: %s", path, what, strerror(reason));
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void release(struct vt_output *output) {
  vt_free(output->path);
  vt_free(output->temporary);
  vt_free(output->folder);
  vt_free(output->buffer);
  vt_free(output);
}

static enum vt_status open_temporary(struct vt_output *output, const char *name, struct vt_error *error) {
  static atomic_uint opened;
  size_t bytes = strlen(name) + 48;
  char *temporary = vt_alloc(bytes, 1);
  if (temporary == NULL) return VT_FAIL_MEMORY(error, bytes);
  snprintf(temporary, bytes, ".%s.%ld-%u.tmp", name, (long)getpid(), atomic_fetch_add(&opened, 1));
  output->temporary = vt_path_join(output->folder, temporary);
  vt_free(temporary);
  if (output->temporary == NULL) return VT_FAIL_MEMORY(error, bytes);
  output->descriptor = open(output->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  return output->descriptor < 0 ? fail_io(error, output->path, "cannot create") : VT_OK;
}

enum vt_status vt_output_open(const char *path, struct vt_output **out, struct vt_error *error) {
  struct vt_output *output = vt_alloc_zero(1, sizeof *output);
  if (output == NULL) return VT_FAIL_MEMORY(error, sizeof *output);
  const char *name;
  output->descriptor = -1;
  output->path = vt_copy_string(path);
  output->folder = folder_of(path, &name);
  output->buffer = vt_alloc(BUFFER_BYTES, 1);
  enum vt_status status = VT_OK;
  struct stat there;
  bool exists = stat(path, &there) == 0;
  if (output->path == NULL || output->folder == NULL || output->buffer == NULL)
    status = VT_FAIL_MEMORY(error, BUFFER_BYTES);
  else if (*name == '\0' || (exists && S_ISDIR(there.st_mode)))
    status = VT_FAIL_HELP(error, VT_ERROR_IO, "name a file", "%s: is a directory", path);
  else if (exists && !S_ISREG(there.st_mode))
    status = VT_FAIL_HELP(error, VT_ERROR_IO, "name a file", "%s: not a plain file", path);
  else
    status = open_temporary(output, name, error);
  if (status != VT_OK) {
    release(output);
    return status;
  }
  *out = output;
  return VT_OK;
}

static enum vt_status write_all(struct vt_output *output, const void *data, size_t bytes, struct vt_error *error) {
  const unsigned char *from = data;
  if (output->hashed) sha256_update(&output->hash, bytes, from);
  while (bytes > 0) {
    ssize_t done = write(output->descriptor, from, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_io(error, output->path, "cannot write");
    from += done;
    bytes -= (size_t)done;
    output->written += (uint64_t)done;
  }
  return VT_OK;
}

static enum vt_status flush(struct vt_output *output, struct vt_error *error) {
  size_t bytes = output->buffered;
  output->buffered = 0;
  return write_all(output, output->buffer, bytes, error);
}

void vt_output_hash(struct vt_output *output) {
  output->hashed = true;
  sha256_init(&output->hash);
}

enum vt_status vt_output_sha256(struct vt_output *output, char sha256[VT_SHA256_TEXT_BYTES], struct vt_error *error) {
  uint8_t digest[SHA256_DIGEST_SIZE];
  VT_TRY(flush(output, error));
  sha256_digest(&output->hash, sizeof digest, digest);
  for (size_t k = 0; k < sizeof digest; k++) snprintf(sha256 + 2 * k, 3, "%02x", digest[k]);
  return VT_OK;
}

enum vt_status vt_output_write(struct vt_output *output, const void *data, size_t bytes, struct vt_error *error) {
  if (bytes >= DIRECT_BYTES || bytes > BUFFER_BYTES - output->buffered) VT_TRY(flush(output, error));
  if (bytes >= DIRECT_BYTES) return write_all(output, data, bytes, error);
  memcpy(output->buffer + output->buffered, data, bytes);
  output->buffered += bytes;
  return VT_OK;
}

enum vt_status vt_output_printf(struct vt_output *output, struct vt_error *error, const char *format, ...) {
  char text[1024];
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  enum vt_status status = VT_OK;
  if (length < 0) {
    status = VT_FAIL(error, VT_ERROR_IO, "%s: cannot format text", output->path);
  } else if ((size_t)length < sizeof text) {
    status = vt_output_write(output, text, (size_t)length, error);
  } else {
    char *longer = vt_alloc((size_t)length + 1, 1);
    if (longer == NULL) {
      status = VT_FAIL_MEMORY(error, (size_t)length + 1);
    } else {
      vsnprintf(longer, (size_t)length + 1, format, again);
      status = vt_output_write(output, longer, (size_t)length, error);
      vt_free(longer);
    }
  }
  va_end(again);
  return status;
}

enum vt_status vt_output_rewrite(struct vt_output *output, uint64_t offset, const void *data, size_t bytes,
                                 struct vt_error *error) {
  VT_TRY(flush(output, error));
  if (output->hashed || offset > output->written || bytes > output->written - offset)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s: cannot rewrite what was not written", output->path);
  const unsigned char *from = data;
  while (bytes > 0) {
    ssize_t done = pwrite(output->descriptor, from, bytes, (off_t)offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail_io(error, output->path, "cannot write");
    from += done;
    offset += (uint64_t)done;
    bytes -= (size_t)done;
  }
  return VT_OK;
}

/* Flushes, syncs and closes; the descriptor is closed in any case. */
static enum vt_status settle(struct vt_output *output, bool sync, struct vt_error *error) {
  enum vt_status status = flush(output, error);
  if (status == VT_OK && sync && fsync(output->descriptor) != 0) status = fail_io(error, output->path, "cannot write");
  int closed = close(output->descriptor);
  output->descriptor = -1;
  if (status == VT_OK && closed != 0) status = fail_io(error, output->path, "cannot write");
  return status;
}

static enum vt_status commit(struct vt_output *output, bool sync, struct vt_error *error) {
  enum vt_status status = settle(output, sync, error);
  if (status == VT_OK && rename(output->temporary, output->path) != 0)
    status = fail_io(error, output->path, "cannot put the file in place");
  if (status != VT_OK) {
    unlink(output->temporary);
  } else if (sync) {
    /* The file is there; that its name may be lost in a power cut is still worth an error. */
    status = vt_sync_folder(output->folder, error);
  }
  release(output);
  return status;
}

enum vt_status vt_output_commit(struct vt_output *output, struct vt_error *error) {
  return commit(output, true, error);
}

enum vt_status vt_output_commit_unsynced(struct vt_output *output, struct vt_error *error) {
  return commit(output, false, error);
}

void vt_output_abort(struct vt_output *output) {
  if (output == NULL) return;
  close(output->descriptor);
  unlink(output->temporary);
  release(output);
}

enum vt_status vt_sync_file(const char *path, struct vt_error *error) {
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return VT_FAIL(error, VT_ERROR_NOT_FOUND, "%s: is not there", path);
  if (descriptor < 0) return fail_io(error, path, "cannot open");
  enum vt_status status = fsync(descriptor) == 0 ? VT_OK : fail_io(error, path, "cannot sync");
  close(descriptor);
  return status;
}

enum vt_status vt_sync_folder(const char *path, struct vt_error *error) {
  int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return fail_io(error, path, "cannot open");
  /* Some file systems cannot sync a folder and say so with EINVAL; there is nothing more to do on them. */
  int failed = fsync(descriptor) != 0 && errno != EINVAL;
  enum vt_status status = failed ? fail_io(error, path, "cannot sync") : VT_OK;
  close(descriptor);
  return status;
}

/* ---- mapping ----------------------------------------------------------------------------------------------------- */

enum vt_status vt_mapping_open(const char *path, struct vt_mapping *mapping, struct vt_error *error) {
  static const unsigned char nothing[1];
  *mapping = (struct vt_mapping){.data = nothing};
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe in its place must not make us wait */
  if (descriptor < 0) {
    enum vt_status status = errno == ENOENT || errno == ENOTDIR ? VT_ERROR_NOT_FOUND : VT_ERROR_IO;
    return VT_FAIL(error, status, "%s: cannot open: %s", path, strerror(errno));
  }
  struct stat info;
  enum vt_status status = VT_OK;
  if (fstat(descriptor, &info) != 0) {
    status = fail_io(error, path, "cannot examine");
  } else if (!S_ISREG(info.st_mode)) {
    status = VT_FAIL(error, VT_ERROR_IO, "%s: %s", path, S_ISDIR(info.st_mode) ? "is a directory" : "not a plain file");
  } else if (info.st_size > 0) {
    void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED && errno == ENOMEM)
      status = VT_FAIL_HELP(error, VT_ERROR_MEMORY, VT_HELP_MEMORY, "%s: out of memory", path);
    else if (data == MAP_FAILED)
      status = fail_io(error, path, "cannot map");
    else
      *mapping = (struct vt_mapping){.data = data, .bytes = (size_t)info.st_size};
  }
  close(descriptor);
  return status;
}

void vt_mapping_forget(const struct vt_mapping *mapping, size_t from, size_t to) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (to > mapping->bytes) to = mapping->bytes;
  from = (from + page - 1) / page * page;
  to = to / page * page;
  /* A hint; where it is refused nothing is lost. */
  if (from < to) (void)madvise((void *)(uintptr_t)(mapping->data + from), to - from, MADV_DONTNEED);
}

void vt_mapping_release(struct vt_mapping *mapping) {
  if (mapping->bytes > 0) munmap((void *)(uintptr_t)mapping->data, mapping->bytes);
  *mapping = (struct vt_mapping){0};
}

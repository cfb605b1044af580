/*
 * spill.c: what does not fit into memory waits in a file without a name.
 *
 * Memory comes in blocks, filled from front to back and freed together, each as large as all before it until they are
 * large: with huge pages all of reading takes a tenth less processor time than with those of 4 KiB, which an allocation
 * for each array would get.
 *
 * The file is made beside the result, where room for numbers of the same kind is needed anyway, and unlinked at once:
 * the system frees it however the process ends. It is only made when memory is used up, so small inputs never see it.
 * Arrays get their places in it from a counter; nothing is ever moved.
 *
 * Threads: a mutex around the dealing of memory and the making of the file; arrays are copied, read and written outside
 * of it.
 */
#define _POSIX_C_SOURCE 200809L
#include "text/spill.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define BLOCK_BYTES_LEAST ((size_t)64 << 10)
#define BLOCK_BYTES_MOST ((size_t)8 << 20)
#define HELP_SPACE "make room on that disk, or choose a folder with more of it"

struct block {
  struct block *before;
  uint32_t *numbers;
  size_t bytes;
  size_t used; /* bytes */
};

struct vt_spill {
  const char *path;
  _Atomic uint64_t file_used;
  pthread_mutex_t mutex; /* what follows */
  size_t memory_left;    /* bytes that may still be made blocks of */
  size_t memory_taken;   /* bytes of all blocks */
  struct block *last;    /* NULL before the first */
  int descriptor;        /* -1 before the file is made */
};

enum vt_status vt_spill_create(const char *path, size_t memory_bytes, struct vt_spill **out, struct vt_error *error) {
  struct vt_spill *spill = vt_alloc_zero(1, sizeof *spill);
  if (spill == NULL) return VT_FAIL_MEMORY(error, sizeof *spill);
  if (pthread_mutex_init(&spill->mutex, NULL) != 0) {
    vt_free(spill);
    return VT_FAIL_MEMORY(error, sizeof *spill);
  }
  spill->path = path;
  spill->memory_left = memory_bytes;
  spill->descriptor = -1;
  *out = spill;
  return VT_OK;
}

void vt_spill_free(struct vt_spill *spill) {
  if (spill == NULL) return;
  if (spill->descriptor >= 0) (void)close(spill->descriptor);
  for (struct block *block = spill->last, *before; block != NULL; block = before) {
    before = block->before;
    vt_free_aligned(block->numbers);
    vt_free(block);
  }
  (void)pthread_mutex_destroy(&spill->mutex);
  vt_free(spill);
}

static enum vt_status make_file(struct vt_spill *spill, struct vt_error *error) {
  static const char suffix[] = ".spill-XXXXXX";
  size_t bytes = strlen(spill->path) + sizeof suffix;
  char *name = vt_alloc(bytes, 1);
  if (name == NULL) return VT_FAIL_MEMORY(error, bytes);
  (void)snprintf(name, bytes, "%s%s", spill->path, suffix);
  spill->descriptor = mkstemp(name);
  enum vt_status status = VT_OK;
  if (spill->descriptor < 0)
    status = VT_FAIL(error, VT_ERROR_IO, "%s: cannot make a temporary file: %s", name, strerror(errno));
  else
    (void)unlink(name);
  vt_free(name);
  return status;
}

static enum vt_status open_file(struct vt_spill *spill, int *descriptor, struct vt_error *error) {
  (void)pthread_mutex_lock(&spill->mutex);
  enum vt_status status = spill->descriptor < 0 ? make_file(spill, error) : VT_OK;
  *descriptor = spill->descriptor;
  (void)pthread_mutex_unlock(&spill->mutex);
  return status;
}

static enum vt_status write_file(struct vt_spill *spill, int descriptor, uint64_t offset_bytes, const uint32_t *numbers,
                                 size_t bytes, struct vt_error *error) {
  const char *from = (const char *)numbers;
  for (size_t done = 0; done < bytes;) {
    ssize_t put = pwrite(descriptor, from + done, bytes - done, (off_t)(offset_bytes + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0)
      return VT_FAIL_HELP(error, VT_ERROR_IO, HELP_SPACE, "cannot write to a temporary file beside %s: %s", spill->path,
                          strerror(errno));
    done += (size_t)put;
  }
  return VT_OK;
}

static enum vt_status put_into_file(struct vt_spill *spill, const uint32_t *numbers, size_t bytes,
                                    struct vt_spill_place *place, struct vt_error *error) {
  int descriptor = -1;
  VT_TRY(open_file(spill, &descriptor, error));
  *place = (struct vt_spill_place){NULL, atomic_fetch_add(&spill->file_used, bytes)};
  return write_file(spill, descriptor, place->offset_bytes, numbers, bytes, error);
}

static enum vt_status add_block(struct vt_spill *spill, size_t bytes, struct vt_error *error) {
  struct block *block = vt_alloc_zero(1, sizeof *block);
  if (block == NULL) return VT_FAIL_MEMORY(error, sizeof *block);
  block->numbers = vt_alloc_aligned_raw(bytes, 1);
  if (block->numbers == NULL) {
    vt_free(block);
    return VT_FAIL_MEMORY(error, bytes);
  }
  block->bytes = bytes;
  block->before = spill->last;
  spill->last = block;
  spill->memory_left -= bytes;
  spill->memory_taken += bytes;
  return VT_OK;
}

/* Bytes of the next block, where nothing needs a larger one. */
static size_t usual_block(const struct vt_spill *spill) {
  size_t bytes = spill->memory_taken;
  if (bytes < BLOCK_BYTES_LEAST) bytes = BLOCK_BYTES_LEAST;
  if (bytes > BLOCK_BYTES_MOST) bytes = BLOCK_BYTES_MOST;
  return bytes < spill->memory_left ? bytes : spill->memory_left;
}

/* *memory is NULL where there is no room. */
static enum vt_status deal_memory(struct vt_spill *spill, size_t bytes, uint32_t **memory, struct vt_error *error) {
  *memory = NULL;
  const struct block *last = spill->last;
  if (last == NULL || last->bytes - last->used < bytes) {
    if (spill->memory_left < bytes) return VT_OK;
    size_t usual = usual_block(spill);
    VT_TRY(add_block(spill, bytes > usual ? bytes : usual, error));
  }
  *memory = spill->last->numbers + spill->last->used / sizeof **memory;
  spill->last->used += bytes;
  return VT_OK;
}

enum vt_status vt_spill_put(struct vt_spill *spill, const uint32_t *numbers, size_t count, struct vt_spill_place *place,
                            struct vt_error *error) {
  size_t bytes = count * sizeof *numbers;
  *place = (struct vt_spill_place){NULL, 0};
  (void)pthread_mutex_lock(&spill->mutex);
  enum vt_status status = deal_memory(spill, bytes, &place->memory, error);
  (void)pthread_mutex_unlock(&spill->mutex);
  if (status != VT_OK) return status;
  if (place->memory == NULL) return put_into_file(spill, numbers, bytes, place, error);
  memcpy(place->memory, numbers, bytes);
  return VT_OK;
}

enum vt_status vt_spill_get(struct vt_spill *spill, const struct vt_spill_place *place, size_t count, uint32_t *buffer,
                            const uint32_t **numbers, struct vt_error *error) {
  *numbers = place->memory != NULL ? place->memory : buffer;
  if (place->memory != NULL) return VT_OK;
  char *into = (char *)buffer;
  size_t bytes = count * sizeof *buffer;
  for (size_t done = 0; done < bytes;) {
    ssize_t got = pread(spill->descriptor, into + done, bytes - done, (off_t)(place->offset_bytes + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      return VT_FAIL(error, VT_ERROR_IO, "cannot read back the temporary file beside %s: %s", spill->path,
                     got < 0 ? strerror(errno) : "it is too short");
    done += (size_t)got;
  }
  return VT_OK;
}

enum vt_status vt_spill_replace(struct vt_spill *spill, const struct vt_spill_place *place, const uint32_t *numbers,
                                size_t count, struct vt_error *error) {
  size_t bytes = count * sizeof *numbers;
  if (place->memory == NULL) return write_file(spill, spill->descriptor, place->offset_bytes, numbers, bytes, error);
  memcpy(place->memory, numbers, bytes);
  return VT_OK;
}

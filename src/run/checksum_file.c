/* checksum_file.c: reading and checking "vectors.txt.sha256". */
#include "run/checksum_file.h"

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define DIGITS (VT_SHA256_TEXT_BYTES - 1)
#define FILE_BYTES_MAX 65536 /* of a few lines; anything longer is no file of ours */

char *vt_checksum_path(const char *path) {
  size_t bytes = strlen(path) + sizeof VT_CHECKSUM_ENDING;
  char *beside = vt_alloc(bytes, 1);
  if (beside != NULL) snprintf(beside, bytes, "%s" VT_CHECKSUM_ENDING, path);
  return beside;
}

const char *vt_checksum_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static enum vt_status hash_file(const char *path, char sha256[VT_SHA256_TEXT_BYTES], struct vt_error *error) {
  struct vt_mapping mapping;
  VT_TRY(vt_mapping_open(path, &mapping, error));
  struct sha256_ctx hash;
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_init(&hash);
  sha256_update(&hash, mapping.bytes, mapping.data);
  sha256_digest(&hash, sizeof digest, digest);
  vt_mapping_release(&mapping);
  for (size_t k = 0; k < sizeof digest; k++) snprintf(sha256 + 2 * k, 3, "%02x", digest[k]);
  return VT_OK;
}

/* A line "hash  name": whether it is one, and of a name without a folder. */
static bool is_line(const char *line, size_t bytes) {
  for (size_t k = 0; k < DIGITS; k++)
    if (k >= bytes || strchr("0123456789abcdef", line[k]) == NULL || line[k] == '\0') return false;
  if (bytes < DIGITS + 3 || line[DIGITS] != ' ' || (line[DIGITS + 1] != ' ' && line[DIGITS + 1] != '*')) return false;
  return memchr(line + DIGITS + 2, '/', bytes - DIGITS - 2) == NULL && memchr(line, '\0', bytes) == NULL;
}

static enum vt_status verify_line(const char *path, const char *beside, const char *line, size_t bytes,
                                  struct vt_error *error) {
  size_t folder = (size_t)(vt_checksum_name(path) - path), name = bytes - DIGITS - 2;
  char *file = vt_alloc(folder + name + 1, 1);
  if (file == NULL) return VT_FAIL_MEMORY(error, folder + name + 1);
  memcpy(file, path, folder);
  memcpy(file + folder, line + DIGITS + 2, name);
  file[folder + name] = '\0';
  char sha256[VT_SHA256_TEXT_BYTES];
  enum vt_status status = hash_file(file, sha256, error);
  if (status == VT_ERROR_NOT_FOUND) /* its words may have been left behind; whoever needs them says so */
    status = VT_OK;
  else if (status == VT_OK && memcmp(sha256, line, DIGITS) != 0)
    status = VT_FAIL_HELP(error, VT_ERROR_CORRUPT,
                          "fetch or export it again; where it was changed on purpose, remove the file of checksums",
                          "%s: damaged: its checksum is not that of %s", file, beside);
  vt_free(file);
  return status;
}

enum vt_status vt_checksum_verify(const char *path, struct vt_error *error) {
  char *beside = vt_checksum_path(path);
  if (beside == NULL) return VT_FAIL_MEMORY(error, strlen(path) + sizeof VT_CHECKSUM_ENDING);
  struct vt_mapping mapping;
  struct vt_error reason;
  enum vt_status status = vt_mapping_open(beside, &mapping, &reason);
  if (status == VT_OK) {
    const char *at = (const char *)mapping.data, *end = at + mapping.bytes;
    if (mapping.bytes > FILE_BYTES_MAX) at = end;
    while (at < end && status == VT_OK) {
      const char *feed = memchr(at, '\n', (size_t)(end - at));
      size_t bytes = (size_t)((feed != NULL ? feed : end) - at);
      if (is_line(at, bytes)) status = verify_line(path, beside, at, bytes, error);
      at += bytes + 1;
    }
    vt_mapping_release(&mapping);
  } else if (status == VT_ERROR_NOT_FOUND) {
    status = VT_OK;
  } else if (error != NULL) {
    *error = reason;
  }
  vt_free(beside);
  return status;
}

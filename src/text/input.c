/*
 * input.c: files, pipes and standard input, plain or compressed, as one kind of stream.
 *
 * Plain text is read straight into the caller's memory. Compressed text goes through a buffer of stored bytes; each
 * format is one function that moves some bytes from that buffer to the caller and says whether a member (gzip), a frame
 * (zstd) or the last stream (xz) has just ended. Files made by joining several of them are read to the last: the stored
 * bytes may end only where one of them has ended.
 *
 * Input is hostile. The decompressors bound their own memory: zstd and xz refuse windows beyond the limits below, and
 * what they write is bounded by the caller's buffer however large the text is claimed to be.
 *
 * Memory: the buffer, and the state of one decompressor, which the compression libraries allocate themselves.
 * Threads: one at a time.
 */
#define _POSIX_C_SOURCE 200809L
#define ZLIB_CONST /* zlib then promises not to write into what it reads */
#include "text/input.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/interrupt.h"
#include "base/memory.h"

#define STORED_CAPACITY ((size_t)256 << 10)
/* xz -9 takes 65 MiB to read; this reads dictionaries of up to 512 MiB. zstd's own limit is a window of 128 MiB. */
#define XZ_MEMORY_BYTES ((uint64_t)600 << 20)
/* How long a wait for a pipe goes on before an interrupt is looked for: the signal may go to any thread. */
#define WAIT_MILLISECONDS 50
/* The longest mark by which a format is told. */
#define MARK_BYTES 6

#define HELP_DAMAGED "the file is incomplete or damaged: fetch it or compress it again"

enum format { FORMAT_PLAIN, FORMAT_GZIP, FORMAT_ZSTD, FORMAT_XZ };
static const char *const format_names[] = {"plain", "gzip", "zstd", "xz"};

struct vt_input {
  const char *name;
  int descriptor;
  enum format format;
  bool ended;   /* no more stored bytes to read */
  bool between; /* compressed: a member has ended and no next one begun (xz: all of them have ended) */
  bool owned;   /* the descriptor is ours to close */
  const volatile sig_atomic_t *interrupt;
  uint64_t file_bytes; /* read from the descriptor */
  size_t stored_start; /* what the buffer holds: [start, end) */
  size_t stored_end;
  z_stream gzip;
  ZSTD_DCtx *zstd;
  lzma_stream xz;
  unsigned char stored[STORED_CAPACITY];
};

const char *vt_input_name(const char *path) { return strcmp(path, "-") == 0 ? "standard input" : path; }

uint64_t vt_input_stored_bytes(const struct vt_input *input) {
  return input->file_bytes - (input->stored_end - input->stored_start);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static enum vt_status fail_open(const char *path, int cause, struct vt_error *error) {
  const char *help = cause == ENOENT   ? "check the path"
                     : cause == EACCES ? "check the permissions of the file and of its folders"
                                       : NULL;
  return VT_FAIL_HELP(error, VT_ERROR_IO, help, "%s: cannot open: %s", path, strerror(cause));
}

static enum vt_status check_kind(const char *path, const struct stat *status, struct vt_error *error) {
  if (!S_ISDIR(status->st_mode)) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_IO, "pass the files in it", "%s: is a directory", path);
}

enum vt_status vt_input_check(const char *path, uint64_t *stored_bytes, struct vt_error *error) {
  *stored_bytes = 0;
  struct stat status;
  if (strcmp(path, "-") == 0) return VT_OK;
  if (stat(path, &status) != 0) return fail_open(path, errno, error);
  VT_TRY(check_kind(path, &status, error));
  if (access(path, R_OK) != 0) return fail_open(path, errno, error);
  if (S_ISREG(status.st_mode) && status.st_size > 0) *stored_bytes = (uint64_t)status.st_size;
  return VT_OK;
}

enum vt_status vt_input_check_interrupt(const volatile sig_atomic_t *interrupt, const char *name,
                                        struct vt_error *error) {
  if (!vt_is_interrupted(interrupt)) return VT_OK;
  return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted while reading %s", name);
}

/* Returns when there is something to read, or the end of it. */
static enum vt_status wait_for_bytes(struct vt_input *input, struct vt_error *error) {
  struct pollfd waited = {.fd = input->descriptor, .events = POLLIN};
  for (;;) {
    VT_TRY(vt_input_check_interrupt(input->interrupt, input->name, error));
    if (input->interrupt == NULL) return VT_OK;
    int ready = poll(&waited, 1, WAIT_MILLISECONDS);
    /* A wait that a signal ended says nothing about the bytes. What else goes wrong with waiting goes wrong with
     * reading too, and is told there. */
    if (ready > 0 || (ready < 0 && errno != EINTR)) return VT_OK;
  }
}

/* Reads until capacity is full or the input ends. */
static enum vt_status read_stored(struct vt_input *input, unsigned char *data, size_t capacity, size_t *bytes,
                                  struct vt_error *error) {
  *bytes = 0;
  while (*bytes < capacity && !input->ended) {
    VT_TRY(wait_for_bytes(input, error));
    ssize_t got = read(input->descriptor, data + *bytes, capacity - *bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return VT_FAIL(error, VT_ERROR_IO, "%s: cannot read at byte %llu: %s", input->name,
                     (unsigned long long)input->file_bytes, strerror(errno));
    input->ended = got == 0;
    input->file_bytes += (uint64_t)got;
    *bytes += (size_t)got;
  }
  return VT_OK;
}

static enum vt_status refill(struct vt_input *input, size_t wanted, struct vt_error *error) {
  size_t got;
  VT_TRY(read_stored(input, input->stored, wanted, &got, error));
  input->stored_start = 0;
  input->stored_end = got;
  return VT_OK;
}

static enum format tell_format(const unsigned char *mark, size_t bytes) {
  if (bytes >= 2 && memcmp(mark, "\x1f\x8b", 2) == 0) return FORMAT_GZIP;
  if (bytes >= 4 && memcmp(mark, "\x28\xb5\x2f\xfd", 4) == 0) return FORMAT_ZSTD;
  /* A skippable frame, with which parallel zstd begins its files. */
  if (bytes >= 4 && (mark[0] & 0xF0) == 0x50 && memcmp(mark + 1, "\x2a\x4d\x18", 3) == 0) return FORMAT_ZSTD;
  if (bytes >= 6 && memcmp(mark,
                           "\xfd"
                           "7zXZ",
                           6) == 0)
    return FORMAT_XZ;
  return FORMAT_PLAIN;
}

static enum vt_status start_format(struct vt_input *input, struct vt_error *error) {
  bool ready = true;
  switch (input->format) {
  case FORMAT_PLAIN:
    break;
  case FORMAT_GZIP:
    ready = inflateInit2(&input->gzip, 15 + 16) == Z_OK;
    break;
  case FORMAT_ZSTD:
    input->zstd = ZSTD_createDCtx();
    ready = input->zstd != NULL;
    break;
  case FORMAT_XZ:
    ready = lzma_stream_decoder(&input->xz, XZ_MEMORY_BYTES, LZMA_CONCATENATED) == LZMA_OK;
    break;
  }
  return ready ? VT_OK : VT_FAIL_MEMORY(error, STORED_CAPACITY);
}

static enum vt_status open_descriptor(struct vt_input *input, const char *path, struct vt_error *error) {
  if (strcmp(path, "-") == 0) {
    input->descriptor = STDIN_FILENO;
  } else {
    input->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (input->descriptor < 0) return fail_open(path, errno, error);
    input->owned = true;
  }
  struct stat status;
  if (fstat(input->descriptor, &status) != 0) return fail_open(input->name, errno, error);
  return check_kind(input->name, &status, error);
}

enum vt_status vt_input_open(const char *path, const volatile sig_atomic_t *interrupt, struct vt_input **out,
                             struct vt_error *error) {
  struct vt_input *input = vt_alloc_zero(1, sizeof *input);
  if (input == NULL) return VT_FAIL_MEMORY(error, sizeof *input);
  input->name = vt_input_name(path);
  input->interrupt = interrupt;
  input->between = true;
  enum vt_status status = open_descriptor(input, path, error);
  if (status == VT_OK) status = refill(input, MARK_BYTES, error);
  if (status == VT_OK) {
    input->format = tell_format(input->stored, input->stored_end);
    status = start_format(input, error);
  }
  if (status != VT_OK) {
    vt_input_close(input);
    return status;
  }
  *out = input;
  return VT_OK;
}

void vt_input_close(struct vt_input *input) {
  if (input == NULL) return;
  if (input->format == FORMAT_GZIP) (void)inflateEnd(&input->gzip);
  (void)ZSTD_freeDCtx(input->zstd);
  lzma_end(&input->xz);
  if (input->owned) (void)close(input->descriptor);
  vt_free(input);
}

/* ---- decompressing ----------------------------------------------------------------------------------------------- */

/* What one step of a decompressor did. */
struct step {
  size_t taken;      /* stored bytes */
  size_t given;      /* bytes of text */
  bool member_ended; /* and the next byte, if any, begins another */
  const char *fault; /* why it cannot go on, else NULL */
};

static struct step step_gzip(struct vt_input *input, const unsigned char *stored, size_t stored_bytes,
                             unsigned char *data, size_t capacity) {
  z_stream *gzip = &input->gzip;
  /* zlib counts in unsigned int; what does not fit is left to the next step. */
  uInt room = capacity > (1u << 30) ? 1u << 30 : (uInt)capacity;
  gzip->next_in = stored;
  gzip->avail_in = (uInt)stored_bytes;
  gzip->next_out = data;
  gzip->avail_out = room;
  int result = inflate(gzip, Z_NO_FLUSH);
  struct step step = {stored_bytes - gzip->avail_in, room - gzip->avail_out, result == Z_STREAM_END, NULL};
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
    step.fault = gzip->msg != NULL ? gzip->msg : "not enough memory to decompress";
  if (step.member_ended && inflateReset(gzip) != Z_OK) step.fault = "cannot begin the next member";
  return step;
}

static struct step step_zstd(struct vt_input *input, const unsigned char *stored, size_t stored_bytes,
                             unsigned char *data, size_t capacity) {
  ZSTD_inBuffer in = {stored, stored_bytes, 0};
  ZSTD_outBuffer out = {data, capacity, 0};
  size_t result = ZSTD_decompressStream(input->zstd, &out, &in);
  const char *fault = ZSTD_isError(result) ? ZSTD_getErrorName(result) : NULL;
  return (struct step){in.pos, out.pos, result == 0, fault};
}

static const char *xz_fault(lzma_ret result) {
  switch (result) {
  case LZMA_OK:
  case LZMA_STREAM_END:
  case LZMA_BUF_ERROR:
    return NULL;
  case LZMA_MEMLIMIT_ERROR:
    return "the dictionary is larger than 512 MiB";
  case LZMA_MEM_ERROR:
    return "not enough memory to decompress";
  case LZMA_FORMAT_ERROR:
    return "no xz header";
  case LZMA_OPTIONS_ERROR:
    return "unknown options";
  default:
    return "the data are corrupt";
  }
}

static struct step step_xz(struct vt_input *input, const unsigned char *stored, size_t stored_bytes,
                           unsigned char *data, size_t capacity) {
  lzma_stream *xz = &input->xz;
  xz->next_in = stored;
  xz->avail_in = stored_bytes;
  xz->next_out = data;
  xz->avail_out = capacity;
  /* Streams may be joined, with padding between them, so only the last bytes can say that the last one has ended. */
  lzma_ret result = lzma_code(xz, input->ended ? LZMA_FINISH : LZMA_RUN);
  return (struct step){stored_bytes - xz->avail_in, capacity - xz->avail_out, result == LZMA_STREAM_END,
                       xz_fault(result)};
}

/* One step into data[capacity]; *given 0 with input->ended set and the buffer empty is the end. */
static enum vt_status decompress(struct vt_input *input, unsigned char *data, size_t capacity, size_t *given,
                                 struct vt_error *error) {
  static struct step (*const steps[])(struct vt_input *, const unsigned char *, size_t, unsigned char *, size_t) = {
      [FORMAT_GZIP] = step_gzip, [FORMAT_ZSTD] = step_zstd, [FORMAT_XZ] = step_xz};
  struct step step = steps[input->format](input, input->stored + input->stored_start,
                                          input->stored_end - input->stored_start, data, capacity);
  unsigned long long place = vt_input_stored_bytes(input);
  if (step.fault != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_IO, HELP_DAMAGED, "%s: damaged %s data near byte %llu: %s", input->name,
                        format_names[input->format], place, step.fault);
  input->stored_start += step.taken;
  input->between = step.member_ended;
  *given = step.given;
  return VT_OK;
}

static enum vt_status read_compressed(struct vt_input *input, unsigned char *data, size_t capacity, size_t *bytes,
                                      struct vt_error *error) {
  *bytes = 0;
  while (*bytes < capacity) {
    if (input->stored_start == input->stored_end && !input->ended) VT_TRY(refill(input, STORED_CAPACITY, error));
    bool drained = input->stored_start == input->stored_end;
    if (drained && input->between) return VT_OK;
    size_t given = 0;
    VT_TRY(decompress(input, data + *bytes, capacity - *bytes, &given, error));
    *bytes += given;
    /* Without stored bytes a decompressor can only hand out what it holds back. */
    if (drained && given == 0 && !input->between)
      return VT_FAIL_HELP(error, VT_ERROR_IO, HELP_DAMAGED, "%s: the %s data end too early, at byte %llu", input->name,
                          format_names[input->format], (unsigned long long)input->file_bytes);
  }
  return VT_OK;
}

enum vt_status vt_input_is_plain(const char *path, bool *plain, struct vt_error *error) {
  struct vt_input *input;
  struct stat status;
  *plain = false;
  if (strcmp(path, "-") == 0 || stat(path, &status) != 0 || !S_ISREG(status.st_mode)) return VT_OK;
  VT_TRY(vt_input_open(path, NULL, &input, error));
  *plain = input->format == FORMAT_PLAIN;
  vt_input_close(input);
  return VT_OK;
}

enum vt_status vt_input_read(struct vt_input *input, unsigned char *data, size_t capacity, size_t *bytes,
                             struct vt_error *error) {
  if (input->format != FORMAT_PLAIN) return read_compressed(input, data, capacity, bytes, error);
  /* What was read to tell the format comes first. */
  size_t held = input->stored_end - input->stored_start;
  if (held > capacity) held = capacity;
  memcpy(data, input->stored + input->stored_start, held);
  input->stored_start += held;
  size_t got;
  VT_TRY(read_stored(input, data + held, capacity - held, &got, error));
  *bytes = held + got;
  return VT_OK;
}

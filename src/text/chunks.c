/*
 * chunks.c: reading in turn.
 *
 * One thread at a time reads the next stretch of text, into its own memory, and tokenises it while others read theirs.
 * A stretch ends at a place where scanning it apart changes nothing (vt_tokens_cut) or where its input ends; what was
 * read behind the cut is kept for the next one. Lines may be of any length: a cut need not be a line end.
 *
 * Where no place to cut is found within a window, the text holds a word longer than any may be. The stretch then ends
 * anywhere, and whoever scans it finds that word: memory stays bounded, and the error has its place in the text.
 *
 * The first HEAD_BYTES of an input are looked at before any of it is handed out: byte order marks, and data that are
 * no text at all.
 *
 * Threads: a mutex around everything. The sequence of stretches depends on the inputs and chunk_bytes alone.
 */
#define _POSIX_C_SOURCE 200809L
#include "text/chunks.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "text/input.h"
#include "text/tokens.h"
#include "text/utf8.h"

#define HEAD_BYTES ((size_t)64 << 10)
#define WINDOW_BYTES ((size_t)VT_TOKENS_CUT_WINDOW_BYTES)

/* Of several, which read a part of the text each. */
struct vt_chunks_part {
  uint64_t number;
  uint64_t count; /* 0: all is read */
  int descriptor; /* of the input that is open, of so many bytes; -1: none is */
  uint64_t size;
  uint64_t before;     /* bytes of the inputs before it */
  uint64_t seen;       /* how far a reader of all would have read ahead */
  uint64_t handed_out; /* stretches */
};

struct vt_chunks {
  pthread_mutex_t mutex; /* around everything */
  const char *const *inputs;
  size_t input_count;
  enum vt_token_rule rule;
  size_t chunk_bytes;
  void (*progress)(void *, uint64_t, uint64_t);
  void *progress_context;
  const volatile sig_atomic_t *interrupt;
  uint64_t stored_total; /* of the inputs whose size is known */
  bool failed;
  uint64_t index;         /* of the next stretch */
  size_t current;         /* input that is open, or to be opened next */
  struct vt_input *open;  /* NULL between inputs */
  uint64_t offset;        /* of the next stretch in the text of the open input */
  uint64_t stored_closed; /* stored bytes of the inputs read to their end */
  uint64_t text_bytes;    /* handed out */
  bool drained;           /* the open input has nothing behind what is pending */
  struct vt_chunks_part part;
  size_t pending_start; /* text read ahead: pending[start, end) */
  size_t pending_end;
  unsigned char pending[HEAD_BYTES];
};
_Static_assert(HEAD_BYTES >= 2 * VT_TOKENS_CUT_WINDOW_BYTES, "what is left behind a cut must fit");

/* ---- the head of an input ---------------------------------------------------------------------------------------- */

static enum vt_status check_byte_order_mark(const char *name, const unsigned char *head, size_t bytes,
                                            struct vt_error *error) {
  static const struct {
    const char *mark;
    size_t bytes;
    const char *encoding;
  } marks[] = {/* UTF-32 first: its little-endian mark begins with that of UTF-16 */
               {"\xff\xfe\0\0", 4, "UTF-32"},
               {"\0\0\xfe\xff", 4, "UTF-32"},
               {"\xff\xfe", 2, "UTF-16"},
               {"\xfe\xff", 2, "UTF-16"}};
  for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
    if (bytes < marks[i].bytes || memcmp(head, marks[i].mark, marks[i].bytes) != 0) continue;
    bool wide = marks[i].bytes == 4;
    return VT_FAIL_HELP(
        error, VT_ERROR_FORMAT,
        wide ? "convert it first: iconv -f UTF-32 -t UTF-8" : "convert it first: iconv -f UTF-16 -t UTF-8",
        "%s: byte 0 begins a byte order mark of %s, and the text must be UTF-8", name, marks[i].encoding);
  }
  return VT_OK;
}

static enum vt_status check_head(const char *name, const unsigned char *head, size_t bytes, bool whole,
                                 struct vt_error *error) {
  VT_TRY(check_byte_order_mark(name, head, bytes, error));
  size_t first;
  /* The last character may go on behind the head. */
  size_t checked = bytes;
  for (unsigned i = 0; !whole && i < 3 && checked > 0 && head[checked - 1] >= 0x80; i++) checked--;
  size_t bad = vt_utf8_count_bad(head, checked, &first);
  if (!vt_chunks_binary(bad, bytes)) return VT_OK;
  return VT_FAIL_HELP(
      error, VT_ERROR_FORMAT, "if it is text in another encoding, convert it with iconv",
      "%s: %zu of the first %zu bytes are not UTF-8 (the first is byte %zu): this is binary data, not text", name, bad,
      bytes, first);
}

static enum vt_status open_next(struct vt_chunks *chunks, struct vt_error *error) {
  const char *path = chunks->inputs[chunks->current];
  VT_TRY(vt_input_open(path, chunks->interrupt, &chunks->open, error));
  size_t bytes;
  VT_TRY(vt_input_read(chunks->open, chunks->pending, HEAD_BYTES, &bytes, error));
  chunks->drained = bytes < HEAD_BYTES;
  VT_TRY(check_head(vt_input_name(path), chunks->pending, bytes, chunks->drained, error));
  bool marked = bytes >= 3 && memcmp(chunks->pending, "\xEF\xBB\xBF", 3) == 0;
  chunks->pending_start = marked ? 3 : 0;
  chunks->pending_end = bytes;
  chunks->offset = chunks->pending_start;
  chunks->text_bytes += chunks->pending_start;
  return VT_OK;
}

/* ---- stretches --------------------------------------------------------------------------------------------------- */

/* Fills buffer up to `target` bytes, from `*bytes` on, or to the end of the input. */
static enum vt_status fill(struct vt_chunks *chunks, unsigned char *buffer, size_t target, size_t *bytes,
                           struct vt_error *error) {
  size_t held = chunks->pending_end - chunks->pending_start;
  if (held > target - *bytes) held = target - *bytes;
  memcpy(buffer + *bytes, chunks->pending + chunks->pending_start, held);
  chunks->pending_start += held;
  *bytes += held;
  if (*bytes == target || chunks->drained) return VT_OK;
  size_t got;
  VT_TRY(vt_input_read(chunks->open, buffer + *bytes, target - *bytes, &got, error));
  chunks->drained = got < target - *bytes;
  *bytes += got;
  return VT_OK;
}

/* Gives bytes back that were read last. They came from pending itself where that is not used up. */
static void put_back(struct vt_chunks *chunks, const unsigned char *text, size_t bytes) {
  if (chunks->pending_start < chunks->pending_end) {
    chunks->pending_start -= bytes;
    return;
  }
  memcpy(chunks->pending, text, bytes);
  chunks->pending_start = 0;
  chunks->pending_end = bytes;
}

static bool at_end(const struct vt_chunks *chunks) {
  return chunks->drained && chunks->pending_start == chunks->pending_end;
}

static enum vt_status read_stretch(struct vt_chunks *chunks, unsigned char *buffer, struct vt_chunk *chunk,
                                   struct vt_error *error) {
  if (chunks->open == NULL) VT_TRY(open_next(chunks, error));
  size_t bytes = 0, target = chunks->chunk_bytes, cut = 0;
  for (;;) {
    VT_TRY(fill(chunks, buffer, target, &bytes, error));
    if (at_end(chunks)) break;
    cut = vt_tokens_cut(chunks->rule, buffer, bytes);
    if (cut > 0 || bytes >= WINDOW_BYTES) break;
    target = bytes + WINDOW_BYTES;
  }
  chunk->last = at_end(chunks);
  if (!chunk->last && cut > 0 && cut < bytes) {
    put_back(chunks, buffer + cut, bytes - cut);
    bytes = cut;
  }
  chunk->input = chunks->current;
  chunk->offset = chunks->offset;
  chunk->bytes = bytes;
  chunks->offset += bytes;
  chunks->text_bytes += bytes;
  return VT_OK;
}

static void close_input(struct vt_chunks *chunks) {
  chunks->stored_closed += vt_input_stored_bytes(chunks->open);
  vt_input_close(chunks->open);
  chunks->open = NULL;
  chunks->current++;
}

/* ---- a part of plain inputs -------------------------------------------------------------------------------------- */

/* The head is looked at as ever; from there on the file is read at places. */
static enum vt_status open_part(struct vt_chunks *chunks, struct vt_error *error) {
  struct vt_chunks_part *part = &chunks->part;
  const char *path = chunks->inputs[chunks->current];
  struct stat status;
  VT_TRY(open_next(chunks, error));
  vt_input_close(chunks->open);
  chunks->open = NULL;
  part->descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (part->descriptor < 0 || fstat(part->descriptor, &status) != 0)
    return VT_FAIL(error, VT_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
  part->size = (uint64_t)status.st_size;
  part->seen = HEAD_BYTES;
  return VT_OK;
}

static void close_part(struct vt_chunks *chunks) {
  struct vt_chunks_part *part = &chunks->part;
  if (part->descriptor >= 0) (void)close(part->descriptor);
  part->descriptor = -1;
  part->before += part->size;
  chunks->current++;
}

static enum vt_status read_at(const struct vt_chunks *chunks, unsigned char *to, size_t bytes, uint64_t offset,
                              struct vt_error *error) {
  for (size_t done = 0; done < bytes;) {
    ssize_t got = pread(chunks->part.descriptor, to + done, bytes - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      return VT_FAIL(error, VT_ERROR_IO, "%s: cannot read at byte %llu: %s", chunks->inputs[chunks->current],
                     (unsigned long long)(offset + done), got < 0 ? strerror(errno) : "it has become shorter");
    done += (size_t)got;
  }
  return VT_OK;
}

/* Where the stretch at chunks->offset ends, by the rules of read_stretch: the end of the input is known there only when
 * it was read beyond, and `seen` is how far that would have been read. */
static enum vt_status measure_stretch(struct vt_chunks *chunks, unsigned char *buffer, struct vt_chunk *chunk,
                                      struct vt_error *error) {
  struct vt_chunks_part *part = &chunks->part;
  size_t bytes, target = chunks->chunk_bytes, cut = 0;
  for (;;) {
    uint64_t end = chunks->offset + target;
    if (part->seen <= part->size && end > part->seen) part->seen = end;
    bytes = (size_t)((end < part->size ? end : part->size) - chunks->offset);
    chunk->last = part->seen > part->size && chunks->offset + bytes == part->size;
    if (chunk->last) break;
    size_t low = bytes > WINDOW_BYTES ? bytes - WINDOW_BYTES : 0;
    VT_TRY(read_at(chunks, buffer + low, bytes - low, chunks->offset + low, error));
    cut = vt_tokens_cut(chunks->rule, buffer, bytes);
    if (cut > 0 || bytes >= WINDOW_BYTES) break;
    target = bytes + WINDOW_BYTES;
  }
  chunk->input = chunks->current;
  chunk->offset = chunks->offset;
  chunk->bytes = !chunk->last && cut > 0 ? cut : bytes;
  return VT_OK;
}

/* The next stretch of the part; *found is false behind the last one. */
static enum vt_status find_stretch(struct vt_chunks *chunks, unsigned char *buffer, struct vt_chunk *chunk, bool *found,
                                   struct vt_error *error) {
  struct vt_chunks_part *part = &chunks->part;
  const uint64_t piece = chunks->stored_total / part->count + 1;
  for (*found = false; !*found && chunks->current < chunks->input_count;) {
    if (part->descriptor < 0) VT_TRY(open_part(chunks, error));
    VT_TRY(measure_stretch(chunks, buffer, chunk, error));
    uint64_t owner = (part->before + chunks->offset) / piece;
    *found = owner == part->number;
    if (owner > part->number) chunks->current = chunks->input_count; /* nothing of it comes any more */
    if (*found) VT_TRY(read_at(chunks, buffer, chunk->bytes, chunk->offset, error));
    chunks->offset += chunk->bytes;
    if (*found) chunks->text_bytes += chunk->bytes;
    if (chunk->last && owner <= part->number) close_part(chunks);
  }
  if (*found) chunk->index = part->handed_out++;
  return VT_OK;
}

static enum vt_status next_locked(struct vt_chunks *chunks, unsigned char *buffer, struct vt_chunk *chunk, bool *more,
                                  struct vt_error *error) {
  *more = false;
  if (chunks->failed || chunks->current == chunks->input_count) return VT_OK;
  chunk->index = chunks->index++;
  /* A little of compressed text can be a lot of text. */
  const char *name = vt_input_name(chunks->inputs[chunks->current]);
  enum vt_status status = vt_input_check_interrupt(chunks->interrupt, name, error);
  bool found = true;
  if (status == VT_OK)
    status = chunks->part.count > 0 ? find_stretch(chunks, buffer, chunk, &found, error)
                                    : read_stretch(chunks, buffer, chunk, error);
  if (status != VT_OK) {
    chunks->failed = true;
    return status;
  }
  if (!found) return VT_OK;
  *more = true;
  if (chunk->last && chunks->part.count == 0) close_input(chunks);
  if (chunks->progress != NULL) {
    uint64_t stored = chunks->stored_closed + (chunks->open != NULL ? vt_input_stored_bytes(chunks->open) : 0);
    chunks->progress(chunks->progress_context, stored, chunks->stored_total);
  }
  return VT_OK;
}

void vt_chunks_take_part(struct vt_chunks *chunks, uint64_t part, uint64_t parts) {
  chunks->part = (struct vt_chunks_part){.number = part, .count = parts, .descriptor = -1};
}

enum vt_status vt_chunks_next(struct vt_chunks *chunks, unsigned char *buffer, struct vt_chunk *chunk, bool *more,
                              struct vt_error *error) {
  (void)pthread_mutex_lock(&chunks->mutex);
  enum vt_status status = next_locked(chunks, buffer, chunk, more, error);
  (void)pthread_mutex_unlock(&chunks->mutex);
  return status;
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

static enum vt_status check_inputs(struct vt_chunks *chunks, struct vt_error *error) {
  size_t standard = 0;
  for (size_t i = 0; i < chunks->input_count; i++) {
    uint64_t stored_bytes;
    VT_TRY(vt_input_check(chunks->inputs[i], &stored_bytes, error));
    chunks->stored_total += stored_bytes;
    standard += strcmp(chunks->inputs[i], "-") == 0;
  }
  if (standard <= 1) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "pass \"-\" once", "standard input is given %zu times as an input",
                      standard);
}

enum vt_status vt_chunks_create(const char *const *inputs, size_t input_count, enum vt_token_rule rule,
                                size_t chunk_bytes, void (*progress)(void *, uint64_t, uint64_t),
                                void *progress_context, const volatile sig_atomic_t *interrupt, struct vt_chunks **out,
                                struct vt_error *error) {
  struct vt_chunks *chunks = vt_alloc_zero(1, sizeof *chunks);
  if (chunks == NULL) return VT_FAIL_MEMORY(error, sizeof *chunks);
  if (pthread_mutex_init(&chunks->mutex, NULL) != 0) {
    vt_free(chunks);
    return VT_FAIL_MEMORY(error, sizeof *chunks);
  }
  chunks->inputs = inputs;
  chunks->input_count = input_count;
  chunks->rule = rule;
  chunks->chunk_bytes = chunk_bytes;
  chunks->progress = progress;
  chunks->progress_context = progress_context;
  chunks->interrupt = interrupt;
  enum vt_status status = check_inputs(chunks, error);
  if (status != VT_OK) {
    vt_chunks_free(chunks);
    return status;
  }
  *out = chunks;
  return VT_OK;
}

void vt_chunks_free(struct vt_chunks *chunks) {
  if (chunks == NULL) return;
  vt_input_close(chunks->open);
  if (chunks->part.count > 0 && chunks->part.descriptor >= 0) (void)close(chunks->part.descriptor);
  (void)pthread_mutex_destroy(&chunks->mutex);
  vt_free(chunks);
}

size_t vt_chunks_buffer_bytes(const struct vt_chunks *chunks) {
  return chunks->chunk_bytes + 2 * WINDOW_BYTES + VT_SCAN_PADDING_BYTES;
}

struct vt_chunks_total vt_chunks_total(const struct vt_chunks *chunks) {
  if (chunks->part.count > 0) return (struct vt_chunks_total){chunks->stored_total, chunks->stored_total};
  return (struct vt_chunks_total){chunks->stored_closed, chunks->text_bytes};
}

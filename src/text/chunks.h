/*
 * chunks.h: all inputs as a sequence of stretches of text that can be tokenised apart.
 */
#ifndef VECTRAIL_TEXT_CHUNKS_H
#define VECTRAIL_TEXT_CHUNKS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vectrail/corpus.h"

struct vt_chunks;

struct vt_chunk {
  uint64_t index;  /* 0, 1, 2 ... in reading order */
  size_t input;    /* which of the inputs */
  uint64_t offset; /* of its first byte in the text of that input */
  size_t bytes;
  bool last; /* the input ends here */
};

/* What was read, once all of it is. */
struct vt_chunks_total {
  uint64_t stored_bytes;
  uint64_t text_bytes;
};

/* Looks at every input (vt_input_check), opens none. inputs must live as long. chunk_bytes: the size to aim at, 1 to
 * 2^30. progress and interrupt (as in struct vt_corpus_options) may be NULL. Free with vt_chunks_free (accepts NULL).
 */
enum vt_status vt_chunks_create(const char *const *inputs, size_t input_count, enum vt_token_rule rule,
                                size_t chunk_bytes, void (*progress)(void *, uint64_t, uint64_t),
                                void *progress_context, const volatile sig_atomic_t *interrupt,
                                struct vt_chunks **chunks, struct vt_error *error);
void vt_chunks_free(struct vt_chunks *chunks);

/* To be called before the first stretch is asked for, where all inputs are plain (vt_input_is_plain): only the
 * stretches of part `part` of `parts` are handed out, numbered from 0; they are those that all of them would be. What
 * lies between is not read but for a window where each stretch ends. A stretch belongs to the part that its place in
 * all the bytes falls into. */
void vt_chunks_take_part(struct vt_chunks *chunks, uint64_t part, uint64_t parts);
/* How large the buffer of vt_chunks_next must be; the last VT_SCAN_PADDING_BYTES of it are never filled. */
size_t vt_chunks_buffer_bytes(const struct vt_chunks *chunks);
/* Reads the next stretch into buffer. *more is false behind the last one, and once a call has failed. On failure
 * chunk->index is set. Safe to call from many threads. */
enum vt_status vt_chunks_next(struct vt_chunks *chunks, unsigned char *buffer, struct vt_chunk *chunk, bool *more,
                              struct vt_error *error);
/* Whether so many bad bytes among so many mean that this is no text: more than a tenth of them, and enough of them for
 * a share to mean anything. */
static inline bool vt_chunks_binary(uint64_t bad_bytes, uint64_t bytes) {
  return bad_bytes >= 16 && bad_bytes > bytes / 10;
}

/* Not while another thread reads. With parts, of all of them. */
struct vt_chunks_total vt_chunks_total(const struct vt_chunks *chunks);

#endif

/*
 * counts_file.h: counts as files of others' formats: counts_npz.c, and store_counts.c and store_counts_read.c, which
 * know SQLite.
 */
#ifndef VECTRAIL_RUN_COUNTS_FILE_H
#define VECTRAIL_RUN_COUNTS_FILE_H

#include "text/hash.h"
#include "vectrail/cooccur.h"

#define VT_COUNTS_FORMAT "vectrail counts "
#define VT_COUNTS_VERSION "2"

enum vt_status vt_counts_write_npz(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                   struct vt_error *error);
/* Makes a database at a path where there is nothing, and syncs it. On error what was made is left to the caller. */
enum vt_status vt_counts_write_database(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                        struct vt_error *error);
/* Reads one; as vt_cooccur_load. */
enum vt_status vt_counts_read_database(const char *path, const char *folder, struct vt_cooccur **counts,
                                       struct vt_vocab **vocab, struct vt_error *error);

/* What meta says besides format and fingerprint, in the order in which the fingerprint takes it in. */
enum vt_counts_key {
  VT_COUNTS_WINDOW,
  VT_COUNTS_WEIGHT,
  VT_COUNTS_SIDES,
  VT_COUNTS_SAMPLE,
  VT_COUNTS_SCALE,
  VT_COUNTS_WORDS,
  VT_COUNTS_PAIRS,
  VT_COUNTS_TOKENS,
  VT_COUNTS_SENTENCES,
  VT_COUNTS_CORPUS,
  VT_COUNTS_RULE,
  VT_COUNTS_FOLD_CASE,
  VT_COUNTS_MIN_COUNT,
  VT_COUNTS_MAX_VOCAB,
  VT_COUNTS_KEYS
};
const char *vt_counts_key_name(enum vt_counts_key key); /* static */

/* The fingerprint: the values of meta, each with its terminator; of each word its text with the terminator, and its
 * count; of each row that has pairs its word, columns and units. */
static inline uint64_t vt_counts_hash(uint64_t hash, const void *data, size_t bytes) {
  return vt_hash_fold(hash ^ vt_hash_bytes(data, bytes), UINT64_C(0xd1b54a32d192ed03));
}

#endif

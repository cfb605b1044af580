/*
 * vectrail/cooccur.h: how often each word of a corpus stands near each other one.
 *
 *   X_ij = sum over the places of word i, over the places of word j in the same sentence, n words away, 1 <= n <=
 * window, of weight(n)
 *
 * Words outside the vocabulary were left out of the encoded corpus, so the words around them are nearer to each other,
 * as in GloVe. Weights are whole numbers of units, and so are their sums: they are exact, and no order in which they
 * are formed can change them. The counts are the same at every number of threads and every limit of memory.
 */
#ifndef VECTRAIL_COOCCUR_H
#define VECTRAIL_COOCCUR_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/corpus.h"
#include "vectrail/status.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The weight of two words n apart. */
enum vt_cooccur_weight {
  VT_COOCCUR_DISTANCE = 0, /* 1 / n, as GloVe (Pennington et al. 2014, section 4.2) */
  VT_COOCCUR_LINEAR = 1,   /* (window + 1 - n) / window: how often word2vec's random windows reach so far */
  VT_COOCCUR_FLAT = 2      /* 1 */
};

enum vt_cooccur_sides {
  VT_COOCCUR_BOTH = 0, /* X_ij = X_ji */
  VT_COOCCUR_LEFT = 1  /* j stands before i */
};

#define VT_COOCCUR_WINDOW_MAX 1000
#define VT_COOCCUR_MEMORY_DEFAULT ((uint64_t)1 << 30)

struct vt_cooccur_options {
  uint32_t window;               /* words on each side, 1 to VT_COOCCUR_WINDOW_MAX [10] */
  enum vt_cooccur_weight weight; /* [distance] */
  enum vt_cooccur_sides sides;   /* [both] */
  uint64_t memory_bytes;         /* what counting may take [1 GiB]; what does not fit is sorted and put away on disk */
  /* Count as if words more frequent than this share of the text were left out at random, as training draws them:
   * expected numbers, for linear weights on both sides, rounded to 2^-20 for each two places. 0: never [0] */
  double sample;
  const struct vt_vocab *vocab;          /* of the corpus; borrowed, and needed with `sample` alone */
  const struct vt_corpus_options *rules; /* how the text was cut into words, for the record; NULL: it is not said */
  int threads;                           /* at least 1 [the processors this process may use] */
  /* Where the counts lie, in a file without a name that goes with them or with the process: 12 bytes for each pair that
   * meets, and as much again while they do not fit into memory. NULL: the folder of TMPDIR, or /tmp. */
  const char *folder;
  /* Called now and then on the calling thread, with places counted of all; may be NULL. */
  void (*progress)(void *context, uint64_t done, uint64_t total);
  void *progress_context;
  /* Set to nonzero (from a signal handler, say) to stop with VT_ERROR_INTERRUPTED. May be NULL. */
  const volatile sig_atomic_t *interrupt;
};

struct vt_cooccur_report {
  uint64_t pairs;     /* X_ij that are not 0 */
  uint64_t runs;      /* sorted runs that were put away; 1: all of it fitted */
  uint64_t run_bytes; /* of all of them */
  double total;       /* sum of all X_ij */
  double seconds;
};

/* The text that was counted. */
struct vt_cooccur_source {
  uint64_t tokens, sentences;
  uint64_t fingerprint; /* vt_corpus_fingerprint */
  bool rules_known;     /* the rest, as in struct vt_corpus_options */
  enum vt_token_rule rule;
  bool fold_case;
  uint64_t min_count;
  uint32_t max_vocab;
};

/* Counts. Safe to read from many threads. */
struct vt_cooccur;

/* "distance", "linear", "flat"; "both", "left". Static. */
VT_API const char *vt_cooccur_weight_name(enum vt_cooccur_weight weight);
VT_API const char *vt_cooccur_sides_name(enum vt_cooccur_sides sides);

VT_API void vt_cooccur_options_init(struct vt_cooccur_options *options);
/* VT_ERROR_ARGUMENT names the option that is out of its range. */
VT_API enum vt_status vt_cooccur_options_check(const struct vt_cooccur_options *options, struct vt_error *error);

/* Counts a corpus; it may be freed afterwards. report may be NULL. VT_ERROR_ARGUMENT: the limit of memory is too small
 * for this vocabulary, and the message says what it takes; VT_ERROR_EMPTY: no two words meet; VT_ERROR_IO: no room for
 * the files, of which nothing is left behind. Cost: 2 window additions for each word of the text, shared among the
 * threads. */
VT_API enum vt_status vt_cooccur_count(const struct vt_corpus *corpus, const struct vt_cooccur_options *options,
                                       struct vt_cooccur **counts, struct vt_cooccur_report *report,
                                       struct vt_error *error);
VT_API void vt_cooccur_free(struct vt_cooccur *counts); /* accepts NULL */

VT_API uint32_t vt_cooccur_words(const struct vt_cooccur *counts);
VT_API uint64_t vt_cooccur_pairs(const struct vt_cooccur *counts);
/* Units to 1: X_ij = units / scale. 1 for flat weights, window for linear ones, 2^20 for subsampled ones; for distances
 * the least common multiple of 1 .. min(window, 22). Up to 22 words away every weight is a whole number of units;
 * beyond, it is rounded to the nearest, which is off by 2 parts in a million at most. */
VT_API uint64_t vt_cooccur_scale(const struct vt_cooccur *counts);
/* The units of two words so many words apart; 1 <= distance <= window. */
VT_API uint64_t vt_cooccur_distance_units(enum vt_cooccur_weight weight, uint32_t window, uint32_t distance);
/* The pairs of row i that are not 0: columns[n], ascending, and their units[n]; n is returned. Valid as long as the
 * counts. O(1). */
VT_API size_t vt_cooccur_row(const struct vt_cooccur *counts, uint32_t word, const uint32_t **columns,
                             const uint64_t **units);
/* Sum of a row, in units. O(n). */
VT_API uint64_t vt_cooccur_row_units(const struct vt_cooccur *counts, uint32_t word);
/* Window, weight, sides and sample that they were counted with. */
VT_API struct vt_cooccur_options vt_cooccur_counted_by(const struct vt_cooccur *counts);
VT_API struct vt_cooccur_source vt_cooccur_counted_on(const struct vt_cooccur *counts);

/* Writes the counts with their words: by the ending of the path an SQLite database (.db) or a matrix in CSR form as
 * SciPy's load_npz reads it (.npz); docs/run-format.md describes both. Whole or not at all; an earlier file is
 * replaced. VT_ERROR_ARGUMENT: another ending, or another vocabulary; VT_ERROR_IO. */
VT_API enum vt_status vt_cooccur_save(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                      struct vt_error *error);
/* Reads a database of counts back, with its words; both are the caller's. The counts lie in a file without a name in
 * `folder` (NULL: as in struct vt_cooccur_options). Everything is held against the fingerprint that was written with
 * it. VT_ERROR_ARGUMENT: a matrix for SciPy, which does not say how it was counted; VT_ERROR_NOT_FOUND, VT_ERROR_IO;
 * VT_ERROR_CORRUPT: no counts, or damaged; VT_ERROR_VERSION: of another version of the format. One pass over the file.
 */
VT_API enum vt_status vt_cooccur_load(const char *path, const char *folder, struct vt_cooccur **counts,
                                      struct vt_vocab **vocab, struct vt_error *error);
/* Of counts that were read from a file: a hash of all that is in them and in their words. */
VT_API uint64_t vt_cooccur_fingerprint(const struct vt_cooccur *counts);
/* Whether the ending of a path is one of those. */
VT_API enum vt_status vt_cooccur_check_path(const char *path, struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

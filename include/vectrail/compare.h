/*
 * vectrail/compare.h: how far tables of vectors agree on the words that all of them hold.
 *
 * Definitions, sources and ranges: docs/metrics.md, "Comparing tables". Nothing here depends on the number of threads.
 */
#ifndef VECTRAIL_COMPARE_H
#define VECTRAIL_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vectors.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The rows of the words that all tables hold, by the bytes of their texts, in the order of the first table: common[i]
 * is such a table of tables[i], with a vocabulary that all share (texts and counts of the first). restrict_rows: only
 * words among the first so many of the first table take part; 0: all. count is at least 1. VT_ERROR_EMPTY: no word is
 * in all of them; VT_ERROR_CORRUPT: a row that takes part is not finite. Free each common[i], then the vocabulary.
 * O(words x count), and a copy of the rows. */
VT_API enum vt_status vt_vectors_common(const struct vt_vectors *const *tables, size_t count, size_t restrict_rows,
                                        struct vt_vocab **vocab, struct vt_vectors **common, struct vt_error *error);

/* A word and how much it is the same in the tables. */
struct vt_compare_word {
  uint32_t id;
  double value;
};

struct vt_compare {
  bool aligned;
  /* By word: the cosine of its vector in a, turned if so asked, with its vector in b. [rows], the lowest first (equal
   * ones by id): those that moved most. */
  struct vt_compare_word *words;
  double cosine_mean;
  double cosine_median;
  double cka; /* linear centred kernel alignment, 0 to 1; NaN where a table does not vary */
  /* |A A' - B B'|, Frobenius norm: how far apart all inner products of two words are (Yin and Shen 2018), whatever the
   * coordinates; and its share of (|A A'|^2 + |B B'|^2)^(1/2), which is 1 where nothing is in common, NaN where both
   * are zero. */
  double pip_loss, pip_share;
};

/* Compares two tables row by row; they have as many rows. align: the unit vectors of a are turned, and mirrored where
 * that is nearer, onto those of b (orthogonal Procrustes) before the cosines are taken: two trainings have coordinates
 * of their own. Two steps of one training share theirs. Lengths of vectors may differ: the shorter ones are continued
 * by zeros. threads: at least 1. Release with vt_compare_release. O(rows d^2 + d^3); memory: some d x d tables of
 * doubles. */
VT_API enum vt_status vt_compare_vectors(const struct vt_vectors *a, const struct vt_vectors *b, bool align,
                                         int threads, struct vt_compare *result, struct vt_error *error);
VT_API void vt_compare_release(struct vt_compare *result); /* accepts an all-zero one */

struct vt_stability {
  size_t word_count;
  /* By sampled word: the mean, over all pairs of tables, of the Jaccard overlap of its k neighbours. Lowest first,
   * equal ones by id. */
  struct vt_compare_word *words;
  double mean;   /* over those words */
  double *pairs; /* [tables][tables]: the mean of each pair; 1 on the diagonal */
};

/* How far the k neighbours (at least 1) of words are the same in tables with as many rows, 2 or more of them. sample:
 * so many words, spread evenly over the rows; 0: all. VT_ERROR_EMPTY: fewer than two rows. Release with
 * vt_stability_release. O(tables x sample x rows x d + tables^2 x sample x k^2). */
VT_API enum vt_status vt_stability_measure(const struct vt_vectors *const *tables, size_t count, size_t k,
                                           size_t sample, int threads, struct vt_stability *result,
                                           struct vt_error *error);
VT_API void vt_stability_release(struct vt_stability *result); /* accepts an all-zero one */

#ifdef __cplusplus
}
#endif

#endif

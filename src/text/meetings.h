/*
 * meetings.h: how often two words are expected to meet in a window of a text.
 *
 * #(w, c) is the expected number of times that skip-gram draws the pair w, c in a pass over the text: each word
 * survives with a probability of its own (keep), a centre looks 1 to `window` survivors far, each with the same
 * probability, and so a word that has m survivors between itself and the centre is reached with probability (window -
 * m) / window. Without subsampling that is the weight (window - n + 1) / window of two words n apart. Symmetric; a word
 * that meets itself counts twice, for each of the two is a centre.
 *
 * Every meeting is rounded to a whole number of units, and whole numbers are added: the sums depend on no order.
 */
#ifndef VECTRAIL_TEXT_MEETINGS_H
#define VECTRAIL_TEXT_MEETINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "text/span.h"
#include "vectrail/cooccur.h"
#include "vectrail/corpus.h"

struct vt_meetings {
  uint32_t words;
  size_t *start;    /* words + 1: the row of w is start[w] .. start[w + 1] */
  uint32_t *others; /* ascending in each row */
  double *counts;   /* #(w, c), above 0 */
  double *sums;     /* words: #(w) = sum_c #(w, c) */
  double total;
};

struct vt_meetings_options {
  uint32_t window;
  const double *keep;          /* one for each word (text/subsample.h); NULL: every word survives */
  const struct vt_span *spans; /* sentences that are left out, ascending */
  size_t span_count;
  int threads; /* at least 1; change no result */
};

/* VT_ERROR_EMPTY: no two words meet. They are counted as vt_cooccur_count does it, with linear weights; what survives
 * at random takes O(tokens x window^2 / keep). The result takes 12 bytes a pair. */
enum vt_status vt_meetings_count(const struct vt_corpus *corpus, const struct vt_meetings_options *options,
                                 struct vt_meetings *meetings, struct vt_error *error);
/* The same of counts that are there, whatever their weights; those of one side make no symmetric matrix. They may go
 * afterwards. */
enum vt_status vt_meetings_take(const struct vt_cooccur *counts, struct vt_meetings *meetings, struct vt_error *error);
void vt_meetings_release(struct vt_meetings *meetings); /* accepts an all-zero one */

/* #(w, c), 0 where they never meet. */
double vt_meetings_of(const struct vt_meetings *meetings, uint32_t w, uint32_t c);

/* The matrix that the quadratic word embedding model factors (Karkada et al. 2025, arXiv 2502.09863, equation 4), with
 * P_ij = #(i, j) / total and P_i = #(i) / total,
 *
 *   M_ij = 2 (P_ij - P_i P_j) / (P_ij + P_i P_j)
 *
 * -2 for words that never meet, 0 in the rows of words that meet none. matrix[words x words]. Returns |M|_F^2. */
double vt_meetings_quadratic(const struct vt_meetings *meetings, double *matrix);

/* The words that a dense square matrix of doubles is made for, and what one of more words is told: VT_ERROR_ARGUMENT
 * with the memory it would take. */
#define VT_DENSE_WORDS_MAX 20000
enum vt_status vt_meetings_check_dense(size_t words, struct vt_error *error);

#endif

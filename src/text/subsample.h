/*
 * subsample.h: which words meet where frequent ones are left out at random, in expectation.
 *
 * Each word survives with a probability of its own (keep), a centre looks 1 to `window` survivors far, each with the
 * same probability; so a word that has m survivors between itself and the centre is reached with probability (window -
 * m) / window. What two places are expected to meet is rounded to a whole number of units, once for both of them.
 */
#ifndef VECTRAIL_TEXT_SUBSAMPLE_H
#define VECTRAIL_TEXT_SUBSAMPLE_H

#include <signal.h>
#include <stdint.h>

#include "base/error.h"
#include "text/cooccur.h"
#include "text/tally_row.h"
#include "vectrail/vocab.h"

#define VT_SUBSAMPLE_UNITS ((uint64_t)1 << 20) /* of one meeting */

/* The probability that a word survives subsampling at a threshold (0: certain), as training draws it: with f the word's
 * share of the text, (sqrt(f / threshold) + 1) threshold / f. keep[size of the vocabulary]. */
void vt_subsample_keep(const struct vt_vocab *vocab, double threshold, double *keep);

/* Adds to a row what the word at `place` meets to its right. shares[m] = (window - m) / window. O(window / keep) words,
 * each in O(window). */
void vt_subsample_add_right(const struct vt_cooccur_text *text, const double *shares, uint32_t window, uint64_t place,
                            struct vt_tally_row *row);

/* Makes R + R' of counts R of the words to the right: what meets is symmetric, and a word that meets itself counts
 * twice, for each of the two is a centre. Takes memory_bytes, or what three rows take if that is more; stripes of
 * columns are turned around one after the other. On error the counts are as they were, or useless. */
enum vt_status vt_subsample_mirror(struct vt_cooccur *counts, const struct vt_cooccur_options *options,
                                   struct vt_error *error);

#endif

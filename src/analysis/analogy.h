/*
 * analogy.h: answer many analogy questions at once.
 */
#ifndef VECTRAIL_ANALYSIS_ANALOGY_H
#define VECTRAIL_ANALYSIS_ANALOGY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "vectrail/vectors.h"

/* "a is to b as c is to ?": row ids, all below limit. */
struct vt_question {
  uint32_t a;
  uint32_t b;
  uint32_t c;
  uint32_t answer; /* out: the row d with the greatest cos(d, b) - cos(d, a) + cos(d, c), the smallest such d, not one
                      of a, b, c; UINT32_MAX where no row is left */
};

/* Answers all questions among the first limit rows (1 .. rows) on up to `threads` threads, which change no answer. A
 * row of NaN or infinity is VT_ERROR_CORRUPT. O((distinct question words x dim + questions) x limit). */
enum vt_status vt_answer_questions(const struct vt_vectors *vectors, size_t limit, int threads,
                                   struct vt_question *questions, size_t question_count, struct vt_error *error);

#endif

/*
 * vectrail/eval.h: the two standard tests of word vectors.
 */
#ifndef VECTRAIL_EVAL_H
#define VECTRAIL_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vectors.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vt_eval_similarity {
  double spearman; /* rank correlation of cosines with human scores, ties ranked by their mean; NaN below 2 pairs */
  size_t pairs;    /* in the file */
  size_t covered;  /* both words in the vocabulary; only these count */
};

/* Reads "word word score" lines (tab, space, comma or semicolon between; '#' lines and a header line whose third
 * field is no number are skipped). Words are looked up as written, then case-folded. Malformed lines are
 * VT_ERROR_FORMAT with their number. */
VT_API enum vt_status vt_eval_similarity(const struct vt_vectors *vectors, const char *path,
                                         struct vt_eval_similarity *result, struct vt_error *error);

struct vt_eval_section {
  char *name;
  size_t questions; /* in the file */
  size_t covered;   /* all four words among the first `restrict_rows` */
  size_t correct;
};

/* Accuracy is correct / covered. Sections whose name starts with "gram" are syntactic, the others semantic. */
struct vt_eval_analogy {
  struct vt_eval_section *sections;
  size_t section_count;
  struct vt_eval_section all, semantic, syntactic; /* names are static; not to be freed */
};

/* Reads word2vec's questions-words format (": section" lines, then four words a line) and answers each by 3CosAdd
 * among the restrict_rows most frequent words (0: all), the three question words left out. threads >= 1 changes no
 * result. Free with vt_eval_analogy_release. O(questions x restrict_rows x dim). */
VT_API enum vt_status vt_eval_analogy(const struct vt_vectors *vectors, const char *path, size_t restrict_rows,
                                      int threads, struct vt_eval_analogy *result, struct vt_error *error);
VT_API void vt_eval_analogy_release(struct vt_eval_analogy *result);

#ifdef __cplusplus
}
#endif

#endif

/*
 * vectrail/ledger.h: what moved a word's vector, and how much of a cosine each source gave.
 *
 * A run keeps a ledger of words named when it was trained (struct vt_record_options) or replayed (vectrail/replay.h):
 * every update that was applied to the input vector of such a word, summed by source, role and span of the training.
 * With v(0), the decay and what float32 rounding changed, it is an identity (docs/metrics.md):
 *
 *   v(T) = v(0) + sum of the ledger
 */
#ifndef VECTRAIL_LEDGER_H
#define VECTRAIL_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As a source: all that were too many to be kept apart. */
#define VT_LEDGER_OTHER_SOURCES (-1)

/* A row of the table `ledger`. Roles and what a source is under each:
 *   "start"      v(0), at span 0 (or v at the step at which the ledger was begun); the word itself
 *   "attracted"  the centre word whose output vector drew v
 *   "pushed"     the noise word whose output vector pushed v away
 *   "path"       hierarchical softmax: the centre word whose path was trained
 *   "document"   the sentence, from 0, in which attracted, pushed and path happened: another cut of the same updates
 *   "output", "residual", "mlp", "head N query", "head N key", "head N value", "place N"
 *                networks: the route that the gradient came by (docs/networks.md); the word itself
 *   "decay"      L2, or a network's weight decay; the word itself
 *   "rounding"   float32: what the vector did beyond all that; the word itself */
struct vt_ledger_entry {
  uint64_t span; /* named by the step at which it ends; it begins where the one before ends */
  int64_t source;
  const char *role;
  uint64_t updates; /* how many were summed */
  const float *vector;
};
typedef enum vt_status vt_ledger_reader(void *context, const struct vt_ledger_entry *entry, struct vt_error *error);

/* Calls back with each row of a word, by source, role and span; a status other than VT_OK ends that and is handed
 * through. What an entry points to lives until the callback returns; its vector has as many numbers as those of the
 * run's last snapshot, dim. VT_ERROR_CORRUPT: a row makes no sense. */
VT_API enum vt_status vt_run_ledger(struct vt_run *run, uint32_t word, size_t dim, vt_ledger_reader *reader,
                                    void *context, struct vt_error *error);
/* The roles that are routes of a network: their names, static. */
VT_API size_t vt_ledger_route_count(void);
VT_API const char *vt_ledger_route_name(size_t index);
/* The words that have a ledger, ascending, in *words, owned by the caller (vt_run_words_free). */
VT_API enum vt_status vt_run_ledger_words(struct vt_run *run, uint32_t **words, size_t *count, struct vt_error *error);
VT_API void vt_run_words_free(uint32_t *words);

/* A line of the text, of which a ledger by document speaks. */
struct vt_document {
  char *file;    /* as the run was given it; "-": standard input */
  uint64_t line; /* of the file, from 1 */
  char *text;    /* the first 4096 bytes of it */
};
/* The line that is sentence n, from 0: the source of a row with the role "document". VT_ERROR_NOT_FOUND: no ledger of
 * the run speaks of it. Free with vt_document_release. */
VT_API enum vt_status vt_run_document(struct vt_run *run, uint64_t sentence, struct vt_document *document,
                                      struct vt_error *error);
VT_API void vt_document_release(struct vt_document *document); /* accepts an all-zero one */

/* ---- the explanation --------------------------------------------------------------------------------------------- */

/* By source: each source and role apart. A frequent word draws every vector often and pushes it often, and the two
 * nearly cancel; by word they are added up, under the role "net", and what is left is what the word did. */
enum vt_explain_by {
  VT_EXPLAIN_BY_SOURCE = 0,
  VT_EXPLAIN_BY_WORD = 1,
  VT_EXPLAIN_BY_ROLE = 2,
  VT_EXPLAIN_BY_DOCUMENT = 3
};

struct vt_explain_request {
  uint32_t word;
  bool has_toward;
  uint32_t toward;
  bool centered; /* with toward: explain by how much the cosine is above that with the other words */
  enum vt_explain_by by;
  uint64_t step; /* the end of a span, or the last one before it; VT_STEP_LAST */
};

struct vt_contribution {
  int64_t source;   /* a word, or by document a sentence from 0; by role: -1 */
  const char *role; /* static */
  uint64_t updates;
  double contribution;
  double *over_time; /* by span; owned by the explanation */
};

/* With q the vector of `toward` at step T divided by its length, and x the sum of all updates of a source,
 *
 *   cosine = v(T).q / |v(T)|    start = v(0).q / |v(T)|    contribution = x.q / |v(T)|
 *
 * and cosine = start + sum of contributions + others. All vectors share a component (of negative sampling, the one away
 * from the mean output vector: Mimno and Thompson 2017), which noise builds up and attraction wears down; it rules that
 * sum and says nothing about two words. Centered, q is less the mean m of v_w / |v_w| over all words w at step T, and
 *
 *   cosine = baseline + start + sum of contributions + others,   baseline = v(T).m / |v(T)|, the mean cosine with all
 *
 * Without `toward` the direction is that of the displacement, q =
 * (v(T) - v(0)) / |v(T) - v(0)|, divided by its length in place of |v(T)|: contributions and others then sum to 1, and
 * cosine and start are NaN. */
struct vt_explanation {
  uint64_t step;       /* T: the end of the last span that counts */
  uint64_t start_step; /* of v(0) below: 0, but where the ledger was begun later (vectrail/replay.h) */
  double cosine;
  double baseline; /* 0 where not centered */
  double start;
  double displacement; /* |v(T) - v(0)| */
  double length;       /* |v(T)| */
  /* |v(T) - v(0) - sum of the ledger| / |v(T) - v(0)|; NaN where step T has no float32 snapshot: then v(T) is taken
   * from the ledger. */
  double residual;
  /* Longest first; by document what gave most first and what took most last: the question is which lines gave it. */
  struct vt_contribution *contributions;
  size_t count;
  double others;   /* what sources gave that were too many to be kept apart */
  uint64_t *spans; /* their ends */
  size_t span_count;
};

/* VT_ERROR_EMPTY: the run has no ledger of the word, or none by document: replay it. VT_ERROR_NOT_FOUND: no span had
 * ended at that step, or the snapshot is missing. Free with vt_explanation_free. O(rows of the word x dim). */
VT_API enum vt_status vt_explain(struct vt_run *run, const struct vt_explain_request *request,
                                 struct vt_explanation **explanation, struct vt_error *error);
VT_API void vt_explanation_free(struct vt_explanation *explanation); /* accepts NULL */

#ifdef __cplusplus
}
#endif

#endif

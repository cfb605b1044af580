/*
 * vectrail/tune.h: a run gone on with on other text (docs/adaptation.md).
 *
 * The words of the run keep their numbers and vectors; words of the new text that it does not have come behind them.
 * What comes of it is a run like all others.
 */
#ifndef VECTRAIL_TUNE_H
#define VECTRAIL_TUNE_H

#include "vectrail/train.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The options that a run was trained with, for vt_tune_request, for the caller to change: but one process, no replicas,
 * and for corpus the rules by which its text was read. Errors: those of opening it; VT_ERROR_UNSUPPORTED: it is a run
 * that cannot be gone on with, and why: another program's, the quadratic loss, phrases. */
VT_API enum vt_status vt_tune_options(const char *base, struct vt_train_options *train,
                                      struct vt_corpus_options *corpus, struct vt_error *error);

struct vt_tune_request {
  const char *base; /* the folder of the run */
  /* As for vt_train, with the options of vt_tune_options, of which learning rate and schedule, epochs, seed, batch,
   * penalties, held_out, threads, kernel and tuning (but for its words) may be others; corpus.min_count is that of new
   * words. Runs with negative sampling keep their output table whatever record says. "-" cannot be read. */
  struct vt_train_request train;
  const char *const *freeze; /* words whose vectors do not move; VT_ERROR_NOT_FOUND as for words to watch */
  size_t freeze_count;
};

struct vt_tune_result {
  struct vt_train_result train;
  size_t seen, unseen; /* words of the run that the new text holds, and does not */
  size_t fresh;        /* words that it did not have; ... */
  size_t placed;       /* ... of which so many begin at the mean of their neighbours, the others as any word does */
  bool output;         /* the run had kept its output vectors, without which they begin at zero */
  /* At the end, the mean over the words of each group of |v - v(0)| / |v(0)|; NaN for an empty group. */
  double drift_seen, drift_unseen, drift_fresh;
};

/* A new word begins at the mean of the input vectors of the run's words that stand within the window of its places in
 * the new text, each as often as it does, by the share of its places that subsampling leaves; without any, as a word of
 * a new run does. Its output vector begins at zero; with the exact softmax, and in a network whose output matrix is not
 * the token table, at the mean of the rows that there are. The optimiser's own sums begin anew. GloVe begins both
 * rows at those means. Hierarchical softmax keeps the run's tree, beside which the new words have one of their own
 * (docs/adaptation.md).
 *
 * Errors as vt_train, and those of vt_tune_options. What was interrupted is gone on with by vt_resume. result may be
 * NULL; on an error only its `train` is told. Cost besides: the text is read twice, to count its words first. */
VT_API enum vt_status vt_tune(const struct vt_tune_request *request, struct vt_tune_result *result,
                              struct vt_error *error);

struct vt_tune_old_request {
  const char *base, *run;    /* the run, and what became of it */
  const char *const *inputs; /* where its text is now; none: where it was */
  size_t input_count;
  int threads;
  const char *kernel;                     /* NULL: vt_kernel_resolve decides */
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};

/* NaN: there is no such loss. */
struct vt_tune_old {
  double probe_before, probe_after;
  double held_out_before, held_out_after;
};

/* The losses of the run's own text, by the vectors it had and by those that came of them, on the very samples that the
 * run was measured on: `before` is what it recorded last. Errors: those of the two runs, and of the text
 * (VT_ERROR_NOT_FOUND, VT_ERROR_IO, VT_ERROR_CORRUPT where it is another one now); VT_ERROR_UNSUPPORTED where the run
 * did not keep its output vectors. Cost: the text is read once. */
VT_API enum vt_status vt_tune_old_loss(const struct vt_tune_old_request *request, struct vt_tune_old *result,
                                       struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

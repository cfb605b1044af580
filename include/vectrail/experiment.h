/*
 * vectrail/experiment.h: what is said of embeddings in training, claim by claim, held against a training.
 */
#ifndef VECTRAIL_EXPERIMENT_H
#define VECTRAIL_EXPERIMENT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Borrowed strings. */
struct vt_experiment_pair {
  const char *words[2];
};
/* words[0] is to words[1] as words[2] is to words[3]. */
struct vt_experiment_analogy {
  const char *words[4];
};

struct vt_experiment_request {
  const char *folder; /* to make, its parent must exist; it will hold the runs */
  bool force;         /* replace what an earlier experiment left there */
  /* The text to train on. None: one is generated, with planted synonyms and analogies, which are then asked for. */
  const char *const *inputs;
  size_t input_count;
  const struct vt_experiment_pair *synonyms; /* with inputs */
  size_t synonym_count;
  const struct vt_experiment_analogy *analogies; /* with inputs */
  size_t analogy_count;
  uint32_t dim;    /* 1 to 4096 [50] */
  uint32_t epochs; /* [10] */
  double l2;       /* above 0: the penalty of the run that is held against one without [0.001] */
  uint64_t seed;   /* [1] */
  int threads;     /* at least 1; changes no result [the processors this process may use] */
  /* Called before each training with its name; may be NULL. */
  void (*training)(void *context, const char *name);
  void *context;
  const volatile sig_atomic_t *interrupt; /* as in struct vt_train_request; may be NULL */
};

VT_API void vt_experiment_request_init(struct vt_experiment_request *request);

enum vt_verdict {
  VT_VERDICT_HELD,
  VT_VERDICT_CONDITIONAL, /* only with the condition that the finding names */
  VT_VERDICT_NOT_HELD,
  VT_VERDICT_NOT_ASKED /* nothing to judge by; the finding says what is missing */
};

#define VT_CLAIM_FIGURES_MAX 8
#define VT_CLAIM_TEXT_BYTES 600

struct vt_claim {
  const char *id;    /* "random_start" ...; static */
  const char *claim; /* a sentence; static */
  enum vt_verdict verdict;
  char finding[VT_CLAIM_TEXT_BYTES]; /* sentences, with the figures in them */
  struct {
    const char *name; /* static */
    double value;
  } figures[VT_CLAIM_FIGURES_MAX]; /* the same figures, for programs */
  size_t figure_count;
};

struct vt_experiment {
  struct vt_claim *claims;
  size_t claim_count;
};

/* Trains (in folder/main, with the defaults of skip-gram but for what the request says; in folder/free and
 * folder/bounded at a constant rate, without and with the penalty), and judges. The result depends on the text and the
 * request alone, not on the number of threads. On success free with vt_experiment_release. Errors: those of vt_train
 * and vt_measure_run. */
VT_API enum vt_status vt_experiment_run(const struct vt_experiment_request *request, struct vt_experiment *experiment,
                                        struct vt_error *error);
VT_API void vt_experiment_release(struct vt_experiment *experiment); /* accepts an all-zero one */
VT_API const char *vt_verdict_text(enum vt_verdict verdict);         /* "held" ...; static */

#ifdef __cplusplus
}
#endif

#endif

/*
 * vectrail/exercise.h: a course's exercise, a feed-forward next-word model on one small text, and its companion: the
 * same training from ten random starts (docs/networks.md).
 */
#ifndef VECTRAIL_EXERCISE_H
#define VECTRAIL_EXERCISE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VT_EXERCISE_WORDS 3
#define VT_EXERCISE_PAIRS 3 /* of those words */

struct vt_exercise_request {
  const char *folder; /* to make; its parent must exist */
  bool force;         /* replace what an earlier exercise left there */
  const char *const *inputs;
  size_t input_count;
  uint32_t epochs; /* [25] */
  uint32_t runs;   /* of the companion, at least 2 [10] */
  uint64_t seed;   /* of the first run; the companion's have the numbers that follow [1] */
  int threads;     /* changes no result [the processors this process may use] */
  void (*training)(void *context, const char *name); /* called before each training; may be NULL */
  void *context;
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};

VT_API void vt_exercise_request_init(struct vt_exercise_request *request);
/* The words whose cosines are followed: time, machine, she; static. Pair k is words k and (k + 1) % 3. */
VT_API const char *vt_exercise_word(size_t index);

struct vt_exercise {
  uint32_t epochs;
  size_t vocabulary;
  uint64_t tokens;
  uint64_t steps;
  double *loss;     /* [epochs + 1]: nats a word before training, then the mean over each epoch's steps */
  double *after;    /* [epochs + 1]: the same on the probe, measured after each epoch; it holds samples trained on */
  double *held_out; /* [epochs + 1]: of a second training, on a tenth of the lines, which it never trains on */
  double before_cosine, after_cosine; /* of time and machine; NaN where the text has not both */
  double band;                        /* of a cosine by chance: 1 / sqrt(dim) */
};

/* Trains the exercise in folder/exercise, and again with a tenth of the lines held out in folder/held-out. Free with
 * vt_exercise_release. Errors: those of vt_train. */
VT_API enum vt_status vt_exercise_run(const struct vt_exercise_request *request, struct vt_exercise *exercise,
                                      struct vt_error *error);
VT_API void vt_exercise_release(struct vt_exercise *exercise); /* accepts an all-zero one */

/* One of the reference run's figures, in nats, after an epoch (0: before training). NaN where none is known. */
VT_API double vt_exercise_reference(uint32_t epoch);

struct vt_exercise_stability {
  uint32_t runs;
  double (*before)[VT_EXERCISE_PAIRS]; /* [runs]: cosines at the start; NaN where a word is missing */
  double (*after)[VT_EXERCISE_PAIRS];  /* at the end */
  double *loss;                        /* [runs]: the mean over the last epoch */
  double overlap;                      /* of the ten nearest neighbours of 1,000 words, mean over pairs of runs */
  double by_chance;                    /* what two random tables would share */
};

/* Trains `runs` times in folder/run-1 ... Release with vt_exercise_stability_release. */
VT_API enum vt_status vt_exercise_stability_run(const struct vt_exercise_request *request,
                                                struct vt_exercise_stability *stability, struct vt_error *error);
VT_API void vt_exercise_stability_release(struct vt_exercise_stability *stability);

#ifdef __cplusplus
}
#endif

#endif

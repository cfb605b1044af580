/*
 * vectrail/align.h: a Transformer trained on preferences between answers (docs/adaptation.md).
 */
#ifndef VECTRAIL_ALIGN_H
#define VECTRAIL_ALIGN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A reward model, r = h . (the last row of an answer), by Bradley and Terry's loss; PPO against such a model, with a
 * penalty beta log pi/pi_ref; DPO. */
enum vt_align_method { VT_ALIGN_REWARD = 0, VT_ALIGN_PPO = 1, VT_ALIGN_DPO = 2 };

/* vt_align_options_init gives the defaults in brackets. */
struct vt_align_options {
  enum vt_align_method method;
  double beta;      /* above 0 [0.1] */
  double lr;        /* at the start; falls to 0 in a straight line [1e-4] */
  double clip;      /* the gradient's length is cut to this; 0: never [1] */
  uint32_t epochs;  /* passes over the preferences; ppo: over the prompts [1] */
  uint32_t batch;   /* pairs, or prompts, in a step [8] */
  uint32_t samples; /* ppo: answers that are drawn to each prompt, at least 2 [4] */
  uint32_t inner;   /* ppo: steps on the same answers [2] */
  double epsilon;   /* ppo: how far pi / pi_old may go from 1, above 0, below 1 [0.2] */
  uint32_t length;  /* tokens of an answer that is drawn, at most [32] */
  double kl;     /* ends when KL(pi | pi_ref) has reached this; 0: never. It is measured before every step then [0] */
  uint64_t seed; /* [1] */
  uint32_t snapshots; /* [10] */
  int threads;        /* [the processors this process may use] */
};
VT_API void vt_align_options_init(struct vt_align_options *options);

struct vt_align_progress {
  uint64_t step, steps;
  double loss, kl, seconds; /* NaN: not measured */
};

struct vt_align_request {
  const char *base;        /* a run of a Transformer */
  const char *preferences; /* a file: each line {"prompt": "...", "chosen": "...", "rejected": "..."} */
  const char *run_path;
  bool force;
  const char *reward; /* ppo: a run that the method reward has made of the same run */
  struct vt_align_options options;
  void (*progress)(void *context, const struct vt_align_progress *progress); /* may be NULL */
  void *progress_context;
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};

struct vt_align_moved {
  char word[64];        /* cut where it is longer */
  double drift, cosine; /* |v - v(0)| / |v(0)|, and the cosine of both */
};
#define VT_ALIGN_MOVED 32

/* Measures of the last step, before it was taken; NaN: the method has no such. */
struct vt_align_result {
  uint64_t steps;
  size_t pairs, prompts;
  double seconds;
  double loss, accuracy, margin;
  double log_chosen, log_rejected;               /* dpo: mean log pi of the answers in the batch; ... */
  double log_chosen_before, log_rejected_before; /* ... and of all pairs, by the reference; dpo and ppo */
  double log_chosen_after, log_rejected_after;   /* ... and of all pairs, at the end; dpo and ppo */
  double reward;                                 /* ppo: mean of the answers drawn */
  double kl;                                     /* at the end, on answers drawn to up to 64 prompts; reward: NaN */
  double drift;                                  /* mean over all words of |v - v(0)| / |v(0)| */
  bool reached;                                  /* options.kl ended it */
  size_t moved_count;
  struct vt_align_moved moved[VT_ALIGN_MOVED]; /* that moved farthest */
};

/* Makes a run with the words, settings and tokenizer of the base: snapshots of the token table, measures (loss,
 * accuracy, margin, log_chosen, log_rejected, reward, kl, drift, lr), and the network; a reward model's h as
 * reward.safetensors beside it. Interrupted on the way (VT_ERROR_INTERRUPTED) the run is that of the steps until
 * then; failing, or interrupted before the first, it leaves nothing. The same bits at any number of threads. Errors:
 * VT_ERROR_ARGUMENT names an option; VT_ERROR_FORMAT, VT_ERROR_EMPTY the file and the line; VT_ERROR_UNSUPPORTED: no
 * Transformer, or no run; VT_ERROR_CORRUPT: a file is damaged, or the reward model has other words; VT_ERROR_DIVERGED.
 * result may be NULL. */
VT_API enum vt_status vt_align(const struct vt_align_request *request, struct vt_align_result *result,
                               struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

/*
 * vectrail/contrast.h: vectors trained to tell texts apart (docs/adaptation.md).
 */
#ifndef VECTRAIL_CONTRAST_H
#define VECTRAIL_CONTRAST_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* vt_contrast_options_init gives the defaults in brackets. */
struct vt_contrast_options {
  double temperature;  /* 1e-3 to 100 [0.05] */
  bool positives_only; /* without the negatives: the arm that collapses [false] */
  double dropout;      /* of a Transformer, 0 to 0.9; lines that are no pairs need some [0.1] */
  double lr;           /* at the start; falls to 0 in a straight line [1e-4] */
  double clip;         /* the gradient's length is cut to this; 0: never [1] */
  uint32_t epochs;     /* [1] */
  uint32_t batch;      /* pairs in a step, whose others are the negatives, 2 to 4096 [64] */
  uint64_t seed;       /* [1] */
  uint32_t snapshots;  /* [10] */
  uint32_t probes;     /* measurements over the run, about [20] */
  int threads;         /* [the processors this process may use] */
};
VT_API void vt_contrast_options_init(struct vt_contrast_options *options);

struct vt_contrast_progress {
  uint64_t step, steps;
  double loss, seconds;
};

struct vt_contrast_request {
  const char *base; /* any run; of a Transformer its network is trained, else its vectors */
  const char *text; /* a file: each line two texts with a tab between, or, for Transformers, one text */
  const char *run_path;
  bool force;
  struct vt_contrast_options options;
  void (*progress)(void *context, const struct vt_contrast_progress *progress); /* may be NULL */
  void *progress_context;
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};

/* Of up to 256 of the texts: alignment, the mean |z - z+|^2 of pairs (a text against itself with something else
 * dropped); uniformity, log of the mean e^(-2 |z - z'|^2); rank, the participation ratio of the singular values of z.
 */
struct vt_contrast_measures {
  double alignment, uniformity, rank;
};

struct vt_contrast_result {
  uint64_t steps;
  size_t pairs;
  size_t skipped; /* lines without a word that the run knows, on one side or both */
  bool dropout;   /* the pairs are texts against themselves */
  double seconds;
  double loss; /* of the last step */
  struct vt_contrast_measures before, after;
  double drift; /* mean over all words of |v - v(0)| / |v(0)| */
};

/* Makes a run with the words, settings and tokenizer of the base: snapshots of its vectors, measures (loss, alignment,
 * uniformity, text_rank, drift, lr), and the network where there is one. Interrupted on the way
 * (VT_ERROR_INTERRUPTED) the run is that of the steps until then; failing, or before the first, it leaves nothing. The
 * same bits at any number of threads. A text longer than the context is cut. Errors: VT_ERROR_ARGUMENT names an option;
 * VT_ERROR_FORMAT the line; VT_ERROR_EMPTY: fewer than two pairs that the run has words for; VT_ERROR_UNSUPPORTED:
 * lines that are no pairs without a Transformer, nnlm; VT_ERROR_CORRUPT; VT_ERROR_DIVERGED. result may be NULL. */
VT_API enum vt_status vt_contrast(const struct vt_contrast_request *request, struct vt_contrast_result *result,
                                  struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

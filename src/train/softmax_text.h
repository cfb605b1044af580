/*
 * softmax_text.h: what both engines of the exact softmax know of the text: subsampling, the probe, what is held out.
 */
#ifndef VECTRAIL_TRAIN_SOFTMAX_TEXT_H
#define VECTRAIL_TRAIN_SOFTMAX_TEXT_H

#include "train/engine_type.h"
#include "train/objective/objective.h"
#include "train/probe.h"

struct vt_softmax_text {
  struct vt_objective_setup setup;
  uint32_t *keep;
  struct vt_probe *probe;
  struct vt_probe *held_out_probe; /* where sentences are held out */
};

/* Also fills in the engine's kernel and, but with counts in place of a text, probe_pairs. On error what is held is
 * still to be released. */
enum vt_status vt_softmax_text_init(struct vt_softmax_text *text, struct vt_engine *engine, struct vt_error *error);
void vt_softmax_text_release(struct vt_softmax_text *text); /* accepts an all-zero one */

/* The pairs of a probe; arrays of VT_PROBE_PAIRS. Returns how many. */
size_t vt_softmax_text_pairs(const struct vt_probe *probe, uint32_t *inputs, uint32_t *targets);

#endif

/*
 * vectrail/diagnose.h: what is wrong with a training, in sentences, each with its evidence and what to do about it.
 */
#ifndef VECTRAIL_DIAGNOSE_H
#define VECTRAIL_DIAGNOSE_H

#include <stddef.h>

#include "vectrail/run.h"
#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names are those of the enum in small letters; rules and thresholds are in docs/metrics.md. */
enum vt_ailment {
  VT_AILMENT_DIVERGED,
  VT_AILMENT_DIVERGING,
  VT_AILMENT_RATE_TOO_HIGH,
  VT_AILMENT_RATE_TOO_LOW,
  VT_AILMENT_STOPPED_EARLY,
  VT_AILMENT_OVERFITTED,
  VT_AILMENT_COLLAPSED,
  VT_AILMENT_WORDS_UNMOVED,
  VT_AILMENT_DIM_TOO_LARGE,
  VT_AILMENT_DIM_TOO_SMALL,
  VT_AILMENT_RULED_BY_FREQUENCY,
  VT_AILMENTS
};
/* "rate_too_high". Static. */
VT_API const char *vt_ailment_name(enum vt_ailment ailment);

struct vt_finding {
  enum vt_ailment ailment;
  char what[160];
  char evidence[512];
  char remedy[320];
};

struct vt_diagnosis {
  struct vt_finding findings[VT_AILMENTS]; /* each at most once, the gravest first */
  size_t finding_count;
  enum vt_ailment sound[VT_AILMENTS]; /* looked for, and not found */
  size_t sound_count;
  struct {
    enum vt_ailment ailment;
    char why[160];
  } unknown[VT_AILMENTS]; /* what the run does not tell */
  size_t unknown_count;
};

/* Reads all snapshots (threads of them at a time; changes no result). A run that is still being written is judged by
 * what is there. Errors are those of vt_measure_run, but a run that diverged is a finding, not an error. */
VT_API enum vt_status vt_diagnose(struct vt_run *run, int threads, struct vt_diagnosis *diagnosis,
                                  struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

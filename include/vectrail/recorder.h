/*
 * vectrail/recorder.h: record a training of your own as a run, so that every reading command works on it.
 *
 *   struct vt_run_recorder *recorder;
 *   vt_run_recorder_create("runs/mine", vocab, dim, false, &recorder, &error);
 *   for (step = 0; step <= steps; step++) {
 *     ... train ...
 *     vt_run_recorder_step(recorder, &(struct vt_run_step){.step = step, .epoch = 1, .lr = lr}, &error);
 *     vt_run_recorder_metric(recorder, step, "loss", loss, &error);
 *     if (step % 100 == 0) vt_run_recorder_vectors(recorder, step, false, table, NULL, &error);
 *   }
 *   vt_run_recorder_close(&recorder, &error);
 *
 * Calls copy what they are given and return; a thread of the recorder's own writes, and commits each second and after
 * each snapshot, so the run can be read while it is recorded. What went wrong in the background is returned by the next
 * call. At most two snapshots wait to be written; then a call waits. A recorder is used by one thread at a time.
 */
#ifndef VECTRAIL_RECORDER_H
#define VECTRAIL_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/run.h"
#include "vectrail/status.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

struct vt_run_recorder;

/* Makes a run folder (its parent must exist) for vectors of length dim, 1 to 65536, of the words of a vocabulary, which
 * is borrowed and must live as long as the recorder. VT_ERROR_EXISTS: something is there; force replaces a run, and
 * nothing else. End with vt_run_recorder_close. */
VT_API enum vt_status vt_run_recorder_create(const char *path, const struct vt_vocab *vocab, size_t dim, bool force,
                                             struct vt_run_recorder **recorder, struct vt_error *error);
/* Goes on with a run that was recorded or imported, finished or not. VT_ERROR_NOT_FOUND: there is none;
 * VT_ERROR_UNSUPPORTED: vectrail trained it (vt_resume goes on with those); VT_ERROR_BUSY: it is being written. */
VT_API enum vt_status vt_run_recorder_append(const char *path, struct vt_run_recorder **recorder,
                                             struct vt_error *error);

/* The vocabulary, the length of a vector, and the last step of which something was recorded (false: there is none). */
VT_API const struct vt_vocab *vt_run_recorder_vocab(const struct vt_run_recorder *recorder);
VT_API size_t vt_run_recorder_dim(const struct vt_run_recorder *recorder);
VT_API bool vt_run_recorder_last_step(const struct vt_run_recorder *recorder, uint64_t *step);

/* Steps do not go back: a step below one that was recorded before is VT_ERROR_ARGUMENT, in each of these; so is one of
 * 2^63 or more. In a step, seconds and lr are 0 where they are not known; NaN is VT_ERROR_ARGUMENT. */
VT_API enum vt_status vt_run_recorder_step(struct vt_run_recorder *recorder, const struct vt_run_step *step,
                                           struct vt_error *error);
/* A value of any name, of those in docs/metrics.md or of your own; NaN where it is not defined. */
VT_API enum vt_status vt_run_recorder_metric(struct vt_run_recorder *recorder, uint64_t step, const char *name,
                                             double value, struct vt_error *error);
/* A snapshot: input[words][dim], and output of the same shape, or NULL. float16 halves the space and keeps 11
 * significant bits; a number that is not finite (or, with float16, above 65504) is VT_ERROR_ARGUMENT, and nothing is
 * recorded. Records displacement, norm, speed and moving, too. O(words x dim). */
VT_API enum vt_status vt_run_recorder_vectors(struct vt_run_recorder *recorder, uint64_t step, bool float16,
                                              const float *input, const float *output, struct vt_error *error);
/* One word's vector[dim] at a step, for more steps than have snapshots. */
VT_API enum vt_status vt_run_recorder_trail(struct vt_run_recorder *recorder, uint32_t word, uint64_t step,
                                            const float *vector, struct vt_error *error);
/* What happened. severity: "info", "warning" or "error". The kinds "start" and "finished" are the recorder's own. */
VT_API enum vt_status vt_run_recorder_event(struct vt_run_recorder *recorder, uint64_t step, const char *kind,
                                            const char *severity, const char *text, struct vt_error *error);
/* A setting or a fact, to be found again by vt_run_meta. The keys "schema", "vectrail", "origin", "dim" and
 * "vocab_size" are the recorder's own (VT_ERROR_ARGUMENT). */
VT_API enum vt_status vt_run_recorder_meta(struct vt_run_recorder *recorder, const char *key, const char *value,
                                           struct vt_error *error);

/* Waits until all so far can be read and would survive a power cut. */
VT_API enum vt_status vt_run_recorder_flush(struct vt_run_recorder *recorder, struct vt_error *error);
/* Marks the run as finished and closes it; *recorder is NULL afterwards, whatever the status. */
VT_API enum vt_status vt_run_recorder_close(struct vt_run_recorder **recorder, struct vt_error *error);
/* Closes it as it is, without waiting for what is not yet written, and without a mark that it is finished. Accepts
 * NULL. */
VT_API void vt_run_recorder_free(struct vt_run_recorder *recorder);

#ifdef __cplusplus
}
#endif

#endif

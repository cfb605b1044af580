/*
 * jobs.h: questions to a whole run that take seconds: computed in a thread of their own when first asked for.
 */
#ifndef VECTRAIL_SERVE_JOBS_H
#define VECTRAIL_SERVE_JOBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "serve/text.h"

enum vt_job_kind { VT_JOB_DIAGNOSIS, VT_JOB_MEASURES, VT_JOBS };

struct vt_job;
/* NULL when out of memory. */
struct vt_job *vt_job_create(const char *run, enum vt_job_kind kind, int threads);
/* Accepts NULL. Does not wait: a thread that still computes frees what it holds when it is done. */
void vt_job_free(struct vt_job *job);
/* Adds the answer, as JSON, to text. VT_ERROR_BUSY while there is none; the computing has begun then. version: that of
 * the run's snapshots; when it has changed, the old answer is given once more while the new one is computed. */
enum vt_status vt_job_answer(struct vt_job *job, uint64_t version, struct vt_text *text, struct vt_error *error);

#endif

/*
 * rank_jobs.h: trainings by several ranks that are threads (thread_ranks.h), and runs held against each other.
 */
#ifndef VECTRAIL_TESTS_RANK_JOBS_H
#define VECTRAIL_TESTS_RANK_JOBS_H

#include "support/temporary.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

#define VTT_RANKS_MAX 4

/* What every rank asks for, and what came of it. */
struct vtt_job {
  struct vt_train_request request;
  struct vt_resume_request resume;
  bool resumes;
  void (*change)(struct vt_train_request *request, int rank); /* of one rank; may be NULL */
  enum vt_status status[VTT_RANKS_MAX];
  struct vt_error error[VTT_RANKS_MAX];
  struct vt_train_result result; /* rank 0's */
};

/* A request's defaults, but for what makes it small: two epochs, five snapshots with all there is. */
void vtt_request_init(struct vt_train_request *request, const char *const *inputs, const char *run);
/* The same of all words, in two blocks of 128, for tests of what reads a run. */
void vtt_request_small(struct vt_train_request *request, const char *const *inputs, const char *run, uint32_t dim);

void vtt_job_run(struct vtt_job *job, int ranks, int machines);
/* Fails the test unless all ranks ended so. */
void vtt_job_expect(const struct vtt_job *job, int ranks, enum vt_status status);
/* Runs it, and expects that all ranks end so, each with `part` in its message, and that the folder holds what it held.
 */
void vtt_job_refuse(struct vtt_folder *folder, struct vtt_job *job, int ranks, enum vt_status status, const char *part);

/* Trains a request alone; then with `before` ranks until half way, and with `after` ranks to the end: the same run. */
void vtt_check_going_on(const struct vt_train_request *request, struct vtt_folder *folder, int before, int after,
                        int machines);

/* Free with vt_run_close. */
struct vt_run *vtt_run_open(const char *path);
/* Snapshots by their hashes, metrics by their values. */
void vtt_compare_runs(const char *path_a, const char *path_b);

/* Whether so many ranks, threads and machines are tried: all; else every third; under a sanitizer one machine that is
 * shared, two that send each other something and, of all, four that have a rank each. */
bool vtt_job_tries(int ranks, int threads, int machines, bool all);

#endif

/*
 * jobs.c: see jobs.h.
 *
 * The measures cannot be interrupted, and a server that ends should not wait for them. So a job is held twice, by the
 * site and by the thread that computes, and whoever lets go last frees it.
 */
#include "serve/jobs.h"

#include <pthread.h>
#include <stdbool.h>

#include "base/memory.h"
#include "vectrail/diagnose.h"
#include "vectrail/measure.h"
#include "vectrail/run.h"

struct vt_job {
  pthread_mutex_t lock; /* of all below but the first three */
  char *run;
  enum vt_job_kind kind;
  int threads;
  int holders;
  bool computing, there;
  uint64_t version; /* that the answer is of, or that is being computed */
  struct vt_text answer;
  enum vt_status status; /* of the last computing */
  struct vt_error error;
};

static void let_go(struct vt_job *job) {
  pthread_mutex_lock(&job->lock);
  bool last = --job->holders == 0;
  pthread_mutex_unlock(&job->lock);
  if (!last) return;
  pthread_mutex_destroy(&job->lock);
  vt_text_release(&job->answer);
  vt_free(job->run);
  vt_free(job);
}

struct vt_job *vt_job_create(const char *run, enum vt_job_kind kind, int threads) {
  struct vt_job *job = vt_alloc_zero(1, sizeof *job);
  if (job == NULL) return NULL;
  *job = (struct vt_job){.run = vt_copy_string(run), .kind = kind, .threads = threads, .holders = 1};
  pthread_mutex_init(&job->lock, NULL);
  if (job->run != NULL) return job;
  let_go(job);
  return NULL;
}

void vt_job_free(struct vt_job *job) {
  if (job != NULL) let_go(job);
}

/* ---- answers -------------------------------------------------------------------------------------------------------
 */

/* The curves that show an ailment, in the summary's series or among the measures. */
static const char *const shown_by[VT_AILMENTS][3] = {
    [VT_AILMENT_DIVERGED] = {"probe_loss", "norm"},
    [VT_AILMENT_DIVERGING] = {"probe_loss", "probe_gradient"},
    [VT_AILMENT_RATE_TOO_HIGH] = {"capped", "update_ratio", "probe_loss"},
    [VT_AILMENT_RATE_TOO_LOW] = {"probe_loss", "update_ratio"},
    [VT_AILMENT_STOPPED_EARLY] = {"probe_loss", "overlap"},
    [VT_AILMENT_OVERFITTED] = {"held_out_loss", "probe_loss"},
    [VT_AILMENT_COLLAPSED] = {"cosine_random", "effective_rank"},
    [VT_AILMENT_WORDS_UNMOVED] = {"moving", "displacement"},
    [VT_AILMENT_DIM_TOO_LARGE] = {"effective_rank"},
    [VT_AILMENT_DIM_TOO_SMALL] = {"effective_rank"},
    [VT_AILMENT_RULED_BY_FREQUENCY] = {"norm", "mean_direction"},
};

static void put_member(struct vt_text *text, const char *name, const char *value) {
  vt_text_printf(text, ",\"%s\":", name);
  vt_text_string(text, value);
}

static void write_finding(struct vt_text *text, const struct vt_finding *finding, bool first) {
  vt_text_put(text, first ? "{\"kind\":" : ",{\"kind\":");
  vt_text_string(text, vt_ailment_name(finding->ailment));
  put_member(text, "what", finding->what);
  put_member(text, "evidence", finding->evidence);
  put_member(text, "remedy", finding->remedy);
  vt_text_put(text, ",\"series\":[");
  for (int k = 0; k < 3 && shown_by[finding->ailment][k] != NULL; k++) {
    if (k > 0) vt_text_put(text, ",");
    vt_text_string(text, shown_by[finding->ailment][k]);
  }
  vt_text_put(text, "]}");
}

static enum vt_status diagnose(struct vt_run *run, int threads, struct vt_text *text, struct vt_error *error) {
  struct vt_diagnosis found;
  VT_TRY(vt_diagnose(run, threads, &found, error));
  struct vt_run_step last = {0};
  enum vt_status status = vt_run_last_step(run, &last, error);
  if (status != VT_OK && status != VT_ERROR_EMPTY) return status;
  vt_text_printf(text, "{\"step\":%llu,\"findings\":[", (unsigned long long)last.step);
  for (size_t k = 0; k < found.finding_count; k++) write_finding(text, &found.findings[k], k == 0);
  vt_text_put(text, "],\"sound\":[");
  for (size_t k = 0; k < found.sound_count; k++) {
    if (k > 0) vt_text_put(text, ",");
    vt_text_string(text, vt_ailment_name(found.sound[k]));
  }
  vt_text_put(text, "],\"unknown\":[");
  for (size_t k = 0; k < found.unknown_count; k++) {
    vt_text_put(text, k > 0 ? ",{\"kind\":" : "{\"kind\":");
    vt_text_string(text, vt_ailment_name(found.unknown[k].ailment));
    put_member(text, "why", found.unknown[k].why);
    vt_text_put(text, "}");
  }
  vt_text_put(text, "]}");
  return VT_OK;
}

static void write_measures(const struct vt_measures *found, struct vt_text *text) {
  vt_text_put(text, "{\"steps\":[");
  for (size_t k = 0; k < found->count; k++)
    vt_text_printf(text, "%s%llu", k > 0 ? "," : "", (unsigned long long)found->steps[k]);
  vt_text_put(text, "],\"series\":{");
  for (size_t s = 0; s < found->series_count; s++) {
    if (s > 0) vt_text_put(text, ",");
    vt_text_string(text, found->series[s].name);
    for (size_t k = 0; k < found->count; k++) {
      vt_text_put(text, k > 0 ? "," : ":[");
      vt_text_number(text, found->series[s].values[k]);
    }
    vt_text_put(text, "]");
  }
  vt_text_put(text, "},\"texts\":{");
  for (size_t s = 0; s < found->series_count; s++) {
    if (s > 0) vt_text_put(text, ",");
    vt_text_string(text, found->series[s].name);
    vt_text_put(text, ":");
    vt_text_string(text, found->series[s].text);
  }
  vt_text_put(text, "},\"notes\":[");
  for (size_t k = 0; k < found->note_count; k++) {
    if (k > 0) vt_text_put(text, ",");
    vt_text_string(text, found->notes[k]);
  }
  vt_text_put(text, "]}");
}

static enum vt_status measure(struct vt_run *run, int threads, struct vt_text *text, struct vt_error *error) {
  struct vt_measure_options options;
  vt_measure_options_init(&options);
  options.threads = threads;
  struct vt_measures found;
  VT_TRY(vt_measure_run(run, &options, &found, error));
  write_measures(&found, text);
  vt_measures_release(&found);
  return VT_OK;
}

/* ---- the thread ----------------------------------------------------------------------------------------------------
 */

static void *compute(void *context) {
  struct vt_job *job = context;
  struct vt_text text = {0};
  struct vt_error error = {0};
  struct vt_run *run;
  enum vt_status status = vt_run_open(job->run, &run, &error);
  if (status == VT_OK) {
    status = (job->kind == VT_JOB_DIAGNOSIS ? diagnose : measure)(run, job->threads, &text, &error);
    vt_run_close(run);
  }
  if (status == VT_OK && text.failed) status = VT_FAIL(&error, VT_ERROR_MEMORY, "no memory for an answer");
  pthread_mutex_lock(&job->lock);
  job->computing = false;
  job->status = status;
  job->error = error;
  if (status == VT_OK) {
    vt_text_release(&job->answer);
    job->answer = text;
    job->there = true;
  } else {
    vt_text_release(&text);
  }
  pthread_mutex_unlock(&job->lock);
  let_go(job);
  return NULL;
}

/* With the lock. */
static enum vt_status start(struct vt_job *job, uint64_t version, struct vt_error *error) {
  pthread_attr_t attributes;
  pthread_t thread;
  job->holders++;
  job->computing = true;
  job->version = version;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  int failed = pthread_create(&thread, &attributes, compute, job);
  pthread_attr_destroy(&attributes);
  if (failed == 0) return VT_OK;
  job->holders--;
  job->computing = false;
  job->version = UINT64_MAX;
  return VT_FAIL(error, VT_ERROR_THREAD, "a thread could not be started");
}

enum vt_status vt_job_answer(struct vt_job *job, uint64_t version, struct vt_text *text, struct vt_error *error) {
  pthread_mutex_lock(&job->lock);
  bool begun = job->computing || job->there || job->status != VT_OK;
  enum vt_status status = VT_OK;
  if (!job->computing && (!begun || job->version != version)) status = start(job, version, error);
  if (status == VT_OK && job->there) {
    vt_text_add(text, job->answer.data, job->answer.bytes);
  } else if (status == VT_OK && !job->computing) {
    status = job->status;
    if (error != NULL) *error = job->error;
  } else if (status == VT_OK) {
    status = VT_FAIL(error, VT_ERROR_BUSY, "not computed yet");
  }
  pthread_mutex_unlock(&job->lock);
  return status;
}

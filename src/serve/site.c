/*
 * site.c: runs that may still be growing.
 *
 * A keeper looks at the run's database once a second. When it has changed, the facts (metrics, events, settings) are
 * read again; when there are new snapshots, a new view is made and takes the place of the old one, which lives until
 * the last request gives it back. Requests never wait for a keeper: they take what is there.
 *
 * Threads: `lock` guards everything of a run that is written after its creation.
 */
#define _POSIX_C_SOURCE 200809L

#include "serve/site.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "serve/summary.h"
#include "vectrail/run.h"

#define SKIPPED_MAX 256
#define STILL_SECONDS 15 /* a database that was written less long ago is being trained */

struct vt_site_view {
  struct vt_view *view;
  uint64_t number;
  int users; /* the site's own use included */
};

struct signature {
  long long changed[2], bytes[2];
};

struct site_run {
  struct vt_site *site;
  char *path;
  pthread_t keeper;
  bool keeping;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  struct vt_site_view *current;
  uint64_t views;       /* made so far */
  uint64_t generation;  /* of the facts */
  struct vt_text facts; /* the inside of a JSON object */
  enum vt_run_state state;
  uint64_t last_step;
  size_t snapshots;
  bool prepared;
  enum vt_status status; /* why there is no view, or no whole one */
  struct vt_error error;
  struct vt_job *jobs[VT_JOBS];
  enum vt_status facts_status; /* likewise of the facts, which are then read again each second */
  struct vt_error facts_error;
  uint64_t skipped[SKIPPED_MAX];
  size_t skipped_count;
  volatile sig_atomic_t stop;
};

struct vt_site {
  struct site_run *runs;
  size_t count;
  struct vt_site_options options;
};

/* ---- views ---------------------------------------------------------------------------------------------------------
 */

/* With the lock. */
static void drop(struct vt_site_view *handle) {
  if (handle == NULL || --handle->users > 0) return;
  vt_view_free(handle->view);
  vt_free(handle);
}

struct vt_view *vt_site_take(struct vt_site *site, size_t index, struct vt_site_view **handle, uint64_t *number) {
  struct site_run *run = &site->runs[index];
  struct vt_view *view = NULL;
  pthread_mutex_lock(&run->lock);
  *handle = run->current;
  if (run->current != NULL) {
    run->current->users++;
    *number = run->current->number;
    view = run->current->view;
  }
  pthread_mutex_unlock(&run->lock);
  return view;
}

void vt_site_give_back(struct vt_site *site, size_t index, struct vt_site_view *handle) {
  struct site_run *run = &site->runs[index];
  pthread_mutex_lock(&run->lock);
  drop(handle);
  pthread_mutex_unlock(&run->lock);
}

static void note_failure(struct site_run *run, enum vt_status status, const struct vt_error *error) {
  pthread_mutex_lock(&run->lock);
  run->status = status;
  run->error = *error;
  run->generation++;
  pthread_mutex_unlock(&run->lock);
}

/* Remembers a snapshot that cannot be used; false when it is none of those, or there are too many. */
static bool skip(struct site_run *run, uint64_t step) {
  if (step == UINT64_MAX || run->skipped_count == SKIPPED_MAX) return false;
  pthread_mutex_lock(&run->lock);
  run->skipped[run->skipped_count++] = step;
  run->generation++;
  pthread_mutex_unlock(&run->lock);
  return true;
}

/* Makes a view of the run as it is, shows it, prepares it. Snapshots that turn out damaged are left out, and the view
 * made again. */
static void make_view(struct site_run *run) {
  for (;;) {
    struct vt_view_options options;
    vt_view_options_init(&options);
    options.map_words = run->site->options.map_words;
    options.threads = run->site->options.threads;
    if (run->site->count > 1) options.cache_bytes /= run->site->count; /* the machine's memory is for all runs */
    options.skip = run->skipped;
    options.skip_count = run->skipped_count;
    options.before = run->current != NULL ? run->current->view : NULL;
    struct vt_view *view = NULL;
    struct vt_error error;
    uint64_t damaged;
    enum vt_status status = vt_view_open(run->path, &options, &view, &damaged, &error);
    struct vt_site_view *handle = status == VT_OK ? vt_alloc_zero(1, sizeof *handle) : NULL;
    if (status == VT_OK && handle == NULL) {
      vt_view_free(view);
      status = VT_FAIL_MEMORY(&error, sizeof *handle);
    }
    if (status == VT_OK) {
      pthread_mutex_lock(&run->lock);
      *handle = (struct vt_site_view){.view = view, .number = ++run->views, .users = 1};
      drop(run->current);
      run->current = handle;
      run->status = VT_OK;
      run->generation++;
      pthread_mutex_unlock(&run->lock);
      status = vt_view_prepare(view, &run->stop, &damaged, &error);
    }
    if (status == VT_OK || status == VT_ERROR_INTERRUPTED) return;
    if ((status == VT_ERROR_CORRUPT || status == VT_ERROR_NOT_FOUND) && skip(run, damaged)) continue;
    note_failure(run, status, &error);
    return;
  }
}

/* ---- the keeper ----------------------------------------------------------------------------------------------------
 */

static struct signature look(const struct site_run *run) {
  static const char *const names[2] = {"run.db", "run.db-wal"};
  struct signature found = {{0}, {0}};
  for (int k = 0; k < 2; k++) {
    char *path = vt_path_join(run->path, names[k]);
    struct stat info;
    if (path != NULL && stat(path, &info) == 0) {
      found.changed[k] = (long long)info.st_mtim.tv_sec * 1000000000LL + info.st_mtim.tv_nsec;
      found.bytes[k] = (long long)info.st_size;
    }
    vt_free(path);
  }
  return found;
}

static bool is_still(const struct signature *signature) {
  long long latest = signature->changed[0] > signature->changed[1] ? signature->changed[0] : signature->changed[1];
  return (long long)time(NULL) - latest / 1000000000LL > STILL_SECONDS;
}

/* Reads the facts; how many snapshots there are, too. */
static bool read_facts(struct site_run *run, bool still) {
  struct vt_run *opened;
  struct vt_error error;
  enum vt_status status = vt_run_open(run->path, &opened, &error);
  struct vt_text facts = {0};
  struct vt_summary_facts found = {0};
  if (status == VT_OK) {
    status = vt_summary_write(opened, still, &facts, &found, &error);
    vt_run_close(opened);
  }
  pthread_mutex_lock(&run->lock);
  if (status == VT_OK) {
    vt_text_release(&run->facts);
    run->facts = facts;
    run->state = found.state;
    run->last_step = found.last_step;
    run->snapshots = found.snapshots;
  } else {
    vt_text_release(&facts);
    run->facts_error = error;
  }
  run->facts_status = status;
  run->generation++;
  pthread_mutex_unlock(&run->lock);
  return status == VT_OK;
}

static void wait_second(struct site_run *run) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec++;
  pthread_mutex_lock(&run->lock);
  if (!vt_is_interrupted(&run->stop)) pthread_cond_timedwait(&run->wake, &run->lock, &until);
  pthread_mutex_unlock(&run->lock);
}

static void *keep(void *context) {
  struct site_run *run = context;
  struct signature seen = {{-1, -1}, {-1, -1}};
  size_t snapshots = SIZE_MAX;
  bool was_still = false;
  while (!vt_is_interrupted(&run->stop)) {
    struct signature now = look(run);
    bool still = is_still(&now);
    if (memcmp(&now, &seen, sizeof now) != 0 || still != was_still) {
      if (read_facts(run, still)) seen = now;
      was_still = still;
    }
    if (run->snapshots != snapshots) {
      snapshots = run->snapshots;
      make_view(run);
    }
    pthread_mutex_lock(&run->lock);
    run->prepared = true;
    pthread_mutex_unlock(&run->lock);
    wait_second(run);
  }
  return NULL;
}

/* ---- what is told --------------------------------------------------------------------------------------------------
 */

void vt_site_summary(struct vt_site *site, size_t index, struct vt_text *text) {
  struct site_run *run = &site->runs[index];
  pthread_mutex_lock(&run->lock);
  vt_text_printf(text, "{\"id\":%zu,\"path\":", index);
  vt_text_string(text, run->path);
  vt_text_printf(text, ",\"generation\":%llu", (unsigned long long)run->generation);
  if (run->facts.bytes > 0) vt_text_add(text, run->facts.data, run->facts.bytes);
  vt_text_put(text, ",\"skipped\":[");
  for (size_t k = 0; k < run->skipped_count; k++)
    vt_text_printf(text, "%s%llu", k > 0 ? "," : "", (unsigned long long)run->skipped[k]);
  vt_text_put(text, "]");
  const struct vt_error *error = run->status != VT_OK ? &run->error : &run->facts_error;
  if (run->status != VT_OK || run->facts_status != VT_OK) {
    vt_text_put(text, ",\"error\":");
    vt_text_string(text, error->message);
    vt_text_put(text, ",\"help\":");
    vt_text_string(text, error->help);
  }
  if (run->current != NULL) vt_summary_view(run->current->view, run->current->number, text);
  vt_text_put(text, "}");
  pthread_mutex_unlock(&run->lock);
}

void vt_site_pulse(struct vt_site *site, size_t index, struct vt_text *text) {
  struct site_run *run = &site->runs[index];
  pthread_mutex_lock(&run->lock);
  vt_text_printf(text, "{\"generation\":%llu,\"state\":\"%s\",\"step\":%llu", (unsigned long long)run->generation,
                 vt_run_state_name(run->state), (unsigned long long)run->last_step);
  if (run->current != NULL) {
    struct vt_view_progress progress = vt_view_progress(run->current->view);
    vt_text_printf(text, ",\"view\":%llu,\"frames\":%zu,\"positions\":%zu,\"clusters\":%s,\"movement\":%zu",
                   (unsigned long long)run->current->number, vt_view_facts(run->current->view).frames,
                   progress.positions, progress.clusters ? "true" : "false", progress.movement);
  }
  vt_text_put(text, "}");
  pthread_mutex_unlock(&run->lock);
}

enum vt_status vt_site_job(struct vt_site *site, size_t index, enum vt_job_kind kind, struct vt_text *text,
                           struct vt_error *error) {
  struct site_run *run = &site->runs[index];
  pthread_mutex_lock(&run->lock);
  uint64_t version = run->snapshots;
  pthread_mutex_unlock(&run->lock);
  return vt_job_answer(run->jobs[kind], version, text, error);
}

uint64_t vt_site_beat(struct vt_site *site, size_t index) {
  struct site_run *run = &site->runs[index];
  pthread_mutex_lock(&run->lock);
  uint64_t beat = run->generation * 1000003;
  if (run->current != NULL) {
    struct vt_view_progress progress = vt_view_progress(run->current->view);
    beat += progress.positions + 1009 * progress.movement + (progress.clusters ? 500009 : 0);
  }
  pthread_mutex_unlock(&run->lock);
  return beat;
}

enum vt_status vt_site_wait(struct vt_site *site, size_t index, const volatile sig_atomic_t *interrupt,
                            struct vt_error *error) {
  struct site_run *run = &site->runs[index];
  for (;;) {
    pthread_mutex_lock(&run->lock);
    bool prepared = run->prepared;
    enum vt_status status = run->status;
    if (status != VT_OK && error != NULL) *error = run->error;
    if (status == VT_OK) {
      status = run->facts_status;
      if (status != VT_OK && error != NULL) *error = run->facts_error;
    }
    pthread_mutex_unlock(&run->lock);
    if (prepared) return status;
    if (vt_is_interrupted(interrupt)) return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted");
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  }
}

/* ---- creating and freeing ------------------------------------------------------------------------------------------
 */

static enum vt_status start_run(struct vt_site *site, struct site_run *run, const char *path, struct vt_error *error) {
  struct vt_run *opened;
  VT_TRY(vt_run_open(path, &opened, error));
  vt_run_close(opened);
  run->site = site;
  run->path = vt_copy_string(path);
  if (run->path == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  for (int k = 0; k < VT_JOBS; k++) {
    run->jobs[k] = vt_job_create(path, (enum vt_job_kind)k, site->options.threads);
    if (run->jobs[k] == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  }
  run->state = VT_RUN_TRAINING;
  if (pthread_create(&run->keeper, NULL, keep, run) != 0)
    return VT_FAIL(error, VT_ERROR_THREAD, "%s: the thread that keeps the run could not be started", path);
  run->keeping = true;
  return VT_OK;
}

enum vt_status vt_site_create(const char *const *paths, size_t count, const struct vt_site_options *options,
                              struct vt_site **out, struct vt_error *error) {
  struct vt_site *site = vt_alloc_zero(1, sizeof *site);
  if (site == NULL) return VT_FAIL_MEMORY(error, sizeof *site);
  site->options = *options;
  site->runs = vt_alloc_zero(count, sizeof *site->runs);
  if (site->runs == NULL) {
    vt_free(site);
    return VT_FAIL_MEMORY(error, count * sizeof *site->runs);
  }
  enum vt_status status = VT_OK;
  while (site->count < count && status == VT_OK) {
    struct site_run *run = &site->runs[site->count];
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->wake, NULL);
    site->count++;
    status = start_run(site, run, paths[site->count - 1], error);
  }
  if (status != VT_OK) {
    vt_site_free(site);
    return status;
  }
  *out = site;
  return VT_OK;
}

void vt_site_free(struct vt_site *site) {
  if (site == NULL) return;
  for (size_t k = 0; k < site->count; k++) {
    struct site_run *run = &site->runs[k];
    pthread_mutex_lock(&run->lock);
    __atomic_store_n(&run->stop, 1, __ATOMIC_RELAXED);
    pthread_cond_signal(&run->wake);
    pthread_mutex_unlock(&run->lock);
  }
  for (size_t k = 0; k < site->count; k++) {
    struct site_run *run = &site->runs[k];
    if (run->keeping) pthread_join(run->keeper, NULL);
    drop(run->current);
    for (int j = 0; j < VT_JOBS; j++) vt_job_free(run->jobs[j]);
    vt_text_release(&run->facts);
    vt_free(run->path);
    pthread_cond_destroy(&run->wake);
    pthread_mutex_destroy(&run->lock);
  }
  vt_free(site->runs);
  vt_free(site);
}

size_t vt_site_count(const struct vt_site *site) { return site->count; }
const char *vt_site_path(const struct vt_site *site, size_t run) { return site->runs[run].path; }

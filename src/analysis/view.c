/*
 * view.c: opening a run to look at it, the cache of its snapshots, and the pass that computes what a map shows.
 *
 * Vectors are kept at length 1 beside their lengths, so that a cosine is one product. A frame that nobody holds may be
 * thrown out when another one needs the room; the results of the pass (positions, movement, clusters) are small and
 * stay. They are written by vt_view_prepare alone, and each is published by a flag with release order, so whoever sees
 * the flag sees the whole.
 */
#define _POSIX_C_SOURCE 200809L

#include "vectrail/view.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "analysis/view_internal.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/processors.h"
#include "run/run_internal.h"

#define CACHE_LEAST (UINT64_C(1) << 30)
#define CACHE_MOST (UINT64_C(4) << 30)

/* Who asks about a word over the whole training passes all snapshots, each in its turn; where one is missing from the
 * cache, that answer takes a hundred times as long. */
static uint64_t usual_cache(void) {
  uint64_t eighth = 0;
#ifdef _SC_PHYS_PAGES
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) eighth = (uint64_t)pages / 8 * (uint64_t)page;
#endif
  return eighth < CACHE_LEAST ? CACHE_LEAST : eighth > CACHE_MOST ? CACHE_MOST : eighth;
}

void vt_view_options_init(struct vt_view_options *options) {
  *options = (struct vt_view_options){.map_words = 200000, .cache_bytes = usual_cache(), .threads = vt_processors()};
}

/* ---- the cache of frames -------------------------------------------------------------------------------------------
 */

/* Makes room for one more frame; false where all are in use. Called with the lock. */
static bool make_room(struct vt_view *view) {
  if (view->cache_frames < view->cache_limit) return true;
  struct vt_view_frame *oldest = NULL;
  for (size_t f = 0; f < view->frames; f++) {
    struct vt_view_frame *frame = &view->cache[f];
    if (frame->units == NULL || frame->users > 0 || frame->loading) continue;
    if (oldest == NULL || frame->used < oldest->used) oldest = frame;
  }
  if (oldest == NULL) return false;
  vt_free_aligned(oldest->units);
  vt_free(oldest->norms);
  *oldest = (struct vt_view_frame){0};
  view->cache_frames--;
  return true;
}

static enum vt_status read_frame(const struct vt_view *view, size_t frame, float **units_out, float **norms_out,
                                 struct vt_error *error) {
  size_t width = view->width;
  float *units = vt_alloc_aligned_raw(view->words * width, sizeof *units);
  float *norms = vt_alloc(view->words, sizeof *norms);
  enum vt_status status =
      units == NULL || norms == NULL ? VT_FAIL_MEMORY(error, view->words * width * sizeof *units) : VT_OK;
  if (status == VT_OK)
    status = vt_run_rows(view->run, view->snapshot[frame], view->ids, view->words, view->dim, width, units, error);
  for (size_t w = 0; w < view->words && status == VT_OK; w++) {
    float *row = units + w * width;
    float squared = view->kernel->dot(row, row, width);
    if (!isfinite(squared)) {
      status = VT_FAIL(error, VT_ERROR_CORRUPT, "step %llu: the vector of word %zu is not finite",
                       (unsigned long long)view->steps[frame], w);
      break;
    }
    norms[w] = sqrtf(squared);
    float scale = norms[w] > 0 ? 1 / norms[w] : 0;
    for (size_t c = 0; c < view->dim; c++) row[c] *= scale;
  }
  if (status != VT_OK) {
    vt_free_aligned(units);
    vt_free(norms);
    return status;
  }
  *units_out = units;
  *norms_out = norms;
  return VT_OK;
}

enum vt_status vt_view_acquire(struct vt_view *view, size_t index, const struct vt_view_frame **vectors,
                               struct vt_error *error) {
  struct vt_view_frame *frame = &view->cache[index];
  pthread_mutex_lock(&view->lock);
  while (frame->units == NULL && (frame->loading || !make_room(view))) pthread_cond_wait(&view->loaded, &view->lock);
  enum vt_status status = VT_OK;
  if (frame->units == NULL) {
    frame->loading = true;
    view->cache_frames++;
    pthread_mutex_unlock(&view->lock);
    float *units = NULL, *norms = NULL;
    status = read_frame(view, index, &units, &norms, error);
    pthread_mutex_lock(&view->lock);
    frame->loading = false;
    frame->units = units;
    frame->norms = norms;
    if (status != VT_OK) view->cache_frames--;
    pthread_cond_broadcast(&view->loaded);
  }
  if (status == VT_OK) {
    frame->users++;
    frame->used = ++view->clock;
    *vectors = frame;
  }
  pthread_mutex_unlock(&view->lock);
  return status;
}

void vt_view_let_go(struct vt_view *view, size_t index) {
  pthread_mutex_lock(&view->lock);
  if (--view->cache[index].users == 0) pthread_cond_broadcast(&view->loaded);
  pthread_mutex_unlock(&view->lock);
}

/* ---- opening -------------------------------------------------------------------------------------------------------
 */

static bool is_skipped(const struct vt_view_options *options, uint64_t step) {
  for (size_t k = 0; k < options->skip_count; k++)
    if (options->skip[k] == step) return true;
  return false;
}

static enum vt_status take_frames(struct vt_view *view, const struct vt_view_options *options, const char *path,
                                  struct vt_error *error) {
  size_t snapshots = vt_run_snapshot_count(view->run);
  view->snapshot = vt_alloc_zero(snapshots, sizeof *view->snapshot);
  view->steps = vt_alloc_zero(snapshots, sizeof *view->steps);
  view->cache = vt_alloc_zero(snapshots, sizeof *view->cache);
  view->positions_there = vt_alloc_zero(snapshots, sizeof *view->positions_there);
  view->movement_there = vt_alloc_zero(snapshots, sizeof *view->movement_there);
  if (view->snapshot == NULL || view->steps == NULL || view->cache == NULL || view->positions_there == NULL ||
      view->movement_there == NULL)
    return VT_FAIL_MEMORY(error, snapshots * sizeof *view->cache);
  for (size_t s = 0; s < snapshots; s++) {
    uint64_t step = vt_run_snapshot_at(view->run, s).step;
    if (is_skipped(options, step)) continue;
    view->snapshot[view->frames] = s;
    view->steps[view->frames++] = step;
  }
  if (view->frames == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "wait for the first one, or train again", "%s: no snapshot %s", path,
                        snapshots == 0 ? "was taken yet" : "can be read");
  return VT_OK;
}

static enum vt_status allocate(struct vt_view *view, const struct vt_view_options *options, struct vt_error *error) {
  size_t cells = view->frames * view->map_words;
  view->ids = vt_alloc(view->words, sizeof *view->ids);
  view->mean = vt_alloc_zero(view->dim, sizeof *view->mean);
  for (int axis = 0; axis < 2; axis++) view->basis[axis] = vt_alloc_zero(view->dim, sizeof(double));
  view->covariance = vt_alloc(view->dim * view->dim, sizeof *view->covariance);
  view->positions = vt_alloc(cells, 2 * sizeof *view->positions);
  view->movement = vt_alloc_zero(cells, sizeof *view->movement);
  view->cluster_of = vt_alloc_zero(view->map_words, sizeof *view->cluster_of);
  view->together = vt_alloc_zero(VT_VIEW_CLUSTERS * view->frames, sizeof *view->together);
  if (view->ids == NULL || view->mean == NULL || view->basis[0] == NULL || view->basis[1] == NULL ||
      view->covariance == NULL || view->positions == NULL || view->movement == NULL || view->cluster_of == NULL ||
      view->together == NULL)
    return VT_FAIL_MEMORY(error, cells * 2 * sizeof *view->positions);
  for (size_t w = 0; w < view->words; w++) view->ids[w] = (uint32_t)w;
  uint64_t frame_bytes = (uint64_t)view->words * (view->width + 1) * sizeof(float);
  uint64_t limit = frame_bytes > 0 ? options->cache_bytes / frame_bytes : 2;
  /* Each thread of the pass may hold two frames. */
  uint64_t least = 2 * (uint64_t)options->threads + 2;
  view->cache_limit = limit < least ? (size_t)least : limit > view->frames ? view->frames + 1 : (size_t)limit;
  return VT_OK;
}

enum vt_status vt_view_open(const char *path, const struct vt_view_options *options, struct vt_view **out,
                            uint64_t *damaged, struct vt_error *error) {
  uint64_t ignored;
  if (damaged == NULL) damaged = &ignored;
  *damaged = UINT64_MAX;
  struct vt_view *view = vt_alloc_zero(1, sizeof *view);
  if (view == NULL) return VT_FAIL_MEMORY(error, sizeof *view);
  pthread_mutex_init(&view->lock, NULL);
  pthread_cond_init(&view->loaded, NULL);
  enum vt_status status = vt_run_open(path, &view->run, error);
  if (status == VT_OK) status = take_frames(view, options, path, error);
  if (status == VT_OK) {
    size_t last = view->frames - 1;
    status = vt_run_dim(view->run, view->snapshot[last], &view->dim, error);
    if (status != VT_OK) *damaged = view->steps[last];
  }
  if (status == VT_OK) {
    view->words = vt_vocab_size(vt_run_vocab(view->run));
    view->width = vt_kernel_width(view->dim);
    view->map_words = options->map_words == 0 || options->map_words > view->words ? view->words : options->map_words;
    status = allocate(view, options, error);
  }
  if (status == VT_OK) status = vt_kernel_choose(NULL, &view->kernel, error);
  if (status == VT_OK) status = vt_pool_create(options->threads, &view->pool, error);
  if (status == VT_OK) status = vt_view_choose_basis(view, options->before, damaged, error);
  if (status != VT_OK) {
    vt_view_free(view);
    return status;
  }
  *out = view;
  return VT_OK;
}

void vt_view_free(struct vt_view *view) {
  if (view == NULL) return;
  for (size_t f = 0; f < view->frames; f++) {
    vt_free_aligned(view->cache[f].units);
    vt_free(view->cache[f].norms);
  }
  vt_free(view->cache);
  vt_free(view->snapshot);
  vt_free(view->steps);
  vt_free(view->ids);
  vt_free(view->mean);
  vt_free(view->basis[0]);
  vt_free(view->basis[1]);
  vt_free(view->covariance);
  vt_free(view->positions);
  vt_free(view->positions_there);
  vt_free(view->movement);
  vt_free(view->movement_there);
  vt_free(view->cluster_of);
  vt_free(view->together);
  vt_pool_free(view->pool);
  vt_run_close(view->run);
  pthread_cond_destroy(&view->loaded);
  pthread_mutex_destroy(&view->lock);
  vt_free(view);
}

/* ---- the pass ------------------------------------------------------------------------------------------------------
 */

struct pass {
  struct vt_view *view;
  const volatile sig_atomic_t *interrupt;
  const struct vt_neighbor *near; /* map_words x VT_VIEW_NEIGHBORS */
  const size_t *near_counts;
  atomic_size_t next;
  pthread_mutex_t lock; /* of what follows */
  enum vt_status status;
  struct vt_error error;
  uint64_t damaged;
};

static void fail_pass(struct pass *pass, enum vt_status status, const struct vt_error *error, uint64_t damaged) {
  pthread_mutex_lock(&pass->lock);
  /* Of several failures the earliest step is told, whoever met it first. */
  if (pass->status == VT_OK || damaged < pass->damaged) {
    pass->status = status;
    pass->error = *error;
    pass->damaged = damaged;
  }
  pthread_mutex_unlock(&pass->lock);
}

/* The next item, or `count` when there is none or the pass was stopped. */
static size_t take(struct pass *pass, size_t count) {
  if (vt_is_interrupted(pass->interrupt)) {
    struct vt_error error;
    fail_pass(pass, VT_FAIL(&error, VT_ERROR_INTERRUPTED, "interrupted"), &error, UINT64_MAX);
  }
  pthread_mutex_lock(&pass->lock);
  bool stopped = pass->status != VT_OK;
  pthread_mutex_unlock(&pass->lock);
  size_t item = stopped ? count : atomic_fetch_add(&pass->next, 1);
  return item < count ? item : count;
}

static void place_frames(void *context, int worker) {
  struct pass *pass = context;
  struct vt_view *view = pass->view;
  (void)worker;
  for (size_t item; (item = take(pass, view->frames)) < view->frames;) {
    size_t frame = view->frames - 1 - item;
    const struct vt_view_frame *vectors;
    struct vt_error error;
    enum vt_status status = vt_view_acquire(view, frame, &vectors, &error);
    if (status != VT_OK) {
      fail_pass(pass, status, &error, view->steps[frame]);
      return;
    }
    const double *const directions[2] = {view->basis[0], view->basis[1]};
    vt_view_project(view, vectors, view->map_words, view->mean, directions, view->edge,
                    view->positions + frame * view->map_words * 2);
    vt_view_let_go(view, frame);
    atomic_store_explicit(&view->positions_there[frame], true, memory_order_release);
    atomic_fetch_add(&view->positions_count, 1);
  }
}

/* own += scale * (v(now) - v(before)) of a word. */
static void add_drift(const struct vt_view *view, const struct vt_view_frame *now, const struct vt_view_frame *before,
                      uint32_t word, float scale, float *own) {
  const float *to = vt_view_row(view, now, word), *from = vt_view_row(view, before, word);
  float to_scale = scale * now->norms[word], from_scale = scale * before->norms[word];
  for (size_t c = 0; c < view->width; c++) own[c] += to[c] * to_scale - from[c] * from_scale;
}

/* movement[w] of one frame, from its vectors and those before. own: scratch of `width`. */
static void measure_movement(const struct pass *pass, const struct vt_view_frame *now,
                             const struct vt_view_frame *before, float *own, uint8_t *movement) {
  const struct vt_view *view = pass->view;
  for (size_t w = 0; w < view->map_words; w++) {
    const struct vt_neighbor *near = pass->near + w * VT_VIEW_NEIGHBORS;
    size_t count = pass->near_counts[w];
    memset(own, 0, view->width * sizeof *own);
    add_drift(view, now, before, (uint32_t)w, 1, own);
    for (size_t k = 0; k < count; k++) add_drift(view, now, before, near[k].id, -1 / (float)count, own);
    float squared = view->kernel->dot(own, own, view->width), norm = now->norms[w];
    double ratio = norm > 0 ? sqrt((double)squared) / (double)norm : 0;
    movement[w] = (uint8_t)lrint(255 * sqrt(ratio < 1 ? ratio : 1));
  }
}

static void move_frames(void *context, int worker) {
  struct pass *pass = context;
  struct vt_view *view = pass->view;
  (void)worker;
  float *own = vt_alloc_aligned(view->width, sizeof *own);
  if (own == NULL) {
    struct vt_error error;
    fail_pass(pass, VT_FAIL_MEMORY(&error, view->width * sizeof *own), &error, UINT64_MAX);
  }
  for (size_t item; own != NULL && (item = take(pass, view->frames)) < view->frames;) {
    size_t frame = view->frames - 1 - item;
    if (frame > 0) {
      const struct vt_view_frame *now, *before;
      struct vt_error error;
      enum vt_status status = vt_view_acquire(view, frame - 1, &before, &error);
      if (status == VT_OK) {
        status = vt_view_acquire(view, frame, &now, &error);
        if (status == VT_OK) {
          measure_movement(pass, now, before, own, view->movement + frame * view->map_words);
          vt_view_let_go(view, frame);
        }
        vt_view_let_go(view, frame - 1);
      }
      if (status != VT_OK) {
        fail_pass(pass, status, &error, view->steps[frame]);
        break;
      }
    }
    atomic_store_explicit(&view->movement_there[frame], true, memory_order_release);
    atomic_fetch_add(&view->movement_count, 1);
  }
  vt_free_aligned(own);
}

static enum vt_status run_pass(struct pass *pass, vt_pool_work *work, uint64_t *damaged, struct vt_error *error) {
  atomic_store(&pass->next, 0);
  vt_pool_run(pass->view->pool, work, pass);
  if (pass->status != VT_OK) {
    *damaged = pass->damaged;
    if (error != NULL) *error = pass->error;
  }
  return pass->status;
}

/* Neighbours at the last snapshot. Of 100,000 words the 10,000 most frequent are looked through: the whole table would
 * take minutes, and what a word's surroundings do is told by ten of them. */
static enum vt_status find_neighbors(struct vt_view *view, struct vt_neighbor *near, size_t *counts,
                                     struct vt_error *error) {
  size_t last = view->frames - 1;
  const struct vt_view_frame *frame;
  VT_TRY(vt_view_acquire(view, last, &frame, error));
  float *data = vt_vectors_data_alloc(view->words, view->dim);
  struct vt_vectors *vectors = NULL;
  enum vt_status status = data == NULL ? VT_FAIL_MEMORY(error, view->words * view->dim * sizeof *data) : VT_OK;
  if (status == VT_OK) {
    for (size_t w = 0; w < view->words; w++)
      memcpy(data + w * view->dim, vt_view_row(view, frame, (uint32_t)w), view->dim * sizeof *data);
    status = vt_vectors_create(vt_run_vocab(view->run), data, view->dim, 0, &vectors, error);
  }
  vt_view_let_go(view, last);
  if (status == VT_OK) {
    size_t among = view->words < VT_VIEW_AMONG ? view->words : VT_VIEW_AMONG;
    status = vt_vectors_nearest_many(vectors, view->ids, view->map_words, VT_VIEW_NEIGHBORS, among,
                                     vt_pool_size(view->pool), near, counts, error);
  }
  vt_vectors_free(vectors);
  return status;
}

enum vt_status vt_view_prepare(struct vt_view *view, const volatile sig_atomic_t *interrupt, uint64_t *damaged,
                               struct vt_error *error) {
  uint64_t ignored;
  if (damaged == NULL) damaged = &ignored;
  *damaged = UINT64_MAX;
  struct pass pass = {.view = view, .interrupt = interrupt, .status = VT_OK, .damaged = UINT64_MAX};
  pthread_mutex_init(&pass.lock, NULL);
  enum vt_status status = run_pass(&pass, place_frames, damaged, error);
  if (status == VT_OK) status = vt_view_make_clusters(view, damaged, error);
  if (status == VT_OK) {
    struct vt_neighbor *near = vt_alloc(view->map_words * VT_VIEW_NEIGHBORS, sizeof *near);
    size_t *counts = vt_alloc_zero(view->map_words, sizeof *counts);
    status = near == NULL || counts == NULL ? VT_FAIL_MEMORY(error, view->map_words * sizeof *near) : VT_OK;
    if (status == VT_OK) status = find_neighbors(view, near, counts, error);
    pass.near = near;
    pass.near_counts = counts;
    if (status == VT_OK) status = run_pass(&pass, move_frames, damaged, error);
    vt_free(near);
    vt_free(counts);
  }
  pthread_mutex_destroy(&pass.lock);
  return status;
}

/* ---- what is there -------------------------------------------------------------------------------------------------
 */

struct vt_view_facts vt_view_facts(const struct vt_view *view) {
  return (struct vt_view_facts){.vocab = vt_run_vocab(view->run),
                                .words = view->words,
                                .map_words = view->map_words,
                                .frames = view->frames,
                                .dim = view->dim,
                                .share = {view->share[0], view->share[1]},
                                .edge = view->edge,
                                .pooled_words = view->pooled_words,
                                .pooled_frames = view->pooled_frames};
}

uint64_t vt_view_step(const struct vt_view *view, size_t frame) { return view->steps[frame]; }

struct vt_view_progress vt_view_progress(const struct vt_view *view) {
  return (struct vt_view_progress){.positions = atomic_load(&view->positions_count),
                                   .clusters = atomic_load(&view->clusters_there),
                                   .movement = atomic_load(&view->movement_count)};
}

const int16_t *vt_view_positions(const struct vt_view *view, size_t frame) {
  if (!atomic_load_explicit(&view->positions_there[frame], memory_order_acquire)) return NULL;
  return view->positions + frame * view->map_words * 2;
}

const uint8_t *vt_view_movement(const struct vt_view *view, size_t frame) {
  if (!atomic_load_explicit(&view->movement_there[frame], memory_order_acquire)) return NULL;
  return view->movement + frame * view->map_words;
}

const uint8_t *vt_view_cluster_of(const struct vt_view *view) {
  return atomic_load_explicit(&view->clusters_there, memory_order_acquire) ? view->cluster_of : NULL;
}

const struct vt_view_cluster *vt_view_clusters(const struct vt_view *view, size_t *count) {
  bool there = atomic_load_explicit(&view->clusters_there, memory_order_acquire);
  *count = there ? view->cluster_count : 0;
  return there ? view->clusters : NULL;
}

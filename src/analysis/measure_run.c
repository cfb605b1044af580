/*
 * measure_run.c: walks over the snapshots of a run and lets the questions look.
 *
 * Which words are looked at is decided first, and only their rows are kept of each file: "the selection". Snapshots are
 * read as many at a time as there are threads (hashing a file is most of the work), and then looked at in order. Kept
 * are the first, the last, those just read and the two before them.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/measure_prepare.h"
#include "analysis/measure_run.h"
#include "base/memory.h"
#include "run/run_internal.h"

/* ---- what questions call ------------------------------------------------------------------------------------------
 */

uint32_t vt_measuring_place(const struct vt_measuring *m, uint32_t word) {
  size_t low = 0, high = m->rows;
  while (low + 1 < high) {
    size_t middle = low + (high - low) / 2;
    if (m->ids[middle] <= word)
      low = middle;
    else
      high = middle;
  }
  return (uint32_t)low;
}

double vt_frame_cosine(const struct vt_measuring *m, const struct vt_frame *frame, uint32_t a, uint32_t b) {
  const float *x = vt_frame_row(m, frame, a), *y = vt_frame_row(m, frame, b);
  double product = 0, norms = frame->norms[a] * frame->norms[b];
  for (size_t c = 0; c < m->dim; c++) product += (double)x[c] * (double)y[c];
  return norms > 0 ? product / norms : 0;
}

enum vt_status vt_measuring_series(struct vt_measuring *m, const char *name, const char *text, double **values,
                                   struct vt_error *error) {
  struct vt_measures *out = m->out;
  struct vt_measure_series *grown = vt_realloc(out->series, out->series_count + 1, sizeof *grown);
  if (grown == NULL) return VT_FAIL_MEMORY(error, sizeof *grown);
  out->series = grown;
  struct vt_measure_series *series = &out->series[out->series_count];
  *series = (struct vt_measure_series){vt_copy_string(name), text, vt_alloc(out->count, sizeof(double))};
  out->series_count++;
  if (series->name == NULL || series->values == NULL) return VT_FAIL_MEMORY(error, out->count * sizeof(double));
  for (size_t s = 0; s < out->count; s++) series->values[s] = (double)NAN;
  *values = series->values;
  return VT_OK;
}

enum vt_status vt_measuring_note(struct vt_measuring *m, struct vt_error *error, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  struct vt_measures *out = m->out;
  char **grown = vt_realloc(out->notes, out->note_count + 1, sizeof *grown);
  if (grown == NULL) return VT_FAIL_MEMORY(error, sizeof *grown);
  out->notes = grown;
  grown[out->note_count] = vt_copy_string(text);
  if (grown[out->note_count] == NULL) return VT_FAIL_MEMORY(error, sizeof text);
  out->note_count++;
  return VT_OK;
}

#define ITEMS_AT_ONCE 16

struct sharing {
  vt_measure_item *item;
  void *context;
  size_t count;
  atomic_size_t next;
};

static void take_items(void *context, int worker) {
  struct sharing *sharing = context;
  (void)worker;
  for (;;) {
    size_t first = atomic_fetch_add_explicit(&sharing->next, ITEMS_AT_ONCE, memory_order_relaxed);
    if (first >= sharing->count) return;
    size_t end = sharing->count - first < ITEMS_AT_ONCE ? sharing->count : first + ITEMS_AT_ONCE;
    for (size_t i = first; i < end; i++) sharing->item(sharing->context, i);
  }
}

void vt_measuring_each(struct vt_measuring *m, size_t count, vt_measure_item *item, void *context) {
  struct sharing sharing = {.item = item, .context = context, .count = count};
  atomic_init(&sharing.next, 0);
  vt_pool_run(m->pool, take_items, &sharing);
}

/* ---- frames -------------------------------------------------------------------------------------------------------
 */

static enum vt_status frame_init(const struct vt_measuring *m, struct vt_frame *frame, struct vt_error *error) {
  frame->rows = vt_alloc_aligned_raw(m->rows * m->width, sizeof *frame->rows);
  frame->norms = vt_alloc(m->rows, sizeof *frame->norms);
  frame->inverse = vt_alloc(m->rows, sizeof *frame->inverse);
  if (frame->rows == NULL || frame->norms == NULL || frame->inverse == NULL)
    return VT_FAIL_MEMORY(error, m->rows * m->width * sizeof(float));
  return VT_OK;
}

static void frame_release(struct vt_frame *frame) {
  vt_free_aligned(frame->rows);
  vt_free(frame->norms);
  vt_free(frame->inverse);
}

static enum vt_status frame_read(const struct vt_measuring *m, size_t index, struct vt_frame *frame,
                                 struct vt_error *error) {
  frame->index = index;
  VT_TRY(vt_run_rows(m->run, index, m->ids, m->rows, m->dim, m->width, frame->rows, error));
  for (size_t r = 0; r < m->rows; r++) {
    const float *row = frame->rows + r * m->width;
    double squared = 0;
    for (size_t c = 0; c < m->dim; c++) squared += (double)row[c] * (double)row[c];
    frame->norms[r] = sqrt(squared);
    frame->inverse[r] = squared > 0 ? (float)(1 / frame->norms[r]) : 0;
    if (isfinite(squared)) continue;
    return VT_FAIL_HELP(error, VT_ERROR_DIVERGED, "vectrail diagnose tells more",
                        "the snapshot of step %" PRIu64
                        " holds numbers that are not finite, in the vector of \"%.64s\"",
                        m->out->steps[index], vt_vocab_text(m->vocab, m->ids[r]));
  }
  return VT_OK;
}

/* ---- the walk -----------------------------------------------------------------------------------------------------
 */

struct questions {
  struct vt_measure_motion *motion;
  struct vt_measure_pairs *pairs;
  struct vt_measure_neighbors *neighbors;
  struct vt_measure_clusters *clusters;
  struct vt_measure_shape *shape;
};

static enum vt_status questions_create(struct vt_measuring *m, struct questions *q, struct vt_error *error) {
  unsigned groups = m->options.groups;
  if (groups & VT_MEASURE_MOTION) VT_TRY(vt_measure_motion_create(m, &q->motion, error));
  if (groups & VT_MEASURE_PAIRS) VT_TRY(vt_measure_pairs_create(m, &q->pairs, error));
  if (groups & VT_MEASURE_NEIGHBORS) VT_TRY(vt_measure_neighbors_create(m, &q->neighbors, error));
  if (groups & VT_MEASURE_CLUSTERS) VT_TRY(vt_measure_clusters_create(m, &q->clusters, error));
  if (groups & VT_MEASURE_SHAPE) VT_TRY(vt_measure_shape_create(m, &q->shape, error));
  return VT_OK;
}

static void questions_ask(struct vt_measuring *m, struct questions *q, const struct vt_moment *moment) {
  if (q->motion != NULL) vt_measure_motion_at(m, q->motion, moment);
  if (q->pairs != NULL) vt_measure_pairs_at(m, q->pairs, moment);
  if (q->neighbors != NULL) vt_measure_neighbors_at(m, q->neighbors, moment);
  if (q->clusters != NULL) vt_measure_clusters_at(m, q->clusters, moment);
  if (q->shape != NULL) vt_measure_shape_at(m, q->shape, moment);
}

static void questions_free(struct questions *q) {
  vt_measure_motion_free(q->motion);
  vt_measure_pairs_free(q->pairs);
  vt_measure_neighbors_free(q->neighbors);
  vt_measure_clusters_free(q->clusters);
  vt_measure_shape_free(q->shape);
}

/* A ring of frames: snapshot s lies in frames[s % count]. */
struct reading {
  struct vt_measuring *m;
  struct vt_frame *frames;
  size_t frame_count;
  size_t first, end; /* to be read now */
  atomic_size_t next;
  enum vt_status *status;
  struct vt_error *errors; /* by snapshot - first */
};

static void read_some(void *context, int worker) {
  struct reading *reading = context;
  (void)worker;
  for (;;) {
    size_t s = reading->first + atomic_fetch_add_explicit(&reading->next, 1, memory_order_relaxed);
    if (s >= reading->end) return;
    size_t k = s - reading->first;
    reading->status[k] = frame_read(reading->m, s, &reading->frames[s % reading->frame_count], &reading->errors[k]);
  }
}

/* The first that went wrong, in the order of the snapshots, is what is told. */
static enum vt_status read_batch(struct reading *reading, size_t first, size_t end, struct vt_error *error) {
  reading->first = first;
  reading->end = end;
  atomic_store_explicit(&reading->next, 0, memory_order_relaxed);
  vt_pool_run(reading->m->pool, read_some, reading);
  for (size_t k = 0; k < end - first; k++) {
    if (reading->status[k] == VT_OK) continue;
    if (error != NULL) *error = reading->errors[k];
    return reading->status[k];
  }
  return VT_OK;
}

static void look(struct reading *reading, struct questions *questions, size_t s) {
  struct vt_measuring *m = reading->m;
  struct vt_moment moment = {.now = &reading->frames[s % reading->frame_count], .step = m->out->steps[s]};
  if (s >= 1) {
    moment.before = &reading->frames[(s - 1) % reading->frame_count];
    moment.step_before = m->out->steps[s - 1];
  }
  if (s >= 2) moment.before2 = &reading->frames[(s - 2) % reading->frame_count];
  questions_ask(m, questions, &moment);
}

static enum vt_status walk(struct reading *reading, struct questions *questions, struct vt_error *error) {
  size_t count = reading->m->out->count, batch = (size_t)vt_pool_size(reading->m->pool);
  for (size_t first = 0; first < count; first += batch) {
    size_t end = count - first < batch ? count : first + batch;
    VT_TRY(read_batch(reading, first, end, error));
    for (size_t s = first; s < end; s++) look(reading, questions, s);
  }
  return VT_OK;
}

/* Snapshots at the end that hold NaN or infinities are left out, and the notes say so. */
static enum vt_status read_last(struct vt_measuring *m, struct vt_error *error) {
  struct vt_measures *out = m->out;
  for (;;) {
    struct vt_error reason;
    enum vt_status status = frame_read(m, out->count - 1, &m->last, &reason);
    if (status == VT_OK) return VT_OK;
    if (status != VT_ERROR_DIVERGED || out->count == 1) {
      if (error != NULL) *error = reason;
      return status;
    }
    out->count--;
    VT_TRY(vt_measuring_note(m, error, "left out: %s", reason.message));
  }
}

static enum vt_status measure(struct vt_measuring *m, struct reading *reading, struct questions *questions,
                              struct vt_error *error) {
  size_t batch = (size_t)vt_pool_size(m->pool);
  reading->m = m;
  reading->frame_count = batch + 2;
  reading->frames = vt_alloc_zero(reading->frame_count, sizeof *reading->frames);
  reading->status = vt_alloc_zero(batch, sizeof *reading->status);
  reading->errors = vt_alloc_zero(batch, sizeof *reading->errors);
  if (reading->frames == NULL || reading->status == NULL || reading->errors == NULL)
    return VT_FAIL_MEMORY(error, batch * sizeof *reading->errors);
  for (size_t k = 0; k < reading->frame_count; k++) VT_TRY(frame_init(m, &reading->frames[k], error));
  VT_TRY(frame_init(m, &m->first, error));
  VT_TRY(frame_init(m, &m->last, error));
  VT_TRY(frame_read(m, 0, &m->first, error));
  VT_TRY(read_last(m, error));
  VT_TRY(questions_create(m, questions, error));
  return walk(reading, questions, error);
}

/* ---- beginning and end --------------------------------------------------------------------------------------------
 */

static enum vt_status begin(struct vt_measuring *m, struct vt_error *error) {
  struct vt_measures *out = m->out;
  out->count = vt_run_snapshot_count(m->run);
  if (out->count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "wait for the first snapshot", "the run has no snapshot yet");
  out->steps = vt_alloc(out->count, sizeof *out->steps);
  if (out->steps == NULL) return VT_FAIL_MEMORY(error, out->count * sizeof *out->steps);
  for (size_t s = 0; s < out->count; s++) out->steps[s] = vt_run_snapshot_at(m->run, s).step;
  out->words = vt_vocab_size(m->vocab);
  VT_TRY(vt_kernel_choose(NULL, &m->kernel, error));
  VT_TRY(vt_pool_create(m->options.threads, &m->pool, error));
  VT_TRY(vt_run_dim(m->run, 0, &m->dim, error));
  if (m->dim > VT_KERNEL_WIDTH_MAX)
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "vectors of %zu numbers are longer than can be measured (%d)", m->dim,
                   VT_KERNEL_WIDTH_MAX);
  m->width = vt_kernel_width(m->dim);
  out->dim = m->dim;
  return VT_OK;
}

static enum vt_status run_all(struct vt_measuring *m, uint32_t word, struct vt_error *error) {
  VT_TRY(begin(m, error));
  VT_TRY(vt_measure_choose(m, word, error));
  struct reading reading = {0};
  struct questions questions = {0};
  enum vt_status status = measure(m, &reading, &questions, error);
  questions_free(&questions);
  for (size_t k = 0; reading.frames != NULL && k < reading.frame_count; k++) frame_release(&reading.frames[k]);
  vt_free(reading.frames);
  vt_free(reading.status);
  vt_free(reading.errors);
  return status;
}

static enum vt_status run_measuring(struct vt_run *run, const struct vt_measure_options *options, bool single,
                                    uint32_t word, struct vt_measures *measures, struct vt_error *error) {
  *measures = (struct vt_measures){0};
  VT_TRY(vt_measure_options_check(run, options, single, word, error));
  struct vt_measuring m = {
      .run = run, .vocab = vt_run_vocab(run), .options = *options, .out = measures, .single = single};
  if (single) m.options.groups = VT_MEASURE_MOTION | VT_MEASURE_NEIGHBORS | VT_MEASURE_PAIRS;
  enum vt_status status = run_all(&m, word, error);
  frame_release(&m.first);
  frame_release(&m.last);
  vt_measure_release_choice(&m);
  vt_pool_free(m.pool);
  if (status != VT_OK) vt_measures_release(measures);
  return status;
}

enum vt_status vt_measure_run(struct vt_run *run, const struct vt_measure_options *options,
                              struct vt_measures *measures, struct vt_error *error) {
  return run_measuring(run, options, false, 0, measures, error);
}

enum vt_status vt_measure_word(struct vt_run *run, uint32_t word, const struct vt_measure_options *options,
                               struct vt_measures *measures, struct vt_error *error) {
  return run_measuring(run, options, true, word, measures, error);
}

void vt_measures_release(struct vt_measures *measures) {
  for (size_t k = 0; k < measures->series_count; k++) {
    vt_free(measures->series[k].name);
    vt_free(measures->series[k].values);
  }
  for (size_t k = 0; k < measures->note_count; k++) vt_free(measures->notes[k]);
  vt_free(measures->series);
  vt_free(measures->notes);
  vt_free(measures->singular_values);
  vt_free(measures->steps);
  *measures = (struct vt_measures){0};
}

const struct vt_measure_series *vt_measures_find(const struct vt_measures *measures, const char *name) {
  for (size_t k = 0; k < measures->series_count; k++)
    if (strcmp(measures->series[k].name, name) == 0) return &measures->series[k];
  return NULL;
}

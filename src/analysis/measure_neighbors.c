/*
 * measure_neighbors.c: whether words keep their neighbours, and whether they move with them.
 *
 * Cosines are in float, by the kernel's dot product, the same bits on every instruction set, and without the
 * query's own length, which changes no order. The neighbours of the last
 * snapshot are found first, those of each snapshot once, and kept until the next.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/measure_run.h"
#include "base/memory.h"

struct vt_measure_neighbors {
  uint32_t (*last)[VT_NEIGHBORS]; /* by query, as the next two */
  uint32_t (*now)[VT_NEIGHBORS];
  uint32_t (*before)[VT_NEIGHBORS];
  double (*drift)[2]; /* by query: |D - mean of the neighbours' D|^2, |D|^2; D is the way since the snapshot before */
  double *overlap_next, *overlap_last, *drift_series;
  double *band_next[VT_MEASURE_BANDS], *band_last[VT_MEASURE_BANDS];
};

void vt_measuring_nearest(const struct vt_measuring *m, const struct vt_frame *frame, uint32_t place,
                          uint32_t neighbors[VT_NEIGHBORS]) {
  float best[VT_NEIGHBORS];
  int count = 0;
  const float *query = vt_frame_row(m, frame, place);
  for (int k = 0; k < VT_NEIGHBORS; k++) neighbors[k] = VT_NO_NEIGHBOR;
  if (!(frame->norms[place] > 0)) return;
  for (uint32_t row = 0; row < m->among; row++) {
    if (row == place || frame->inverse[row] == 0) continue;
    float cosine = frame->inverse[row] * m->kernel->dot(query, vt_frame_row(m, frame, row), m->width);
    if (count == VT_NEIGHBORS && !(cosine > best[count - 1])) continue;
    int at = count < VT_NEIGHBORS ? count++ : VT_NEIGHBORS - 1;
    for (; at > 0 && cosine > best[at - 1]; at--) {
      best[at] = best[at - 1];
      neighbors[at] = neighbors[at - 1];
    }
    best[at] = cosine;
    neighbors[at] = row;
  }
}

double vt_neighbor_overlap(const uint32_t a[VT_NEIGHBORS], const uint32_t b[VT_NEIGHBORS]) {
  int shared = 0, count_a = 0, count_b = 0;
  for (int i = 0; i < VT_NEIGHBORS; i++) {
    count_a += a[i] != VT_NO_NEIGHBOR;
    count_b += b[i] != VT_NO_NEIGHBOR;
    for (int j = 0; j < VT_NEIGHBORS; j++) shared += a[i] != VT_NO_NEIGHBOR && a[i] == b[j];
  }
  int all = count_a + count_b - shared;
  return all == 0 ? 1 : (double)shared / all;
}

struct looking {
  const struct vt_measuring *m;
  struct vt_measure_neighbors *neighbors;
  const struct vt_moment *moment;
};

static void look_at_last(void *context, size_t item) {
  const struct looking *looking = context;
  vt_measuring_nearest(looking->m, &looking->m->last, looking->m->queries[item], looking->neighbors->last[item]);
}

static void own_drift(const struct vt_measuring *m, const struct vt_moment *moment, uint32_t place,
                      const uint32_t neighbors[VT_NEIGHBORS], double drift[2]) {
  int count = 0;
  drift[0] = drift[1] = 0;
  while (count < VT_NEIGHBORS && neighbors[count] != VT_NO_NEIGHBOR) count++;
  if (count == 0 || moment->before == NULL) return;
  const float *now = vt_frame_row(m, moment->now, place), *before = vt_frame_row(m, moment->before, place);
  for (size_t c = 0; c < m->dim; c++) {
    double mean = 0, own = (double)now[c] - (double)before[c];
    for (int k = 0; k < count; k++)
      mean += (double)vt_frame_row(m, moment->now, neighbors[k])[c] -
              (double)vt_frame_row(m, moment->before, neighbors[k])[c];
    mean /= count;
    drift[0] += (own - mean) * (own - mean);
    drift[1] += own * own;
  }
}

static void look_at_query(void *context, size_t item) {
  const struct looking *looking = context;
  const struct vt_measuring *m = looking->m;
  struct vt_measure_neighbors *neighbors = looking->neighbors;
  vt_measuring_nearest(m, looking->moment->now, m->queries[item], neighbors->now[item]);
  own_drift(m, looking->moment, m->queries[item], neighbors->now[item], neighbors->drift[item]);
}

static enum vt_status band_series(struct vt_measuring *m, struct vt_measure_neighbors *neighbors,
                                  struct vt_error *error) {
  static const char *const bands[VT_MEASURE_BANDS] = {"1_9", "10_99", "100_999", "1000_up"};
  for (size_t b = 0; b < VT_MEASURE_BANDS; b++) {
    if (m->band_words[b] == 0) continue;
    char name[64];
    snprintf(name, sizeof name, "overlap_next_%s", bands[b]);
    VT_TRY(
        vt_measuring_series(m, name, "the same, of words that occur so many times", &neighbors->band_next[b], error));
    snprintf(name, sizeof name, "overlap_last_%s", bands[b]);
    VT_TRY(
        vt_measuring_series(m, name, "the same, of words that occur so many times", &neighbors->band_last[b], error));
  }
  return VT_OK;
}

enum vt_status vt_measure_neighbors_create(struct vt_measuring *m, struct vt_measure_neighbors **out,
                                           struct vt_error *error) {
  struct vt_measure_neighbors *neighbors = vt_alloc_zero(1, sizeof *neighbors);
  if (neighbors == NULL) return VT_FAIL_MEMORY(error, sizeof *neighbors);
  *out = neighbors;
  size_t bytes = sizeof *neighbors->last;
  neighbors->last = vt_alloc(m->query_count, bytes);
  neighbors->now = vt_alloc(m->query_count, bytes);
  neighbors->before = vt_alloc(m->query_count, bytes);
  neighbors->drift = vt_alloc(m->query_count, sizeof *neighbors->drift);
  if (neighbors->last == NULL || neighbors->now == NULL || neighbors->before == NULL || neighbors->drift == NULL)
    return VT_FAIL_MEMORY(error, m->query_count * bytes);
  struct looking looking = {.m = m, .neighbors = neighbors};
  vt_measuring_each(m, m->query_count, look_at_last, &looking);
  VT_TRY(vt_measuring_series(m, "overlap_next", "share of the 10 neighbours kept to the next snapshot (Jaccard)",
                             &neighbors->overlap_next, error));
  VT_TRY(vt_measuring_series(m, "overlap_last", "the same, to the last snapshot", &neighbors->overlap_last, error));
  if (!m->single) VT_TRY(band_series(m, neighbors, error));
  return vt_measuring_series(m, "own_drift", "what remains of a word's way without that of its neighbours; 1: all",
                             &neighbors->drift_series, error);
}

/* The mean over all words: of the bands' means, weighted by the words in each. */
static double mean_overlap(const struct vt_measuring *m, uint32_t (*a)[VT_NEIGHBORS], uint32_t (*b)[VT_NEIGHBORS],
                           size_t s, double *const *band_values) {
  double sum = 0, words = 0;
  if (m->single) return vt_neighbor_overlap(a[0], b[0]);
  for (size_t band = 0; band < VT_MEASURE_BANDS; band++) {
    size_t first = m->band_first[band], end = m->band_first[band + 1];
    if (first == end) continue;
    double of_band = 0;
    for (size_t q = first; q < end; q++) of_band += vt_neighbor_overlap(a[q], b[q]);
    of_band /= (double)(end - first);
    band_values[band][s] = of_band;
    sum += of_band * (double)m->band_words[band];
    words += (double)m->band_words[band];
  }
  return sum / words;
}

/* Of all queries together, so that words that hardly move count for little. */
static double whole_drift(const struct vt_measuring *m, double (*drift)[2]) {
  double apart = 0, own = 0;
  for (size_t q = 0; q < m->query_count; q++) {
    apart += drift[q][0];
    own += drift[q][1];
  }
  return own > 0 ? sqrt(apart / own) : (double)NAN;
}

void vt_measure_neighbors_at(struct vt_measuring *m, struct vt_measure_neighbors *neighbors,
                             const struct vt_moment *moment) {
  struct looking looking = {m, neighbors, moment};
  size_t s = moment->now->index;
  vt_measuring_each(m, m->query_count, look_at_query, &looking);
  neighbors->overlap_last[s] = mean_overlap(m, neighbors->now, neighbors->last, s, neighbors->band_last);
  if (moment->before != NULL)
    neighbors->overlap_next[s - 1] = mean_overlap(m, neighbors->before, neighbors->now, s - 1, neighbors->band_next);
  neighbors->drift_series[s] = whole_drift(m, neighbors->drift);
  uint32_t(*swap)[VT_NEIGHBORS] = neighbors->before;
  neighbors->before = neighbors->now;
  neighbors->now = swap;
}

void vt_measure_neighbors_free(struct vt_measure_neighbors *neighbors) {
  if (neighbors == NULL) return;
  vt_free(neighbors->last);
  vt_free(neighbors->now);
  vt_free(neighbors->before);
  vt_free(neighbors->drift);
  vt_free(neighbors);
}

/*
 * routes_compare.c: two runs, or two moments of one.
 *
 * Each request opens the runs that it compares: a comparison is asked for seldom, and takes longer than that.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/routes_internal.h"
#include "vectrail/compare.h"
#include "vectrail/run.h"

#define NEAR 10
#define AMONG 10000
#define SAMPLE 1000
#define LEAST_MAX 100
#define OVERLAP_BINS (NEAR + 1)
#define COSINE_BINS 40
#define SIDES 2

struct sampled {
  uint32_t row; /* among the common words */
  int shared;
  double cosine;
};

struct comparing {
  const struct vt_request *r;
  size_t site_run[SIDES];
  uint64_t step[SIDES];
  bool aligned;
  int threads;
  struct vt_run *run[SIDES];
  struct vt_vectors *vectors[SIDES];
  struct vt_vocab *vocab; /* of the common words */
  struct vt_vectors *common[SIDES];
  size_t rows;
  struct vt_compare result;
  size_t sample;
  struct sampled *sampled;
  uint32_t *ids;
  struct vt_neighbor *near[SIDES]; /* sample x NEAR */
  size_t *counts[SIDES];
  double *cosines; /* by row */
};

/* ---- what is asked -------------------------------------------------------------------------------------------------
 */

/* Run and step of one side; the view is held only for that. */
static bool get_side(struct comparing *c, int side, uint64_t default_run) {
  static const char *const runs[] = {"a", "b"}, *const frames[] = {"frame_a", "frame_b"};
  const struct vt_request *r = c->r;
  uint64_t run, frame;
  size_t count = vt_site_count(r->site);
  if (count == 0) {
    vt_refuse(r->reply, 404, "there is no such run", NULL);
    return false;
  }
  if (!vt_get_number(r, runs[side], default_run, count - 1, &run)) return false;
  struct vt_site_view *handle;
  uint64_t number;
  struct vt_view *view = vt_site_take(r->site, (size_t)run, &handle, &number);
  if (view == NULL) {
    vt_refuse(r->reply, 503, "the run is being opened, or has no snapshot yet", "ask again in a moment");
    return false;
  }
  size_t all = vt_view_facts(view).frames;
  bool fine = vt_get_number(r, frames[side], all - 1, all - 1, &frame);
  if (fine) {
    c->site_run[side] = (size_t)run;
    c->step[side] = vt_view_step(view, (size_t)frame);
  }
  vt_site_give_back(r->site, (size_t)run, handle);
  return fine;
}

static enum vt_status open_side(struct comparing *c, int side, struct vt_error *error) {
  VT_TRY(vt_run_open(vt_site_path(c->r->site, c->site_run[side]), &c->run[side], error));
  return vt_run_vectors(c->run[side], c->step[side], &c->vectors[side], error);
}

static void close_sides(struct comparing *c) {
  vt_compare_release(&c->result);
  vt_free(c->sampled);
  vt_free(c->ids);
  vt_free(c->cosines);
  for (int side = 0; side < SIDES; side++) {
    vt_free(c->near[side]);
    vt_free(c->counts[side]);
    vt_vectors_free(c->common[side]);
  }
  vt_vocab_free(c->vocab);
  for (int side = 0; side < SIDES; side++) {
    vt_vectors_free(c->vectors[side]);
    vt_run_close(c->run[side]);
  }
}

/* ---- computing -----------------------------------------------------------------------------------------------------
 */

static int shared_neighbors(const struct comparing *c, size_t k) {
  int shared = 0;
  for (size_t i = 0; i < c->counts[0][k]; i++)
    for (size_t j = 0; j < c->counts[1][k]; j++) shared += c->near[0][k * NEAR + i].id == c->near[1][k * NEAR + j].id;
  return shared;
}

static int by_agreement(const void *left, const void *right) {
  const struct sampled *a = left, *b = right;
  if (a->shared != b->shared) return a->shared < b->shared ? -1 : 1;
  if (a->cosine != b->cosine) return a->cosine < b->cosine ? -1 : 1;
  return (a->row > b->row) - (a->row < b->row);
}

static enum vt_status sample_neighbors(struct comparing *c, struct vt_error *error) {
  c->sample = c->rows < SAMPLE ? c->rows : SAMPLE;
  c->sampled = vt_alloc_zero(c->sample, sizeof *c->sampled);
  c->ids = vt_alloc(c->sample, sizeof *c->ids);
  c->cosines = vt_alloc_zero(c->rows, sizeof *c->cosines);
  if (c->sampled == NULL || c->ids == NULL || c->cosines == NULL)
    return VT_FAIL_MEMORY(error, c->rows * sizeof *c->cosines);
  for (size_t k = 0; k < c->sample; k++) c->ids[k] = (uint32_t)(k * c->rows / c->sample);
  for (int side = 0; side < SIDES; side++) {
    c->near[side] = vt_alloc(c->sample * NEAR, sizeof *c->near[side]);
    c->counts[side] = vt_alloc(c->sample, sizeof *c->counts[side]);
    if (c->near[side] == NULL || c->counts[side] == NULL)
      return VT_FAIL_MEMORY(error, c->sample * NEAR * sizeof *c->near[side]);
    VT_TRY(vt_vectors_nearest_many(c->common[side], c->ids, c->sample, NEAR, 0, c->threads, c->near[side],
                                   c->counts[side], error));
  }
  for (size_t k = 0; k < c->rows; k++) c->cosines[c->result.words[k].id] = c->result.words[k].value;
  for (size_t k = 0; k < c->sample; k++)
    c->sampled[k] = (struct sampled){c->ids[k], shared_neighbors(c, k), c->cosines[c->ids[k]]};
  return VT_OK;
}

static enum vt_status compute(struct comparing *c, struct vt_error *error) {
  for (int side = 0; side < SIDES; side++) VT_TRY(open_side(c, side, error));
  const struct vt_vectors *const tables[SIDES] = {c->vectors[0], c->vectors[1]};
  VT_TRY(vt_vectors_common(tables, SIDES, AMONG, &c->vocab, c->common, error));
  c->rows = c->common[0]->rows;
  VT_TRY(vt_compare_vectors(c->common[0], c->common[1], c->aligned, c->threads, &c->result, error));
  return sample_neighbors(c, error);
}

/* ---- telling -------------------------------------------------------------------------------------------------------
 */

static void write_histograms(const struct comparing *c, struct vt_text *body) {
  uint32_t overlap[OVERLAP_BINS] = {0}, cosine[COSINE_BINS] = {0};
  double sum = 0;
  for (size_t k = 0; k < c->sample; k++) {
    overlap[c->sampled[k].shared]++;
    sum += c->sampled[k].shared;
  }
  for (size_t k = 0; k < c->rows; k++) {
    double at = (c->cosines[k] + 1) / 2 * COSINE_BINS;
    cosine[at <= 0 ? 0 : at >= COSINE_BINS ? COSINE_BINS - 1 : (size_t)at]++;
  }
  vt_text_printf(body, ",\"overlap\":{\"mean\":%.6f,\"histogram\":[",
                 c->sample > 0 ? sum / NEAR / (double)c->sample : 0);
  for (int k = 0; k < OVERLAP_BINS; k++) vt_text_printf(body, "%s%u", k > 0 ? "," : "", (unsigned)overlap[k]);
  vt_text_put(body, "]},\"cosine\":{\"mean\":");
  vt_text_number(body, c->result.cosine_mean);
  vt_text_put(body, ",\"median\":");
  vt_text_number(body, c->result.cosine_median);
  vt_text_put(body, ",\"histogram\":[");
  for (int k = 0; k < COSINE_BINS; k++) vt_text_printf(body, "%s%u", k > 0 ? "," : "", (unsigned)cosine[k]);
  vt_text_put(body, "]}");
}

/* The id, in its own run, of a common word. */
static unsigned own_id(const struct comparing *c, int side, uint32_t row) {
  uint32_t id = 0;
  (void)vt_vocab_find(vt_run_vocab(c->run[side]), vt_vocab_text(c->vocab, row), &id);
  return id;
}

static void write_least(struct comparing *c, size_t most, struct vt_text *body) {
  static const char *const names[SIDES] = {"near_a", "near_b"};
  qsort(c->sampled, c->sample, sizeof *c->sampled, by_agreement);
  vt_text_put(body, ",\"least\":[");
  for (size_t i = 0; i < most && i < c->sample; i++) {
    const struct sampled *word = &c->sampled[i];
    size_t k = 0; /* where its neighbours are */
    while (c->ids[k] != word->row) k++;
    vt_text_printf(body, "%s{\"a\":%u,\"b\":%u,\"overlap\":%.1f,\"cosine\":%.6f", i > 0 ? "," : "",
                   own_id(c, 0, word->row), own_id(c, 1, word->row), (double)word->shared / NEAR, word->cosine);
    for (int side = 0; side < SIDES; side++) {
      vt_text_printf(body, ",\"%s\":[", names[side]);
      for (size_t n = 0; n < c->counts[side][k]; n++) {
        const struct vt_neighbor *near = &c->near[side][k * NEAR + n];
        vt_text_printf(body, "%s[%u,%.6f]", n > 0 ? "," : "", own_id(c, side, near->id), near->cosine);
      }
      vt_text_put(body, "]");
    }
    vt_text_put(body, "}");
  }
  vt_text_put(body, "]");
}

static void write_setting(struct vt_text *body, const char *key, const char *a, const char *b, bool first) {
  vt_text_put(body, first ? "{\"key\":" : ",{\"key\":");
  vt_text_string(body, key);
  const char *const values[SIDES] = {a, b};
  for (int side = 0; side < SIDES; side++) {
    vt_text_put(body, side == 0 ? ",\"a\":" : ",\"b\":");
    if (values[side] != NULL)
      vt_text_string(body, values[side]);
    else
      vt_text_put(body, "null");
  }
  vt_text_put(body, "}");
}

static void write_settings(const struct comparing *c, struct vt_text *body) {
  bool first = true;
  vt_text_put(body, ",\"settings\":[");
  for (int side = 0; side < SIDES; side++)
    for (size_t k = 0; k < vt_run_meta_count(c->run[side]); k++) {
      const char *key, *value;
      vt_run_meta_at(c->run[side], k, &key, &value);
      const char *other = vt_run_meta(c->run[1 - side], key);
      if (other != NULL && (side == 1 || strcmp(value, other) == 0)) continue; /* same, or told from the first side */
      write_setting(body, key, side == 0 ? value : NULL, side == 0 ? other : value, first);
      first = false;
    }
  vt_text_put(body, "]");
}

static void write_comparison(struct comparing *c, size_t most) {
  struct vt_text *body = &c->r->reply->body;
  vt_text_printf(body, "{\"common\":%zu,\"aligned\":%s,\"sample\":%zu,\"among\":%zu", c->rows,
                 c->aligned ? "true" : "false", c->sample, c->rows);
  write_histograms(c, body);
  write_least(c, most, body);
  write_settings(c, body);
  vt_text_put(body, "}");
}

static enum vt_status write_positions(struct comparing *c, struct vt_error *error) {
  const struct vt_request *r = c->r;
  VT_TRY(open_side(c, 1, error));
  struct vt_site_view *handle;
  uint64_t number;
  struct vt_view *view = vt_site_take(r->site, c->site_run[0], &handle, &number);
  size_t words = vt_view_facts(view).map_words, frame = 0;
  while (frame + 1 < vt_view_facts(view).frames && vt_view_step(view, frame) < c->step[0]) frame++;
  int16_t *positions = vt_alloc(words, 2 * sizeof *positions);
  enum vt_status status = positions == NULL ? VT_FAIL_MEMORY(error, words * 2 * sizeof *positions) : VT_OK;
  if (status == VT_OK) status = vt_view_place(view, frame, c->vectors[1], c->aligned, c->threads, positions, error);
  if (status == VT_OK) {
    r->reply->type = "application/octet-stream";
    vt_text_add(&r->reply->body, positions, words * 2 * sizeof *positions);
  }
  vt_free(positions);
  vt_site_give_back(r->site, c->site_run[0], handle);
  return status;
}

void vt_route_compare(const struct vt_request *r, bool positions) {
  struct comparing c = {.r = r, .threads = 1};
  uint64_t most;
  if (!get_side(&c, 0, 0) || !get_side(&c, 1, c.site_run[0]) || !vt_get_number(r, "k", 20, LEAST_MAX, &most)) return;
  c.aligned = c.site_run[0] != c.site_run[1];
  struct vt_error error;
  enum vt_status status = positions ? write_positions(&c, &error) : compute(&c, &error);
  if (status == VT_OK && !positions) write_comparison(&c, (size_t)most);
  if (status != VT_OK) vt_refuse_error(r->reply, &error);
  close_sides(&c);
}

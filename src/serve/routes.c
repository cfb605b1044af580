/*
 * routes.c: parsing requests strictly, asking the view, writing JSON or bytes.
 *
 * Whatever comes in is looked up in tables of known paths and known numbers; no part of a request ever becomes a path
 * in the file system.
 */
#define _POSIX_C_SOURCE 200809L

#include "serve/routes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/assets.h"
#include "serve/routes_internal.h"
#include "vectrail/version.h"

#define FRAMES_BYTES_MAX (16U << 20) /* of one reply with positions or movement */
#define NEIGHBORS_MAX 100
#define AXES 4
#define ENOUGH_SECONDS 0.15 /* of work for one reply; the rest is asked for again */

/* ---- replies -------------------------------------------------------------------------------------------------------
 */

void vt_refuse(struct vt_reply *reply, unsigned status, const char *cause, const char *help) {
  vt_text_release(&reply->body);
  reply->status = status;
  reply->type = "application/json";
  vt_text_put(&reply->body, "{\"error\":");
  vt_text_string(&reply->body, cause);
  if (help != NULL && help[0] != '\0') {
    vt_text_put(&reply->body, ",\"help\":");
    vt_text_string(&reply->body, help);
  }
  vt_text_put(&reply->body, "}");
}

void vt_refuse_error(struct vt_reply *reply, const struct vt_error *error) {
  bool unanswerable = error->status == VT_ERROR_EMPTY || error->status == VT_ERROR_UNSUPPORTED;
  unsigned status = error->status == VT_ERROR_ARGUMENT ? 400 : unanswerable ? 422 : 500;
  vt_refuse(reply, status, error->message, error->help);
}

/* ---- arguments -----------------------------------------------------------------------------------------------------
 */

/* Digits alone, up to high. */
bool vt_read_number(const char *text, size_t bytes, uint64_t high, uint64_t *value) {
  if (bytes == 0 || bytes > 19) return false;
  *value = 0;
  for (size_t k = 0; k < bytes; k++) {
    if (text[k] < '0' || text[k] > '9') return false;
    *value = 10 * *value + (uint64_t)(text[k] - '0');
  }
  return *value <= high;
}

bool vt_get_number(const struct vt_request *r, const char *name, uint64_t fallback, uint64_t high, uint64_t *value) {
  const char *text = r->argument(r->context, name);
  *value = fallback;
  if (text == NULL && fallback != UINT64_MAX) return true;
  if (text != NULL && vt_read_number(text, strlen(text), high, value)) return true;
  char cause[128];
  snprintf(cause, sizeof cause, "%s must be a whole number from 0 to %llu", name, (unsigned long long)high);
  vt_refuse(r->reply, 400, cause, NULL);
  return false;
}

bool vt_get_word(const struct vt_request *r, const char *name, uint32_t *word) {
  uint64_t value;
  if (!vt_get_number(r, name, UINT64_MAX, r->facts.words - 1, &value)) return false;
  *word = (uint32_t)value;
  return true;
}

/* "1,2,3,4" */
static bool get_words(const struct vt_request *r, const char *name, uint32_t words[AXES]) {
  const char *text = r->argument(r->context, name);
  for (int k = 0; k < AXES && text != NULL; k++) {
    size_t bytes = strcspn(text, ",");
    uint64_t value;
    if (!vt_read_number(text, bytes, r->facts.words - 1, &value) || (text[bytes] == ',') != (k + 1 < AXES)) break;
    words[k] = (uint32_t)value;
    if (k + 1 == AXES) return true;
    text += bytes + 1;
  }
  vt_refuse(r->reply, 400, "four words are wanted, as numbers with commas between them", NULL);
  return false;
}

/* The frames asked for, all by default; at most as many as fit a reply of `bytes_each`. */
static bool get_frames(const struct vt_request *r, size_t bytes_each, size_t *first, size_t *count) {
  uint64_t from, many;
  if (!vt_get_number(r, "first", 0, r->facts.frames - 1, &from)) return false;
  size_t left = r->facts.frames - (size_t)from;
  if (!vt_get_number(r, "count", left, r->facts.frames, &many)) return false;
  if (many > left) many = left;
  if (many == 0) many = 1;
  size_t most = bytes_each > 0 ? FRAMES_BYTES_MAX / bytes_each : left;
  if (most == 0) most = 1;
  *first = (size_t)from;
  *count = many > most ? most : (size_t)many;
  return true;
}

static bool worked_enough(const struct vt_request *r) { return vt_clock_seconds() - r->started > ENOUGH_SECONDS; }

/* ---- bytes ---------------------------------------------------------------------------------------------------------
 */

static void reply_bytes(const struct vt_request *r, size_t bytes_each,
                        const void *(*of)(const struct vt_view *, size_t)) {
  size_t first, count;
  if (!get_frames(r, bytes_each, &first, &count)) return;
  r->reply->type = "application/octet-stream";
  for (size_t f = first; f < first + count; f++) {
    const void *data = of(r->view, f);
    if (data == NULL) {
      vt_refuse(r->reply, 503, "not computed yet", "ask again in a moment");
      return;
    }
    vt_text_add(&r->reply->body, data, bytes_each);
  }
}

static const void *positions_of(const struct vt_view *view, size_t frame) { return vt_view_positions(view, frame); }
static const void *movement_of(const struct vt_view *view, size_t frame) { return vt_view_movement(view, frame); }

static void route_frames(const struct vt_request *r) { reply_bytes(r, r->facts.map_words * 4, positions_of); }
static void route_movement(const struct vt_request *r) { reply_bytes(r, r->facts.map_words, movement_of); }

static void route_clusters(const struct vt_request *r) {
  const uint8_t *clusters = vt_view_cluster_of(r->view);
  if (clusters == NULL) {
    vt_refuse(r->reply, 503, "not computed yet", "ask again in a moment");
    return;
  }
  r->reply->type = "application/octet-stream";
  vt_text_add(&r->reply->body, clusters, r->facts.map_words);
}

static void route_plane(const struct vt_request *r) {
  uint32_t axes[AXES];
  size_t first, count;
  if (!get_words(r, "axes", axes) || !get_frames(r, r->facts.map_words * 4, &first, &count)) return;
  int16_t *positions = vt_alloc(r->facts.map_words, 2 * sizeof *positions);
  r->reply->type = "application/octet-stream";
  if (positions == NULL) r->reply->body.failed = true;
  for (size_t f = first; positions != NULL && f < first + count && (f == first || !worked_enough(r)); f++) {
    struct vt_error error;
    double edge;
    if (vt_view_plane(r->view, axes, f, positions, &edge, &error) != VT_OK) {
      vt_refuse_error(r->reply, &error);
      break;
    }
    vt_text_add(&r->reply->body, positions, r->facts.map_words * 4);
  }
  vt_free(positions);
}

static void route_plane_share(const struct vt_request *r) {
  uint32_t axes[AXES];
  double share[2];
  struct vt_error error;
  if (!get_words(r, "axes", axes)) return;
  if (vt_view_plane_share(r->view, axes, share, &error) != VT_OK)
    vt_refuse_error(r->reply, &error);
  else
    vt_text_printf(&r->reply->body, "{\"share\":[%.6f,%.6f]}", share[0], share[1]);
}

/* ---- words ---------------------------------------------------------------------------------------------------------
 */

static void route_words(const struct vt_request *r) {
  struct vt_text *body = &r->reply->body;
  vt_text_put(body, "{\"texts\":[");
  for (uint32_t w = 0; w < r->facts.words; w++) {
    if (w > 0) vt_text_put(body, ",");
    vt_text_string(body, vt_vocab_text(r->facts.vocab, w));
  }
  vt_text_put(body, "],\"counts\":[");
  for (uint32_t w = 0; w < r->facts.words; w++)
    vt_text_printf(body, "%s%llu", w > 0 ? "," : "", (unsigned long long)vt_vocab_count(r->facts.vocab, w));
  vt_text_put(body, "]}");
}

static void route_find(const struct vt_request *r) {
  const char *text = r->argument(r->context, "text");
  if (text == NULL || strlen(text) > 4096) {
    vt_refuse(r->reply, 400, "text is missing, or longer than a word can be", NULL);
    return;
  }
  uint32_t id, near[8];
  bool found = vt_vocab_find(r->facts.vocab, text, &id);
  size_t count = vt_vocab_suggest(r->facts.vocab, text, near, 8);
  struct vt_text *body = &r->reply->body;
  vt_text_put(body, "{\"word\":");
  if (found)
    vt_text_printf(body, "%u", (unsigned)id);
  else
    vt_text_put(body, "null");
  vt_text_put(body, ",\"near\":[");
  for (size_t k = 0; k < count; k++) vt_text_printf(body, "%s%u", k > 0 ? "," : "", (unsigned)near[k]);
  vt_text_put(body, "]}");
}

/* What opens and closes a JSON object with an array, one item for each frame. */
static void open_frames(const struct vt_request *r, size_t first) {
  vt_text_printf(&r->reply->body, "{\"first\":%zu,\"frames\":[", first);
}
static void close_frames(const struct vt_request *r) { vt_text_put(&r->reply->body, "]}"); }

static void route_neighbors(const struct vt_request *r) {
  uint32_t word;
  size_t first, count;
  uint64_t k;
  if (!vt_get_word(r, "word", &word) || !vt_get_number(r, "k", 10, NEIGHBORS_MAX, &k) ||
      !get_frames(r, 0, &first, &count))
    return;
  open_frames(r, first);
  for (size_t f = first; f < first + count && (f == first || !worked_enough(r)); f++) {
    struct vt_neighbor near[NEIGHBORS_MAX];
    size_t found;
    struct vt_error error;
    if (vt_view_neighbors(r->view, word, f, (size_t)k, near, &found, &error) != VT_OK) {
      vt_refuse_error(r->reply, &error);
      return;
    }
    vt_text_put(&r->reply->body, f > first ? ",[" : "[");
    for (size_t n = 0; n < found; n++)
      vt_text_printf(&r->reply->body, "%s[%u,%.6f]", n > 0 ? "," : "", (unsigned)near[n].id, near[n].cosine);
    vt_text_put(&r->reply->body, "]");
  }
  close_frames(r);
}

static void route_pair(const struct vt_request *r) {
  uint32_t a, b;
  size_t first, count;
  uint64_t ranks;
  if (!vt_get_word(r, "a", &a) || !vt_get_word(r, "b", &b) || !vt_get_number(r, "ranks", 0, 1, &ranks) ||
      !get_frames(r, 0, &first, &count))
    return;
  open_frames(r, first);
  for (size_t f = first; f < first + count && (f == first || !worked_enough(r)); f++) {
    struct vt_view_pair pair;
    struct vt_error error;
    if (vt_view_pair_at(r->view, a, b, f, ranks != 0, &pair, &error) != VT_OK) {
      vt_refuse_error(r->reply, &error);
      return;
    }
    vt_text_printf(&r->reply->body, "%s[%.6f,%u,%u]", f > first ? "," : "", pair.cosine, (unsigned)pair.rank_ab,
                   (unsigned)pair.rank_ba);
  }
  close_frames(r);
}

static void route_word(const struct vt_request *r) {
  uint32_t word;
  size_t first, count;
  if (!vt_get_word(r, "word", &word) || !get_frames(r, 0, &first, &count)) return;
  open_frames(r, first);
  for (size_t f = first; f < first + count && (f == first || !worked_enough(r)); f++) {
    struct vt_view_word story;
    struct vt_error error;
    if (vt_view_word_at(r->view, word, f, &story, &error) != VT_OK) {
      vt_refuse_error(r->reply, &error);
      return;
    }
    const double numbers[3] = {story.norm, story.displacement, story.speed};
    vt_text_put(&r->reply->body, f > first ? ",[" : "[");
    for (int k = 0; k < 3; k++) {
      if (k > 0) vt_text_put(&r->reply->body, ",");
      vt_text_number(&r->reply->body, numbers[k]);
    }
    vt_text_put(&r->reply->body, "]");
  }
  close_frames(r);
}

static void route_analogy(const struct vt_request *r) {
  uint32_t words[AXES];
  size_t first, count;
  if (!get_words(r, "words", words) || !get_frames(r, 0, &first, &count)) return;
  open_frames(r, first);
  for (size_t f = first; f < first + count && (f == first || !worked_enough(r)); f++) {
    uint32_t rank;
    struct vt_error error;
    if (vt_view_analogy_rank(r->view, words, f, &rank, &error) != VT_OK) {
      vt_refuse_error(r->reply, &error);
      return;
    }
    vt_text_printf(&r->reply->body, "%s%u", f > first ? "," : "", (unsigned)rank);
  }
  close_frames(r);
}

/* Histograms, and the vectors of some frequent words as a heat map. */
#define HEAT_WORDS 40

static void write_heat(const struct vt_request *r, size_t frame) {
  struct vt_text *body = &r->reply->body;
  float *unit = vt_alloc(r->facts.dim, sizeof *unit);
  if (unit == NULL) body->failed = true;
  vt_text_put(body, ",\"heat\":[");
  for (uint32_t w = 0; unit != NULL && w < HEAT_WORDS && w < r->facts.words; w++) {
    double norm;
    if (vt_view_unit(r->view, w, frame, unit, &norm, NULL) != VT_OK) break;
    vt_text_put(body, w > 0 ? ",[" : "[");
    for (size_t c = 0; c < r->facts.dim && c < 128; c++)
      vt_text_printf(body, "%s%.4g", c > 0 ? "," : "", (double)unit[c] * norm);
    vt_text_put(body, "]");
  }
  vt_text_put(body, "]}");
  vt_free(unit);
}

/* Four times the root mean square of the numbers in the last frame, of up to 2,000 words. */
static double usual_edge(const struct vt_request *r, float *unit) {
  double squares = 0;
  size_t words = r->facts.words < 2000 ? r->facts.words : 2000;
  for (size_t k = 0; k < words; k++) {
    double norm;
    uint32_t word = (uint32_t)(k * r->facts.words / words);
    if (vt_view_unit(r->view, word, r->facts.frames - 1, unit, &norm, NULL) == VT_OK) squares += norm * norm;
  }
  double mean = words > 0 ? squares / (double)(words * r->facts.dim) : 0;
  return mean > 0 ? 4 * sqrt(mean) : 1;
}

static void route_table(const struct vt_request *r) {
  uint64_t frame, milli;
  if (!vt_get_number(r, "frame", r->facts.frames - 1, r->facts.frames - 1, &frame) ||
      !vt_get_number(r, "edge", 0, 1000000000, &milli))
    return;
  float *unit = vt_alloc(r->facts.dim, sizeof *unit);
  if (unit == NULL) {
    r->reply->body.failed = true;
    return;
  }
  struct vt_view_table table;
  struct vt_error error;
  double edge = milli > 0 ? (double)milli / 1000 : usual_edge(r, unit);
  vt_free(unit);
  if (vt_view_table_at(r->view, (size_t)frame, -edge, edge, &table, &error) != VT_OK) {
    vt_refuse_error(r->reply, &error);
    return;
  }
  struct vt_text *body = &r->reply->body;
  vt_text_printf(body, "{\"low\":%.9g,\"high\":%.9g,\"weights\":[", table.weight_low, table.weight_high);
  for (int k = 0; k < VT_VIEW_BINS; k++) vt_text_printf(body, "%s%u", k > 0 ? "," : "", (unsigned)table.weights[k]);
  vt_text_put(body, "],\"cosines\":[");
  for (int k = 0; k < VT_VIEW_BINS; k++) vt_text_printf(body, "%s%u", k > 0 ? "," : "", (unsigned)table.cosines[k]);
  vt_text_put(body, "]");
  write_heat(r, (size_t)frame);
}

/* ---- finding the route ---------------------------------------------------------------------------------------------
 */

static const struct {
  const char *name;
  void (*answer)(const struct vt_request *r);
} routes[] = {
    {"words", route_words},       {"frames", route_frames},
    {"movement", route_movement}, {"clusters", route_clusters},
    {"plane", route_plane},       {"plane/share", route_plane_share},
    {"find", route_find},         {"neighbors", route_neighbors},
    {"pair", route_pair},         {"word", route_word},
    {"analogy", route_analogy},   {"table", route_table},
    {"movers", vt_route_movers},  {"coordinates", vt_route_coordinates},
};

static void route_runs(struct vt_site *site, struct vt_reply *reply) {
  vt_text_put(&reply->body, "{\"version\":");
  vt_text_string(&reply->body, vt_version());
  vt_text_put(&reply->body, ",\"runs\":[");
  for (size_t k = 0; k < vt_site_count(site); k++) {
    vt_text_printf(&reply->body, "%s{\"id\":%zu,\"path\":", k > 0 ? "," : "", k);
    vt_text_string(&reply->body, vt_site_path(site, k));
    vt_text_put(&reply->body, "}");
  }
  vt_text_put(&reply->body, "]}");
}

static void route_view(struct vt_request *r, const char *name) {
  size_t k = 0;
  while (k < sizeof routes / sizeof routes[0] && strcmp(routes[k].name, name) != 0) k++;
  if (k == sizeof routes / sizeof routes[0]) {
    vt_refuse(r->reply, 404, "there is no such page", NULL);
    return;
  }
  struct vt_site_view *handle;
  uint64_t number = 0, wanted;
  r->view = vt_site_take(r->site, r->run, &handle, &number);
  if (r->view == NULL) {
    vt_refuse(r->reply, 503, "the run is being opened, or has no snapshot yet", "ask again in a moment");
    return;
  }
  r->facts = vt_view_facts(r->view);
  if (vt_get_number(r, "view", number, UINT64_MAX / 2, &wanted)) {
    if (wanted == number)
      routes[k].answer(r);
    else
      vt_refuse(r->reply, 409, "the run has new snapshots", "ask for its summary again");
  }
  vt_site_give_back(r->site, r->run, handle);
}

void vt_route_job(const struct vt_request *r, enum vt_job_kind kind) {
  struct vt_error error;
  if (vt_site_job(r->site, r->run, kind, &r->reply->body, &error) == VT_OK) return;
  if (error.status == VT_ERROR_BUSY)
    vt_refuse(r->reply, 503, "not computed yet", "ask again in a moment");
  else
    vt_refuse_error(r->reply, &error);
}

static void route_api(struct vt_site *site, const char *path, vt_argument *argument, void *context,
                      struct vt_reply *reply) {
  reply->type = "application/json";
  if (strcmp(path, "runs") == 0) {
    route_runs(site, reply);
    return;
  }
  if (strcmp(path, "compare") == 0 || strcmp(path, "compare/positions") == 0) {
    struct vt_request r = {
        .site = site, .argument = argument, .context = context, .reply = reply, .started = vt_clock_seconds()};
    vt_route_compare(&r, path[7] != '\0');
    return;
  }
  uint64_t run = 0;
  const char *name = strncmp(path, "runs/", 5) == 0 ? path + 5 : "";
  size_t digits = strcspn(name, "/");
  if (!vt_read_number(name, digits, UINT32_MAX, &run) || run >= vt_site_count(site)) {
    vt_refuse(reply, 404, "there is no such run", NULL);
    return;
  }
  name += digits;
  if (*name == '\0') {
    vt_site_summary(site, (size_t)run, &reply->body);
    return;
  }
  struct vt_request r = {.site = site,
                         .run = (size_t)run,
                         .argument = argument,
                         .context = context,
                         .reply = reply,
                         .started = vt_clock_seconds()};
  if (strcmp(name, "/diagnosis") == 0)
    vt_route_job(&r, VT_JOB_DIAGNOSIS);
  else if (strcmp(name, "/measures") == 0)
    vt_route_job(&r, VT_JOB_MEASURES);
  else if (strcmp(name, "/explain") == 0)
    vt_route_explain(&r);
  else
    route_view(&r, *name == '/' ? name + 1 : "");
}

bool vt_route_is_events(struct vt_site *site, const char *path, size_t *run) {
  if (strncmp(path, "/api/runs/", 10) != 0) return false;
  uint64_t number;
  size_t digits = strcspn(path + 10, "/");
  if (strcmp(path + 10 + digits, "/events") != 0 || !vt_read_number(path + 10, digits, UINT32_MAX, &number))
    return false;
  *run = (size_t)number;
  return number < vt_site_count(site);
}

void vt_route(struct vt_site *site, const char *path, vt_argument *argument, void *context, struct vt_reply *reply) {
  *reply = (struct vt_reply){.status = 200};
  const struct vt_asset *asset = vt_asset_find(path);
  if (asset != NULL) {
    reply->type = asset->type;
    reply->fixed = asset->data;
    reply->fixed_bytes = *asset->bytes;
  } else if (strncmp(path, "/api/", 5) == 0) {
    route_api(site, path + 5, argument, context, reply);
  } else {
    vt_refuse(reply, 404, "there is no such page", NULL);
  }
  if (reply->body.failed) {
    vt_text_release(&reply->body);
    reply->status = 500;
    reply->type = "application/json";
    static const char none[] = "{\"error\":\"out of memory\"}";
    reply->fixed = none;
    reply->fixed_bytes = sizeof none - 1;
  }
}

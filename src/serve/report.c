/*
 * report.c: the page and what it would have asked the server for, in one file.
 *
 * The file is the page with its script and style put in place, and for each request a block of data: the reply,
 * deflated and in base64, found by its path. Two blocks stand for questions that a server answers word by word: "near"
 * holds the neighbours of every word at every snapshot, "curves" the vectors of the most frequent words, a byte a
 * number, from which the page computes the cosines of pairs. docs/http-api.md describes both. A policy in the page
 * forbids it any connection.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <zlib.h>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/processors.h"
#include "serve/assets.h"
#include "serve/routes.h"
#include "serve/site.h"
#include "vectrail/ledger.h"
#include "vectrail/run.h"
#include "vectrail/serve.h"

#define NEAR 10
#define NEAR_NONE 255
#define NEAR_EVERY 4
#define LEDGER_WORDS 64
#define LEDGER_PAIRS 64
#define GRAIN 8         /* of the positions: a fifth of a pixel on a map of 1,500 */
#define WORDS_MAX 65535 /* neighbours are told in 16 bits */

struct report {
  const struct vt_report_request *request;
  struct vt_site *site;
  struct vt_view *view;
  struct vt_view_facts facts;
  struct vt_output *output;
  struct vt_report_result result;
};

void vt_report_request_init(struct vt_report_request *request) {
  *request = (struct vt_report_request){.words = 10000, .curve_bytes = 1600000, .threads = vt_processors()};
}

/* ---- blocks --------------------------------------------------------------------------------------------------------
 */

static void add_base64(struct vt_text *text, const unsigned char *data, size_t bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t k = 0; k < bytes; k += 3) {
    unsigned long group = (unsigned long)data[k] << 16;
    if (k + 1 < bytes) group |= (unsigned long)data[k + 1] << 8;
    if (k + 2 < bytes) group |= data[k + 2];
    char quad[4] = {digits[group >> 18 & 63], digits[group >> 12 & 63], digits[group >> 6 & 63], digits[group & 63]};
    if (k + 1 >= bytes) quad[2] = '=';
    if (k + 2 >= bytes) quad[3] = '=';
    vt_text_add(text, quad, 4);
  }
}

/* <script type="application/deflate" data-path="PATH">BASE64</script> */
static enum vt_status write_block(struct report *report, const char *path, const void *data, size_t bytes,
                                  struct vt_error *error) {
  uLongf packed_bytes = compressBound((uLong)bytes);
  unsigned char *packed = vt_alloc(packed_bytes, 1);
  if (packed == NULL) return VT_FAIL_MEMORY(error, packed_bytes);
  struct vt_text text = {0};
  enum vt_status status = VT_OK;
  if (compress2(packed, &packed_bytes, data, (uLong)bytes, 9) != Z_OK)
    status = VT_FAIL(error, VT_ERROR_MEMORY, "no memory to compress %zu bytes", bytes);
  if (status == VT_OK) {
    vt_text_printf(&text, "<script type=\"application/deflate\" data-path=\"%s\">", path);
    add_base64(&text, packed, packed_bytes);
    vt_text_put(&text, "</script>\n");
    status = text.failed ? VT_FAIL_MEMORY(error, packed_bytes)
                         : vt_output_write(report->output, text.data, text.bytes, error);
  }
  vt_text_release(&text);
  vt_free(packed);
  return status;
}

/* The arguments of a path, "a=1&b=2" behind its "?", into `value`. */
struct query {
  const char *text;
  char value[64];
};

static const char *query_argument(void *context, const char *name) {
  struct query *query = context;
  size_t length = strlen(name);
  for (const char *at = query->text; at != NULL && *at != '\0';) {
    size_t bytes = strcspn(at, "&");
    if (strncmp(at, name, length) == 0 && at[length] == '=' && bytes - length <= sizeof query->value) {
      memcpy(query->value, at + length + 1, bytes - length - 1);
      query->value[bytes - length - 1] = '\0';
      return query->value;
    }
    at = at[bytes] == '&' ? at + bytes + 1 : NULL;
  }
  return NULL;
}

/* The reply to a path, under a name that may be shorter. Waits for what is being computed; a question that has no
 * answer here is left out where it may be; one whose answer failed is a failure. */
static enum vt_status write_route_as(struct report *report, const char *path, const char *query, const char *name,
                                     bool may_be_missing, struct vt_error *error) {
  struct query asked = {.text = query};
  struct vt_reply reply;
  for (;;) {
    vt_route(report->site, path, query_argument, &asked, &reply);
    if (reply.status != 503) break;
    vt_text_release(&reply.body);
    if (vt_is_interrupted(report->request->interrupt)) return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted");
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  }
  enum vt_status status = VT_OK;
  if (reply.status == 200)
    status = write_block(report, name, reply.body.data, reply.body.bytes, error);
  else if (!may_be_missing || reply.status >= 500)
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "%s: %.*s", path, (int)reply.body.bytes, reply.body.data);
  vt_text_release(&reply.body);
  return status;
}

static enum vt_status write_route(struct report *report, const char *path, struct vt_error *error) {
  return write_route_as(report, path, NULL, path, false, error);
}

/* ---- answers -------------------------------------------------------------------------------------------------------
 */

static enum vt_status write_tables(struct report *report, struct vt_error *error) {
  const size_t frames[2] = {0, report->facts.frames - 1};
  for (int k = 0; k < 2; k++) {
    if (k == 1 && frames[1] == 0) break;
    char query[64], name[96];
    snprintf(query, sizeof query, "frame=%zu", frames[k]);
    snprintf(name, sizeof name, "/api/runs/0/table?%s", query);
    VT_TRY(write_route_as(report, "/api/runs/0/table", query, name, false, error));
  }
  return VT_OK;
}

/* What moved each word that has a ledger, and what brought it to the others that have one. */
static enum vt_status write_ledger(struct report *report, const uint32_t *words, size_t count, struct vt_error *error) {
  static const char path[] = "/api/runs/0/explain";
  char query[128], name[160];
  for (size_t a = 0; a < count; a++) {
    snprintf(query, sizeof query, "word=%u&k=1000", (unsigned)words[a]);
    snprintf(name, sizeof name, "%s?word=%u", path, (unsigned)words[a]);
    VT_TRY(write_route_as(report, path, query, name, true, error));
  }
  size_t pairs = 0;
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count && pairs < LEDGER_PAIRS; b++) {
      if (a == b) continue;
      snprintf(query, sizeof query, "word=%u&toward=%u&centered=1&k=200", (unsigned)words[a], (unsigned)words[b]);
      snprintf(name, sizeof name, "%s?word=%u&amp;toward=%u", path, (unsigned)words[a], (unsigned)words[b]);
      VT_TRY(write_route_as(report, path, query, name, true, error));
      pairs++;
    }
  return VT_OK;
}

static enum vt_status write_answers(struct report *report, struct vt_error *error) {
  VT_TRY(write_route_as(report, "/api/runs/0/diagnosis", NULL, "/api/runs/0/diagnosis", true, error));
  VT_TRY(write_route_as(report, "/api/runs/0/measures", NULL, "/api/runs/0/measures", true, error));
  VT_TRY(write_tables(report, error));
  struct vt_run *run;
  VT_TRY(vt_run_open(report->request->run, &run, error));
  uint32_t *words = NULL;
  size_t count = 0;
  enum vt_status status = vt_run_ledger_words(run, &words, &count, error);
  vt_run_close(run);
  if (status == VT_OK) status = write_ledger(report, words, count < LEDGER_WORDS ? count : LEDGER_WORDS, error);
  vt_run_words_free(words);
  return status;
}

/* ---- the map -------------------------------------------------------------------------------------------------------
 */

/* One number of the positions, in grains. */
static int grains_at(const struct report *report, size_t frame, size_t i) {
  return (int)lrint((double)vt_view_positions(report->view, frame)[i] / GRAIN);
}

/* Positions as differences from the frame before, in grains, each twice its size and one less where it is negative;
 * first all low bytes, then all high ones. */
static enum vt_status write_positions(struct report *report, struct vt_error *error) {
  size_t each = report->facts.map_words * 2, all = each * report->facts.frames;
  uint8_t *bytes = vt_alloc(all, 2);
  if (bytes == NULL) return VT_FAIL_MEMORY(error, all * 2);
  for (size_t f = 0; f < report->facts.frames; f++)
    for (size_t i = 0; i < each; i++) {
      int change = grains_at(report, f, i) - (f > 0 ? grains_at(report, f - 1, i) : 0);
      unsigned folded = change < 0 ? 2U * (unsigned)-change - 1 : 2U * (unsigned)change;
      bytes[f * each + i] = (uint8_t)(folded & 0xff);
      bytes[all + f * each + i] = (uint8_t)(folded >> 8);
    }
  enum vt_status status = write_block(report, "positions", bytes, all * 2, error);
  vt_free(bytes);
  return status;
}

static enum vt_status write_movement(struct report *report, struct vt_error *error) {
  struct vt_text movement = {0};
  for (size_t f = 0; f < report->facts.frames; f++)
    vt_text_add(&movement, vt_view_movement(report->view, f), report->facts.map_words);
  enum vt_status status = movement.failed
                              ? VT_FAIL_MEMORY(error, report->facts.frames * report->facts.map_words)
                              : write_block(report, "/api/runs/0/movement", movement.data, movement.bytes, error);
  vt_text_release(&movement);
  return status;
}

/* ---- neighbours and curves -----------------------------------------------------------------------------------------
 */

/* Neighbours at one frame, [words][NEAR] ids and bytes 100 cos; UINT32_MAX where there are fewer. */
static enum vt_status find_near(struct report *report, struct vt_run *run, size_t frame, uint32_t *ids,
                                uint8_t *cosines, struct vt_error *error) {
  size_t words = report->facts.map_words;
  struct vt_vectors *vectors;
  VT_TRY(vt_run_vectors(run, vt_view_step(report->view, frame), &vectors, error));
  struct vt_neighbor *near = vt_alloc(words * NEAR, sizeof *near);
  size_t *counts = vt_alloc(words, sizeof *counts);
  uint32_t *all = vt_alloc(words, sizeof *all);
  enum vt_status status =
      near == NULL || counts == NULL || all == NULL ? VT_FAIL_MEMORY(error, words * NEAR * sizeof *near) : VT_OK;
  if (status == VT_OK) {
    for (size_t w = 0; w < words; w++) all[w] = (uint32_t)w;
    status = vt_vectors_nearest_many(vectors, all, words, NEAR, words, report->request->threads, near, counts, error);
  }
  for (size_t i = 0; i < words * NEAR && status == VT_OK; i++) {
    bool there = i % NEAR < counts[i / NEAR];
    double cosine = there ? near[i].cosine : 0;
    ids[i] = there ? near[i].id : UINT32_MAX;
    cosines[i] = (uint8_t)lrint(100 * (cosine > 0 ? cosine < 1 ? cosine : 1 : 0));
  }
  vt_free(near);
  vt_free(counts);
  vt_free(all);
  vt_vectors_free(vectors);
  return status;
}

/* Most neighbours at a snapshot were neighbours at the one before. So a neighbour is told by its place there, a byte;
 * only one that is new by its id, low bytes and high bytes apart. The rarer half of the words has neighbours at every
 * fourth snapshot: theirs change most, and would fill more than half of the file. */
struct near_blocks {
  struct vt_text places, low, high, cosines;
};

static void add_near(struct near_blocks *blocks, size_t count, const uint32_t *ids, uint32_t *ids_before,
                     const uint8_t *cosines, uint8_t *cosines_before) {
  for (size_t i = 0; i < count; i++) {
    const uint32_t *before = ids_before + i / NEAR * NEAR;
    unsigned char place = ids[i] == UINT32_MAX ? NEAR_NONE : 0;
    while (place < NEAR && before[place] != ids[i]) place++;
    vt_text_add(&blocks->places, &place, 1);
    if (place == NEAR) {
      const unsigned char low = (unsigned char)(ids[i] & 0xff), high = (unsigned char)(ids[i] >> 8);
      vt_text_add(&blocks->low, &low, 1);
      vt_text_add(&blocks->high, &high, 1);
    }
    unsigned char change = (unsigned char)(cosines[i] - cosines_before[i]);
    vt_text_add(&blocks->cosines, &change, 1);
  }
  memcpy(ids_before, ids, count * sizeof *ids);
  memcpy(cosines_before, cosines, count);
}

static enum vt_status gather_near(struct report *report, struct near_blocks *blocks, struct vt_error *error) {
  size_t words = report->facts.map_words, each = words * NEAR;
  uint32_t *ids = vt_alloc(2 * each, sizeof *ids); /* now, and before */
  uint8_t *cosines = vt_alloc_zero(2 * each, sizeof *cosines);
  struct vt_run *run = NULL;
  enum vt_status status = ids == NULL || cosines == NULL ? VT_FAIL_MEMORY(error, 2 * each * sizeof *ids) : VT_OK;
  for (size_t i = 0; i < each && status == VT_OK; i++) ids[each + i] = UINT32_MAX;
  if (status == VT_OK) status = vt_run_open(report->request->run, &run, error);
  for (size_t f = 0; f < report->facts.frames && status == VT_OK; f++) {
    size_t told = f % NEAR_EVERY == 0 || f + 1 == report->facts.frames ? words : (words + 1) / 2;
    status = find_near(report, run, f, ids, cosines, error);
    if (status == VT_OK) add_near(blocks, told * NEAR, ids, ids + each, cosines, cosines + each);
    if (status == VT_OK && vt_is_interrupted(report->request->interrupt))
      status = VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted");
  }
  vt_text_add(&blocks->low, blocks->high.data, blocks->high.bytes);
  if (status == VT_OK && (blocks->places.failed || blocks->low.failed || blocks->high.failed || blocks->cosines.failed))
    status = VT_FAIL_MEMORY(error, report->facts.frames * each);
  vt_run_close(run);
  vt_free(ids);
  vt_free(cosines);
  return status;
}

static enum vt_status write_near(struct report *report, struct vt_error *error) {
  struct near_blocks blocks = {0};
  enum vt_status status = gather_near(report, &blocks, error);
  if (status == VT_OK) status = write_block(report, "near", blocks.places.data, blocks.places.bytes, error);
  if (status == VT_OK) status = write_block(report, "near-new", blocks.low.data, blocks.low.bytes, error);
  if (status == VT_OK) status = write_block(report, "near-cosines", blocks.cosines.data, blocks.cosines.bytes, error);
  vt_text_release(&blocks.places);
  vt_text_release(&blocks.low);
  vt_text_release(&blocks.high);
  vt_text_release(&blocks.cosines);
  return status;
}

/* Frame by frame, word by word: the vector at length 1 as bytes, the largest of its numbers being +-127; then, as
 * "norms", float32 lengths. */
static enum vt_status write_curves(struct report *report, struct vt_error *error) {
  size_t frames = report->facts.frames, dim = report->facts.dim;
  size_t words = (size_t)(report->request->curve_bytes / (frames * dim));
  if (words > report->facts.map_words) words = report->facts.map_words;
  int8_t *rows = vt_alloc(words * frames * dim, 1);
  float *norms = vt_alloc(words * frames, sizeof *norms), *unit = vt_alloc(dim, sizeof *unit);
  enum vt_status status =
      rows == NULL || norms == NULL || unit == NULL ? VT_FAIL_MEMORY(error, words * frames * dim) : VT_OK;
  for (size_t f = 0; f < frames && status == VT_OK; f++)
    for (size_t w = 0; w < words && status == VT_OK; w++) {
      double norm, largest = 0;
      status = vt_view_unit(report->view, (uint32_t)w, f, unit, &norm, error);
      if (status != VT_OK) break;
      for (size_t c = 0; c < dim; c++) largest = fmax(largest, fabs((double)unit[c]));
      for (size_t c = 0; c < dim; c++)
        rows[(f * words + w) * dim + c] = (int8_t)(largest > 0 ? lrint(127 * (double)unit[c] / largest) : 0);
      norms[f * words + w] = (float)norm;
    }
  report->result.curve_words = words;
  if (status == VT_OK) status = write_block(report, "curves", rows, words * frames * dim, error);
  if (status == VT_OK) status = write_block(report, "norms", norms, words * frames * sizeof *norms, error);
  vt_free(rows);
  vt_free(norms);
  vt_free(unit);
  return status;
}

/* ---- the page ------------------------------------------------------------------------------------------------------
 */

/* Writes the page up to a mark, then something in its place; *at moves behind the mark. */
static enum vt_status write_up_to(struct report *report, const char **at, const char *end, const char *mark,
                                  struct vt_error *error) {
  size_t bytes = strlen(mark);
  const char *found = *at;
  while (found + bytes <= end && memcmp(found, mark, bytes) != 0) found++;
  if (found + bytes > end) return VT_FAIL(error, VT_ERROR_FORMAT, "the embedded page has no %s", mark);
  VT_TRY(vt_output_write(report->output, *at, (size_t)(found - *at), error));
  *at = found + bytes;
  return VT_OK;
}

static enum vt_status write_asset(struct report *report, const char *before, const char *path, const char *after,
                                  struct vt_error *error) {
  const struct vt_asset *asset = vt_asset_find(path);
  VT_TRY(vt_output_write(report->output, before, strlen(before), error));
  VT_TRY(vt_output_write(report->output, asset->data, *asset->bytes, error));
  return vt_output_write(report->output, after, strlen(after), error);
}

static enum vt_status write_data(struct report *report, struct vt_error *error) {
  static const char *const paths[] = {"/api/runs", "/api/runs/0", "/api/runs/0/words", "/api/runs/0/clusters"};
  for (size_t k = 0; k < sizeof paths / sizeof paths[0]; k++) VT_TRY(write_route(report, paths[k], error));
  VT_TRY(write_positions(report, error));
  VT_TRY(write_movement(report, error));
  VT_TRY(write_answers(report, error));
  VT_TRY(write_near(report, error));
  return write_curves(report, error);
}

static enum vt_status write_page(struct report *report, struct vt_error *error) {
  static const char policy[] =
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; "
      "style-src 'unsafe-inline'; img-src blob: data:\">";
  const struct vt_asset *page = vt_asset_find("/");
  const char *at = (const char *)page->data, *end = at + *page->bytes;
  VT_TRY(write_up_to(report, &at, end, "<link rel=\"icon\" href=\"icon.svg\">", error));
  VT_TRY(vt_output_write(report->output, policy, sizeof policy - 1, error));
  VT_TRY(write_up_to(report, &at, end, "<link rel=\"stylesheet\" href=\"app.css\">", error));
  VT_TRY(write_asset(report, "<style>", "/app.css", "</style>", error));
  VT_TRY(write_up_to(report, &at, end, "<script src=\"app.js\" defer></script>", error));
  VT_TRY(write_up_to(report, &at, end, "</body>", error));
  VT_TRY(write_data(report, error));
  VT_TRY(write_asset(report, "<script>", "/app.js", "</script></body>", error));
  return vt_output_write(report->output, at, (size_t)(end - at), error);
}

static enum vt_status write_report(struct report *report, struct vt_error *error) {
  VT_TRY(vt_output_open(report->request->output, &report->output, error));
  enum vt_status status = write_page(report, error);
  if (status != VT_OK) {
    vt_output_abort(report->output);
    return status;
  }
  VT_TRY(vt_output_commit(report->output, error));
  struct stat info;
  if (stat(report->request->output, &info) == 0) report->result.bytes = (uint64_t)info.st_size;
  return VT_OK;
}

enum vt_status vt_report(const struct vt_report_request *request, struct vt_report_result *result,
                         struct vt_error *error) {
  if (request->words == 0 || request->words > WORDS_MAX || request->threads < 1)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "a report shows from 1 to %d words", WORDS_MAX);
  struct report report = {.request = request};
  struct vt_site_options options = {.map_words = request->words, .threads = request->threads};
  VT_TRY(vt_site_create(&request->run, 1, &options, &report.site, error));
  enum vt_status status = vt_site_wait(report.site, 0, request->interrupt, error);
  struct vt_site_view *handle = NULL;
  uint64_t number;
  if (status == VT_OK) {
    report.view = vt_site_take(report.site, 0, &handle, &number);
    report.facts = vt_view_facts(report.view);
    status = write_report(&report, error);
    report.result.words = report.facts.map_words;
    report.result.frames = report.facts.frames;
    vt_site_give_back(report.site, 0, handle);
  }
  vt_site_free(report.site);
  if (status == VT_OK && result != NULL) *result = report.result;
  return status;
}

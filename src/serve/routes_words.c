/*
 * routes_words.c: who moved most, two words number by number, and what moved a word.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "serve/routes_internal.h"
#include "vectrail/ledger.h"
#include "vectrail/run.h"

#define MOVERS_MAX 1000
#define CONTRIBUTIONS_MAX 1000

/* ---- movers --------------------------------------------------------------------------------------------------------
 */

struct mover {
  uint32_t word;
  uint8_t moved;
};

static int by_movement(const void *left, const void *right) {
  const struct mover *a = left, *b = right;
  if (a->moved != b->moved) return a->moved < b->moved ? 1 : -1;
  return (a->word > b->word) - (a->word < b->word);
}

static void write_mover(const struct vt_request *r, const struct mover *mover, size_t frame, bool first) {
  struct vt_text *body = &r->reply->body;
  struct vt_view_word story;
  double share = mover->moved / 255.0;
  if (vt_view_word_at(r->view, mover->word, frame, &story, NULL) != VT_OK)
    story = (struct vt_view_word){(double)NAN, (double)NAN, (double)NAN};
  vt_text_printf(body, "%s[%u,%.4f", first ? "" : ",", (unsigned)mover->word, share * share);
  const double numbers[3] = {story.norm, story.displacement, story.speed};
  for (int k = 0; k < 3; k++) {
    vt_text_put(body, ",");
    vt_text_number(body, numbers[k]);
  }
  vt_text_put(body, "]");
}

void vt_route_movers(const struct vt_request *r) {
  uint64_t frame, k;
  if (!vt_get_number(r, "frame", r->facts.frames - 1, r->facts.frames - 1, &frame) ||
      !vt_get_number(r, "k", 50, MOVERS_MAX, &k))
    return;
  const uint8_t *movement = vt_view_movement(r->view, (size_t)frame);
  if (movement == NULL) {
    vt_refuse(r->reply, 503, "not computed yet", "ask again in a moment");
    return;
  }
  size_t words = r->facts.map_words;
  struct mover *movers = vt_alloc(words, sizeof *movers);
  if (movers == NULL) {
    r->reply->body.failed = true;
    return;
  }
  for (size_t w = 0; w < words; w++) movers[w] = (struct mover){(uint32_t)w, movement[w]};
  qsort(movers, words, sizeof *movers, by_movement);
  vt_text_printf(&r->reply->body, "{\"frame\":%u,\"words\":[", (unsigned)frame);
  for (size_t i = 0; i < k && i < words; i++) write_mover(r, &movers[i], (size_t)frame, i == 0);
  vt_text_put(&r->reply->body, "]}");
  vt_free(movers);
}

/* ---- two words, number by number ----------------------------------------------------------------------------------
 */

static bool write_vector(const struct vt_request *r, const char *key, uint32_t word, size_t frame, float *unit) {
  struct vt_text *body = &r->reply->body;
  struct vt_error error;
  double norm;
  if (vt_view_unit(r->view, word, frame, unit, &norm, &error) != VT_OK) {
    vt_refuse_error(r->reply, &error);
    return false;
  }
  vt_text_printf(body, ",\"%s\":[", key);
  for (size_t c = 0; c < r->facts.dim; c++) vt_text_printf(body, "%s%.5g", c > 0 ? "," : "", (double)unit[c] * norm);
  vt_text_put(body, "]");
  return true;
}

void vt_route_coordinates(const struct vt_request *r) {
  uint32_t a, b;
  uint64_t frame;
  struct vt_view_pair pair;
  struct vt_error error;
  if (!vt_get_word(r, "a", &a) || !vt_get_word(r, "b", &b) ||
      !vt_get_number(r, "frame", r->facts.frames - 1, r->facts.frames - 1, &frame))
    return;
  if (vt_view_pair_at(r->view, a, b, (size_t)frame, false, &pair, &error) != VT_OK) {
    vt_refuse_error(r->reply, &error);
    return;
  }
  float *unit = vt_alloc(r->facts.dim, sizeof *unit);
  if (unit == NULL) {
    r->reply->body.failed = true;
    return;
  }
  vt_text_printf(&r->reply->body, "{\"cosine\":%.6f", pair.cosine);
  if (write_vector(r, "a", a, (size_t)frame, unit) && write_vector(r, "b", b, (size_t)frame, unit))
    vt_text_put(&r->reply->body, "}");
  vt_free(unit);
}

/* ---- the ledger ----------------------------------------------------------------------------------------------------
 */

static bool get_by(const struct vt_request *r, enum vt_explain_by *by) {
  static const struct {
    const char *name;
    enum vt_explain_by by;
  } names[] = {{"word", VT_EXPLAIN_BY_WORD},
               {"source", VT_EXPLAIN_BY_SOURCE},
               {"role", VT_EXPLAIN_BY_ROLE},
               {"document", VT_EXPLAIN_BY_DOCUMENT}};
  const char *text = r->argument(r->context, "by");
  *by = VT_EXPLAIN_BY_WORD;
  if (text == NULL) return true;
  for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
    if (strcmp(text, names[k].name) == 0) {
      *by = names[k].by;
      return true;
    }
  vt_refuse(r->reply, 400, "by must be word, source, role or document", NULL);
  return false;
}

static void write_contribution(struct vt_text *body, const struct vt_contribution *c, size_t spans, bool first) {
  vt_text_printf(body, "%s{\"source\":%lld,\"role\":", first ? "" : ",", (long long)c->source);
  vt_text_string(body, c->role);
  vt_text_printf(body, ",\"updates\":%llu,\"contribution\":", (unsigned long long)c->updates);
  vt_text_number(body, c->contribution);
  vt_text_put(body, ",\"over_time\":[");
  for (size_t k = 0; k < spans; k++) {
    if (k > 0) vt_text_put(body, ",");
    vt_text_number(body, c->over_time[k]);
  }
  vt_text_put(body, "]}");
}

static void write_explanation(const struct vt_request *r, const struct vt_explain_request *asked, const char *by,
                              const struct vt_explanation *told, size_t most) {
  struct vt_text *body = &r->reply->body;
  vt_text_printf(body, "{\"word\":%u,\"toward\":", (unsigned)asked->word);
  if (asked->has_toward)
    vt_text_printf(body, "%u", (unsigned)asked->toward);
  else
    vt_text_put(body, "null");
  vt_text_printf(body, ",\"by\":\"%s\",\"step\":%llu", by, (unsigned long long)told->step);
  const struct {
    const char *name;
    double value;
  } numbers[] = {{"cosine", told->cosine}, {"baseline", told->baseline},
                 {"start", told->start},   {"displacement", told->displacement},
                 {"length", told->length}, {"residual", told->residual}};
  for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
    vt_text_printf(body, ",\"%s\":", numbers[k].name);
    vt_text_number(body, numbers[k].value);
  }
  vt_text_put(body, ",\"spans\":[");
  for (size_t k = 0; k < told->span_count; k++)
    vt_text_printf(body, "%s%llu", k > 0 ? "," : "", (unsigned long long)told->spans[k]);
  vt_text_put(body, "],\"contributions\":[");
  double rest = told->others;
  for (size_t k = 0; k < told->count; k++) {
    if (k < most)
      write_contribution(body, &told->contributions[k], told->span_count, k == 0);
    else
      rest += told->contributions[k].contribution;
  }
  vt_text_put(body, "],\"rest\":");
  vt_text_number(body, rest);
  vt_text_put(body, "}");
}

/* Of the run itself rather than of a view; each request opens it, as the database belongs to one thread. */
static void explain(const struct vt_request *r, struct vt_run *run, const struct vt_explain_request *asked,
                    size_t most) {
  static const char *const names[] = {"source", "word", "role", "document"};
  struct vt_explanation *told;
  struct vt_error error;
  if (vt_explain(run, asked, &told, &error) != VT_OK) {
    vt_refuse(r->reply, error.status == VT_ERROR_EMPTY || error.status == VT_ERROR_NOT_FOUND ? 422 : 500, error.message,
              error.help);
    return;
  }
  write_explanation(r, asked, names[asked->by], told, most);
  vt_explanation_free(told);
}

void vt_route_explain(const struct vt_request *asking) {
  struct vt_request r = *asking;
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(vt_site_path(r.site, r.run), &run, &error) != VT_OK) {
    vt_refuse_error(r.reply, &error);
    return;
  }
  r.facts.words = vt_vocab_size(vt_run_vocab(run));
  struct vt_explain_request asked = {.has_toward = r.argument(r.context, "toward") != NULL, .step = VT_STEP_LAST};
  uint64_t centered, k, step = 0;
  bool has_step = r.argument(r.context, "step") != NULL;
  if (vt_get_word(&r, "word", &asked.word) && (!asked.has_toward || vt_get_word(&r, "toward", &asked.toward)) &&
      get_by(&r, &asked.by) && vt_get_number(&r, "centered", 0, 1, &centered) &&
      vt_get_number(&r, "k", 20, CONTRIBUTIONS_MAX, &k) &&
      (!has_step || vt_get_number(&r, "step", 0, UINT64_MAX / 20, &step))) {
    asked.centered = centered != 0;
    if (has_step) asked.step = step;
    explain(&r, run, &asked, (size_t)k);
  }
  vt_run_close(run);
}

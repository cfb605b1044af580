/* summary.c: see summary.h. */
#include "serve/summary.h"

#include <math.h>

#include "vectrail/ledger.h"
#include "vectrail/measure.h"

static const char *const series_names[] = {"loss", "probe_loss",   "held_out_loss", "probe_gradient", "displacement",
                                           "norm", "speed",        "moving",        "step_norm",      "capped",
                                           "lr",   "update_ratio", "overlap"};

const char *vt_run_state_name(enum vt_run_state state) {
  static const char *const names[] = {"training", "stopped", "finished", "diverged", "imported"};
  return names[state];
}

static enum vt_run_state find_state(const struct vt_run *run, bool still) {
  if (vt_run_find_event(run, "diverged", NULL)) return VT_RUN_DIVERGED;
  bool finished = vt_run_find_event(run, "finished", NULL);
  if (vt_run_meta(run, "origin") != NULL && (finished || still)) return VT_RUN_IMPORTED;
  if (finished) return VT_RUN_FINISHED;
  return still ? VT_RUN_STOPPED : VT_RUN_TRAINING;
}

static void write_settings(const struct vt_run *run, struct vt_text *text) {
  vt_text_put(text, ",\"settings\":{");
  for (size_t k = 0; k < vt_run_meta_count(run); k++) {
    const char *key, *value;
    vt_run_meta_at(run, k, &key, &value);
    if (k > 0) vt_text_put(text, ",");
    vt_text_string(text, key);
    vt_text_put(text, ":");
    vt_text_string(text, value);
  }
  vt_text_put(text, "}");
}

static void write_events(const struct vt_run *run, struct vt_text *text) {
  vt_text_put(text, ",\"events\":[");
  for (size_t k = 0; k < vt_run_event_count(run); k++) {
    struct vt_run_event event = vt_run_event_at(run, k);
    vt_text_printf(text, "%s{\"step\":%llu,\"kind\":", k > 0 ? "," : "", (unsigned long long)event.step);
    vt_text_string(text, event.kind);
    vt_text_put(text, ",\"severity\":");
    vt_text_string(text, event.severity);
    vt_text_put(text, ",\"text\":");
    vt_text_string(text, event.text);
    vt_text_put(text, "}");
  }
  vt_text_put(text, "]");
}

static enum vt_status write_series(struct vt_run *run, struct vt_text *text, struct vt_error *error) {
  const char *between = "";
  vt_text_put(text, ",\"series\":{");
  for (size_t s = 0; s < sizeof series_names / sizeof series_names[0]; s++) {
    struct vt_run_point *points = NULL;
    size_t count = 0;
    VT_TRY(vt_run_metric(run, series_names[s], &points, &count, error));
    if (count > 0) {
      vt_text_printf(text, "%s\"%s\":[[", between, series_names[s]);
      for (size_t k = 0; k < count; k++)
        vt_text_printf(text, "%s%llu", k > 0 ? "," : "", (unsigned long long)points[k].step);
      vt_text_put(text, "],[");
      for (size_t k = 0; k < count; k++) {
        if (k > 0) vt_text_put(text, ",");
        vt_text_number(text, points[k].value);
      }
      vt_text_put(text, "]]");
      between = ",";
    }
    vt_run_points_free(points);
  }
  vt_text_put(text, "}");
  return VT_OK;
}

static enum vt_status write_convergence(struct vt_run *run, struct vt_text *text, struct vt_error *error) {
  struct vt_convergence verdict;
  VT_TRY(vt_run_convergence(run, &verdict, error));
  vt_text_put(text, ",\"convergence\":");
  if (!verdict.known) {
    vt_text_put(text, "null");
    return VT_OK;
  }
  bool *const flags[] = {&verdict.converged,      &verdict.begun,       &verdict.loss_level,
                         &verdict.gradient_level, &verdict.speed_level, &verdict.neighbors_level};
  static const char *const flag_names[] = {"converged",      "begun",       "loss_level",
                                           "gradient_level", "speed_level", "neighbors_level"};
  const double numbers[] = {verdict.loss_change,         verdict.gradient_change, verdict.update_ratio,
                            verdict.update_ratio_change, verdict.overlap,         verdict.overlap_change};
  static const char *const number_names[] = {"loss_change",         "gradient_change", "update_ratio",
                                             "update_ratio_change", "overlap",         "overlap_change"};
  bool measured = verdict.measurements >= 21;
  vt_text_printf(text, "{\"measurements\":%zu,\"step\":%llu,\"last_step\":%llu", verdict.measurements,
                 (unsigned long long)verdict.step, (unsigned long long)verdict.last_step);
  for (size_t k = 0; k < 6; k++)
    vt_text_printf(text, ",\"%s\":%s", flag_names[k], *flags[k] && (k == 0 || measured) ? "true" : "false");
  for (size_t k = 0; k < 6 && measured; k++) {
    vt_text_printf(text, ",\"%s\":", number_names[k]);
    vt_text_number(text, numbers[k]);
  }
  vt_text_put(text, "}");
  return VT_OK;
}

/* The words whose updates were kept apart. */
static enum vt_status write_ledger(struct vt_run *run, struct vt_text *text, struct vt_error *error) {
  uint32_t *words = NULL;
  size_t count = 0;
  VT_TRY(vt_run_ledger_words(run, &words, &count, error));
  vt_text_put(text, ",\"ledger\":[");
  for (size_t k = 0; k < count; k++) vt_text_printf(text, "%s%u", k > 0 ? "," : "", (unsigned)words[k]);
  vt_text_put(text, "]");
  vt_run_words_free(words);
  return VT_OK;
}

enum vt_status vt_summary_write(struct vt_run *run, bool still, struct vt_text *text, struct vt_summary_facts *facts,
                                struct vt_error *error) {
  facts->state = find_state(run, still);
  facts->snapshots = vt_run_snapshot_count(run);
  struct vt_run_step last = {0};
  enum vt_status status = vt_run_last_step(run, &last, error);
  if (status != VT_OK && status != VT_ERROR_EMPTY) return status;
  facts->last_step = last.step;
  if (facts->snapshots > 0 && last.step == 0) facts->last_step = vt_run_snapshot_at(run, facts->snapshots - 1).step;
  vt_text_printf(text, ",\"state\":\"%s\",\"words\":%zu,\"snapshots\":%zu,\"last\":{\"step\":%llu,\"epoch\":%u",
                 vt_run_state_name(facts->state), vt_vocab_size(vt_run_vocab(run)), facts->snapshots,
                 (unsigned long long)facts->last_step, (unsigned)last.epoch);
  vt_text_printf(text, ",\"tokens\":%llu,\"seconds\":", (unsigned long long)last.tokens);
  vt_text_number(text, last.seconds);
  vt_text_put(text, "}");
  write_settings(run, text);
  write_events(run, text);
  VT_TRY(write_series(run, text, error));
  VT_TRY(write_convergence(run, text, error));
  VT_TRY(write_ledger(run, text, error));
  return text->failed ? VT_FAIL(error, VT_ERROR_MEMORY, "no memory for the summary of a run") : VT_OK;
}

static void write_clusters(const struct vt_view *view, size_t frames, struct vt_text *text) {
  size_t count;
  const struct vt_view_cluster *clusters = vt_view_clusters(view, &count);
  vt_text_put(text, ",\"clusters\":[");
  for (size_t k = 0; k < count; k++) {
    vt_text_printf(text, "%s{\"size\":%zu,\"born\":%zu,\"words\":[", k > 0 ? "," : "", clusters[k].size,
                   clusters[k].born);
    for (size_t w = 0; w < clusters[k].word_count; w++)
      vt_text_printf(text, "%s%u", w > 0 ? "," : "", (unsigned)clusters[k].words[w]);
    vt_text_put(text, "],\"together\":[");
    for (size_t f = 0; f < frames; f++) vt_text_printf(text, "%s%.3f", f > 0 ? "," : "", clusters[k].together[f]);
    vt_text_put(text, "]}");
  }
  vt_text_put(text, "]");
}

void vt_summary_view(const struct vt_view *view, uint64_t number, struct vt_text *text) {
  struct vt_view_facts facts = vt_view_facts(view);
  struct vt_view_progress progress = vt_view_progress(view);
  vt_text_printf(text, ",\"map\":{\"view\":%llu,\"words\":%zu,\"dim\":%zu,\"share\":[%.6f,%.6f],\"edge\":",
                 (unsigned long long)number, facts.map_words, facts.dim, facts.share[0], facts.share[1]);
  vt_text_number(text, facts.edge);
  vt_text_printf(text, ",\"pooled_words\":%zu,\"pooled_frames\":%zu,\"positions\":%zu,\"movement\":%zu,\"steps\":[",
                 facts.pooled_words, facts.pooled_frames, progress.positions, progress.movement);
  for (size_t f = 0; f < facts.frames; f++)
    vt_text_printf(text, "%s%llu", f > 0 ? "," : "", (unsigned long long)vt_view_step(view, f));
  vt_text_put(text, "]");
  write_clusters(view, facts.frames, text);
  vt_text_put(text, "}");
}

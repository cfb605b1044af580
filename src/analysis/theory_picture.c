/* theory_picture.c: one picture for each claim of vt_theory_run. */
#include <math.h>
#include <string.h>

#include "analysis/chart.h"
#include "analysis/theory.h"
#include "base/memory.h"

/* ---- directions -------------------------------------------------------------------------------------------------- */

static enum vt_status draw_directions(const struct vt_theory *theory, const double *steps, const char *path,
                                      struct vt_error *error) {
  const size_t modes = theory->mode_count, count = theory->snapshot_count;
  struct vt_chart_series *series = vt_alloc_zero(2 * modes, sizeof *series);
  if (series == NULL) return VT_FAIL_MEMORY(error, 2 * modes * sizeof *series);
  for (size_t k = 0; k < modes; k++) {
    series[2 * k] = (struct vt_chart_series){
        k == 0 ? "measured" : NULL, steps, theory->measured + k, NULL, count, modes, VT_CHART_POINTS, 0};
    series[2 * k + 1] = (struct vt_chart_series){k == 0 ? "closed form" : NULL, steps, theory->predicted + k, NULL,
                                                 theory->has_time ? count : 0,  modes, VT_CHART_LINE,         1};
  }
  if (!theory->has_time) series[1].name = NULL;
  const struct vt_chart chart = {.title = theory->exact ? "Squared singular values, one direction after another"
                                          : theory->has_time
                                              ? "Squared singular values; sampled, so the closed form is of the mean"
                                              : "Squared singular values (qualitative: another loss than the theory's)",
                                 .x_label = "step",
                                 .y_label = "s\xc2\xb2",
                                 .series = series,
                                 .count = 2 * modes,
                                 .mark_x = NAN};
  enum vt_status status = vt_chart_save(&chart, path, error);
  vt_free(series);
  return status;
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

static enum vt_status draw_scores(const struct vt_theory *theory, const char *path, struct vt_error *error) {
  enum { BANDS = VT_FACTORISATION_BANDS };
  static const char *const names[BANDS] = {"1 to 99", "100 to 999", "1,000 to 9,999", "10,000 and more"};
  const size_t count = theory->factorisation_count;
  if (count == 0)
    return VT_FAIL(error, VT_ERROR_EMPTY, "no scores can be drawn: %s",
                   theory->factorisation_missing[0] != '\0' ? theory->factorisation_missing : "none were asked for");
  double *x = vt_alloc(count, sizeof *x), *y = vt_alloc(2 * BANDS * count, sizeof *y);
  enum vt_status status = x == NULL || y == NULL ? VT_FAIL_MEMORY(error, 9 * count * sizeof *x) : VT_OK;
  struct vt_chart_series series[2 * BANDS];
  for (size_t p = 0; status == VT_OK && p < count; p++) {
    x[p] = (double)theory->factorisation[p].step;
    for (size_t b = 0; b < BANDS; b++) {
      y[2 * b * count + p] = theory->factorisation[p].bands[b].slope;
      y[(2 * b + 1) * count + p] = theory->factorisation[p].bands[b].r2;
    }
  }
  for (size_t b = 0; status == VT_OK && b < BANDS; b++) {
    const double *slope = y + 2 * b * count;
    series[2 * b] = (struct vt_chart_series){names[b], x, slope, NULL, count, 1, VT_CHART_LINE, (int)b};
    series[2 * b + 1] = (struct vt_chart_series){
        b == 0 ? "dashed: R\xc2\xb2" : NULL, x, slope + count, NULL, count, 1, VT_CHART_DASHED, (int)b};
  }
  const struct vt_chart chart = {.title = "Slope of scores on their optimum, by how often the rarer word occurs",
                                 .x_label = "step",
                                 .y_label = "slope; R\xc2\xb2",
                                 .series = series,
                                 .count = 2 * BANDS,
                                 .mark_x = NAN};
  if (status == VT_OK) status = vt_chart_save(&chart, path, error);
  vt_free(x);
  vt_free(y);
  return status;
}

/* ---- sections ---------------------------------------------------------------------------------------------------- */

static enum vt_status draw_sections(const struct vt_theory *theory, const double *steps, const char *path,
                                    struct vt_error *error) {
  const size_t count = theory->snapshot_count;
  struct vt_chart_series *series = vt_alloc_zero(theory->task_count + 1, sizeof *series);
  if (series == NULL) return VT_FAIL_MEMORY(error, (theory->task_count + 1) * sizeof *series);
  static const double chance[] = {1, 1};
  const double ends[] = {steps[0], steps[count - 1]};
  for (size_t t = 0; t < theory->task_count; t++)
    series[t] = (struct vt_chart_series){theory->tasks[t].section,
                                         steps,
                                         theory->tasks[t].signal,
                                         NULL,
                                         count,
                                         1,
                                         t < 8 ? VT_CHART_LINE : VT_CHART_DASHED,
                                         (int)t};
  series[theory->task_count] =
      (struct vt_chart_series){"the most by chance", ends, chance, NULL, 2, 1, VT_CHART_DASHED, 6};
  const struct vt_chart chart = {.title = "What the pairs of a section share, over the most that chance would give",
                                 .x_label = "step",
                                 .y_label = "signal",
                                 .series = series,
                                 .count = theory->task_count + 1,
                                 .mark_x = NAN};
  enum vt_status status = vt_chart_save(&chart, path, error);
  vt_free(series);
  return status;
}

/* Those beyond the rank are 0. */
static enum vt_status draw_spectrum(const struct vt_theory *theory, const char *path, struct vt_error *error) {
  const struct vt_task *task = NULL;
  for (size_t t = 0; t < theory->task_count; t++) {
    const struct vt_task *own = &theory->tasks[t];
    if (own->pairs > 0 && isfinite(own->eigenvalues[0]) && (task == NULL || own->eigenvalues[0] > task->eigenvalues[0]))
      task = own;
  }
  if (task == NULL)
    return VT_FAIL(error, VT_ERROR_EMPTY, "no section has pairs enough in the vocabulary for a spectrum");
  const size_t count = task->pairs < theory->dim ? task->pairs : theory->dim;
  double *x = vt_alloc(count, sizeof *x), *chance = vt_alloc(count, sizeof *chance);
  enum vt_status status = x == NULL || chance == NULL ? VT_FAIL_MEMORY(error, 2 * count * sizeof *x) : VT_OK;
  for (size_t k = 0; status == VT_OK && k < count; k++) {
    x[k] = (double)(k + 1);
    chance[k] = vt_marchenko_pastur(task->pairs, theory->dim, ((double)k + 0.5) / (double)count);
  }
  const struct vt_chart_series series[] = {
      {task->section, x, task->eigenvalues, NULL, count, 1, VT_CHART_POINTS, 0},
      {"Marchenko-Pastur", x, chance, NULL, count, 1, VT_CHART_LINE, 1},
  };
  const struct vt_chart chart = {.title = "Squared singular values of the differences of a section's pairs",
                                 .x_label = "number",
                                 .y_label = "over the edge of chance",
                                 .log_y = true,
                                 .series = series,
                                 .count = 2,
                                 .mark_x = NAN};
  if (status == VT_OK) status = vt_chart_save(&chart, path, error);
  vt_free(x);
  vt_free(chance);
  return status;
}

enum vt_status vt_theory_picture(const struct vt_theory *theory, enum vt_theory_drawing drawing, const char *path,
                                 struct vt_error *error) {
  if (drawing == VT_DRAW_SCORES) return draw_scores(theory, path, error);
  if (drawing != VT_DRAW_DIRECTIONS && theory->task_count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "add --analogy FILE", "there are no sections of analogies to draw");
  if (drawing == VT_DRAW_SPECTRUM) return draw_spectrum(theory, path, error);
  const size_t count = theory->snapshot_count;
  double *steps = vt_alloc(count, sizeof *steps);
  if (steps == NULL) return VT_FAIL_MEMORY(error, count * sizeof *steps);
  for (size_t s = 0; s < count; s++) steps[s] = (double)theory->steps[s];
  enum vt_status status = drawing == VT_DRAW_SECTIONS ? draw_sections(theory, steps, path, error)
                                                      : draw_directions(theory, steps, path, error);
  vt_free(steps);
  return status;
}

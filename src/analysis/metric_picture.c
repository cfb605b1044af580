/* metric_picture.c: one series of several runs, side by side. */
#include <math.h>
#include <string.h>

#include "analysis/chart.h"
#include "base/memory.h"
#include "vectrail/measure.h"
#include "vectrail/run.h"

struct curves {
  struct vt_chart_series *series;
  double **x, **y;
};

/* The last part of a path. */
static const char *name_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static enum vt_status read_curve(const char *path, const char *metric, size_t index, struct curves *curves,
                                 struct vt_error *error) {
  struct vt_run *run;
  struct vt_run_point *points = NULL;
  size_t count = 0;
  VT_TRY(vt_run_open(path, &run, error));
  enum vt_status status = vt_run_metric(run, metric, &points, &count, error);
  vt_run_close(run);
  VT_TRY(status);
  curves->x[index] = vt_alloc(count, sizeof(double));
  curves->y[index] = vt_alloc(count, sizeof(double));
  if (count == 0) {
    status = VT_FAIL(error, VT_ERROR_EMPTY, "%s: no metric called '%.100s' was recorded", path, metric);
  } else if (curves->x[index] == NULL || curves->y[index] == NULL) {
    status = VT_FAIL_MEMORY(error, 2 * count * sizeof(double));
  } else {
    for (size_t k = 0; k < count; k++) {
      curves->x[index][k] = (double)points[k].step;
      curves->y[index][k] = points[k].value;
    }
    curves->series[index] = (struct vt_chart_series){name_of(path), curves->x[index], curves->y[index], NULL, count, 1,
                                                     VT_CHART_LINE, (int)index};
  }
  vt_run_points_free(points);
  return status;
}

static bool spans_decades(const struct vt_chart_series *series, size_t count) {
  double least = INFINITY, most = 0;
  for (size_t s = 0; s < count; s++)
    for (size_t k = 0; k < series[s].count; k++) {
      if (!isfinite(series[s].y[k])) continue;
      least = fmin(least, series[s].y[k]);
      most = fmax(most, series[s].y[k]);
    }
  return least > 0 && most > 100 * least;
}

enum vt_status vt_metric_picture(const char *const *runs, size_t count, const char *metric, const char *path,
                                 struct vt_error *error) {
  struct curves curves = {.series = vt_alloc_zero(count, sizeof *curves.series),
                          .x = vt_alloc_zero(count, sizeof *curves.x),
                          .y = vt_alloc_zero(count, sizeof *curves.y)};
  enum vt_status status = VT_OK;
  if (curves.series == NULL || curves.x == NULL || curves.y == NULL)
    status = VT_FAIL_MEMORY(error, count * sizeof *curves.series);
  for (size_t k = 0; status == VT_OK && k < count; k++) status = read_curve(runs[k], metric, k, &curves, error);
  const struct vt_chart chart = {.title = metric,
                                 .x_label = "step",
                                 .y_label = metric,
                                 .log_y = status == VT_OK && spans_decades(curves.series, count),
                                 .series = curves.series,
                                 .count = count,
                                 .mark_x = NAN};
  if (status == VT_OK) status = vt_chart_save(&chart, path, error);
  for (size_t k = 0; k < count; k++) {
    if (curves.x != NULL) vt_free(curves.x[k]);
    if (curves.y != NULL) vt_free(curves.y[k]);
  }
  vt_free(curves.series);
  vt_free(curves.x);
  vt_free(curves.y);
  return status;
}

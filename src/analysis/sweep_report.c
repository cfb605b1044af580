/* sweep_report.c: a sweep as one page: what is recommended and why, the error over the dimension, tables. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "analysis/chart.h"
#include "base/file.h"
#include "base/memory.h"
#include "vectrail/sweep.h"

static enum vt_status cell(struct vt_output *out, double value, struct vt_error *error) {
  char text[VT_CHART_NUMBER_BYTES];
  return vt_output_printf(out, error, "<td>%s</td>", isnan(value) ? "" : vt_chart_number(value, text));
}

static enum vt_status table(struct vt_output *out, const struct vt_sweep_point *points, size_t count, size_t best,
                            bool verdicts, struct vt_error *error) {
  static const char *const names[] = {"", ", too low", ", too high", ", diverged"};
  VT_TRY(vt_output_printf(
      out, error,
      "<table><tr><th>dim</th><th>l2</th><th>lr</th><th>error</th><th>bias&sup2;</th>"
      "<th>variance</th><th>of it by the seed</th><th>noise</th><th>held out</th><th>norm</th><th>runs</th>"
      "<th>seconds</th></tr>\n"));
  for (size_t k = 0; k < count; k++) {
    const struct vt_sweep_point *p = &points[k];
    VT_TRY(vt_output_printf(out, error, "<tr%s><td>%" PRIu32 "</td>", k == best ? " class=\"best\"" : "", p->dim));
    const double cells[] = {p->l2,    p->lr,       p->error, p->bias, p->variance, p->seed_variance,
                            p->noise, p->held_out, p->norm};
    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) VT_TRY(cell(out, cells[c], error));
    VT_TRY(vt_output_printf(out, error, "<td>%" PRIu32 "%s</td>", p->runs,
                            verdicts         ? names[p->verdict]
                            : p->diverged    ? ", diverged"
                            : p->runs == 0   ? ", hopeless"
                            : p->hopeless    ? ", stopped"
                            : isnan(p->bias) ? ", beyond the budget"
                                             : ""));
    VT_TRY(cell(out, p->seconds, error));
    VT_TRY(vt_output_printf(out, error, "</tr>\n"));
  }
  return vt_output_printf(out, error, "</table>\n");
}

/* Into a page, or as a file of its own where a path is given. */
static enum vt_status dims_chart(struct vt_output *out, const char *path, const struct vt_sweep *sweep,
                                 struct vt_error *error) {
  double *x = vt_alloc(sweep->dim_count, sizeof *x), *y = vt_alloc(5 * sweep->dim_count, sizeof *y);
  enum vt_status status = x == NULL || y == NULL ? VT_FAIL_MEMORY(error, 6 * sweep->dim_count * sizeof *x) : VT_OK;
  for (size_t k = 0; status == VT_OK && k < sweep->dim_count; k++) {
    const struct vt_sweep_point *p = &sweep->dims[k];
    x[k] = p->dim;
    y[5 * k] = p->error;
    y[5 * k + 1] = p->bias;
    y[5 * k + 2] = p->variance;
    y[5 * k + 3] = p->noise;
  }
  const struct vt_chart_series series[] = {
      {"error", x, y, NULL, sweep->dim_count, 5, VT_CHART_LINE, 6},
      {"bias\xc2\xb2", x, y + 1, NULL, sweep->dim_count, 5, VT_CHART_LINE, 0},
      {"variance", x, y + 2, NULL, sweep->dim_count, 5, VT_CHART_LINE, 1},
      {"noise", x, y + 3, NULL, sweep->dim_count, 5, VT_CHART_DASHED, 2},
      {NULL, x, y, NULL, sweep->dim_count, 5, VT_CHART_POINTS, 6},
  };
  const struct vt_chart chart = {.title = "What is left between scores and the text that was not trained on",
                                 .x_label = "dimension",
                                 .y_label = "squared error, nats\xc2\xb2",
                                 .log_x = true,
                                 .series = series,
                                 .count = sizeof series / sizeof *series,
                                 .mark_x = sweep->dims[sweep->best].dim,
                                 .mark_name = "least"};
  if (status == VT_OK) status = path == NULL ? vt_chart_write(out, &chart, error) : vt_chart_save(&chart, path, error);
  vt_free(x);
  vt_free(y);
  return status;
}

static enum vt_status write_page(const struct vt_sweep *sweep, struct vt_output *out, struct vt_error *error) {
  const struct vt_sweep_point *best = &sweep->dims[sweep->best];
  VT_TRY(vt_output_printf(out, error,
                          "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>vectrail "
                          "sweep</title>\n<meta name=\"viewport\" content=\"width=device-width\">\n"));
  VT_TRY(vt_output_printf(out, error,
                          "<style>body{font:16px/1.5 system-ui,sans-serif;color:#0f172a;max-width:56rem;margin:2rem "
                          "auto;padding:0 1rem}svg{width:100%%;height:auto}"));
  VT_TRY(vt_output_printf(out, error,
                          "table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}"
                          "td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #e2e8f0}"));
  VT_TRY(vt_output_printf(out, error,
                          ".best{font-weight:bold;background:#e0f2fe}</style>\n<h1>Which dimension</h1>\n"
                          "<p><strong>%" PRIu32 "</strong>; %" PRIu32 " to %" PRIu32 " cannot be told apart from it. ",
                          best->dim, sweep->dim_low, sweep->dim_high));
  VT_TRY(vt_chart_text(out, sweep->why, error));
  VT_TRY(vt_output_printf(
      out, error, " Measured on %zu pairs of words of a text of %" PRIu64 " words, %" PRIu64 " different ones.</p>\n",
      sweep->pairs, sweep->tokens, sweep->words));
  VT_TRY(dims_chart(out, NULL, sweep, error));
  VT_TRY(table(out, sweep->dims, sweep->dim_count, sweep->best, false, error));
  VT_TRY(vt_output_printf(out, error, "<p>%.0f seconds; all seeds of all dimensions would have taken about %.0f.</p>\n",
                          sweep->seconds, sweep->seconds_all));
  if (sweep->l2_count > 0) {
    VT_TRY(vt_output_printf(out, error, "<h1>Which penalty</h1>\n"));
    VT_TRY(table(out, sweep->l2s, sweep->l2_count, sweep->best_l2, true, error));
  }
  if (sweep->lr_count > 0) {
    VT_TRY(vt_output_printf(out, error, "<h1>Which rate</h1>\n"));
    VT_TRY(table(out, sweep->lrs, sweep->lr_count, sweep->best_lr, true, error));
  }
  return vt_output_printf(out, error, "</html>\n");
}

enum vt_status vt_sweep_report(const struct vt_sweep *sweep, const char *path, struct vt_error *error) {
  struct vt_output *out;
  VT_TRY(vt_output_open(path, &out, error));
  enum vt_status status = write_page(sweep, out, error);
  if (status == VT_OK) return vt_output_commit(out, error);
  vt_output_abort(out);
  return status;
}

enum vt_status vt_sweep_picture(const struct vt_sweep *sweep, const char *path, struct vt_error *error) {
  return dims_chart(NULL, path, sweep, error);
}

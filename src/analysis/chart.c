/* chart.c: coordinates are whole numbers, tenths of a pixel, which no locale writes differently. */
#include "analysis/chart.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 7600
#define HEIGHT 4200
#define LEFT 800
#define RIGHT 1900 /* the legend */
#define TOP 420
#define BOTTOM 620
#define TICKS_MAX 12
#define COLORS 8

static const char *const colors[COLORS] = {"#0b6e99", "#c2410c", "#15803d", "#7e22ce",
                                           "#b45309", "#be185d", "#475569", "#0f766e"};

struct axis {
  double low, high; /* of the values, or of their logarithms */
  bool logarithmic;
  double ticks[TICKS_MAX];
  size_t tick_count;
};

const char *vt_chart_number(double value, char text[VT_CHART_NUMBER_BYTES]) {
  if (value != 0 && (fabs(value) >= 1e6 || fabs(value) < 1e-4))
    snprintf(text, VT_CHART_NUMBER_BYTES, "%.3g", value);
  else
    snprintf(text, VT_CHART_NUMBER_BYTES, "%.4g", value);
  for (char *c = text; *c != '\0'; c++)
    if (*c == ',') *c = '.';
  return text;
}

enum vt_status vt_chart_text(struct vt_output *output, const char *text, struct vt_error *error) {
  for (; *text != '\0'; text++) {
    const char *as = *text == '<'   ? "&lt;"
                     : *text == '>' ? "&gt;"
                     : *text == '&' ? "&amp;"
                     : *text == '"' ? "&quot;"
                                    : NULL;
    VT_TRY(as != NULL ? vt_output_write(output, as, strlen(as), error) : vt_output_write(output, text, 1, error));
  }
  return VT_OK;
}

/* ---- axes -------------------------------------------------------------------------------------------------------- */

static double on_axis(const struct axis *axis, double value) {
  if (!axis->logarithmic) return value;
  return value > 0 ? log10(value) : (double)NAN;
}

static void include(struct axis *axis, double value) {
  double at = on_axis(axis, value);
  if (!isfinite(at)) return;
  if (at < axis->low) axis->low = at;
  if (at > axis->high) axis->high = at;
}

/* Ticks at 1, 2 or 5 times a power of ten; on a logarithmic axis at whole powers, or at 1, 2 and 5 where there are few.
 */
static void choose_ticks(struct axis *axis) {
  if (!(axis->high > axis->low)) {
    double at = isfinite(axis->low) ? axis->low : 0;
    axis->low = at - 0.5;
    axis->high = at + 0.5;
  }
  double span = axis->high - axis->low;
  if (axis->logarithmic && span < 3) {
    static const double parts[] = {1, 2, 5};
    for (int power = (int)floor(axis->low); power <= axis->high; power++)
      for (int p = 0; p < 3; p++) {
        double at = power + log10(parts[p]);
        if (at >= axis->low - 1e-9 && at <= axis->high + 1e-9 && axis->tick_count < TICKS_MAX)
          axis->ticks[axis->tick_count++] = at;
      }
    return;
  }
  double step = pow(10, floor(log10(span / 4)));
  if (span / step > 10) step *= 2;
  if (span / step > 10) step *= 2.5;
  if (axis->logarithmic && step < 1) step = 1;
  const double first = ceil(axis->low / step - 1e-9);
  for (int k = 0; k < TICKS_MAX && (first + k) * step <= axis->high + step * 1e-9; k++)
    axis->ticks[axis->tick_count++] = (first + k) * step;
}

static void scale_axes(const struct vt_chart *chart, struct axis *x, struct axis *y) {
  *x = (struct axis){INFINITY, -INFINITY, chart->log_x, {0}, 0};
  *y = (struct axis){INFINITY, -INFINITY, chart->log_y, {0}, 0};
  for (size_t s = 0; s < chart->count; s++) {
    const struct vt_chart_series *series = &chart->series[s];
    size_t stride = series->stride == 0 ? 1 : series->stride;
    for (size_t k = 0; k < series->count; k++) {
      if (!isfinite(on_axis(y, series->y[k * stride]))) continue;
      include(x, series->x[k]);
      include(y, series->y[k * stride]);
      if (series->high != NULL) include(y, series->high[k * stride]);
    }
  }
  if (!chart->log_y && y->low > 0 && y->low < y->high / 2) y->low = 0;
  double room = (y->high - y->low) * 0.04;
  if (isfinite(room)) y->high += room;
  choose_ticks(x);
  choose_ticks(y);
}

static int place_x(const struct axis *x, double at) {
  return LEFT + (int)((at - x->low) / (x->high - x->low) * (WIDTH - LEFT - RIGHT) + 0.5);
}

static int place_y(const struct axis *y, double at) {
  return HEIGHT - BOTTOM - (int)((at - y->low) / (y->high - y->low) * (HEIGHT - TOP - BOTTOM) + 0.5);
}

/* Of the whole picture: wider where a name of the legend needs it, at some 70 a letter. */
static int width_of(const struct vt_chart *chart) {
  size_t longest = 0;
  for (size_t s = 0; s < chart->count; s++)
    if (chart->series[s].name != NULL && strlen(chart->series[s].name) > longest)
      longest = strlen(chart->series[s].name);
  const int needed = WIDTH - RIGHT + 500 + (int)(longest < 100 ? longest : 100) * 70;
  return needed > WIDTH ? needed : WIDTH;
}

/* ---- drawing ----------------------------------------------------------------------------------------------------- */

static enum vt_status draw_frame(struct vt_output *out, const struct vt_chart *chart, const struct axis *x,
                                 const struct axis *y, struct vt_error *error) {
  char number[VT_CHART_NUMBER_BYTES];
  const int width = width_of(chart);
  VT_TRY(vt_output_printf(out, error,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"system-ui, "
                          "sans-serif\" font-size=\"130\" fill=\"#334155\">\n"
                          "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n"
                          "<text x=\"%d\" y=\"220\" font-size=\"170\" fill=\"#0f172a\">",
                          width, HEIGHT, width, HEIGHT, LEFT));
  VT_TRY(vt_chart_text(out, chart->title, error));
  VT_TRY(vt_output_printf(out, error, "</text>\n"));
  for (size_t t = 0; t < x->tick_count; t++) {
    int at = place_x(x, x->ticks[t]);
    double value = x->logarithmic ? pow(10, x->ticks[t]) : x->ticks[t];
    VT_TRY(vt_output_printf(out, error,
                            "<path d=\"M%d %dV%d\" stroke=\"#e2e8f0\" stroke-width=\"8\"/><text x=\"%d\" y=\"%d\" "
                            "text-anchor=\"middle\">%s</text>\n",
                            at, TOP, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 190, vt_chart_number(value, number)));
  }
  for (size_t t = 0; t < y->tick_count; t++) {
    int at = place_y(y, y->ticks[t]);
    double value = y->logarithmic ? pow(10, y->ticks[t]) : y->ticks[t];
    VT_TRY(vt_output_printf(out, error,
                            "<path d=\"M%d %dH%d\" stroke=\"#e2e8f0\" stroke-width=\"8\"/><text x=\"%d\" y=\"%d\" "
                            "text-anchor=\"end\">%s</text>\n",
                            LEFT, at, WIDTH - RIGHT, LEFT - 60, at + 45, vt_chart_number(value, number)));
  }
  VT_TRY(vt_output_printf(out, error, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (LEFT + WIDTH - RIGHT) / 2,
                          HEIGHT - 160));
  VT_TRY(vt_chart_text(out, chart->x_label, error));
  VT_TRY(vt_output_printf(out, error,
                          "</text>\n<text transform=\"translate(170 %d) rotate(-90)\" text-anchor=\"middle\">",
                          (TOP + HEIGHT - BOTTOM) / 2));
  VT_TRY(vt_chart_text(out, chart->y_label, error));
  return vt_output_printf(out, error, "</text>\n");
}

static enum vt_status draw_band(struct vt_output *out, const struct vt_chart_series *series, const struct axis *x,
                                const struct axis *y, struct vt_error *error) {
  const char *color = colors[(unsigned)series->color % COLORS];
  size_t stride = series->stride == 0 ? 1 : series->stride;
  VT_TRY(vt_output_printf(out, error, "<polygon fill=\"%s\" fill-opacity=\"0.15\" points=\"", color));
  for (size_t pass = 0; pass < 2; pass++)
    for (size_t n = 0; n < series->count; n++) {
      size_t k = pass == 0 ? n : series->count - 1 - n;
      double a = on_axis(x, series->x[k]), b = on_axis(y, (pass == 0 ? series->y : series->high)[k * stride]);
      if (isfinite(a) && isfinite(b)) VT_TRY(vt_output_printf(out, error, "%d,%d ", place_x(x, a), place_y(y, b)));
    }
  return vt_output_printf(out, error, "\"/>\n");
}

static enum vt_status draw_series(struct vt_output *out, const struct vt_chart_series *series, const struct axis *x,
                                  const struct axis *y, struct vt_error *error) {
  const char *color = colors[(unsigned)series->color % COLORS];
  size_t stride = series->stride == 0 ? 1 : series->stride;
  bool pen = false, points = series->mark == VT_CHART_POINTS;
  if (series->mark == VT_CHART_BAND) return draw_band(out, series, x, y, error);
  if (!points)
    VT_TRY(vt_output_printf(out, error, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"%d\"%s d=\"", color,
                            series->mark == VT_CHART_DASHED ? 22 : 26,
                            series->mark == VT_CHART_DASHED ? " stroke-dasharray=\"90 60\"" : ""));
  else /* a dot is a line of no length with a round end */
    VT_TRY(
        vt_output_printf(out, error, "<path stroke=\"%s\" stroke-width=\"60\" stroke-linecap=\"round\" d=\"", color));
  for (size_t k = 0; k < series->count; k++) {
    double a = on_axis(x, series->x[k]), b = on_axis(y, series->y[k * stride]);
    bool seen = isfinite(a) && isfinite(b);
    if (seen && points) VT_TRY(vt_output_printf(out, error, "M%d %dh0", place_x(x, a), place_y(y, b)));
    if (seen && !points) VT_TRY(vt_output_printf(out, error, "%c%d %d", pen ? 'L' : 'M', place_x(x, a), place_y(y, b)));
    pen = seen;
  }
  return vt_output_printf(out, error, "\"/>\n");
}

static enum vt_status draw_legend(struct vt_output *out, const struct vt_chart *chart, struct vt_error *error) {
  int line = TOP + 60;
  for (size_t s = 0; s < chart->count; s++) {
    const struct vt_chart_series *series = &chart->series[s];
    if (series->name == NULL) continue;
    const char *color = colors[(unsigned)series->color % COLORS];
    if (series->mark == VT_CHART_POINTS)
      VT_TRY(vt_output_printf(out, error, "<circle cx=\"%d\" cy=\"%d\" r=\"36\" fill=\"%s\"/>", WIDTH - RIGHT + 250,
                              line, color));
    else
      VT_TRY(vt_output_printf(out, error, "<path d=\"M%d %dh240\" stroke=\"%s\" stroke-width=\"%d\"%s/>",
                              WIDTH - RIGHT + 130, line, color, series->mark == VT_CHART_BAND ? 100 : 26,
                              series->mark == VT_CHART_DASHED ? " stroke-dasharray=\"90 60\""
                              : series->mark == VT_CHART_BAND ? " stroke-opacity=\"0.15\""
                                                              : ""));
    VT_TRY(vt_output_printf(out, error, "<text x=\"%d\" y=\"%d\">", WIDTH - RIGHT + 430, line + 45));
    VT_TRY(vt_chart_text(out, series->name, error));
    VT_TRY(vt_output_printf(out, error, "</text>\n"));
    line += 210;
  }
  return VT_OK;
}

enum vt_status vt_chart_save(const struct vt_chart *chart, const char *path, struct vt_error *error) {
  struct vt_output *output;
  VT_TRY(vt_output_open(path, &output, error));
  enum vt_status status = vt_chart_write(output, chart, error);
  if (status == VT_OK) return vt_output_commit(output, error);
  vt_output_abort(output);
  return status;
}

enum vt_status vt_chart_write(struct vt_output *output, const struct vt_chart *chart, struct vt_error *error) {
  struct axis x, y;
  scale_axes(chart, &x, &y);
  VT_TRY(draw_frame(output, chart, &x, &y, error));
  for (size_t s = 0; s < chart->count; s++) VT_TRY(draw_series(output, &chart->series[s], &x, &y, error));
  double mark = on_axis(&x, chart->mark_x);
  if (chart->mark_name != NULL && mark >= x.low && mark <= x.high) {
    int at = place_x(&x, mark);
    VT_TRY(vt_output_printf(output, error,
                            "<path d=\"M%d %dV%d\" stroke=\"#0f172a\" stroke-width=\"14\" stroke-dasharray=\"40 40\"/>"
                            "<text x=\"%d\" y=\"%d\" fill=\"#0f172a\">",
                            at, TOP, HEIGHT - BOTTOM, at + 40, TOP + 110));
    VT_TRY(vt_chart_text(output, chart->mark_name, error));
    VT_TRY(vt_output_printf(output, error, "</text>\n"));
  }
  VT_TRY(draw_legend(output, chart, error));
  return vt_output_printf(output, error, "</svg>\n");
}

/*
 * chart.h: curves as SVG: nothing but shapes and text, so that a picture is the same in a page, a README or a viewer.
 */
#ifndef VECTRAIL_ANALYSIS_CHART_H
#define VECTRAIL_ANALYSIS_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/file.h"

enum vt_chart_mark { VT_CHART_LINE, VT_CHART_DASHED, VT_CHART_POINTS, VT_CHART_BAND };

struct vt_chart_series {
  const char *name; /* NULL: not in the legend */
  const double *x, *y;
  const double *high;   /* band: from y to high */
  size_t count, stride; /* of y and high in doubles; 0: 1 */
  enum vt_chart_mark mark;
  int color; /* a number; the same one is the same colour */
};

struct vt_chart {
  const char *title, *x_label, *y_label;
  bool log_x, log_y; /* values that are not above 0 are left out */
  const struct vt_chart_series *series;
  size_t count;
  double mark_x;         /* a vertical line; NaN: none */
  const char *mark_name; /* beside it */
};

/* The <svg> element. Values that are not finite leave gaps. */
enum vt_status vt_chart_write(struct vt_output *output, const struct vt_chart *chart, struct vt_error *error);

/* The same as a file of its own, whole or absent. VT_ERROR_IO. */
enum vt_status vt_chart_save(const struct vt_chart *chart, const char *path, struct vt_error *error);

/* Text with the characters of markup escaped. */
enum vt_status vt_chart_text(struct vt_output *output, const char *text, struct vt_error *error);

#define VT_CHART_NUMBER_BYTES 32
/* A number as one reads it ("0.05", "1,200", "3e-7"), with a point whatever the locale. */
const char *vt_chart_number(double value, char text[VT_CHART_NUMBER_BYTES]);

#endif

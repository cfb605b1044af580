/* svd_picture.c: the loss that a dimension is chosen by, and how far theory is right about the one that can be
 * measured. */
#include <math.h>

#include "analysis/chart.h"
#include "base/memory.h"
#include "vectrail/dimension.h"

enum { EXPECTED, MEASURED, BETWEEN, CURVES };

enum vt_status vt_svd_picture(const struct vt_svd_result *result, double alpha, const char *path,
                              struct vt_error *error) {
  const size_t count = result->spectrum_count;
  if (!result->chosen)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "use more text, or fewer words (--max-vocab)",
                        "no direction stands out of the noise, so there is no loss over dimensions to draw");
  const struct vt_pip_model whole = {result->signal, result->signals, result->words, result->sigma, alpha};
  struct vt_pip_model half = whole;
  half.sigma *= sqrt(2);
  double *x = vt_alloc(count, sizeof *x), *y = vt_alloc(CURVES * count, sizeof *y);
  enum vt_status status = x == NULL || y == NULL ? VT_FAIL_MEMORY(error, (CURVES + 1) * count * sizeof *x) : VT_OK;
  for (size_t k = 0; status == VT_OK && k < count; k++) {
    x[k] = (double)(k + 1);
    y[EXPECTED * count + k] = vt_pip_expected(&whole, k + 1);
    y[MEASURED * count + k] = result->halves != NULL ? result->halves[k] : (double)NAN;
    y[BETWEEN * count + k] = vt_pip_between(&half, k + 1);
  }
  const struct vt_chart_series series[] = {
      {"to the truth, expected", x, y + EXPECTED * count, NULL, count, 1, VT_CHART_LINE, 0},
      {"between halves, expected", x, y + BETWEEN * count, NULL, count, 1, VT_CHART_LINE, 1},
      {"between halves, measured", x, y + MEASURED * count, NULL, count, 1, VT_CHART_POINTS, 2},
  };
  const struct vt_chart chart = {.title = "PIP loss over the dimension",
                                 .x_label = "dimension",
                                 .y_label = "PIP loss",
                                 .log_x = true,
                                 .series = series,
                                 .count = result->halves != NULL ? 3 : 1,
                                 .mark_x = (double)result->choice.best,
                                 .mark_name = "least"};
  if (status == VT_OK) status = vt_chart_save(&chart, path, error);
  vt_free(x);
  vt_free(y);
  return status;
}

/* settling.c: a verdict, and a table of words by how often they occur. */
#include "settling.h"

#include <math.h>
#include <stdio.h>

#include "json.h"
#include "report.h"
#include "terminal.h"

enum exit_status settling_measure(const char *path, double within, struct vt_settling *settling) {
  struct vt_error error;
  struct vt_run *run;
  if (vt_run_open(path, &run, &error) != VT_OK) return report_error(&error);
  enum vt_status status = vt_settling_measure(run, within, settling, &error);
  vt_run_close(run);
  return status == VT_OK ? EXIT_DONE : report_error(&error);
}

static const char *verdict_of(const struct vt_settling *settling) {
  static const char *const texts[] = {"holds", "does not hold: rare words settle first",
                                      "does not hold: in no clear order"};
  return texts[settling->order];
}

json_t *settling_json(const struct vt_settling *settling) {
  json_t *object = json_new_object(), *bands = json_new_array();
  json_put(object, "words", json_new_count(settling->words));
  json_put(object, "frequent", json_new_real(settling->frequent));
  json_put(object, "middle", json_new_real(settling->middle));
  json_put(object, "rare", json_new_real(settling->rare));
  json_put(object, "correlation", json_new_real(settling->correlation));
  json_put(object, "within", json_new_real(settling->within));
  json_put(object, "snapshots", json_new_count(settling->snapshots));
  json_put(object, "steps", json_new_count(settling->steps));
  json_put(object, "settled", json_new_count(settling->settled));
  json_put(object, "step_correlation", json_new_real(settling->step_correlation));
  json_put(object, "holds", settling->order == VT_SETTLING_FREQUENT_FIRST ? json_true() : json_false());
  for (size_t b = settling->band_count; b-- > 0;) {
    const struct vt_settling_band *band = &settling->bands[b];
    json_t *entry = json_new_object();
    json_put(entry, "low", json_new_count(band->low));
    json_put(entry, "high", json_new_count(band->high));
    json_put(entry, "words", json_new_count(band->words));
    json_put(entry, "still", json_new_count(band->still));
    json_put(entry, "left", json_new_real(band->left));
    json_put(entry, "lower_quartile", json_new_real(band->quarter[0]));
    json_put(entry, "median", json_new_real(band->quarter[1]));
    json_put(entry, "upper_quartile", json_new_real(band->quarter[2]));
    json_push(bands, entry);
  }
  json_put(object, "bands", bands);
  return object;
}

static void print_band(const struct vt_settling *settling, const struct vt_settling_band *band) {
  char low[NUMBER_TEXT_BYTES], high[NUMBER_TEXT_BYTES], words[NUMBER_TEXT_BYTES], still[NUMBER_TEXT_BYTES], range[64];
  snprintf(range, sizeof range, "%s to %s", format_count(band->low, low), format_count(band->high, high));
  printf("  %22s %9s", range, format_count(band->words, words));
  if (band->words == 0) {
    printf(" %24s %9s", "", "");
  } else {
    for (int q = 0; q < 3; q++) printf(" %6.1f%%", 100 * band->quarter[q] / (double)settling->steps);
    printf(" %9.3f", band->left);
  }
  printf(" %9s\n", format_count(band->still, still));
}

void settling_print(const struct vt_settling *settling) {
  char words[NUMBER_TEXT_BYTES], snapshots[NUMBER_TEXT_BYTES];
  printf("frequent words settle before rare ones: %s (rank correlation of count and step %.2f, of %s words)\n",
         verdict_of(settling), settling->step_correlation, format_count(settling->settled, words));
  printf("settled: at the first of %s snapshots from which on the cosine with the last vector stays at least %g; in "
         "shares of the training\n",
         format_count(settling->snapshots, snapshots), settling->within);
  printf("  %22s %9s %8s%8s%8s %9s %9s\n", "word occurs", "words", "quarter", "half", "3/4", "way left", "kept");
  for (size_t b = settling->band_count; b-- > 0;) print_band(settling, &settling->bands[b]);
  printf("quarter, half, 3/4: when so many of them had settled; way left: what the median word had still to go, mean "
         "over the training; kept: those that were that near from the start, not counted\n");
  printf("way left of the frequent third of all words %.3f, of the middle third %.3f, of the rare third %.3f (rank "
         "correlation with the count %.2f)\n",
         settling->frequent, settling->middle, settling->rare, settling->correlation);
}

enum exit_status settling_run(const char *run, double within, bool json) {
  struct vt_settling settling = {0};
  enum exit_status status = settling_measure(run, within, &settling);
  if (status != EXIT_DONE) return status;
  if (json)
    json_print_line(settling_json(&settling));
  else
    settling_print(&settling);
  return EXIT_DONE;
}

/* exercise.c: the exercise's figures beside those of the reference run. */
#include "exercise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "report.h"
#include "settling.h"
#include "terminal.h"

/* One reference run of the course (docs/networks.md). */
#define REFERENCE_BEFORE 0.189
#define REFERENCE_AFTER 0.215

/* ---- the exercise ------------------------------------------------------------------------------------------------ */

static enum exit_status measure_settling(const char *folder, struct vt_settling *settling) {
  char path[4096];
  if (snprintf(path, sizeof path, "%s/exercise", folder) >= (int)sizeof path) return EXIT_FAILED;
  return settling_measure(path, VT_SETTLING_WITHIN, settling);
}

static json_t *numbers(const double *values, size_t count) {
  json_t *array = json_new_array();
  for (size_t k = 0; k < count; k++) json_push(array, json_new_real(values[k]));
  return array;
}

static void print_exercise_json(const struct vt_exercise_request *request, const struct vt_exercise *exercise,
                                const struct vt_settling *settling) {
  const size_t count = (size_t)exercise->epochs + 1;
  json_t *object = json_new_object(), *cosine = json_new_object(), *pair = json_new_array(),
         *reference = json_new_array();
  json_put(object, "run", json_new_text(request->folder));
  json_put(object, "words", json_new_count(exercise->tokens));
  json_put(object, "vocabulary", json_new_count(exercise->vocabulary));
  json_put(object, "loss", numbers(exercise->loss, count));
  json_put(object, "loss_after_epoch", numbers(exercise->after, count));
  json_put(object, "held_out", numbers(exercise->held_out, count));
  for (size_t k = 0; k < count; k++) json_push(reference, json_new_real(vt_exercise_reference((uint32_t)k)));
  json_put(object, "reference_loss", reference);
  json_push(pair, json_new_text(vt_exercise_word(0)));
  json_push(pair, json_new_text(vt_exercise_word(1)));
  json_put(cosine, "pair", pair);
  json_put(cosine, "before", json_new_real(exercise->before_cosine));
  json_put(cosine, "after", json_new_real(exercise->after_cosine));
  json_put(cosine, "band", json_new_real(exercise->band));
  json_put(object, "cosine", cosine);
  json_put(object, "settling", settling_json(settling));
  json_print_line(object);
}

static void print_exercise(const struct vt_exercise_request *request, const struct vt_exercise *exercise,
                           const struct vt_settling *settling) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES];
  printf("%s words, %s different ones; loss in nats a word\n", format_count(exercise->tokens, a),
         format_count(exercise->vocabulary, b));
  printf("  %6s %10s %12s %12s %12s\n", "epoch", "loss", "reference", "after it", "held out");
  for (uint32_t e = 0; e <= exercise->epochs; e++) {
    double reference = vt_exercise_reference(e);
    char text[24] = "";
    if (!isnan(reference)) snprintf(text, sizeof text, "%.3f", reference);
    printf("  %6u %10.4f %12s %12.4f %12.4f\n", (unsigned)e, exercise->loss[e], text, exercise->after[e],
           exercise->held_out[e]);
  }
  printf("loss: the mean over the epoch's steps (epoch 0: before training); after it: measured behind the epoch, on "
         "samples that are trained on; held out: of a second training, on a tenth of the lines that it never sees\n");
  if (!isnan(exercise->before_cosine))
    printf("cos(%s, %s): %.3f before, %.3f after; reference %.3f, %.3f; by chance within +-%.3f\n", vt_exercise_word(0),
           vt_exercise_word(1), exercise->before_cosine, exercise->after_cosine, REFERENCE_BEFORE, REFERENCE_AFTER,
           exercise->band);
  double best = exercise->held_out[0];
  for (uint32_t e = 1; e <= exercise->epochs; e++) best = fmin(best, exercise->held_out[e]);
  printf("memorised, not understood: on its own samples the loss ends at %.4f, on lines held out at %.2f, where it had "
         "been %.2f at its best\n",
         exercise->after[exercise->epochs], exercise->held_out[exercise->epochs], best);
  settling_print(settling);
  printf("the runs: ");
  print_shell_word(stdout, request->folder);
  printf("/exercise, held-out\n");
}

enum exit_status exercise_run(const struct vt_exercise_request *request, bool json) {
  struct vt_exercise exercise;
  struct vt_error error;
  struct vt_settling settling;
  if (vt_exercise_run(request, &exercise, &error) != VT_OK) return report_error(&error);
  enum exit_status status = measure_settling(request->folder, &settling);
  if (status == EXIT_DONE && json)
    print_exercise_json(request, &exercise, &settling);
  else if (status == EXIT_DONE)
    print_exercise(request, &exercise, &settling);
  vt_exercise_release(&exercise);
  return status;
}

/* ---- its companion ----------------------------------------------------------------------------------------------- */

static void mean_and_deviation(const double (*cosines)[VT_EXERCISE_PAIRS], uint32_t runs, size_t pair, double *mean,
                               double *deviation) {
  *mean = *deviation = 0;
  for (uint32_t r = 0; r < runs; r++) *mean += cosines[r][pair] / runs;
  for (uint32_t r = 0; r < runs; r++)
    *deviation += (cosines[r][pair] - *mean) * (cosines[r][pair] - *mean) / (runs - 1);
  *deviation = sqrt(*deviation);
}

static void print_stability_json(const struct vt_exercise_request *request,
                                 const struct vt_exercise_stability *stability) {
  json_t *object = json_new_object(), *pairs = json_new_array();
  json_put(object, "run", json_new_text(request->folder));
  json_put(object, "runs", json_new_count(stability->runs));
  json_put(object, "epochs", json_new_count(request->epochs));
  json_put(object, "loss", numbers(stability->loss, stability->runs));
  for (size_t p = 0; p < VT_EXERCISE_PAIRS; p++) {
    json_t *entry = json_new_object(), *names = json_new_array(), *before = json_new_array(), *after = json_new_array();
    double mean, deviation;
    json_push(names, json_new_text(vt_exercise_word(p)));
    json_push(names, json_new_text(vt_exercise_word((p + 1) % VT_EXERCISE_WORDS)));
    for (uint32_t r = 0; r < stability->runs; r++) {
      json_push(before, json_new_real(stability->before[r][p]));
      json_push(after, json_new_real(stability->after[r][p]));
    }
    mean_and_deviation((const double(*)[VT_EXERCISE_PAIRS])stability->after, stability->runs, p, &mean, &deviation);
    json_put(entry, "pair", names);
    json_put(entry, "before", before);
    json_put(entry, "after", after);
    json_put(entry, "mean", json_new_real(mean));
    json_put(entry, "deviation", json_new_real(deviation));
    json_push(pairs, entry);
  }
  json_put(object, "pairs", pairs);
  json_put(object, "overlap", json_new_real(stability->overlap));
  json_put(object, "overlap_by_chance", json_new_real(stability->by_chance));
  json_print_line(object);
}

static void print_stability(const struct vt_exercise_request *request, const struct vt_exercise_stability *stability) {
  printf("%u trainings of %u epochs from other starts; cosines before and after\n  %4s %8s", (unsigned)stability->runs,
         (unsigned)request->epochs, "run", "loss");
  for (size_t p = 0; p < VT_EXERCISE_PAIRS; p++)
    printf("   %8s, %-8s", vt_exercise_word(p), vt_exercise_word((p + 1) % VT_EXERCISE_WORDS));
  putchar('\n');
  for (uint32_t r = 0; r < stability->runs; r++) {
    printf("  %4u %8.4f", (unsigned)(r + 1), stability->loss[r]);
    for (size_t p = 0; p < VT_EXERCISE_PAIRS; p++)
      printf("    %7.3f  %7.3f  ", stability->before[r][p], stability->after[r][p]);
    putchar('\n');
  }
  for (size_t p = 0; p < VT_EXERCISE_PAIRS; p++) {
    double before, start_deviation, after, deviation;
    mean_and_deviation((const double(*)[VT_EXERCISE_PAIRS])stability->before, stability->runs, p, &before,
                       &start_deviation);
    mean_and_deviation((const double(*)[VT_EXERCISE_PAIRS])stability->after, stability->runs, p, &after, &deviation);
    printf("cos(%s, %s): mean %.3f, standard deviation %.3f (%.3f at the start)\n", vt_exercise_word(p),
           vt_exercise_word((p + 1) % VT_EXERCISE_WORDS), after, deviation, start_deviation);
  }
  printf("two trainings share %.1f%% of a word's ten nearest (Jaccard overlap; by chance %.2f%%)\n",
         100 * stability->overlap, 100 * stability->by_chance);
}

enum exit_status exercise_stability_run(const struct vt_exercise_request *request, bool json) {
  struct vt_exercise_stability stability;
  struct vt_error error;
  if (vt_exercise_stability_run(request, &stability, &error) != VT_OK) return report_error(&error);
  if (json)
    print_stability_json(request, &stability);
  else
    print_stability(request, &stability);
  vt_exercise_stability_release(&stability);
  return EXIT_DONE;
}

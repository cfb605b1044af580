/* cmd_theory.c: vectrail theory: a run held against what theory says of it. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/theory.h"

static struct theory_settings {
  struct text_list corpus;
  uint64_t modes, points;
  const char *counts, *analogy, *picture;
  int threads, draw;
  bool curves, json;
} settings;

static void prepare(void) {
  struct vt_theory_options options;
  vt_theory_options_init(&options);
  settings = (struct theory_settings){.modes = options.modes, .points = options.points, .threads = options.threads};
}

#define AT(field) .offset = offsetof(struct theory_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_LIST_ALL,
     .name = "corpus",
     .value = "FILE...",
     AT(corpus),
     .help = "the run's text, where it is not found where it was"},
    SHARED_COUNTS(AT(counts),
                  .help = "take the counts of the run's text that vectrail cooccur wrote, with the run's window and "
                          "sample and --weight linear, in place of reading it"),
    {.kind = OPTION_U64,
     .name = "modes",
     .value = "N",
     AT(modes),
     .low = 1,
     .high = 4096,
     .help = "directions that are followed, largest first"},
    {.kind = OPTION_U64,
     .name = "points",
     .value = "N",
     AT(points),
     .high = 100000,
     .help = "snapshots at which scores are held against their optimum (skip-gram, with --save-output); 0: none"},
    {.kind = OPTION_TEXT,
     .name = "analogy",
     .value = "FILE",
     AT(analogy),
     .help = "analogy questions: what the pairs of each section have in common, over the run"},
    {.kind = OPTION_TEXT,
     .name = "picture",
     .letter = "o",
     .value = "FILE",
     AT(picture),
     .help = "also draw a picture, SVG"},
    {.kind = OPTION_CHOICE,
     .name = "draw",
     .value = "WHAT",
     AT(draw),
     .choices = {"directions", "scores", "sections", "spectrum"},
     .help = "in it: how directions rise, and the closed form; slope and R2 of scores on their optimum; what the "
             "sections of the analogies share; the singular values of the one that shares most"},
    SHARED_THREADS(AT(threads)),
    {.kind = OPTION_FLAG, .name = "curves", AT(curves), .help = "with --json, the curves of all snapshots, too"},
    SHARED_JSON(AT(json)),
};

/* ---- as JSON ------------------------------------------------------------------------------------------------------
 */

static json_t *modes_json(const struct vt_theory *theory) {
  json_t *list = json_new_array();
  for (size_t k = 0; k < theory->mode_count; k++) {
    const struct vt_theory_mode *mode = &theory->modes[k];
    json_t *entry = json_new_object();
    json_put(entry, "eigenvalue", json_new_real(mode->eigenvalue));
    json_put(entry, "start", json_new_real(mode->start));
    json_put(entry, "rise_predicted", json_new_real(mode->rise_predicted));
    json_put(entry, "rise_measured", json_new_real(mode->rise_measured));
    json_put(entry, "end_predicted", json_new_real(mode->end_predicted));
    json_put(entry, "end_measured", json_new_real(mode->end_measured));
    json_push(list, entry);
  }
  return list;
}

static json_t *band_json(const struct vt_factorisation_band *band) {
  json_t *entry = json_new_object();
  json_put(entry, "count_from", json_new_count(band->low));
  json_put(entry, "pairs", json_new_count(band->pairs));
  json_put(entry, "slope", json_new_real(band->slope));
  json_put(entry, "r2", json_new_real(band->r2));
  json_put(entry, "deviation", json_new_real(band->deviation));
  return entry;
}

static json_t *factorisation_json(const struct vt_factorisation *point) {
  json_t *entry = json_new_object(), *bands = json_new_array();
  json_put(entry, "step", json_new_count(point->step));
  json_put(entry, "slope", json_new_real(point->all.slope));
  json_put(entry, "r2", json_new_real(point->all.r2));
  json_put(entry, "deviation", json_new_real(point->all.deviation));
  json_put(entry, "pairs", json_new_count(point->all.pairs));
  for (size_t b = 0; b < VT_FACTORISATION_BANDS; b++) json_push(bands, band_json(&point->bands[b]));
  json_put(entry, "bands", bands);
  json_put(entry, "objective", json_new_real(point->objective));
  json_put(entry, "optimum", json_new_real(point->optimum));
  json_put(entry, "gap", json_new_real(point->objective - point->optimum));
  json_put(entry, "unseen", json_new_count(point->unseen));
  json_put(entry, "unseen_loss", json_new_real(point->unseen_loss));
  json_put(entry, "unseen_score", json_new_real(point->unseen_score));
  return entry;
}

static json_t *series_json(const double *values, size_t count, size_t stride) {
  json_t *list = json_new_array();
  for (size_t k = 0; k < count; k++) json_push(list, json_new_real(values[k * stride]));
  return list;
}

static json_t *tasks_json(const struct vt_theory *theory) {
  json_t *list = json_new_array();
  for (size_t t = 0; t < theory->task_count; t++) {
    const struct vt_task *task = &theory->tasks[t];
    json_t *entry = json_new_object();
    json_put(entry, "section", json_new_text(task->section));
    json_put(entry, "pairs", json_new_count(task->pairs));
    json_put(entry, "signal", series_json(task->signal, theory->snapshot_count, 1));
    json_put(entry, "share", series_json(task->share, theory->snapshot_count, 1));
    json_put(entry, "accuracy", series_json(task->accuracy, theory->snapshot_count, 1));
    json_push(list, entry);
  }
  return list;
}

static json_t *curves_json(const struct vt_theory *theory) {
  json_t *list = json_new_array();
  for (size_t k = 0; k < theory->mode_count; k++) {
    json_t *entry = json_new_object();
    json_put(entry, "measured", series_json(theory->measured + k, theory->snapshot_count, theory->mode_count));
    json_put(entry, "predicted", series_json(theory->predicted + k, theory->snapshot_count, theory->mode_count));
    json_push(list, entry);
  }
  return list;
}

static void print_json(const char *path, const struct vt_theory *theory) {
  json_t *object = json_new_object(), *points = json_new_array(), *steps = json_new_array();
  json_put(object, "run", json_new_text(path));
  json_put(object, "exact", json_boolean(theory->exact));
  json_put(object, "qualitative", json_boolean(!theory->has_time));
  json_put(object, "words", json_new_count(theory->words));
  json_put(object, "dim", json_new_count(theory->dim));
  json_put(object, "pairs", json_new_count(theory->meeting_pairs));
  json_put(object, "mean_square", json_new_real(theory->mean_square));
  json_put(object, "lr", json_new_real(theory->lr));
  json_put(object, "lr_edge", json_new_real(theory->lr_edge));
  json_put(object, "overlap_top5", json_new_real(theory->overlap));
  json_put(object, "overlap_modes", json_new_count(theory->overlap_modes));
  json_put(object, "rise_time_median_error", json_new_real(theory->rise_error));
  json_put(object, "plateau_error", json_new_real(theory->plateau_error));
  json_put(object, "plateau_modes", json_new_count(theory->plateau_modes));
  json_put(object, "modes", modes_json(theory));
  for (size_t s = 0; s < theory->snapshot_count; s++) json_push(steps, json_new_count(theory->steps[s]));
  json_put(object, "steps", steps);
  if (settings.curves) json_put(object, "tau", series_json(theory->tau, theory->snapshot_count, 1));
  if (settings.curves) json_put(object, "curves", curves_json(theory));
  for (size_t p = 0; p < theory->factorisation_count; p++)
    json_push(points, factorisation_json(&theory->factorisation[p]));
  json_put(object, "factorisation", points);
  if (theory->task_count > 0) json_put(object, "tasks", tasks_json(theory));
  json_print_line(object);
}

/* ---- for people ---------------------------------------------------------------------------------------------------
 */

static void print_number(double value, int width, int decimals) {
  if (isnan(value))
    printf("  %*s", width, "-");
  else
    printf("  %*.*f", width, decimals, value);
}

static void print_modes(const struct vt_theory *theory) {
  const char *bold = terminal_style(stdout, STYLE_BOLD), *plain = terminal_style(stdout, STYLE_PLAIN);
  printf("\n%s%9s  %12s  %12s  %12s  %12s  %12s%s\n", bold, "direction", "eigenvalue", "rise, theory", "measured",
         "end, theory", "measured", plain);
  for (size_t k = 0; k < theory->mode_count; k++) {
    const struct vt_theory_mode *mode = &theory->modes[k];
    printf("%9zu", k + 1);
    print_number(mode->eigenvalue, 12, 4);
    print_number(mode->rise_predicted, 12, 1);
    print_number(mode->rise_measured, 12, 1);
    print_number(mode->end_predicted, 12, 4);
    print_number(mode->end_measured, 12, 4);
    putchar('\n');
  }
}

static void print_verdict(const struct vt_theory *theory) {
  printf("\nthe leading %zu directions of the run and of theory overlap by %.4f\n", theory->overlap_modes,
         theory->overlap);
  if (!theory->has_time) {
    puts("qualitative: the run was trained by another loss than that of the closed form, which says when and how far");
    return;
  }
  if (!isnan(theory->rise_error))
    printf("rise times differ by %.2f%% (median of the first ten that are reached)\n", 100 * theory->rise_error);
  if (theory->plateau_modes > 0)
    printf("plateaus differ by %.3f%% at most (of %zu directions that should have settled)\n",
           100 * theory->plateau_error, theory->plateau_modes);
  printf("rate %.6g; plain descent is stable below %.6g\n", theory->lr, theory->lr_edge);
  if (!theory->exact) puts("sampled batches: the closed form is that of their mean");
}

static void print_band(const char *name, const struct vt_factorisation_band *band) {
  char text[NUMBER_TEXT_BYTES];
  printf("  %-22s  %12s", name, format_count(band->pairs, text));
  print_number(band->slope, 8, 3);
  print_number(band->r2, 8, 3);
  print_number(band->deviation, 9, 3);
  putchar('\n');
}

static void print_factorisation(const struct vt_theory *theory) {
  static const char *const names[VT_FACTORISATION_BANDS] = {"rarer word 1 - 99", "100 - 999", "1,000 - 9,999",
                                                            "10,000 and more"};
  const char *bold = terminal_style(stdout, STYLE_BOLD), *plain = terminal_style(stdout, STYLE_PLAIN);
  if (theory->factorisation_missing[0] != '\0')
    printf("\nscores against their optimum: %s\n", theory->factorisation_missing);
  if (theory->factorisation_count == 0) return;
  char text[NUMBER_TEXT_BYTES];
  printf("\n%s%12s  %8s  %8s  %9s  %10s  %10s%s\n", bold, "step", "slope", "R2", "deviation", "gap", "unseen", plain);
  for (size_t p = 0; p < theory->factorisation_count; p++) {
    const struct vt_factorisation *point = &theory->factorisation[p];
    printf("%12s", format_count(point->step, text));
    print_number(point->all.slope, 8, 3);
    print_number(point->all.r2, 8, 3);
    print_number(point->all.deviation, 9, 3);
    print_number(point->objective - point->optimum, 10, 4);
    print_number(point->unseen_loss, 10, 4);
    putchar('\n');
  }
  const struct vt_factorisation *last = &theory->factorisation[theory->factorisation_count - 1];
  printf("\n%sat step %-14s  %12s  %8s  %8s  %9s%s\n", bold, format_count(last->step, text), "pairs", "slope", "R2",
         "deviation", plain);
  print_band("all pairs that meet", &last->all);
  for (size_t b = 0; b < VT_FACTORISATION_BANDS; b++) print_band(names[b], &last->bands[b]);
  printf("  loss %.4f nats a pair, at the optimum %.4f; %s pairs never meet, their part %.4f, their mean score %.3f\n",
         last->objective, last->optimum, format_count(last->unseen, text), last->unseen_loss, last->unseen_score);
}

static void print_tasks(const struct vt_theory *theory) {
  if (theory->task_count == 0) return;
  const size_t last = theory->snapshot_count - 1;
  printf("\n%s%-30s  %6s  %8s  %8s  %8s  over the run%s\n", terminal_style(stdout, STYLE_BOLD), "section", "pairs",
         "signal", "share", "right", terminal_style(stdout, STYLE_PLAIN));
  for (size_t t = 0; t < theory->task_count; t++) {
    const struct vt_task *task = &theory->tasks[t];
    print_cell(stdout, task->section, 30, false);
    printf("  %6zu", task->pairs);
    print_number(task->signal[last], 8, 3);
    print_number(task->share[last], 8, 3);
    print_number(task->accuracy[last], 8, 3);
    fputs("  ", stdout);
    print_sparkline(stdout, task->signal, theory->snapshot_count, 24);
    putchar('\n');
  }
  puts("signal: largest direction that the pairs of a section share, over the most that chance would give");
}

static void print_text(const char *path, const struct vt_theory *theory) {
  char words[NUMBER_TEXT_BYTES], pairs[NUMBER_TEXT_BYTES];
  print_clean(stdout, path);
  printf(": %s words in %zu dimensions, %s pairs meet\n", format_count(theory->words, words), theory->dim,
         format_count(theory->meeting_pairs, pairs));
  print_modes(theory);
  print_verdict(theory);
  print_factorisation(theory);
  print_tasks(theory);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct vt_run *opened;
  struct vt_error error;
  struct vt_theory_options asked;
  struct vt_theory theory;
  if (vt_run_open(operands->items[0], &opened, &error) != VT_OK) return report_error(&error);
  vt_theory_options_init(&asked);
  asked.corpus = settings.corpus.items;
  asked.corpus_count = settings.corpus.count;
  asked.counts = settings.counts;
  asked.modes = (size_t)settings.modes;
  asked.points = (size_t)settings.points;
  asked.analogy = settings.analogy;
  asked.threads = settings.threads;
  enum vt_status status = vt_theory_run(opened, &asked, &theory, &error);
  vt_run_close(opened);
  if (status != VT_OK) return report_error(&error);
  if (settings.picture != NULL)
    status = vt_theory_picture(&theory, (enum vt_theory_drawing)settings.draw, settings.picture, &error);
  if (status == VT_OK && settings.json) print_json(operands->items[0], &theory);
  if (status == VT_OK && !settings.json) print_text(operands->items[0], &theory);
  vt_theory_release(&theory);
  return status == VT_OK ? EXIT_DONE : report_error(&error);
}

const struct command command_theory = {
    .name = "theory",
    .operands = "DIR [options]",
    .summary = "a training held against what theory says of it",
    .about =
        "Reads the run's text again and compares. A run with --loss quadratic: the closed form of its singular "
        "values, when each direction rises and where it ends, and the rate at which descent becomes unstable. Skip-"
        "gram with negative sampling: every score against its optimum. Any run: whether its leading directions are "
        "those of the text, and what the pairs of an analogy have in common.",
    .example = "vectrail theory runs/first --picture theory.svg",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "theory needs a run folder",
    .run = run,
};

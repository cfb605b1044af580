/* cmd_similarity.c: vectrail similarity. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "words.h"

static struct similarity_settings {
  bool over_time;
  uint64_t step;
  bool json;
} settings;

static void prepare(void) { settings = (struct similarity_settings){.step = VT_STEP_LAST}; }

#define AT(field) .offset = offsetof(struct similarity_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_FLAG, .name = "over-time", AT(over_time), .help = "the cosine at every snapshot, too"},
    {.kind = OPTION_U64,
     .name = "step",
     .value = "S",
     AT(step),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "the snapshot at step S, or the last one before it"},
    SHARED_JSON(AT(json)),
};

struct curve {
  uint64_t *steps;
  double *cosines;
  size_t count;
};

/* The cosine at every snapshot; the arrays are the caller's also on failure. */
static enum exit_status follow(const struct view *view, uint32_t a, uint32_t b, struct curve *curve) {
  size_t count = vt_run_snapshot_count(view->run);
  *curve = (struct curve){
      .steps = cli_alloc(count, sizeof *curve->steps),
      .cosines = cli_alloc(count, sizeof *curve->cosines),
  };
  for (size_t i = 0; i < count; i++) {
    struct vt_vectors *vectors;
    struct vt_error error;
    uint64_t step = vt_run_snapshot_at(view->run, i).step;
    if (vt_run_vectors(view->run, step, &vectors, &error) != VT_OK) return report_error(&error);
    curve->steps[i] = step;
    curve->cosines[i] = vt_vectors_cosine(vectors, a, b);
    curve->count++;
    vt_vectors_free(vectors);
  }
  return EXIT_DONE;
}

static void print_json(const struct view *view, uint32_t a, uint32_t b, const struct curve *curve) {
  json_t *object = json_new_object();
  json_put(object, "a", json_new_text(vt_vocab_text(view->vocab, a)));
  json_put(object, "b", json_new_text(vt_vocab_text(view->vocab, b)));
  json_put(object, "step", json_new_count(view->vectors->step));
  json_put(object, "cosine", json_new_real(vt_vectors_cosine(view->vectors, a, b)));
  if (settings.over_time) {
    json_t *list = json_new_array();
    for (size_t i = 0; i < curve->count; i++) {
      json_t *point = json_new_object();
      json_put(point, "step", json_new_count(curve->steps[i]));
      json_put(point, "cosine", json_new_real(curve->cosines[i]));
      json_push(list, point);
    }
    json_put(object, "over_time", list);
  }
  json_print_line(object);
}

static void print_table(const struct view *view, uint32_t a, uint32_t b, const struct curve *curve) {
  char step[NUMBER_TEXT_BYTES];
  fputs(terminal_style(stdout, STYLE_BOLD), stdout);
  print_clean(stdout, vt_vocab_text(view->vocab, a));
  fputs(", ", stdout);
  print_clean(stdout, vt_vocab_text(view->vocab, b));
  printf("%s  cosine %.4f  (step %s)\n", terminal_style(stdout, STYLE_PLAIN), vt_vectors_cosine(view->vectors, a, b),
         format_count(view->vectors->step, step));
  if (!settings.over_time || curve->count == 0) return;
  enum { SPARK_COLUMNS = 60 };
  double low = curve->cosines[0], high = low;
  for (size_t i = 1; i < curve->count; i++) {
    if (curve->cosines[i] < low) low = curve->cosines[i];
    if (curve->cosines[i] > high) high = curve->cosines[i];
  }
  printf("  %s", terminal_style(stdout, STYLE_ACCENT));
  print_sparkline(stdout, curve->cosines, curve->count, SPARK_COLUMNS);
  printf("%s  from %.4f to %.4f\n", terminal_style(stdout, STYLE_PLAIN), low, high);
  printf("  %s%14s  %7s%s\n", terminal_style(stdout, STYLE_DIM), "step", "cosine", terminal_style(stdout, STYLE_PLAIN));
  for (size_t i = 0; i < curve->count; i++)
    printf("  %14s  %7.4f\n", format_count(curve->steps[i], step), curve->cosines[i]);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct view view;
  enum exit_status status = view_open(&view, operands->items[0], settings.step);
  if (status != EXIT_DONE) return status;
  uint32_t a, b;
  struct curve curve = {0};
  if (!view_find(&view, operands->items[1], &a) || !view_find(&view, operands->items[2], &b))
    status = EXIT_FAILED;
  else if (settings.over_time)
    status = follow(&view, a, b, &curve);
  if (status == EXIT_DONE && settings.json)
    print_json(&view, a, b, &curve);
  else if (status == EXIT_DONE)
    print_table(&view, a, b, &curve);
  free(curve.steps);
  free(curve.cosines);
  view_close(&view);
  return status;
}

const struct command command_similarity = {
    .name = "similarity",
    .operands = "DIR A B [options]",
    .summary = "the cosine of two words, now or over the whole run",
    .about = "Prints the cosine of the vectors of A and B.",
    .example = "vectrail similarity runs/first king queen --over-time",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 3,
    .operands_high = 3,
    .operands_missing = "similarity needs a run folder and two words",
    .run = run,
};

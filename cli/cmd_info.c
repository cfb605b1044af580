/* cmd_info.c: vectrail info: what a run folder holds, one of its series, or the kernels of this program. */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "verdict.h"
#include "vectrail/kernel.h"
#include "vectrail/measure.h"
#include "vectrail/run.h"

static struct info_settings {
  const char *metric, *picture;
  bool kernels;
  bool json;
} settings;

static void prepare(void) { settings = (struct info_settings){0}; }

#define AT(field) .offset = offsetof(struct info_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "metric",
     .value = "NAME",
     AT(metric),
     .help = "print this series, a step and a value a line, and nothing else"},
    {.kind = OPTION_TEXT,
     .name = "picture",
     .letter = "o",
     .value = "FILE",
     AT(picture),
     .help = "with --metric, draw it instead, SVG; a curve for each DIR"},
    {.kind = OPTION_FLAG, .name = "kernels", AT(kernels), .help = "list the numeric kernels of this program; no DIR"},
    SHARED_JSON(AT(json)),
};

/* The metrics a training records, and what they say. */
static const struct {
  const char *name, *text;
} metrics[] = {
    {"loss", "mean loss of a pair in training, nats"},
    {"probe_loss", "mean loss on the fixed probe sample, nats"},
    {"probe_gradient", "length of the gradient on the probe"},
    {"held_out_loss", "mean loss on sentences that are held out, nats"},
    {"objective", "glove: mean of f(X) times the squared difference, over all pairs"},
    {"squared_error", "glove: mean of the squared difference from log X, by weight"},
    {"lr", "learning rate"},
    {"step_norm", "length of the step applied to all vectors"},
    {"capped", "share of row updates that were shortened"},
    {"displacement", "mean distance of the vectors from their start"},
    {"norm", "mean length of the vectors"},
    {"speed", "mean distance a vector went in a step"},
    {"moving", "share of words still moving"},
    {"update_ratio", "way gone since the measurement before over the length, median"},
    {"overlap", "share of neighbours kept since the measurement before"},
};
#define METRIC_COUNT (sizeof metrics / sizeof metrics[0])

/* ---- one series ----------------------------------------------------------------------------------------------------
 */

static enum exit_status report_no_metric(struct vt_run *run) {
  char help[256] = "";
  size_t at = 0;
  for (size_t i = 0; i < METRIC_COUNT; i++) {
    struct vt_run_point *points;
    size_t count;
    struct vt_error error;
    if (vt_run_metric(run, metrics[i].name, &points, &count, &error) != VT_OK) return report_error(&error);
    vt_run_points_free(points);
    if (count > 0 && at < sizeof help)
      at += (size_t)snprintf(help + at, sizeof help - at, "%s%s", at > 0 ? ", " : "there are ", metrics[i].name);
  }
  report(help, "no metric called '%.100s' was recorded", settings.metric);
  return EXIT_FAILED;
}

static enum exit_status print_metric(struct vt_run *run) {
  struct vt_run_point *points;
  size_t count;
  struct vt_error error;
  if (vt_run_metric(run, settings.metric, &points, &count, &error) != VT_OK) return report_error(&error);
  if (count == 0) {
    vt_run_points_free(points);
    return report_no_metric(run);
  }
  if (settings.json) {
    json_t *object = json_new_object(), *list = json_new_array();
    for (size_t i = 0; i < count; i++) {
      json_t *point = json_new_object();
      json_put(point, "step", json_new_count(points[i].step));
      json_put(point, "value", json_new_real(points[i].value));
      json_push(list, point);
    }
    json_put(object, "metric", json_new_text(settings.metric));
    json_put(object, "points", list);
    json_print_line(object);
  } else {
    for (size_t i = 0; i < count; i++) printf("%llu\t%.9g\n", (unsigned long long)points[i].step, points[i].value);
  }
  vt_run_points_free(points);
  return EXIT_DONE;
}

/* ---- the whole run -------------------------------------------------------------------------------------------------
 */

/* The last value that is a number; false where there is none. */
static bool last_point(struct vt_run *run, const char *name, struct vt_run_point *point, enum exit_status *status) {
  struct vt_run_point *points;
  size_t count;
  struct vt_error error;
  if (vt_run_metric(run, name, &points, &count, &error) != VT_OK) {
    *status = report_error(&error);
    return false;
  }
  while (count > 0 && isnan(points[count - 1].value)) count--;
  if (count > 0) *point = points[count - 1];
  vt_run_points_free(points);
  return count > 0;
}

/* A run without a step is no error; a step that cannot be read is. */
static bool last_step(struct vt_run *run, struct vt_run_step *step, enum exit_status *status) {
  struct vt_error error;
  enum vt_status found = vt_run_last_step(run, step, &error);
  if (found != VT_OK && found != VT_ERROR_EMPTY) *status = report_error(&error);
  return found == VT_OK;
}

static json_t *last_step_json(struct vt_run *run, enum exit_status *status) {
  struct vt_run_step step;
  if (!last_step(run, &step, status)) return json_null();
  json_t *object = json_new_object();
  json_put(object, "step", json_new_count(step.step));
  json_put(object, "epoch", json_new_count(step.epoch));
  json_put(object, "tokens", json_new_count(step.tokens));
  json_put(object, "seconds", json_new_real(step.seconds));
  json_put(object, "lr", json_new_real(step.lr));
  return object;
}

static json_t *snapshots_json(const struct vt_run *run) {
  json_t *list = json_new_array();
  for (size_t i = 0; i < vt_run_snapshot_count(run); i++) {
    struct vt_run_snapshot snapshot = vt_run_snapshot_at(run, i);
    json_t *object = json_new_object();
    json_put(object, "step", json_new_count(snapshot.step));
    json_put(object, "path", json_new_text(snapshot.path));
    json_put(object, "dtype", json_new_text(snapshot.dtype));
    json_put(object, "sha256", json_new_text(snapshot.sha256));
    json_push(list, object);
  }
  return list;
}

static json_t *events_json(const struct vt_run *run) {
  json_t *list = json_new_array();
  for (size_t i = 0; i < vt_run_event_count(run); i++) {
    struct vt_run_event event = vt_run_event_at(run, i);
    json_t *object = json_new_object();
    json_put(object, "step", json_new_count(event.step));
    json_put(object, "kind", json_new_text(event.kind));
    json_put(object, "severity", json_new_text(event.severity));
    json_put(object, "text", json_new_text(event.text));
    json_push(list, object);
  }
  return list;
}

static enum exit_status print_json(struct vt_run *run, const char *path) {
  json_t *object = json_new_object(), *meta = json_new_object(), *last = json_new_object();
  const struct vt_vocab *vocab = vt_run_vocab(run);
  enum exit_status status = EXIT_DONE;
  struct vt_convergence verdict;
  struct vt_error error;
  if (vt_run_convergence(run, &verdict, &error) != VT_OK) status = report_error(&error);
  for (size_t i = 0; i < vt_run_meta_count(run); i++) {
    const char *key, *value;
    vt_run_meta_at(run, i, &key, &value);
    json_put(meta, key, json_new_text(value));
  }
  for (size_t i = 0; i < METRIC_COUNT && status == EXIT_DONE; i++) {
    struct vt_run_point point;
    if (!last_point(run, metrics[i].name, &point, &status)) continue;
    json_t *value = json_new_object();
    json_put(value, "step", json_new_count(point.step));
    json_put(value, "value", json_new_real(point.value));
    json_put(last, metrics[i].name, value);
  }
  json_put(object, "run", json_new_text(path));
  json_put(object, "settings", meta);
  json_put(object, "words", json_new_count(vt_vocab_size(vocab)));
  json_put(object, "tokens", json_new_count(vt_vocab_tokens(vocab)));
  if (status == EXIT_DONE) json_put(object, "last_step", last_step_json(run, &status));
  json_put(object, "snapshots", snapshots_json(run));
  json_put(object, "metrics", last);
  json_put(object, "convergence", verdict_json(&verdict));
  json_put(object, "events", events_json(run));
  if (status == EXIT_DONE)
    json_print_line(object);
  else
    json_decref(object);
  return status;
}

static void print_heading(const char *text) {
  printf("\n%s%s%s\n", terminal_style(stdout, STYLE_BOLD), text, terminal_style(stdout, STYLE_PLAIN));
}

static void print_settings(const struct vt_run *run) {
  print_heading("settings");
  for (size_t i = 0; i < vt_run_meta_count(run); i++) {
    const char *key, *value;
    vt_run_meta_at(run, i, &key, &value);
    fputs("  ", stdout);
    print_cell(stdout, key, 22, false);
    putchar(' ');
    /* The inputs stand one a line. */
    for (size_t bytes = strcspn(value, "\n");; bytes = strcspn(value, "\n")) {
      print_clean_bytes(stdout, value, bytes);
      value += bytes;
      if (*value == '\0') break;
      value++;
      printf("\n  %22s ", "");
    }
    putchar('\n');
  }
}

static enum exit_status print_extent(struct vt_run *run) {
  const struct vt_vocab *vocab = vt_run_vocab(run);
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  printf("  vocabulary   %s words", format_count(vt_vocab_size(vocab), a));
  if (vt_vocab_tokens(vocab) > 0) printf(", %s in the text", format_count(vt_vocab_tokens(vocab), b));
  putchar('\n');
  struct vt_run_step step;
  enum exit_status status = EXIT_DONE;
  bool has_step = last_step(run, &step, &status);
  if (status != EXIT_DONE) return status;
  /* What others trained often says no more than the step. */
  if (has_step && step.epoch == 0 && step.tokens == 0 && step.step > 0)
    printf("  last step    %s\n", format_count(step.step, a));
  else if (has_step)
    printf("  last step    %s: epoch %lu, %s words trained in %s\n", format_count(step.step, a),
           (unsigned long)step.epoch, format_count(step.tokens, b), format_seconds(step.seconds, c));
  else
    puts("  last step    none yet");
  size_t count = vt_run_snapshot_count(run);
  if (count > 0)
    printf("  snapshots    %zu, from step %s to step %s\n", count, format_count(vt_run_snapshot_at(run, 0).step, a),
           format_count(vt_run_snapshot_at(run, count - 1).step, b));
  else
    puts("  snapshots    none yet");
  struct vt_convergence verdict;
  struct vt_error error;
  if (vt_run_convergence(run, &verdict, &error) != VT_OK) return report_error(&error);
  verdict_print(&verdict);
  return EXIT_DONE;
}

static enum exit_status print_metrics(struct vt_run *run) {
  print_heading("last metrics");
  enum exit_status status = EXIT_DONE;
  for (size_t i = 0; i < METRIC_COUNT && status == EXIT_DONE; i++) {
    struct vt_run_point point;
    char step[NUMBER_TEXT_BYTES];
    if (!last_point(run, metrics[i].name, &point, &status)) continue;
    printf("  %-16s %12.6g  at step %-10s %s%s%s\n", metrics[i].name, point.value, format_count(point.step, step),
           terminal_style(stdout, STYLE_DIM), metrics[i].text, terminal_style(stdout, STYLE_PLAIN));
  }
  return status;
}

static void print_events(const struct vt_run *run) {
  print_heading("events");
  for (size_t i = 0; i < vt_run_event_count(run); i++) {
    struct vt_run_event event = vt_run_event_at(run, i);
    char step[NUMBER_TEXT_BYTES];
    printf("  step %-10s ", format_count(event.step, step));
    print_cell(stdout, event.severity, 8, false);
    print_cell(stdout, event.kind, 12, false);
    putchar(' ');
    print_clean(stdout, event.text);
    putchar('\n');
  }
}

static enum exit_status print_run(struct vt_run *run, const char *path) {
  fputs(terminal_style(stdout, STYLE_BOLD), stdout);
  print_clean(stdout, path);
  printf("%s\n", terminal_style(stdout, STYLE_PLAIN));
  enum exit_status status = print_extent(run);
  if (status != EXIT_DONE) return status;
  print_settings(run);
  status = print_metrics(run);
  if (status == EXIT_DONE) print_events(run);
  return status;
}

/* ---- the command ---------------------------------------------------------------------------------------------------
 */

static enum exit_status print_kernels(void) {
  const char *chosen;
  struct vt_error error;
  if (vt_kernel_resolve(NULL, &chosen, &error) != VT_OK) return report_error(&error);
  json_t *list = json_new_array();
  for (size_t k = 0; k < vt_kernel_count(); k++) {
    const char *name = vt_kernel_name(k);
    bool runs = vt_kernel_runs_here(k), is_chosen = strcmp(name, chosen) == 0;
    json_t *object = json_new_object();
    json_put(object, "name", json_new_text(name));
    json_put(object, "runs_here", runs ? json_true() : json_false());
    json_put(object, "chosen", is_chosen ? json_true() : json_false());
    json_push(list, object);
    if (!settings.json)
      printf("%-12s %s%s\n", name, runs ? "runs here" : "does not run on this processor", is_chosen ? ", chosen" : "");
  }
  json_t *object = json_new_object();
  json_put(object, "kernels", list);
  if (settings.json)
    json_print_line(object);
  else
    json_decref(object);
  return EXIT_DONE;
}

static enum exit_status run_info(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  if (settings.kernels) {
    if (operands->count == 0 && settings.metric == NULL) return print_kernels();
    return report_usage("info", "--kernels is about this program, not about a run folder; it stands alone");
  }
  if (operands->count == 0) return report_usage("info", "info needs a run folder");
  if (settings.picture != NULL && settings.metric == NULL)
    return report_usage("info", "--picture draws a series: say which (--metric NAME)");
  if (settings.picture == NULL && operands->count > 1)
    return report_usage("info", "several runs are for a picture of one of their series (--metric, --picture)");
  struct vt_run *run;
  struct vt_error error;
  if (settings.picture != NULL) {
    if (vt_metric_picture(operands->items, operands->count, settings.metric, settings.picture, &error) == VT_OK)
      return EXIT_DONE;
    return report_error(&error);
  }
  if (vt_run_open(operands->items[0], &run, &error) != VT_OK) return report_error(&error);
  enum exit_status status = settings.metric != NULL ? print_metric(run)
                            : settings.json         ? print_json(run, operands->items[0])
                                                    : print_run(run, operands->items[0]);
  vt_run_close(run);
  return status;
}

const struct command command_info = {
    .name = "info",
    .operands = "DIR... [options]",
    .summary = "what a run folder holds; one of its series; the kernels",
    .about = "Prints the settings of a run, its vocabulary, how far it came, its snapshots, the last value of each "
             "metric, and what happened to it. A run that is still being written can be read. Of several runs one of "
             "their series is drawn (--metric, --picture).",
    .example = "vectrail info runs/first --metric probe_loss",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 0,
    .operands_high = SIZE_MAX,
    .run = run_info,
};

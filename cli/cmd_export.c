/* cmd_export.c: vectrail export. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "export_file.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "terminal.h"
#include "words.h"

static struct export_settings {
  const char *output;
  int format; /* place in the choices, one above the enum: 0 is "auto" */
  uint64_t step;
  bool over_time;
  int words;
  bool json;
} settings;

static void prepare(void) { settings = (struct export_settings){.step = VT_STEP_LAST, .words = 200}; }

#define X(id, name, second, text) FORMAT_##id,
enum { VT_EXPORT_MAP(X) FORMAT_TENSORBOARD }; /* of settings.format: behind all others */
#undef X

#define AT(field) .offset = offsetof(struct export_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "output",
     .letter = "o",
     .value = "FILE",
     AT(output),
     .help = "where to write; required; an existing file is replaced"},
    {.kind = OPTION_CHOICE,
     .name = "format",
     .value = "NAME",
     AT(format),
#define X(id, name, second, text) name,
     .choices = {"auto", VT_EXPORT_MAP(X) "tensorboard"},
#undef X
     .help = "auto goes by the extension: .txt or .vec, .bin, .npy, .safetensors, .tsv, or .tfevents in the name"},
    {.kind = OPTION_U64,
     .name = "step",
     .value = "S",
     AT(step),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "the snapshot at step S, or the last one before it"},
    {.kind = OPTION_FLAG,
     .name = "over-time",
     AT(over_time),
     .help = "for the projector: words at every snapshot, joined by lines"},
    {.kind = OPTION_INT,
     .name = "words",
     .value = "N",
     AT(words),
     .low = 1,
     .high = 100000,
     .help = "with --over-time: the N most frequent words"},
    {.kind = OPTION_FLAG, .name = "json", AT(json), .help = "print what was written as one JSON object"},
};

static bool is_tensorboard(void) {
  if (settings.format != 0) return settings.format == FORMAT_TENSORBOARD + 1;
  const char *slash = strrchr(settings.output, '/');
  return strstr(slash != NULL ? slash : settings.output, "tfevents") != NULL;
}

static enum exit_status choose_format(enum vt_export_format *format) {
  if (settings.format > 0) {
    *format = (enum vt_export_format)(settings.format - 1);
    return EXIT_DONE;
  }
  if (export_format_guess(settings.output, format)) return EXIT_DONE;
  return report_usage("export", "the extension of %.300s tells no format; add --format NAME", settings.output);
}

/* path without its extension, and another one. */
static void second_path(const char *path, const char *extension, char *text, size_t capacity) {
  const char *slash = strrchr(path, '/');
  const char *dot = strrchr(slash != NULL ? slash : path, '.');
  size_t stem = dot != NULL && dot != path && dot[-1] != '/' ? (size_t)(dot - path) : strlen(path);
  snprintf(text, capacity, "%.*s%s", (int)stem, path, extension);
}

static void print_written(const struct vt_vectors *vectors, enum vt_export_format format, bool quiet) {
  const char *extension = vt_export_second_extension(format);
  char second[4200] = "";
  if (extension[0] != '\0') second_path(settings.output, extension, second, sizeof second);
  const char *name = options[2].choices[(int)format + 1];
  if (settings.json) {
    json_t *object = json_new_object();
    json_put(object, "path", json_new_text(settings.output));
    if (second[0] != '\0') json_put(object, "second_path", json_new_text(second));
    json_put(object, "format", json_new_text(name));
    json_put(object, "rows", json_new_count(vectors->rows));
    json_put(object, "dim", json_new_count(vectors->dim));
    json_put(object, "step", json_new_count(vectors->step));
    json_print_line(object);
  } else if (!quiet) {
    char rows[NUMBER_TEXT_BYTES], step[NUMBER_TEXT_BYTES];
    printf("wrote %s vectors of length %zu from step %s as %s: ", format_count(vectors->rows, rows), vectors->dim,
           format_count(vectors->step, step), name);
    print_clean(stdout, settings.output);
    if (second[0] != '\0') fputs(", ", stdout);
    print_clean(stdout, second);
    putchar('\n');
  }
}

static enum exit_status export_vectors(const char *path, enum vt_export_format format, bool quiet) {
  struct view view;
  enum exit_status status = view_open(&view, path, settings.step);
  if (status != EXIT_DONE) return status;
  struct vt_error error;
  interrupt_defer(); /* a file is whole or not there: the export is finished first */
  if (vt_export(view.vectors, format, settings.output, &error) != VT_OK)
    status = report_error(&error);
  else if (interrupt_flag)
    status = EXIT_INTERRUPTED;
  else
    print_written(view.vectors, format, quiet);
  view_close(&view);
  return status;
}

static void print_story(const char *format, const char *what, uint64_t count, const char *second, bool quiet) {
  if (settings.json) {
    json_t *object = json_new_object();
    json_put(object, "path", json_new_text(settings.output));
    if (second[0] != '\0') json_put(object, "second_path", json_new_text(second));
    json_put(object, "format", json_new_text(format));
    json_put(object, what, json_new_count(count));
    json_print_line(object);
  } else if (!quiet) {
    char text[NUMBER_TEXT_BYTES];
    printf("wrote %s %s as %s: ", format_count(count, text), what, format);
    print_clean(stdout, settings.output);
    if (second[0] != '\0') fputs(", ", stdout);
    print_clean(stdout, second);
    putchar('\n');
  }
}

/* What belongs to the whole run rather than to one snapshot of it. */
static enum exit_status export_story(const char *path, bool tensorboard, bool quiet) {
  struct vt_run *run;
  struct vt_error error;
  if (vt_run_open(path, &run, &error) != VT_OK) return report_error(&error);
  interrupt_defer();
  uint64_t values = 0;
  size_t points = 0;
  enum vt_status done = tensorboard
                            ? vt_export_events(run, settings.output, &values, &error)
                            : vt_export_trajectories(run, (size_t)settings.words, settings.output, &points, &error);
  vt_run_close(run);
  if (done != VT_OK) return report_error(&error);
  if (interrupt_flag) return EXIT_INTERRUPTED;
  char second[4200] = "";
  if (!tensorboard) second_path(settings.output, ".metadata.tsv", second, sizeof second);
  if (tensorboard)
    print_story("tensorboard", "values", values, "", quiet);
  else
    print_story("projector", "points", points, second, quiet);
  return EXIT_DONE;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  enum vt_export_format format = VT_EXPORT_W2V_TEXT;
  if (settings.output == NULL) return report_usage("export", "export needs a file to write to: -o FILE");
  bool tensorboard = is_tensorboard();
  if ((tensorboard || settings.over_time) && settings.step != VT_STEP_LAST)
    return report_usage("export", "--step is of one snapshot, and %s of them all",
                        tensorboard ? "tensorboard" : "--over-time");
  if (tensorboard && strstr(settings.output, "tfevents") == NULL)
    return report_usage("export", "TensorBoard looks for files with tfevents in their name: "
                                  "-o logs/events.out.tfevents.first");
  if (tensorboard && settings.over_time) return report_usage("export", "--over-time goes with --format projector");
  if (tensorboard) return export_story(operands->items[0], true, common->quiet);
  enum exit_status status = choose_format(&format);
  if (status != EXIT_DONE) return status;
  if (settings.over_time && format != VT_EXPORT_PROJECTOR)
    return report_usage("export", "--over-time goes with --format projector");
  if (settings.over_time) return export_story(operands->items[0], false, common->quiet);
  return export_vectors(operands->items[0], format, common->quiet);
}

const struct command command_export = {
    .name = "export",
    .operands = "DIR -o FILE [options]",
    .summary = "write the vectors for other programs",
    .about = "Writes the vectors of a run as word2vec text or binary, NumPy, safetensors or for TensorBoard's "
             "projector, there with --over-time as the ways that words took; or, as tensorboard, all that the run "
             "measured as an event file. Formats that hold no words get a second file with them beside the first. "
             "FILE.sha256 holds "
             "the checksums, "
             "for 'sha256sum -c' and for every command of vectrail that reads the file.",
    .example = "vectrail export runs/first -o vectors.bin",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "export needs a run folder",
    .run = run,
};

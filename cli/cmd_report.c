/* cmd_report.c: vectrail report: a run as one page in one file. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/serve.h"

static struct report_settings {
  const char *output;
  uint64_t words;
  int threads;
  bool json;
} settings;

static void prepare(void) {
  struct vt_report_request defaults;
  vt_report_request_init(&defaults);
  settings = (struct report_settings){.words = defaults.words, .threads = defaults.threads};
}

#define AT(field) .offset = offsetof(struct report_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "output",
     .letter = "o",
     .value = "FILE",
     AT(output),
     .help = "where to write; required; an existing file is replaced"},
    {.kind = OPTION_U64,
     .name = "words",
     .value = "N",
     AT(words),
     .low = 1,
     .high = 65535,
     .help = "the most frequent words that the map shows, and among which neighbours are looked for"},
    SHARED_THREADS(AT(threads)),
    {.kind = OPTION_FLAG, .name = "json", AT(json), .help = "print what was written as one JSON object"},
};

static void print_written(const struct vt_report_result *result, bool quiet) {
  if (settings.json) {
    json_t *object = json_new_object();
    json_put(object, "path", json_new_text(settings.output));
    json_put(object, "bytes", json_new_count(result->bytes));
    json_put(object, "words", json_new_count(result->words));
    json_put(object, "snapshots", json_new_count(result->frames));
    json_put(object, "curve_words", json_new_count(result->curve_words));
    json_print_line(object);
  } else if (!quiet) {
    char words[NUMBER_TEXT_BYTES];
    printf("wrote %s words at %zu snapshots, %.1f MB: ", format_count(result->words, words), result->frames,
           (double)result->bytes / 1e6);
    print_clean(stdout, settings.output);
    putchar('\n');
  }
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  if (settings.output == NULL) return report_usage("report", "report needs a file to write to: -o FILE");
  struct vt_report_request request;
  vt_report_request_init(&request);
  request.run = operands->items[0];
  request.output = settings.output;
  request.words = (size_t)settings.words;
  request.threads = settings.threads;
  request.interrupt = &interrupt_flag;
  struct vt_report_result result;
  struct vt_error error;
  interrupt_defer();
  if (vt_report(&request, &result, &error) != VT_OK) return report_error(&error);
  print_written(&result, common->quiet);
  return EXIT_DONE;
}

const struct command command_report = {
    .name = "report",
    .operands = "DIR -o FILE [options]",
    .summary = "write a run as one page in one file, to open or to send",
    .about = "Writes the page of 'vectrail serve' with the run's data in it as one HTML file. It opens from the disk, "
             "without a server or a network, in any browser of the last years.",
    .example = "vectrail report runs/first -o report.html",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "report needs a run folder",
    .run = run,
};

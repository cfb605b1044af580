/* cmd_diagnose.c: vectrail diagnose: what is wrong with a training, how that shows, and what to do. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/diagnose.h"
#include "vectrail/measure.h"

static struct diagnose_settings {
  int threads;
  bool json;
} settings;

static void prepare(void) {
  struct vt_measure_options measure;
  vt_measure_options_init(&measure);
  settings = (struct diagnose_settings){.threads = measure.threads};
}

#define AT(field) .offset = offsetof(struct diagnose_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    SHARED_THREADS(AT(threads)),
    SHARED_JSON(AT(json)),
};

/* What the ailments are called where they were not found. */
static const char *const plain[VT_AILMENTS] = {
    [VT_AILMENT_DIVERGED] = "divergence",
    [VT_AILMENT_DIVERGING] = "signs of divergence",
    [VT_AILMENT_RATE_TOO_HIGH] = "too high a rate",
    [VT_AILMENT_RATE_TOO_LOW] = "too low a rate",
    [VT_AILMENT_STOPPED_EARLY] = "an early stop",
    [VT_AILMENT_OVERFITTED] = "overfitting",
    [VT_AILMENT_COLLAPSED] = "collapse",
    [VT_AILMENT_WORDS_UNMOVED] = "words that never left their start",
    [VT_AILMENT_DIM_TOO_LARGE] = "too large a dimension",
    [VT_AILMENT_DIM_TOO_SMALL] = "too small a dimension",
    [VT_AILMENT_RULED_BY_FREQUENCY] = "rule by frequency",
};

static void print_json(const char *path, const struct vt_diagnosis *diagnosis) {
  json_t *object = json_new_object(), *findings = json_new_array(), *sound = json_new_array();
  json_t *unknown = json_new_array();
  for (size_t k = 0; k < diagnosis->finding_count; k++) {
    const struct vt_finding *finding = &diagnosis->findings[k];
    json_t *entry = json_new_object();
    json_put(entry, "kind", json_new_text(vt_ailment_name(finding->ailment)));
    json_put(entry, "what", json_new_text(finding->what));
    json_put(entry, "evidence", json_new_text(finding->evidence));
    json_put(entry, "remedy", json_new_text(finding->remedy));
    json_push(findings, entry);
  }
  for (size_t k = 0; k < diagnosis->sound_count; k++)
    json_push(sound, json_new_text(vt_ailment_name(diagnosis->sound[k])));
  for (size_t k = 0; k < diagnosis->unknown_count; k++) {
    json_t *entry = json_new_object();
    json_put(entry, "kind", json_new_text(vt_ailment_name(diagnosis->unknown[k].ailment)));
    json_put(entry, "why", json_new_text(diagnosis->unknown[k].why));
    json_push(unknown, entry);
  }
  json_put(object, "run", json_new_text(path));
  json_put(object, "findings", findings);
  json_put(object, "sound", sound);
  json_put(object, "unknown", unknown);
  json_print_line(object);
}

static void print_text(const char *path, const struct vt_diagnosis *diagnosis) {
  const char *dim = terminal_style(stdout, STYLE_DIM), *plain_style = terminal_style(stdout, STYLE_PLAIN);
  print_clean(stdout, path);
  if (diagnosis->finding_count == 0) fputs(": nothing is wrong that could be told", stdout);
  putchar('\n');
  for (size_t k = 0; k < diagnosis->finding_count; k++) {
    const struct vt_finding *finding = &diagnosis->findings[k];
    printf("\n%s%s%s\n  evidence  ", terminal_style(stdout, STYLE_BOLD), finding->what, plain_style);
    print_clean(stdout, finding->evidence);
    fputs("\n  remedy    ", stdout);
    print_clean(stdout, finding->remedy);
    putchar('\n');
  }
  if (diagnosis->sound_count > 0) printf("\n%sno sign of:", dim);
  for (size_t k = 0; k < diagnosis->sound_count; k++) printf("%s %s", k > 0 ? "," : "", plain[diagnosis->sound[k]]);
  if (diagnosis->sound_count > 0) printf("%s\n", plain_style);
  for (size_t k = 0; k < diagnosis->unknown_count; k++)
    printf("%scannot tell of %s: %s%s\n", dim, plain[diagnosis->unknown[k].ailment], diagnosis->unknown[k].why,
           plain_style);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct vt_run *opened;
  struct vt_diagnosis diagnosis;
  struct vt_error error;
  if (vt_run_open(operands->items[0], &opened, &error) != VT_OK) return report_error(&error);
  enum vt_status status = vt_diagnose(opened, settings.threads, &diagnosis, &error);
  vt_run_close(opened);
  if (status != VT_OK) return report_error(&error);
  if (settings.json)
    print_json(operands->items[0], &diagnosis);
  else
    print_text(operands->items[0], &diagnosis);
  return EXIT_DONE;
}

const struct command command_diagnose = {
    .name = "diagnose",
    .operands = "DIR [options]",
    .summary = "what is wrong with a training, how that shows, and what to do about it",
    .about =
        "Reads a run and says in sentences what is wrong with it: that it diverged or is about to, that the rate is "
        "too high or too low, that it stopped early, overfitted or collapsed, that words never left their start, "
        "that the dimension does not fit, that frequency rules the vectors. Each with its evidence and a remedy.",
    .example = "vectrail diagnose runs/first",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "diagnose needs a run folder",
    .run = run,
};

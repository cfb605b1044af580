/* cmd_contrast.c: vectrail contrast: vectors trained to tell texts apart. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/contrast.h"

static struct contrast_settings {
  const char *run;
  bool force, json;
  struct vt_contrast_options options;
} settings;

static void prepare(void) {
  settings = (struct contrast_settings){.run = NULL};
  vt_contrast_options_init(&settings.options);
}

#define AT(field) .offset = offsetof(struct contrast_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Input and output"},
    SHARED_NEW_RUN(AT(run)),
    SHARED_FORCE(AT(force)),
    SHARED_JSON(AT(json)),

    {.kind = OPTION_HEADING, .help = "Training"},
    {.kind = OPTION_REAL,
     .name = "temperature",
     .value = "X",
     AT(options.temperature),
     .real_low = 1e-3,
     .real_high = 100,
     .help = "what cosines are divided by"},
    {.kind = OPTION_FLAG,
     .name = "positives-only",
     AT(options.positives_only),
     .help = "leave the negatives out, to see the vectors collapse"},
    {.kind = OPTION_REAL,
     .name = "dropout",
     .value = "SHARE",
     AT(options.dropout),
     .real_high = 0.9,
     .help = "of a Transformer; makes pairs of lines that are none"},
    SHARED_ADAMW_RATE(AT(options.lr)),
    SHARED_CLIP(AT(options.clip)),
    {.kind = OPTION_U32,
     .name = "epochs",
     .value = "N",
     AT(options.epochs),
     .low = 1,
     .high = 1000000,
     .help = "passes over the lines"},
    {.kind = OPTION_U32,
     .name = "batch",
     .value = "N",
     AT(options.batch),
     .low = 2,
     .high = 4096,
     .help = "pairs in a step; the others of them are the negatives"},
    SHARED_SEED(AT(options.seed)),
    SHARED_SNAPSHOTS(AT(options.snapshots)),
    {.kind = OPTION_U32,
     .name = "probes",
     .value = "N",
     AT(options.probes),
     .low = 1,
     .high = 1000000,
     .help = "measurements of alignment, uniformity and rank over the run, about"},
    SHARED_THREADS(AT(options.threads)),
};

/* ---- what is told ------------------------------------------------------------------------------------------------ */

static json_t *measures_json(const struct vt_contrast_measures *measures) {
  json_t *object = json_new_object();
  json_put(object, "alignment", json_new_real(measures->alignment));
  json_put(object, "uniformity", json_new_real(measures->uniformity));
  json_put(object, "rank", json_new_real(measures->rank));
  return object;
}

static void print_json(const struct vt_contrast_result *result) {
  json_t *object = json_new_object();
  json_put(object, "run", json_new_text(settings.run));
  json_put(object, "steps", json_new_count(result->steps));
  json_put(object, "pairs", json_new_count(result->pairs));
  json_put(object, "skipped", json_new_count(result->skipped));
  json_put(object, "by_dropout", result->dropout ? json_true() : json_false());
  json_put(object, "seconds", json_new_real(result->seconds));
  json_put(object, "loss", json_new_real(result->loss));
  json_put(object, "before", measures_json(&result->before));
  json_put(object, "after", measures_json(&result->after));
  json_put(object, "drift", json_new_real(result->drift));
  json_print_line(object);
}

static void print_change(const char *name, double before, double after) {
  printf("  %-44s %10.4f  (before: %.4f)\n", name, after, before);
}

static void print_result(const struct vt_contrast_result *result) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  printf("%s steps in %s on %s %s", format_count(result->steps, a), format_seconds(result->seconds, b),
         format_count(result->pairs, c), result->dropout ? "texts, each against itself" : "pairs");
  if (result->skipped > 0) printf("; %s lines held no word of the run", format_count(result->skipped, a));
  printf("\n  %-44s %10.4f\n", "loss, of the last step", result->loss);
  print_change("alignment: distance of pairs, squared", result->before.alignment, result->after.alignment);
  print_change("uniformity: 0, all are one; below, apart", result->before.uniformity, result->after.uniformity);
  print_change("rank: directions in use", result->before.rank, result->after.rank);
  printf("  %-44s %9.2f%%\nrun folder: ", "drift of all words, of their length", 100 * result->drift);
  print_clean(stdout, settings.run);
  putchar('\n');
}

/* A line at most every ten seconds. */
static void tell_progress(void *context, const struct vt_contrast_progress *progress) {
  double *next = context;
  if (progress->seconds < *next) return;
  *next = progress->seconds + 10;
  fprintf(stderr, "step=%" PRIu64 "/%" PRIu64 " loss=%.6g\n", progress->step, progress->steps, progress->loss);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  double next = 2;
  if (settings.run == NULL) {
    report("add --run DIR, a folder that will hold what comes of it", "contrast needs a run folder to write to");
    return EXIT_USAGE;
  }
  const struct vt_contrast_request request = {.base = operands->items[0],
                                              .text = operands->items[1],
                                              .run_path = settings.run,
                                              .force = settings.force,
                                              .options = settings.options,
                                              .progress = common->quiet ? NULL : tell_progress,
                                              .progress_context = &next,
                                              .interrupt = &interrupt_flag};
  struct vt_contrast_result result;
  struct vt_error error;
  interrupt_defer();
  if (vt_contrast(&request, &result, &error) != VT_OK) return report_error(&error);
  if (settings.json)
    print_json(&result);
  else if (!common->quiet)
    print_result(&result);
  return EXIT_DONE;
}

const struct command command_contrast = {
    .name = "contrast",
    .operands = "RUN TEXTS --run NEW [options]",
    .summary = "train vectors to tell texts apart",
    .about = "Trains the vectors of a run by InfoNCE into a run of their own. Each line of TEXTS is a pair of words or "
             "sentences with a tab between, or, where the run is a Transformer's, one sentence, which is told by what "
             "dropout leaves of it. A text is the mean of a Transformer's last rows, else of its words' vectors; the "
             "other pairs of a batch are the negatives. Tells alignment, uniformity and rank before and after. "
             "Interrupted, it ends where it stands: that is a run like others.",
    .example = "vectrail contrast runs/gpt sentences.txt --run runs/contrast --epochs 3",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 2,
    .operands_high = 2,
    .operands_missing = "contrast needs a run folder and a file of texts",
    .run = run,
};

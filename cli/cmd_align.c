/* cmd_align.c: vectrail align: a Transformer trained on preferences, and what that did to its words. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/align.h"

static struct align_settings {
  const char *run, *reward;
  bool force, json;
  int method;
  uint64_t moved;
  struct vt_align_options options;
} settings;

static void prepare(void) {
  settings = (struct align_settings){.method = -1, .moved = 10};
  vt_align_options_init(&settings.options);
}

#define AT(field) .offset = offsetof(struct align_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Input and output"},
    {.kind = OPTION_CHOICE,
     .name = "method",
     .value = "METHOD",
     AT(method),
     .choices = {"reward", "ppo", "dpo"},
     .unset = "",
     .help = "a reward model by Bradley and Terry's loss; the answers it values, by PPO; or the preferences directly, "
             "by DPO; required"},
    SHARED_NEW_RUN(AT(run)),
    SHARED_FORCE(AT(force)),
    {.kind = OPTION_TEXT,
     .name = "reward",
     .value = "DIR",
     AT(reward),
     .help = "with --method ppo, a run that --method reward has made; required"},
    {.kind = OPTION_U64,
     .name = "moved",
     .letter = "k",
     .value = "N",
     AT(moved),
     .high = VT_ALIGN_MOVED,
     .help = "words to print that moved farthest"},
    SHARED_JSON(AT(json)),

    {.kind = OPTION_HEADING, .help = "Training"},
    {.kind = OPTION_REAL,
     .name = "beta",
     .value = "X",
     AT(options.beta),
     .real_low = 1e-6,
     .real_high = 1e6,
     .help = "how much it costs to leave the reference"},
    {.kind = OPTION_REAL,
     .name = "kl",
     .value = "NATS",
     AT(options.kl),
     .real_high = 1e6,
     .help = "end when the KL from the reference has reached this; 0: never"},
    SHARED_ADAMW_RATE(AT(options.lr)),
    SHARED_CLIP(AT(options.clip)),
    {.kind = OPTION_U32,
     .name = "epochs",
     .value = "N",
     AT(options.epochs),
     .low = 1,
     .high = 1000000,
     .help = "passes over the preferences, with ppo over their prompts"},
    {.kind = OPTION_U32,
     .name = "batch",
     .value = "N",
     AT(options.batch),
     .low = 1,
     .high = 4096,
     .help = "pairs, with ppo prompts, in a step"},
    {.kind = OPTION_U32,
     .name = "samples",
     .value = "N",
     AT(options.samples),
     .low = 2,
     .high = 1024,
     .help = "with ppo, answers that are drawn to each prompt"},
    {.kind = OPTION_U32,
     .name = "inner",
     .value = "N",
     AT(options.inner),
     .low = 1,
     .high = 100,
     .help = "with ppo, steps on the same answers"},
    {.kind = OPTION_REAL,
     .name = "epsilon",
     .value = "X",
     AT(options.epsilon),
     .real_low = 1e-6,
     .real_high = 0.999999,
     .help = "with ppo, how far the ratio of an answer may go from 1"},
    {.kind = OPTION_U32,
     .name = "length",
     .value = "N",
     AT(options.length),
     .low = 1,
     .high = 65536,
     .help = "tokens of an answer that is drawn, at most"},
    SHARED_SEED(AT(options.seed)),
    SHARED_SNAPSHOTS(AT(options.snapshots)),
    SHARED_THREADS(AT(options.threads)),
};

/* ---- what is told ------------------------------------------------------------------------------------------------ */

static void put(json_t *object, const char *key, double value) { json_put(object, key, json_new_real(value)); }

static void print_json(const struct vt_align_result *result) {
  json_t *object = json_new_object(), *list = json_new_array();
  json_put(object, "run", json_new_text(settings.run));
  json_put(object, "steps", json_new_count(result->steps));
  json_put(object, "pairs", json_new_count(result->pairs));
  json_put(object, "prompts", json_new_count(result->prompts));
  put(object, "seconds", result->seconds);
  put(object, "loss", result->loss);
  put(object, "accuracy", result->accuracy);
  put(object, "margin", result->margin);
  put(object, "reward", result->reward);
  put(object, "log_chosen_before", result->log_chosen_before);
  put(object, "log_chosen", result->log_chosen_after);
  put(object, "log_rejected_before", result->log_rejected_before);
  put(object, "log_rejected", result->log_rejected_after);
  put(object, "kl", result->kl);
  json_put(object, "kl_reached", result->reached ? json_true() : json_false());
  put(object, "drift", result->drift);
  for (size_t k = 0; k < result->moved_count && k < settings.moved; k++) {
    json_t *entry = json_new_object();
    json_put(entry, "word", json_new_text(result->moved[k].word));
    put(entry, "drift", result->moved[k].drift);
    put(entry, "cosine", result->moved[k].cosine);
    json_push(list, entry);
  }
  json_put(object, "moved", list);
  json_print_line(object);
}

static void print_measure(const char *name, double value) {
  if (!isnan(value)) printf("  %-44s %10.4f\n", name, value);
}

static void print_change(const char *name, double before, double after) {
  if (!isnan(after)) printf("  %-44s %10.4f  (before: %.4f)\n", name, after, before);
}

static void print_result(const struct vt_align_result *result) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  printf("%s steps in %s on %s pairs", format_count(result->steps, a), format_seconds(result->seconds, b),
         format_count(result->pairs, c));
  if (settings.options.kl > 0)
    printf("; the KL of %g was %s", settings.options.kl, result->reached ? "reached" : "not reached");
  fputs("\n", stdout);
  print_measure("loss, of the last step", result->loss);
  print_measure("pairs told apart in it", result->accuracy);
  print_measure("margin in it", result->margin);
  print_measure("reward of the answers drawn in it", result->reward);
  print_change("log pi of the chosen answers", result->log_chosen_before, result->log_chosen_after);
  print_change("log pi of the rejected answers", result->log_rejected_before, result->log_rejected_after);
  print_measure("KL from the reference", result->kl);
  printf("  %-44s %9.2f%%\n", "drift of all words, of their length", 100 * result->drift);
  if (result->moved_count > 0 && settings.moved > 0)
    printf("\n%s%-32s %10s %10s%s\n", terminal_style(stdout, STYLE_BOLD), "moved farthest", "of length", "cosine",
           terminal_style(stdout, STYLE_PLAIN));
  for (size_t k = 0; k < result->moved_count && k < settings.moved; k++) {
    fputs("  ", stdout);
    print_cell(stdout, result->moved[k].word, 30, false);
    printf(" %9.2f%% %10.4f\n", 100 * result->moved[k].drift, result->moved[k].cosine);
  }
  fputs("run folder: ", stdout);
  print_clean(stdout, settings.run);
  putchar('\n');
}

/* A line at most every ten seconds. */
static void tell_progress(void *context, const struct vt_align_progress *progress) {
  double *next = context;
  if (progress->seconds < *next) return;
  *next = progress->seconds + 10;
  fprintf(stderr, "step=%" PRIu64 "/%" PRIu64 " loss=%.6g", progress->step, progress->steps, progress->loss);
  if (!isnan(progress->kl)) fprintf(stderr, " kl=%.6g", progress->kl);
  fputc('\n', stderr);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  double next = 2;
  if (settings.run == NULL) {
    report("add --run DIR, a folder that will hold what comes of it", "align needs a run folder to write to");
    return EXIT_USAGE;
  }
  if (settings.method < 0) return report_usage("align", "align needs a --method: reward, ppo or dpo");
  settings.options.method = (enum vt_align_method)settings.method;
  const struct vt_align_request request = {.base = operands->items[0],
                                           .preferences = operands->items[1],
                                           .run_path = settings.run,
                                           .force = settings.force,
                                           .reward = settings.reward,
                                           .options = settings.options,
                                           .progress = common->quiet ? NULL : tell_progress,
                                           .progress_context = &next,
                                           .interrupt = &interrupt_flag};
  struct vt_align_result result;
  struct vt_error error;
  interrupt_defer();
  if (vt_align(&request, &result, &error) != VT_OK) return report_error(&error);
  if (settings.json)
    print_json(&result);
  else if (!common->quiet)
    print_result(&result);
  return EXIT_DONE;
}

const struct command command_align = {
    .name = "align",
    .operands = "RUN PREFERENCES --method METHOD --run NEW [options]",
    .summary = "train a Transformer on preferences between answers",
    .about =
        "Trains the network of a run on a file of preferences, each line {\"prompt\": \"...\", \"chosen\": \"...\", "
        "\"rejected\": \"...\"}, into a run of its own. Tells how likely chosen and rejected answers have become, how "
        "far the network is from what it was, and which words moved. Interrupted, it ends where it stands: that is a "
        "run "
        "like others.",
    .example = "vectrail align runs/gpt preferences.jsonl --method dpo --run runs/dpo --kl 0.5",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 2,
    .operands_high = 2,
    .operands_missing = "align needs a run folder and a file of preferences",
    .run = run,
};

/* cmd_tune.c: vectrail tune: a run gone on with on other text, and what that did to its words and to its old task. */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "train_report.h"
#include "watch.h"
#include "vectrail/kernel.h"
#include "vectrail/tune.h"

#define FROM_THE_RUN "as the run"

static struct tune_settings {
  const char *run, *kernel;
  bool force, json;
  struct text_list old_corpus, freeze, watch;
  uint64_t min_count, seed;
  uint32_t epochs;
  double lr, l2, held_out, anchor;
  int freeze_table, schedule, threads;
  struct vt_record_options record;
} settings;

static void prepare(void) {
  struct vt_train_options defaults;
  vt_train_options_init(&defaults);
  settings = (struct tune_settings){
      .lr = NAN, .l2 = NAN, .held_out = NAN, .freeze_table = -1, .schedule = -1, .threads = defaults.threads};
  settings.seed = defaults.seed;
  vt_record_options_init(&settings.record);
}

#define AT(field) .offset = offsetof(struct tune_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Input and output"},
    SHARED_NEW_RUN(AT(run), .aside = true),
    SHARED_FORCE(AT(force), .aside = true),
    {.kind = OPTION_LIST_ALL,
     .name = "old-corpus",
     .aside = true,
     .value = "FILE...",
     AT(old_corpus),
     .help = "the run's own text, where it is not found where it was; its loss is told before and after"},
    SHARED_JSON(AT(json), .aside = true),

    {.kind = OPTION_HEADING, .help = "What moves"},
    {.kind = OPTION_REAL,
     .name = "anchor",
     .value = "MU",
     AT(anchor),
     .real_high = 1e6,
     .help = "penalty MU |v - v(0)|^2 on the vectors of both tables, added to the mean loss of a word"},
    {.kind = OPTION_LIST,
     .name = "freeze",
     .value = "WORD,...",
     AT(freeze),
     .help = "words whose vectors do not move, or @FILE with one a line"},
    {.kind = OPTION_CHOICE,
     .name = "freeze-table",
     .value = "TABLE",
     AT(freeze_table),
     .choices = {"input", "output"},
     .unset = "none",
     .help = "a table that does not move as a whole: the vectors that are published, or those that predict"},
    {.kind = OPTION_U64,
     .name = "min-count",
     .value = "N",
     AT(min_count),
     .low = 1,
     .high = UINT64_MAX,
     .unset = FROM_THE_RUN,
     .help = "new words that occur fewer times in the new text are left out"},

    {.kind = OPTION_HEADING, .help = "Training; what is not given is as it was for the run"},
    {.kind = OPTION_U32,
     .name = "epochs",
     .value = "N",
     AT(epochs),
     .low = 1,
     .high = 1000000,
     .unset = FROM_THE_RUN,
     .help = "passes over the new text"},
    {.kind = OPTION_REAL,
     .name = "lr",
     .value = "RATE",
     AT(lr),
     .real_high = 1000,
     .above_low = true,
     .unset = FROM_THE_RUN,
     .help = "learning rate at the start"},
    {.kind = OPTION_CHOICE,
     .name = "schedule",
     .value = "NAME",
     AT(schedule),
     .choices = {"linear", "constant", "cosine"},
     .unset = FROM_THE_RUN,
     .help = "how the learning rate falls"},
    {.kind = OPTION_REAL,
     .name = "l2",
     .value = "LAMBDA",
     AT(l2),
     .real_high = 1e6,
     .unset = FROM_THE_RUN,
     .help = "penalty on the squared length of vectors; not together with --anchor and --freeze"},
    {.kind = OPTION_SHARE,
     .name = "held-out",
     .value = "SHARE",
     AT(held_out),
     .real_high = 0.5,
     .unset = FROM_THE_RUN,
     .help = "share of the new sentences that are never trained on"},
    SHARED_SEED(AT(seed)),
    SHARED_THREADS(AT(threads), .aside = true),
    {.kind = OPTION_TEXT,
     .name = "kernel",
     .aside = true,
     .value = "NAME",
     AT(kernel),
     .unset = "the fastest that runs here",
     .help = "numeric kernel; 'vectrail info --kernels' lists them"},

    {.kind = OPTION_HEADING, .help = "What is recorded"},
    SHARED_SNAPSHOTS(AT(record.snapshots)),
    {.kind = OPTION_FLAG, .name = "float32", AT(record.float32), .help = "keep all snapshots in float32"},
    {.kind = OPTION_U32,
     .name = "probes",
     .value = "N",
     AT(record.probes),
     .high = 1000000,
     .help = "measurements of loss and drift over the run, about"},
    {.kind = OPTION_LIST,
     .name = "watch",
     .aside = true,
     .value = "WORD,...",
     AT(watch),
     .help = "words whose vectors are kept at every step of the metrics, or @FILE with one a line"},
};

/* ---- what is told ------------------------------------------------------------------------------------------------ */

static void print_group(const char *name, size_t words, double drift) {
  char count[NUMBER_TEXT_BYTES];
  printf("  %-34s %12s", name, format_count(words, count));
  if (isnan(drift))
    printf("  %10s\n", "-");
  else
    printf("  %9.2f%%\n", 100 * drift);
}

static void print_losses(const struct vt_tune_old *old, const struct vt_error *why) {
  if (why != NULL) {
    fputs("loss of the run's own text: not measured: ", stdout);
    print_clean(stdout, why->message);
    putchar('\n');
    return;
  }
  printf("loss of the run's own text: %.4f before, %.4f after", old->probe_before, old->probe_after);
  if (!isnan(old->held_out_before))
    printf("; held out: %.4f before, %.4f after", old->held_out_before, old->held_out_after);
  putchar('\n');
}

static void print_result(const struct vt_tune_result *result, const struct vt_tune_old *old,
                         const struct vt_error *why) {
  char placed[NUMBER_TEXT_BYTES], fresh[NUMBER_TEXT_BYTES];
  printf("\n%s%-36s %12s  %10s%s\n", terminal_style(stdout, STYLE_BOLD), "moved, by words", "words", "of length",
         terminal_style(stdout, STYLE_PLAIN));
  print_group("the new text holds them", result->seen, result->drift_seen);
  print_group("the new text does not", result->unseen, result->drift_unseen);
  print_group("new", result->fresh, result->drift_fresh);
  if (result->fresh > 0)
    printf("%s of %s new words began at the mean of their neighbours, the others at random\n",
           format_count(result->placed, placed), format_count(result->fresh, fresh));
  if (!result->output) fputs("the run had kept no output vectors (--save-output), so these began at zero\n", stdout);
  print_losses(old, why);
}

static void print_json(const struct vt_tune_result *result, const struct vt_tune_old *old, const struct vt_error *why) {
  json_t *object = json_new_object(), *words = json_new_object(), *drift = json_new_object();
  json_put(object, "run", json_new_text(settings.run));
  json_put(object, "steps", json_new_count(result->train.steps));
  json_put(object, "tokens", json_new_count(result->train.tokens));
  json_put(object, "seconds", json_new_real(result->train.seconds));
  json_put(object, "loss", json_new_real(result->train.loss));
  json_put(words, "seen", json_new_count(result->seen));
  json_put(words, "unseen", json_new_count(result->unseen));
  json_put(words, "new", json_new_count(result->fresh));
  json_put(words, "new_from_neighbours", json_new_count(result->placed));
  json_put(object, "words", words);
  json_put(drift, "seen", json_new_real(result->drift_seen));
  json_put(drift, "unseen", json_new_real(result->drift_unseen));
  json_put(drift, "new", json_new_real(result->drift_fresh));
  json_put(object, "drift", drift);
  json_put(object, "output_kept", result->output ? json_true() : json_false());
  json_t *losses = json_null();
  if (why == NULL) {
    losses = json_new_object();
    json_put(losses, "probe_before", json_new_real(old->probe_before));
    json_put(losses, "probe_after", json_new_real(old->probe_after));
    json_put(losses, "held_out_before", json_new_real(old->held_out_before));
    json_put(losses, "held_out_after", json_new_real(old->held_out_after));
  }
  json_put(object, "old_text", losses);
  json_put(object, "old_text_missing", why == NULL ? json_null() : json_new_text(why->message));
  json_print_line(object);
}

/* ---- the training ------------------------------------------------------------------------------------------------ */

static void take_settings(struct vt_train_request *request) {
  struct vt_train_options *train = &request->train;
  if (settings.epochs > 0) train->epochs = settings.epochs;
  if (!isnan(settings.lr)) train->lr = settings.lr;
  if (settings.schedule >= 0) train->schedule = (enum vt_schedule)settings.schedule;
  if (!isnan(settings.l2)) train->l2 = settings.l2;
  if (!isnan(settings.held_out)) train->held_out = settings.held_out;
  if (settings.min_count > 0) request->corpus.min_count = settings.min_count;
  train->seed = settings.seed;
  train->threads = request->corpus.threads = settings.threads;
  train->kernel = settings.kernel;
  train->tuning.anchor = settings.anchor;
  train->tuning.freeze_input = settings.freeze_table == 0;
  train->tuning.freeze_output = settings.freeze_table == 1;
  /* What results, to be shown. */
  settings.epochs = train->epochs;
  settings.lr = train->lr;
  settings.schedule = (int)train->schedule;
  settings.l2 = train->l2;
  settings.held_out = train->held_out;
  settings.min_count = request->corpus.min_count;
}

/* What the run's own text says of both. That it cannot be read is no failure of the tuning. */
static enum exit_status tell(const char *base, bool quiet, const struct vt_tune_result *result) {
  const struct vt_tune_old_request request = {.base = base,
                                              .run = settings.run,
                                              .inputs = settings.old_corpus.items,
                                              .input_count = settings.old_corpus.count,
                                              .threads = settings.threads,
                                              .kernel = settings.kernel,
                                              .interrupt = &interrupt_flag};
  struct vt_tune_old old;
  struct vt_error error;
  const bool told = vt_tune_old_loss(&request, &old, &error) == VT_OK;
  if (!told && (error.status == VT_ERROR_INTERRUPTED || settings.old_corpus.count > 0)) return report_error(&error);
  if (settings.json)
    print_json(result, &old, told ? NULL : &error);
  else if (!quiet)
    print_result(result, &old, told ? NULL : &error);
  return EXIT_DONE;
}

static enum exit_status tune(const struct common_settings *common, const struct text_list *operands,
                             const struct vt_tune_request *asked, const struct text_list *watch) {
  static const struct text_list nothing;
  struct train_report told = {.command = &command_tune, .run = settings.run, .watch = watch, .ledger = &nothing};
  struct vt_tune_request request = *asked;
  struct vt_tune_result result = {0};
  struct vt_error error;
  progress_init(&told.progress, common->quiet);
  request.train.corpus.progress = progress_reading;
  request.train.corpus.progress_context = &told.progress;
  request.train.progress = train_report_progress;
  request.train.corpus_ready = train_report_corpus;
  request.train.progress_context = request.train.corpus_ready_context = &told;
  request.train.interrupt = &interrupt_flag;
  interrupt_defer();
  enum vt_status status = vt_tune(&request, &result, &error);
  progress_clear(&told.progress);
  if (status != VT_OK) return train_report_error(&told, &result.train, &error);
  if (!settings.json && !common->quiet) train_report_result(&told, &result.train);
  return tell(operands->items[0], common->quiet, &result);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  struct vt_tune_request request = {.base = operands->items[0]};
  struct vt_train_request *train = &request.train;
  struct text_list freeze = {0}, watch = {0};
  struct vt_error error;
  if (settings.run == NULL) {
    report("add --run DIR, a folder that will hold the vectors and how they moved",
           "tune needs a run folder to write to");
    return EXIT_USAGE;
  }
  if (settings.kernel != NULL && vt_kernel_resolve(settings.kernel, &settings.kernel, &error) != VT_OK)
    return report_error(&error);
  if (vt_tune_options(request.base, &train->train, &train->corpus, &error) != VT_OK) return report_error(&error);
  train->inputs = operands->items + 1;
  train->input_count = operands->count - 1;
  train->run_path = settings.run;
  train->force = settings.force;
  train->record = settings.record;
  take_settings(train);
  const bool words_rule = train->corpus.tokens == VT_TOKENS_WORDS || train->corpus.tokens == VT_TOKENS_LETTERS;
  enum exit_status status = EXIT_FAILED;
  if (watch_words_read("--freeze", &settings.freeze, words_rule, train->corpus.fold_case, &freeze) &&
      watch_words_read("--watch", &settings.watch, words_rule, train->corpus.fold_case, &watch)) {
    request.freeze = freeze.items;
    request.freeze_count = freeze.count;
    train->record.watch = watch.items;
    train->record.watch_count = watch.count;
    status = tune(common, operands, &request, &watch);
  }
  watch_words_release(&freeze);
  watch_words_release(&watch);
  return status;
}

const struct command command_tune = {
    .name = "tune",
    .operands = "RUN CORPUS... --run NEW [options]",
    .summary = "go on with a run on other text",
    .about =
        "Trains the vectors of a finished run further, on other text, into a run of their own. Words of the run keep "
        "their numbers; words that it did not have come behind them, each beginning at the mean of its neighbours in "
        "the new text. Tells how far words moved that the new text holds and that it does not, and what became of the "
        "loss of the run's own text. For skip-gram and CBOW with negative sampling, trained with --save-output, and "
        "for networks.",
    .example = "vectrail tune runs/news law.txt --run runs/law --lr 0.01 --anchor 1e-4",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 2,
    .operands_high = SIZE_MAX,
    .operands_missing = "tune needs a run folder and a text",
    .run = run,
};

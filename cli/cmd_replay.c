/* cmd_replay.c: vectrail replay: trains a run once more, to look at what was not recorded. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "pairs.h"
#include "progress.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "watch.h"
#include "words.h"
#include "vectrail/kernel.h"
#include "vectrail/replay.h"

#define SOURCES_UNSET UINT64_MAX

static struct replay_settings {
  struct vt_replay_request request;
  struct text_list corpus, ledger, watch, pairs;
  int by;
  uint64_t sources;
  bool json;
} settings;

static void prepare(void) {
  settings = (struct replay_settings){.sources = SOURCES_UNSET};
  vt_replay_request_init(&settings.request);
}

#define AT(field) .offset = offsetof(struct replay_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "What to record"},
    {.kind = OPTION_LIST,
     .name = "ledger",
     .value = "WORD,...",
     AT(ledger),
     .help = "words of which it is to be kept what moved them, for 'vectrail explain'; @FILE: the words of a file"},
    {.kind = OPTION_CHOICE,
     .name = "by",
     .value = "WHAT",
     AT(by),
     .choices = {"source", "document"},
     .help = "keep the ledger by the words that moved them, or by the lines of the text in which that happened"},
    {.kind = OPTION_U32,
     .name = "ledger-spans",
     .value = "N",
     AT(request.ledger_spans),
     .low = 0,
     .high = 100000,
     .unset = "as the run was told",
     .help = "spans of the training that a ledger keeps apart"},
    {.kind = OPTION_U64,
     .name = "ledger-sources",
     .value = "N",
     AT(sources),
     .high = UINT32_MAX,
     .unset = "4000; by document 20000",
     .help = "sources that it keeps apart for each word, role and span; 0: all"},
    {.kind = OPTION_LIST,
     .name = "watch",
     .value = "WORD,...",
     AT(watch),
     .help = "words whose vectors are to be kept; @FILE as above"},
    {.kind = OPTION_LIST,
     .name = "pairs",
     .value = "A:B,...",
     AT(pairs),
     .help = "pairs of words whose cosine is to be kept; @FILE: two words a line"},
    {.kind = OPTION_U32,
     .name = "every",
     .aliases = "watch-every",
     .value = "N",
     AT(request.every),
     .low = 1,
     .high = UINT32_MAX,
     .help = "keep those at every Nth step"},
    {.kind = OPTION_U32,
     .name = "snapshots",
     .value = "N",
     AT(request.snapshots),
     .high = 100000,
     .help = "add the snapshots of all vectors that a run with N of them would have; 0: none"},
    {.kind = OPTION_U64,
     .name = "from",
     .value = "STEP",
     AT(request.from),
     .high = UINT64_MAX,
     .help = "record from this step on"},
    {.kind = OPTION_U64,
     .name = "until",
     .value = "STEP",
     AT(request.until),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "end with the last snapshot up to this step"},
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_LIST,
     .name = "corpus",
     .value = "FILE",
     AT(corpus),
     .help = "the text that the run was trained on, where it is no longer where it was"},
    {.kind = OPTION_TEXT,
     .name = "kernel",
     .value = "NAME",
     AT(request.kernel),
     .unset = "the fastest that runs here",
     .help = "numeric kernel; 'vectrail info --kernels' lists them"},
    SHARED_THREADS(AT(request.threads)),
    SHARED_JSON(AT(json)),
};

struct told {
  struct progress progress;
  bool announced;
};

static void tell_reading(void *context, uint64_t bytes, uint64_t total) {
  struct told *told = context;
  progress_reading(&told->progress, bytes, total);
}

static void tell_training(void *context, const struct vt_train_progress *state) {
  struct told *told = context;
  if (!told->announced && !told->progress.quiet) {
    char steps[NUMBER_TEXT_BYTES];
    progress_clear(&told->progress);
    fprintf(stderr, "replaying %s steps\n", format_count(state->steps, steps));
  }
  told->announced = true;
  progress_training(&told->progress, state);
}

/* The words in the spelling that the run's vocabulary has. */
struct words {
  struct text_list watch, pairs, ledger;
};

static bool meta_is(const struct vt_run *run, const char *key, const char *value) {
  const char *text = vt_run_meta(run, key);
  return text != NULL && strcmp(text, value) == 0;
}

static bool read_words(const struct vt_run *run, struct words *words) {
  bool words_rule = !meta_is(run, "tokens_rule", "space") && !meta_is(run, "tokens_rule", "bpe"),
       fold_case = meta_is(run, "fold_case", "1");
  if (!pair_words_read(&settings.pairs, &words->pairs)) return false;
  for (size_t i = 0; i < words->pairs.count; i++) {
    char *typed = (char *)words->pairs.items[i]; /* the list owns what pair_words_read put there */
    words->pairs.items[i] = word_normalised(typed, words_rule, fold_case);
    free(typed);
  }
  return watch_words_read("--watch", &settings.watch, words_rule, fold_case, &words->watch) &&
         watch_words_read("--ledger", &settings.ledger, words_rule, fold_case, &words->ledger);
}

static json_t *result_json(const char *run, const struct vt_replay_result *result) {
  json_t *object = json_new_object();
  json_put(object, "run", json_new_text(run));
  json_put(object, "steps", json_new_count(result->steps));
  json_put(object, "tokens", json_new_count(result->tokens));
  json_put(object, "seconds", json_new_real(result->seconds));
  json_put(object, "words_per_second", json_new_real(result->words_per_second));
  json_put(object, "snapshots_agreed", json_new_count(result->snapshots));
  json_put(object, "snapshots_added", json_new_count(result->added));
  json_put(object, "documents", json_new_count(result->documents));
  json_put(object, "ledger_bytes", json_new_count(result->ledger_bytes));
  json_put(object, "kernel", json_new_text(result->kernel));
  return object;
}

static void print_result(const char *run, const struct vt_replay_result *result, const struct words *words) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  printf("replayed %s steps in %s (%s words/s)\n", format_count(result->steps, a), format_seconds(result->seconds, b),
         format_rate(result->words_per_second, c));
  printf("%s %s of the run, bit by bit\n", format_count(result->snapshots, a),
         result->snapshots == 1 ? "snapshot agrees with that" : "snapshots agree with those");
  if (result->added > 0) printf("%s snapshots added\n", format_count(result->added, a));
  if (result->documents > 0)
    printf("%s lines of the text kept with their ledger\n", format_count(result->documents, a));
  if (words->ledger.count == 0) return;
  printf("\n%snext%s\n  vectrail explain ", terminal_style(stdout, STYLE_BOLD), terminal_style(stdout, STYLE_PLAIN));
  print_shell_word(stdout, run);
  putchar(' ');
  print_shell_word(stdout, words->ledger.items[0]);
  printf("%s\n", settings.by == 1 ? " --by document" : "");
}

static enum exit_status replay(const struct common_settings *common, const char *path, const struct words *words) {
  struct vt_replay_request *request = &settings.request;
  struct told told = {0};
  struct vt_replay_result result;
  struct vt_error error;
  progress_init(&told.progress, common->quiet);
  request->run_path = path;
  request->inputs = settings.corpus.items;
  request->input_count = settings.corpus.count;
  request->watch = words->watch.items;
  request->watch_count = words->watch.count;
  request->pairs = words->pairs.items;
  request->pair_count = words->pairs.count / 2;
  request->ledger = words->ledger.items;
  request->ledger_count = words->ledger.count;
  request->by_document = settings.by == 1;
  request->ledger_sources_set = settings.sources != SOURCES_UNSET;
  if (request->ledger_sources_set) request->ledger_sources = (uint32_t)settings.sources;
  request->reading = tell_reading;
  request->progress = tell_training;
  request->reading_context = request->progress_context = &told;
  request->interrupt = &interrupt_flag;
  interrupt_defer();
  enum vt_status replayed = vt_replay(request, &result, &error);
  progress_clear(&told.progress);
  if (replayed != VT_OK) return report_error(&error);
  if (settings.json)
    json_print_line(result_json(path, &result));
  else if (!common->quiet)
    print_result(path, &result, words);
  return EXIT_DONE;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  struct vt_replay_request *request = &settings.request;
  struct words words = {0};
  struct vt_error error;
  struct vt_run *opened;
  if (settings.by == 1 && settings.ledger.count == 0)
    return report_usage("replay", "--by says how to keep a ledger; name its words with --ledger");
  if (request->snapshots == 1) return report_usage("replay", "--snapshots is '1'; it must be 0, or at least 2");
  if (request->kernel != NULL && vt_kernel_resolve(request->kernel, &request->kernel, &error) != VT_OK)
    return report_error(&error);
  if (vt_run_open(operands->items[0], &opened, &error) != VT_OK) return report_error(&error);
  bool read = read_words(opened, &words);
  vt_run_close(opened);
  enum exit_status status = read ? replay(common, operands->items[0], &words) : EXIT_FAILED;
  watch_words_release(&words.watch);
  watch_words_release(&words.pairs);
  watch_words_release(&words.ledger);
  return status;
}

const struct command command_replay = {
    .name = "replay",
    .operands = "DIR [options]",
    .summary = "train a run once more, bit by bit, to record what was not recorded then",
    .about = "Trains a finished run again from its text and settings, holds the vectors against every snapshot of the "
             "run, bit by bit, and keeps what is asked for: ledgers for 'explain', vectors and cosines at every step, "
             "more snapshots. The run gains it only when all snapshots have agreed. Without anything to record, the "
             "replay is a check of the run.",
    .example = "vectrail replay runs/first --ledger king --by document",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "replay needs a run folder",
    .run = run,
};

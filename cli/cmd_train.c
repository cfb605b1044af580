/*
 * cmd_train.c: vectrail train.
 *
 * The option table writes straight into the request's parts, whose defaults come from the library: what help shows is
 * what trains. The names of word2vec, fastText and gensim are aliases; what they can ask for and this version cannot
 * train (-cbow 1, -hs 1) is refused by name, never ignored.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "export_file.h"
#include "help.h"
#include "interrupt.h"
#include "json.h"
#include "progress.h"
#include "report.h"
#include "terminal.h"
#include "watch.h"
#include "words.h"
#include "vectrail/kernel.h"
#include "vectrail/train.h"

static struct train_settings {
  const char *run;
  bool force;
  bool json;
  int model, loss, tokens; /* places in the choices, which are the values of the enums */
  const char *vocab;
  const char *kernel;
  struct text_list watch;
  const char *output;
  int binary, cbow, skipgram, hierarchical;
  struct vt_corpus_options corpus;
  struct vt_train_options train;
  struct vt_record_options record;
} settings;

static void prepare(void) {
  settings = (struct train_settings){.skipgram = 1};
  vt_corpus_options_init(&settings.corpus);
  vt_train_options_init(&settings.train);
  vt_record_options_init(&settings.record);
  settings.model = (int)settings.train.model;
  settings.loss = (int)settings.train.loss;
  settings.tokens = (int)settings.corpus.tokens;
}

#define AT(field) .offset = offsetof(struct train_settings, field)
#define WHOLE(from, to) .low = (from), .high = (to)

static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Input and output"},
    {.kind = OPTION_OPERAND,
     .name = "corpus",
     .aside = true,
     .aliases = "train input",
     .value = "FILE",
     .help = "one more corpus, as if it stood among the operands"},
    {.kind = OPTION_TEXT,
     .name = "run",
     .aside = true,
     .value = "DIR",
     AT(run),
     .help = "the run folder to make; required"},
    {.kind = OPTION_FLAG, .name = "force", .aside = true, AT(force), .help = "replace the run that is in that folder"},
    {.kind = OPTION_TEXT,
     .name = "output",
     .aside = true,
     .letter = "o",
     .value = "FILE",
     AT(output),
     .help = "at the end, also export the vectors to FILE, in the format of its extension, else as word2vec text"},
    {.kind = OPTION_INT,
     .name = "binary",
     .aside = true,
     .value = "0|1",
     AT(binary),
     WHOLE(0, 1),
     .unset = "",
     .help = "with --output, 1: as word2vec binary whatever the extension"},
    {.kind = OPTION_FLAG, .name = "json", .aside = true, AT(json), .help = "print the result as one JSON object"},

    {.kind = OPTION_HEADING, .help = "Text and vocabulary"},
    {.kind = OPTION_CHOICE,
     .name = "tokens",
     .value = "RULE",
     AT(tokens),
     .choices = {"words", "space"},
     .help = "what a word is: a run of letters and digits, or what stands between blanks"},
    {.kind = OPTION_FLAG, .name = "fold-case", AT(corpus.fold_case), .help = "fold upper and lower case together"},
    {.kind = OPTION_U64,
     .name = "min-count",
     .aliases = "minCount",
     .value = "N",
     AT(corpus.min_count),
     WHOLE(1, UINT64_MAX),
     .help = "drop words that occur fewer times"},
    {.kind = OPTION_U32,
     .name = "max-vocab",
     .aliases = "max-final-vocab",
     .value = "N",
     AT(corpus.max_vocab),
     WHOLE(0, UINT32_MAX - 1),
     .help = "keep the N most frequent words only; 0: all"},
    {.kind = OPTION_TEXT,
     .name = "vocab",
     .aliases = "read-vocab",
     .value = "FILE",
     AT(vocab),
     .help = "use the words of FILE (a word and a count a line) instead of counting"},

    {.kind = OPTION_HEADING, .help = "Model and training"},
    {.kind = OPTION_CHOICE,
     .name = "model",
     .value = "NAME",
     AT(model),
     .choices = {"skipgram"},
     .help = "what predicts what"},
    {.kind = OPTION_CHOICE,
     .name = "loss",
     .value = "NAME",
     AT(loss),
     .choices = {"ns"},
     .help = "the objective; ns: negative sampling"},
    {.kind = OPTION_U32,
     .name = "dim",
     .aliases = "size vector-size",
     .value = "N",
     AT(train.dim),
     WHOLE(1, 4096),
     .help = "length of a vector"},
    {.kind = OPTION_U32,
     .name = "window",
     .aliases = "ws",
     .value = "N",
     AT(train.window),
     WHOLE(1, 1000),
     .help = "context words on each side, at most; each centre draws from 1 to N"},
    {.kind = OPTION_U32,
     .name = "negative",
     .aliases = "neg",
     .value = "N",
     AT(train.negative),
     WHOLE(1, 64),
     .help = "noise words for each centre"},
    {.kind = OPTION_REAL,
     .name = "noise-exponent",
     .aliases = "ns-exponent",
     .value = "X",
     AT(train.noise_exponent),
     .real_high = 1,
     .help = "noise is drawn in proportion to count^X"},
    {.kind = OPTION_REAL,
     .name = "sample",
     .aliases = "t",
     .value = "X",
     AT(train.sample),
     .real_high = 1,
     .help = "leave out words more frequent than this share of the text, at random; 0: never"},
    {.kind = OPTION_U32,
     .name = "epochs",
     .aliases = "epoch iter",
     .value = "N",
     AT(train.epochs),
     WHOLE(1, 1000000),
     .help = "passes over the text"},
    {.kind = OPTION_REAL,
     .name = "lr",
     .aliases = "alpha",
     .value = "X",
     AT(train.lr),
     .above_low = true,
     .real_high = 1000,
     .help = "learning rate at the start; it falls to nearly 0 in a straight line"},
    {.kind = OPTION_U64,
     .name = "seed",
     .value = "N",
     AT(train.seed),
     WHOLE(0, UINT64_MAX),
     .help = "another number gives another run"},
    {.kind = OPTION_U32,
     .name = "block-tokens",
     .value = "N",
     AT(train.block_tokens),
     WHOLE(16, 65536),
     .help = "words in a block, the unit of work"},
    {.kind = OPTION_U32,
     .name = "blocks",
     .value = "N",
     AT(train.blocks),
     WHOLE(1, 4096),
     .help = "blocks in a step, after which their changes are merged"},
    {.kind = OPTION_TEXT,
     .name = "kernel",
     .value = "NAME",
     AT(kernel),
     .unset = "the fastest that runs here",
     .help = "numeric kernel; 'vectrail info --kernels' lists them"},
    {.kind = OPTION_INT,
     .name = "threads",
     .aliases = "thread workers",
     .value = "N",
     AT(train.threads),
     WHOLE(1, 1024),
     .unset = "the processors there are",
     .help = "threads; the result does not depend on them"},

    {.kind = OPTION_HEADING, .help = "Recording"},
    {.kind = OPTION_U32,
     .name = "snapshots",
     .value = "N",
     AT(record.snapshots),
     WHOLE(2, 100000),
     .help = "how many times all vectors are kept, start and end included"},
    {.kind = OPTION_FLAG,
     .name = "float32",
     AT(record.float32),
     .help = "keep snapshots in float32; otherwise float16, and the last in float32"},
    {.kind = OPTION_FLAG, .name = "save-output", AT(record.output), .help = "keep the output (context) vectors too"},
    {.kind = OPTION_U32,
     .name = "metrics",
     .value = "N",
     AT(record.metrics),
     WHOLE(1, UINT32_MAX),
     .help = "about how many steps get a row of metrics"},
    {.kind = OPTION_U32,
     .name = "probes",
     .value = "N",
     AT(record.probes),
     WHOLE(1, UINT32_MAX),
     .help = "about how many of those measure loss and gradient on the fixed probe sample"},
    {.kind = OPTION_LIST,
     .name = "watch",
     .value = "WORD,...",
     AT(watch),
     .help = "words whose vectors are kept at every row of metrics; @FILE: the words of a file, one a line"},

    {.kind = OPTION_HEADING, .help = "Switches of other trainers, where they ask for what is done here anyway"},
    {.kind = OPTION_INT,
     .name = "cbow",
     .aside = true,
     .value = "0|1",
     AT(cbow),
     WHOLE(0, 1),
     .unset = "",
     .help = "0: skip-gram; 1 is refused"},
    {.kind = OPTION_INT,
     .name = "sg",
     .aside = true,
     .value = "0|1",
     AT(skipgram),
     WHOLE(0, 1),
     .unset = "",
     .help = "1: skip-gram; 0 is refused"},
    {.kind = OPTION_INT,
     .name = "hs",
     .aside = true,
     .value = "0|1",
     AT(hierarchical),
     WHOLE(0, 1),
     .unset = "",
     .help = "0: no hierarchical softmax; 1 is refused"},
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

/* ---- what the options mean together ------------------------------------------------------------------------------ */

static enum exit_status check_model(void) {
  if (settings.cbow == 1)
    return report_usage("train", "-cbow 1 asks for CBOW, which this version does not train; it trains skip-gram");
  if (settings.skipgram == 0)
    return report_usage("train", "-sg 0 asks for CBOW, which this version does not train; it trains skip-gram");
  if (settings.hierarchical == 1)
    return report_usage("train", "-hs 1 asks for hierarchical softmax, which this version does not train; it trains "
                                 "with negative sampling");
  return EXIT_DONE;
}

/* A name that was never compiled in is wrong usage; one that this processor cannot run is not. */
static enum exit_status check_kernel(void) {
  bool known = settings.kernel == NULL;
  char names[128] = "";
  size_t at = 0;
  for (size_t k = 0; k < vt_kernel_count(); k++) {
    known = known || strcmp(vt_kernel_name(k), settings.kernel) == 0;
    if (at < sizeof names)
      at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", k > 0 ? ", " : "", vt_kernel_name(k));
  }
  if (!known) return report_usage("train", "--kernel is '%.100s'; it must be one of %s", settings.kernel, names);
  struct vt_error error;
  return vt_kernel_resolve(settings.kernel, &settings.kernel, &error) == VT_OK ? EXIT_DONE : report_error(&error);
}

/* Standard input can be read only once. */
static bool reads_stdin_twice(const struct text_list *operands) {
  int standard_inputs = 0;
  for (size_t i = 0; i < operands->count; i++) standard_inputs += strcmp(operands->items[i], "-") == 0;
  return standard_inputs > 1;
}

static enum exit_status check_settings(const struct text_list *operands) {
  if (settings.run == NULL) {
    report("add --run DIR, a folder that will hold the vectors and how they moved",
           "train needs a run folder to write to");
    return EXIT_USAGE;
  }
  if (reads_stdin_twice(operands)) return report_usage("train", "standard input ('-') can be read only once");
  if (settings.binary == 1 && settings.output == NULL)
    return report_usage("train", "--binary 1 says how to write --output FILE, which is not given");
  enum exit_status status = check_model();
  if (status == EXIT_DONE) status = check_kernel();
  /* Better now than after the training. */
  if (status == EXIT_DONE && settings.output != NULL && !export_folder_is_writable(settings.output))
    status = EXIT_FAILED;
  return status;
}

/* ---- around the training ----------------------------------------------------------------------------------------- */

/* What the callbacks share. */
struct scene {
  struct progress progress;
  const struct text_list *watch;
  struct vt_corpus_report corpus;
  size_t vocab_size;
  bool announced;
  /* The first word to watch that the text does not hold, and what may have been meant. */
  const char *absent;
  char suggestion[SUGGESTION_BYTES];
  /* Two words of the run, for the commands that are suggested at the end. */
  char examples[2][64];
};

/* The first words to watch, else the most frequent of some length: those too frequent are function words, which are
 * short in most languages. */
static void choose_examples(struct scene *scene, const struct vt_vocab *vocab) {
  size_t found = 0;
  for (size_t i = 0; i < scene->watch->count && found < 2; i++)
    if (strlen(scene->watch->items[i]) < sizeof scene->examples[0])
      snprintf(scene->examples[found++], sizeof scene->examples[0], "%s", scene->watch->items[i]);
  for (uint32_t id = 0; id < vt_vocab_size(vocab) && found < 2; id++) {
    const char *text = vt_vocab_text(vocab, id);
    size_t bytes = strlen(text);
    if (bytes < 5 || bytes >= sizeof scene->examples[0] || text[0] == '-') continue;
    if (found == 1 && strcmp(scene->examples[0], text) == 0) continue;
    snprintf(scene->examples[found++], sizeof scene->examples[0], "%s", text);
  }
}

static void on_corpus_ready(void *context, const struct vt_corpus_report *corpus, const struct vt_vocab *vocab) {
  struct scene *scene = context;
  scene->corpus = *corpus;
  scene->vocab_size = vt_vocab_size(vocab);
  choose_examples(scene, vocab);
  for (size_t i = 0; i < scene->watch->count && scene->absent == NULL; i++) {
    uint32_t id;
    if (vt_vocab_find(vocab, scene->watch->items[i], &id)) continue;
    scene->absent = scene->watch->items[i];
    words_suggest(vocab, scene->absent, scene->suggestion);
  }
}

/* What was read, and the settings that result; once it is sure that the training begins, so that an error stands
 * alone. */
static void announce(const struct scene *scene) {
  const struct vt_corpus_report *corpus = &scene->corpus;
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  fprintf(stderr, "read %s words, %s different ones, in %s", format_count(corpus->tokens_read, a),
          format_count(corpus->types_read, b), format_seconds(corpus->seconds, c));
  fprintf(stderr, "; training on %s words, %s different ones\n", format_count(corpus->tokens, a),
          format_count(scene->vocab_size, b));
  if (corpus->replaced_bytes > 0)
    fprintf(stderr, "note: %s bytes are not UTF-8, the first of them byte %llu of input %d\n",
            format_count(corpus->replaced_bytes, a), (unsigned long long)corpus->replaced_offset,
            corpus->replaced_input + 1);
  fputs("settings:\n", stderr);
  help_settings(stderr, &command_train);
}

static void on_progress(void *context, const struct vt_train_progress *state) {
  struct scene *scene = context;
  if (!scene->announced && !scene->progress.quiet) {
    progress_clear(&scene->progress);
    announce(scene);
  }
  scene->announced = true;
  progress_training(&scene->progress, state);
}

/* The library's error, or about a word to watch the one with a suggestion. */
static enum exit_status report_training(const struct scene *scene, const struct vt_error *error) {
  if (error->status != VT_ERROR_NOT_FOUND || scene->absent == NULL) return report_error(error);
  report(scene->suggestion, "the word '%.200s' to watch is not in the vocabulary (min-count %llu)", scene->absent,
         (unsigned long long)settings.corpus.min_count);
  return EXIT_FAILED;
}

static void print_result_json(const struct vt_train_result *result) {
  json_t *object = json_new_object();
  json_put(object, "run", json_new_text(settings.run));
  json_put(object, "steps", json_new_count(result->steps));
  json_put(object, "tokens", json_new_count(result->tokens));
  json_put(object, "seconds", json_new_real(result->seconds));
  json_put(object, "words_per_second", json_new_real(result->words_per_second));
  json_put(object, "loss", json_new_real(result->loss));
  json_put(object, "converged", result->converged ? json_true() : json_false());
  json_put(object, "kernel", json_new_text(result->kernel));
  json_print_line(object);
}

static void print_next(const char *command, const char *const *words, size_t count, const char *rest) {
  printf("  vectrail %s ", command);
  print_shell_word(stdout, settings.run);
  for (size_t i = 0; i < count; i++) {
    putchar(' ');
    print_shell_word(stdout, words[i]);
  }
  printf("%s\n", rest);
}

static void print_result(const struct vt_train_result *result, const struct scene *scene) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES], d[NUMBER_TEXT_BYTES];
  printf("trained on %s words in %s (%s words/s): %s steps", format_count(result->tokens, a),
         format_seconds(result->seconds, b), format_rate(result->words_per_second, c), format_count(result->steps, d));
  if (!isnan(result->loss))
    printf(", loss %.4f on the probe, %s", result->loss, result->converged ? "settled" : "not settled yet");
  printf("\nrun folder: ");
  print_clean(stdout, settings.run);
  printf("\n\n%snext%s\n", terminal_style(stdout, STYLE_BOLD), terminal_style(stdout, STYLE_PLAIN));
  const char *words[] = {scene->examples[0], scene->examples[1]};
  print_next("info", NULL, 0, "");
  if (words[0][0] != '\0') print_next("neighbors", words, 1, "");
  if (words[1][0] != '\0') print_next("similarity", words, 2, " --over-time");
}

static enum exit_status write_output(void) {
  enum vt_export_format format = VT_EXPORT_W2V_TEXT;
  if (settings.binary == 1)
    format = VT_EXPORT_W2V_BINARY;
  else
    export_format_guess(settings.output, &format);
  struct view view;
  enum exit_status status = view_open(&view, settings.run, VT_STEP_LAST);
  if (status != EXIT_DONE) return status;
  struct vt_error error;
  if (vt_export(view.vectors, format, settings.output, &error) != VT_OK) status = report_error(&error);
  view_close(&view);
  return status;
}

static enum exit_status load_inputs(struct text_list *watch, struct vt_vocab **vocab) {
  bool words_rule = settings.tokens == (int)VT_TOKENS_WORDS;
  if (!watch_words_read(&settings.watch, words_rule, settings.corpus.fold_case, watch)) return EXIT_FAILED;
  struct vt_error error;
  if (settings.vocab != NULL && vt_vocab_load(settings.vocab, vocab, &error) != VT_OK) return report_error(&error);
  return EXIT_DONE;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  enum exit_status status = check_settings(operands);
  if (status != EXIT_DONE) return status;
  struct text_list watch = {0};
  struct vt_vocab *vocab = NULL;
  status = load_inputs(&watch, &vocab);
  if (status != EXIT_DONE) return status;

  struct scene scene = {.watch = &watch};
  progress_init(&scene.progress, common->quiet);
  struct vt_train_request request = {
      .inputs = operands->items,
      .input_count = operands->count,
      .run_path = settings.run,
      .force = settings.force,
      .corpus = settings.corpus,
      .train = settings.train,
      .record = settings.record,
      .progress = on_progress,
      .progress_context = &scene,
      .corpus_ready = on_corpus_ready,
      .corpus_ready_context = &scene,
      .interrupt = &interrupt_flag,
  };
  request.corpus.tokens = (enum vt_token_rule)settings.tokens;
  request.corpus.threads = settings.train.threads;
  request.corpus.vocab = vocab;
  request.corpus.progress = progress_reading;
  request.corpus.progress_context = &scene.progress;
  request.train.model = (enum vt_model)settings.model;
  request.train.loss = (enum vt_loss)settings.loss;
  request.train.kernel = settings.kernel;
  request.record.watch = watch.items;
  request.record.watch_count = watch.count;

  struct vt_train_result result;
  struct vt_error error;
  interrupt_defer();
  enum vt_status trained = vt_train(&request, &result, &error);
  progress_clear(&scene.progress);
  vt_vocab_free(vocab);
  if (trained != VT_OK) return report_training(&scene, &error);
  if (settings.output != NULL) status = write_output();
  if (status != EXIT_DONE) return status;
  if (settings.json)
    print_result_json(&result);
  else if (!common->quiet)
    print_result(&result, &scene);
  return EXIT_DONE;
}

const struct command command_train = {
    .name = "train",
    .operands = "CORPUS... --run DIR [options]",
    .summary = "train word vectors from text into a run folder",
    .about = "Reads UTF-8 text, a sentence a line, from files or standard input (-), plain or compressed with gzip, "
             "zstd or xz, and trains a vector for each word. The same text, settings and seed give the same bits, "
             "whatever the number of threads.",
    .example = "vectrail train text.txt --run runs/first --epochs 10",
    .options = options,
    .option_count = OPTION_COUNT,
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = SIZE_MAX,
    .operands_missing = "train needs a corpus: a file of text, or - for standard input",
    .run = run,
};

/* cmd_cooccur.c: vectrail cooccur, the counts of which words meet, as a file. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "progress.h"
#include "report.h"
#include "shared_options.h"
#include "size.h"
#include "terminal.h"
#include "vectrail/cooccur.h"

static struct cooccur_settings {
  const char *output;
  bool json;
  bool one_sided;
  int tokens, weight;
  const char *vocab;
  const char *memory;
  struct vt_corpus_options corpus;
  struct vt_cooccur_options count;
} settings;

static void prepare(void) {
  settings = (struct cooccur_settings){0};
  vt_corpus_options_init(&settings.corpus);
  vt_cooccur_options_init(&settings.count);
}

#define AT(field) .offset = offsetof(struct cooccur_settings, field)
#define WHOLE(from, to) .low = (from), .high = (to)

static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "output",
     .letter = "o",
     .value = "FILE",
     AT(output),
     .help = "the file to write, .db (SQLite) or .npz (SciPy); required"},
    SHARED_WINDOW(AT(count.window), .help = "words on each side"),
    {.kind = OPTION_CHOICE,
     .name = "weight",
     .value = "NAME",
     AT(weight),
     .choices = {"distance", "linear", "flat"},
     .help = "what two words n apart count: distance: 1/n; linear: (window + 1 - n) / window; flat: 1"},
    SHARED_SAMPLE(AT(count.sample), .help = "with --weight linear, count as if words more frequent than this share of "
                                            "the text were left out at random; 0: never"),
    {.kind = OPTION_FLAG, .name = "one-sided", AT(one_sided), .help = "count only the words that stand before a word"},
    SHARED_RULES(tokens, corpus),
    SHARED_VOCAB(AT(vocab)),
    SHARED_MEMORY(AT(memory),
                  .help = "what counting may take, such as 500M; the rest waits on disk, and the result is the same"),
    SHARED_THREADS(AT(count.threads)),
    SHARED_JSON(AT(json)),
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

static enum exit_status check_settings(const struct text_list *operands) {
  struct vt_error error;
  int standard_inputs = 0;
  for (size_t k = 0; k < operands->count; k++) standard_inputs += strcmp(operands->items[k], "-") == 0;
  if (settings.output == NULL) return report_usage("cooccur", "cooccur needs a file to write to, -o FILE");
  if (vt_cooccur_check_path(settings.output, &error) != VT_OK) {
    report(error.help, "%s", error.message);
    return EXIT_USAGE;
  }
  if (standard_inputs > 1) return report_usage("cooccur", "standard input ('-') can be read only once");
  if (settings.memory != NULL && !size_parse(settings.memory, &settings.count.memory_bytes))
    return report_usage("cooccur", "--memory is '%.100s'; it must be a size such as 500M or 4G", settings.memory);
  settings.corpus.tokens = (enum vt_token_rule)settings.tokens;
  settings.count.weight = (enum vt_cooccur_weight)settings.weight;
  settings.count.sides = settings.one_sided ? VT_COOCCUR_LEFT : VT_COOCCUR_BOTH;
  if (settings.count.sample > 0 && (settings.count.weight != VT_COOCCUR_LINEAR || settings.one_sided))
    return report_usage("cooccur", "--sample goes with --weight linear on both sides");
  return EXIT_DONE;
}

static void tell(const struct vt_cooccur *counts, const struct vt_corpus_report *read,
                 const struct vt_cooccur_report *counted) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  if (settings.json) {
    json_t *object = json_new_object();
    json_put(object, "output", json_new_text(settings.output));
    json_put(object, "tokens", json_new_count(read->tokens));
    json_put(object, "vocabulary", json_new_count(vt_cooccur_words(counts)));
    json_put(object, "pairs", json_new_count(counted->pairs));
    json_put(object, "total", json_new_real(counted->total));
    json_put(object, "scale", json_new_count(vt_cooccur_scale(counts)));
    json_put(object, "runs", json_new_count(counted->runs));
    json_put(object, "reading_seconds", json_new_real(read->seconds));
    json_put(object, "counting_seconds", json_new_real(counted->seconds));
    json_print_line(object);
    return;
  }
  printf("%s pairs of %s words", format_count(counted->pairs, a), format_count(vt_cooccur_words(counts), b));
  printf(", counted in %s", format_seconds(counted->seconds, c));
  if (counted->runs > 1) printf(", in %s runs", format_count(counted->runs, c));
  printf("\nwritten to ");
  print_clean(stdout, settings.output);
  putchar('\n');
}

static enum exit_status count_and_save(const struct vt_vocab *vocab, const struct vt_corpus *corpus,
                                       const struct vt_corpus_report *read, bool quiet) {
  struct vt_cooccur *counts;
  struct vt_cooccur_report counted;
  struct vt_error error;
  settings.count.vocab = vocab;
  settings.count.rules = &settings.corpus;
  settings.count.interrupt = &interrupt_flag;
  if (vt_cooccur_count(corpus, &settings.count, &counts, &counted, &error) != VT_OK) return report_error(&error);
  enum exit_status status = EXIT_DONE;
  if (vt_cooccur_save(counts, vocab, settings.output, &error) != VT_OK) status = report_error(&error);
  if (status == EXIT_DONE && (settings.json || !quiet)) tell(counts, read, &counted);
  vt_cooccur_free(counts);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  enum exit_status status = check_settings(operands);
  if (status != EXIT_DONE) return status;
  struct vt_vocab *given = NULL, *vocab;
  struct vt_corpus *corpus;
  struct vt_corpus_report read;
  struct vt_error error;
  struct progress progress;
  progress_init(&progress, common->quiet);
  if (settings.vocab != NULL && vt_vocab_load(settings.vocab, &given, &error) != VT_OK) return report_error(&error);
  settings.corpus.vocab = given;
  settings.corpus.threads = settings.count.threads;
  settings.corpus.progress = progress_reading;
  settings.corpus.progress_context = &progress;
  settings.corpus.interrupt = &interrupt_flag;
  interrupt_defer();
  enum vt_status encoded =
      vt_corpus_encode_unnamed(operands->items, operands->count, &settings.corpus, &vocab, &corpus, &read, &error);
  progress_clear(&progress);
  vt_vocab_free(given);
  if (encoded != VT_OK) return report_error(&error);
  status = count_and_save(vocab, corpus, &read, common->quiet);
  vt_corpus_free(corpus);
  vt_vocab_free(vocab);
  return status;
}

const struct command command_cooccur = {
    .name = "cooccur",
    .operands = "CORPUS... -o FILE [options]",
    .summary = "count which words stand near each other",
    .about = "Counts how often each word of a text stands near each other one, weighted by distance, and writes the "
             "counts as an SQLite database or as a sparse matrix that SciPy reads. They are exact: the same at any "
             "number of threads and any limit of memory.",
    .example = "vectrail cooccur text.txt -o counts.npz --window 10",
    .options = options,
    .option_count = OPTION_COUNT,
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = SIZE_MAX,
    .operands_missing = "cooccur needs a corpus: a file of text, or - for standard input",
    .run = run,
};

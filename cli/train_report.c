/*
 * train_report.c: what a training tells, from the text that was read to the commands to try next.
 *
 * The callbacks run between the steps of the training, on its thread. Nothing is printed before the first step is
 * sure to come, so that an error in the text or the settings stands alone.
 */
#define _POSIX_C_SOURCE 200809L

#include "train_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "help.h"
#include "json.h"
#include "report.h"
#include "terminal.h"

/* The first words to watch, else the most frequent of some length: those too frequent are function words, which are
 * short in most languages. */
static void choose_examples(struct train_report *told, const struct vt_vocab *vocab) {
  size_t found = 0;
  for (size_t i = 0; i < told->watch->count && found < 2; i++)
    if (strlen(told->watch->items[i]) < sizeof told->examples[0])
      snprintf(told->examples[found++], sizeof told->examples[0], "%s", told->watch->items[i]);
  for (uint32_t id = 0; id < vt_vocab_size(vocab) && found < 2; id++) {
    const char *text = vt_vocab_text(vocab, id);
    size_t bytes = strlen(text);
    if (bytes < 5 || bytes >= sizeof told->examples[0] || text[0] == '-') continue;
    if (found == 1 && strcmp(told->examples[0], text) == 0) continue;
    snprintf(told->examples[found++], sizeof told->examples[0], "%s", text);
  }
}

void train_report_corpus(void *context, const struct vt_corpus_report *corpus, const struct vt_vocab *vocab) {
  struct train_report *told = context;
  told->corpus = *corpus;
  told->vocab_size = vt_vocab_size(vocab);
  choose_examples(told, vocab);
}

/* What was read, and the settings that result; once it is sure that the training begins, so that an error stands
 * alone. */
static void announce(const struct train_report *told) {
  const struct vt_corpus_report *corpus = &told->corpus;
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  if (corpus->tokens_read > 0)
    fprintf(stderr, "read %s words, %s different ones, in %s; ", format_count(corpus->tokens_read, a),
            format_count(corpus->types_read, b), format_seconds(corpus->seconds, c));
  fprintf(stderr,
          corpus->tokens_read > 0 ? "training on %s words, %s different ones"
                                  : "training on the counts of %s words, %s different ones",
          format_count(corpus->tokens, a), format_count(told->vocab_size, b));
  if (corpus->phrases > 0) fprintf(stderr, ", %s of them phrases", format_count(corpus->phrases, c));
  fputc('\n', stderr);
  if (corpus->replaced_bytes > 0)
    fprintf(stderr, "note: %s bytes are not UTF-8, the first of them byte %llu of input %d\n",
            format_count(corpus->replaced_bytes, a), (unsigned long long)corpus->replaced_offset,
            corpus->replaced_input + 1);
  fputs("settings:\n", stderr);
  help_settings(stderr, told->command, told->without);
}

static void announce_resumed(const struct train_report *told, const struct vt_train_progress *state) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES];
  fprintf(stderr, "going on at step %s of %s, in epoch %lu of %lu", format_count(state->step, a),
          format_count(state->steps, b), (unsigned long)state->epoch, (unsigned long)state->epochs);
  fprintf(stderr, ", on %s words, ", format_count(told->corpus.tokens, c));
  fprintf(stderr, "%s different ones\n", format_count(told->vocab_size, a));
}

void train_report_progress(void *context, const struct vt_train_progress *state) {
  struct train_report *told = context;
  if (!told->announced && !told->progress.quiet) {
    progress_clear(&told->progress);
    if (told->command != NULL)
      announce(told);
    else
      announce_resumed(told, state);
  }
  told->announced = true;
  progress_training(&told->progress, state);
}

enum exit_status train_report_error(const struct train_report *told, const struct vt_train_result *result,
                                    const struct vt_error *error) {
  char *help = NULL;
  size_t bytes;
  FILE *stream = NULL;
  if (result->resumable) stream = open_memstream(&help, &bytes);
  if (stream != NULL) {
    const char *first = error->help;
    if (first[0] == '\0' && error->status != VT_ERROR_INTERRUPTED) first = "once that is put right";
    fprintf(stream, "%s%sgo on with: vectrail resume ", first, first[0] == '\0' ? "" : ", ");
    print_shell_word(stream, told->run);
  }
  return report_error_with(error, stream, &help, &bytes);
}

void train_report_json(const struct train_report *told, const struct vt_train_result *result) {
  json_t *object = json_new_object();
  json_put(object, "run", json_new_text(told->run));
  json_put(object, "steps", json_new_count(result->steps));
  json_put(object, "first_step", json_new_count(result->first_step));
  json_put(object, "tokens", json_new_count(result->tokens));
  json_put(object, "seconds", json_new_real(result->seconds));
  json_put(object, "words_per_second", json_new_real(result->words_per_second));
  json_put(object, "loss", json_new_real(result->loss));
  json_put(object, "converged", result->converged ? json_true() : json_false());
  json_put(object, "converged_step", result->converged ? json_new_count(result->converged_step) : json_null());
  json_put(object, "kernel", json_new_text(result->kernel));
  if (result->ledger_bytes > 0) json_put(object, "ledger_bytes", json_new_count(result->ledger_bytes));
  if (told->command != NULL) { /* a run that is gone on with is not read again */
    json_put(object, "text_bytes", json_new_count(told->corpus.text_bytes));
    json_put(object, "reading_seconds", json_new_real(told->corpus.seconds));
    json_put(object, "vocabulary", json_new_count(told->vocab_size));
  }
  json_print_line(object);
}

static void print_next(const char *run, const char *command, const char *const *words, size_t count, const char *rest) {
  printf("  vectrail %s ", command);
  print_shell_word(stdout, run);
  for (size_t i = 0; i < count; i++) {
    putchar(' ');
    print_shell_word(stdout, words[i]);
  }
  printf("%s\n", rest);
}

void train_report_result(const struct train_report *told, const struct vt_train_result *result) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES], c[NUMBER_TEXT_BYTES], d[NUMBER_TEXT_BYTES];
  if (result->first_step == result->steps && !told->announced) fputs("finished already; nothing was done\n", stdout);
  printf("trained on %s words in %s (%s words/s): %s steps", format_count(result->tokens, a),
         format_seconds(result->seconds, b), format_rate(result->words_per_second, c), format_count(result->steps, d));
  if (!isnan(result->loss))
    printf(", loss %.4f on the probe, %s", result->loss, result->converged ? "converged" : "not converged");
  if (result->converged) printf(" (at step %s)", format_count(result->converged_step, a));
  if (result->ledger_bytes > 0)
    printf("\nthe ledger took up to %s bytes of memory", format_count(result->ledger_bytes, a));
  printf("\nrun folder: ");
  print_clean(stdout, told->run);
  printf("\n\n%snext%s\n", terminal_style(stdout, STYLE_BOLD), terminal_style(stdout, STYLE_PLAIN));
  const char *words[] = {told->examples[0], told->examples[1]};
  print_next(told->run, "info", NULL, 0, "");
  if (words[0][0] != '\0') print_next(told->run, "neighbors", words, 1, "");
  if (words[1][0] != '\0') print_next(told->run, "similarity", words, 2, " --over-time");
  if (told->ledger != NULL && told->ledger->count > 0) print_next(told->run, "explain", told->ledger->items, 1, "");
}

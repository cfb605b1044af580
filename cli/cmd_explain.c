/* cmd_explain.c: vectrail explain: what gave a word its place, as an exact sum. */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "words.h"
#include "vectrail/ledger.h"

static struct explain_settings {
  const char *toward;
  bool centered;
  int by;
  uint64_t count;
  bool over_time;
  uint64_t step;
  bool json;
} settings;

static void prepare(void) { settings = (struct explain_settings){.count = 20, .step = VT_STEP_LAST}; }

#define AT(field) .offset = offsetof(struct explain_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "toward",
     .value = "OTHER",
     AT(toward),
     .help = "explain the cosine with this word; without it, the way from the start to the end"},
    {.kind = OPTION_FLAG,
     .name = "centered",
     .aliases = "centred",
     AT(centered),
     .help = "with --toward, explain how much nearer it is than the mean of all words: leaves out what all share"},
    {.kind = OPTION_CHOICE,
     .name = "by",
     .value = "WHAT",
     AT(by),
     .choices = {"source", "word", "role", "document"},
     .help = "sum by the words that moved it and how, by words alone, by how alone, or by the lines of the text"},
    {.kind = OPTION_U64,
     .name = "count",
     .letter = "k",
     .value = "N",
     AT(count),
     .high = UINT32_MAX,
     .help = "sources to show; the others are summed in 'rest'; 0: all"},
    {.kind = OPTION_FLAG, .name = "over-time", AT(over_time), .help = "when each came, by span of the training"},
    {.kind = OPTION_U64,
     .name = "step",
     .value = "S",
     AT(step),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "explain the vector as it was at the last end of a span up to step S"},
    SHARED_JSON(AT(json)),
};

/* What is printed of an explanation. */
struct told {
  const struct view *view;
  uint32_t word, toward;
  const struct vt_explanation *explanation;
  size_t shown;
  double rest;
};

static struct told tell(const struct view *view, uint32_t word, uint32_t toward,
                        const struct vt_explanation *explanation) {
  struct told told = {.view = view, .word = word, .toward = toward, .explanation = explanation};
  told.shown = settings.count > 0 && settings.count < explanation->count ? (size_t)settings.count : explanation->count;
  told.rest = explanation->others;
  for (size_t i = told.shown; i < explanation->count; i++) told.rest += explanation->contributions[i].contribution;
  return told;
}

/* The part of the whole that a contribution is. */
static double share_of(const struct vt_explanation *explanation, double contribution) {
  double whole = settings.toward == NULL ? 1 : explanation->cosine - explanation->baseline;
  return whole == 0 ? NAN : contribution / whole;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------
 */

static json_t *spans_json(const double *values, size_t count) {
  json_t *list = json_new_array();
  for (size_t i = 0; i < count; i++) json_push(list, json_new_real(values[i]));
  return list;
}

/* Where a line of the text stands and what it says; of decay and the like there is none. */
static void put_document(json_t *object, const struct told *told, const struct vt_contribution *contribution) {
  struct vt_document document;
  if (strcmp(contribution->role, "document") != 0) return;
  json_put(object, "document", json_new_count((uint64_t)contribution->source));
  if (vt_run_document(told->view->run, (uint64_t)contribution->source, &document, NULL) != VT_OK) return;
  json_put(object, "file", json_new_text(document.file));
  json_put(object, "line", json_new_count(document.line));
  json_put(object, "text", json_new_text(document.text));
  vt_document_release(&document);
}

static json_t *source_json(const struct told *told, const struct vt_contribution *contribution) {
  json_t *object = json_new_object();
  if (settings.by == VT_EXPLAIN_BY_SOURCE || settings.by == VT_EXPLAIN_BY_WORD)
    json_put(object, "word", json_new_text(vt_vocab_text(told->view->vocab, (uint32_t)contribution->source)));
  if (settings.by == VT_EXPLAIN_BY_ROLE || settings.by == VT_EXPLAIN_BY_DOCUMENT) json_put(object, "word", json_null());
  if (settings.by == VT_EXPLAIN_BY_DOCUMENT) put_document(object, told, contribution);
  json_put(object, "role", json_new_text(contribution->role));
  json_put(object, "contribution", json_new_real(contribution->contribution));
  json_put(object, "share", json_new_real(share_of(told->explanation, contribution->contribution)));
  json_put(object, "updates", json_new_count(contribution->updates));
  if (settings.over_time)
    json_put(object, "over_time", spans_json(contribution->over_time, told->explanation->span_count));
  return object;
}

static void print_json(const struct told *told) {
  const struct vt_explanation *explanation = told->explanation;
  json_t *object = json_new_object(), *sources = json_new_array(), *spans = json_new_array();
  json_put(object, "word", json_new_text(vt_vocab_text(told->view->vocab, told->word)));
  json_put(object, "toward",
           settings.toward == NULL ? json_null() : json_new_text(vt_vocab_text(told->view->vocab, told->toward)));
  json_put(object, "step", json_new_count(explanation->step));
  json_put(object, "cosine", json_new_real(explanation->cosine));
  json_put(object, "baseline", json_new_real(explanation->baseline));
  json_put(object, "start", json_new_real(explanation->start));
  json_put(object, "start_step", json_new_count(explanation->start_step));
  for (size_t i = 0; i < told->shown; i++) json_push(sources, source_json(told, &explanation->contributions[i]));
  json_put(object, "sources", sources);
  json_put(object, "rest", json_new_real(told->rest));
  json_put(object, "others", json_new_real(explanation->others));
  json_put(object, "displacement", json_new_real(explanation->displacement));
  json_put(object, "length", json_new_real(explanation->length));
  json_put(object, "residual", json_new_real(explanation->residual));
  for (size_t i = 0; i < explanation->span_count; i++) json_push(spans, json_new_count(explanation->spans[i]));
  json_put(object, "spans", spans);
  json_print_line(object);
}

/* ---- for people ---------------------------------------------------------------------------------------------------
 */

enum { SOURCE_COLUMNS = 18, ROLE_COLUMNS = 10, SPARK_COLUMNS = 20, TEXT_BYTES = 100 };

static void print_heading(const struct told *told) {
  const struct vt_explanation *explanation = told->explanation;
  char step[NUMBER_TEXT_BYTES];
  fputs(terminal_style(stdout, STYLE_BOLD), stdout);
  print_clean(stdout, vt_vocab_text(told->view->vocab, told->word));
  if (settings.toward != NULL) {
    fputs(" toward ", stdout);
    print_clean(stdout, vt_vocab_text(told->view->vocab, told->toward));
  }
  fputs(terminal_style(stdout, STYLE_PLAIN), stdout);
  if (settings.toward != NULL) printf("  cosine %.4f", explanation->cosine);
  printf("  (step %s; |v| %.3f, %.3f from its start)\n", format_count(explanation->step, step), explanation->length,
         explanation->displacement);
}

static void print_line(const struct told *told, const char *source, const char *role, double contribution,
                       const struct vt_contribution *whole) {
  char updates[NUMBER_TEXT_BYTES] = "";
  if (whole != NULL) format_count(whole->updates, updates);
  fputs("  ", stdout);
  if (settings.by != VT_EXPLAIN_BY_ROLE) {
    print_cell(stdout, source, SOURCE_COLUMNS, false);
    putchar(' ');
  }
  print_cell(stdout, role, ROLE_COLUMNS, false);
  printf(" %+9.4f %7.1f%% %12s", contribution, 100 * share_of(told->explanation, contribution), updates);
  if (settings.over_time && whole != NULL) {
    printf("  %s", terminal_style(stdout, STYLE_ACCENT));
    print_sparkline(stdout, whole->over_time, told->explanation->span_count, SPARK_COLUMNS);
    fputs(terminal_style(stdout, STYLE_PLAIN), stdout);
  }
  putchar('\n');
}

/* The first words of a text, up to so many bytes. */
static void print_beginning(const char *text, size_t bytes) {
  size_t length = strlen(text);
  if (length > bytes) {
    length = bytes;
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
  }
  print_clean_bytes(stdout, text, length);
  if (text[length] != '\0') fputs("...", stdout);
}

/* A line of the text, and what it gave. */
static void print_document_line(const struct told *told, const struct vt_contribution *at) {
  char updates[NUMBER_TEXT_BYTES], number[NUMBER_TEXT_BYTES];
  struct vt_document document = {0};
  bool is_document = strcmp(at->role, "document") == 0;
  bool kept = is_document && vt_run_document(told->view->run, (uint64_t)at->source, &document, NULL) == VT_OK;
  printf("  %+9.4f %7.1f%% %8s ", at->contribution, 100 * share_of(told->explanation, at->contribution),
         format_count(at->updates, updates));
  if (settings.over_time) {
    fputs(terminal_style(stdout, STYLE_ACCENT), stdout);
    print_sparkline(stdout, at->over_time, told->explanation->span_count, SPARK_COLUMNS);
    printf("%s ", terminal_style(stdout, STYLE_PLAIN));
  }
  if (!is_document) {
    printf("%9s  (%s)\n", "", at->role);
    return;
  }
  printf("%9s  ", kept ? format_count(document.line, number) : "");
  if (kept)
    print_beginning(document.text, TEXT_BYTES);
  else
    printf("(sentence %s)", format_count((uint64_t)at->source, number));
  putchar('\n');
  vt_document_release(&document);
}

static void print_sum_line(const struct told *told, const char *what, double contribution) {
  printf("  %+9.4f %7.1f%% %8s %9s  (%s)\n", contribution, 100 * share_of(told->explanation, contribution), "", "",
         what);
}

static void print_documents(const struct told *told) {
  const struct vt_explanation *explanation = told->explanation;
  printf("%s  %9s %8s %8s ", terminal_style(stdout, STYLE_DIM), settings.toward != NULL ? "gave" : "share", "",
         "updates");
  if (settings.over_time) printf("%-*s ", SPARK_COLUMNS, "when");
  printf("%9s  text%s\n", "line", terminal_style(stdout, STYLE_PLAIN));
  if (settings.toward != NULL) print_sum_line(told, "its start", explanation->start);
  for (size_t i = 0; i < told->shown; i++) print_document_line(told, &explanation->contributions[i]);
  if (told->shown < explanation->count || explanation->others != 0) print_sum_line(told, "the rest", told->rest);
}

static void print_columns(void) {
  fputs(terminal_style(stdout, STYLE_DIM), stdout);
  fputs("  ", stdout);
  if (settings.by != VT_EXPLAIN_BY_ROLE) {
    print_cell(stdout, "source", SOURCE_COLUMNS, false);
    putchar(' ');
  }
  print_cell(stdout, "role", ROLE_COLUMNS, false);
  printf(" %9s %8s %12s%s", settings.toward != NULL ? "gave" : "share", "", "updates",
         settings.over_time ? "  when" : "");
  printf("%s\n", terminal_style(stdout, STYLE_PLAIN));
}

/* The line's place in the text. */
static void print_document(const struct told *told, const struct vt_contribution *contribution) {
  struct vt_document document;
  if (vt_run_document(told->view->run, (uint64_t)contribution->source, &document, NULL) != VT_OK) {
    printf("sentence %lld", (long long)contribution->source);
    return;
  }
  printf("line %llu", (unsigned long long)document.line);
  vt_document_release(&document);
}

/* What came in each span, and the source that gave the most of it. */
static void print_spans(const struct told *told) {
  const struct vt_explanation *explanation = told->explanation;
  char from[NUMBER_TEXT_BYTES], to[NUMBER_TEXT_BYTES];
  printf("  %s%21s %9s  %s%s\n", terminal_style(stdout, STYLE_DIM), "steps", "gave", "most of it",
         terminal_style(stdout, STYLE_PLAIN));
  for (size_t s = 0; s < explanation->span_count; s++) {
    double sum = 0;
    const struct vt_contribution *most = NULL;
    for (size_t i = 0; i < explanation->count; i++) {
      const struct vt_contribution *at = &explanation->contributions[i];
      sum += at->over_time[s];
      if (most == NULL || fabs(at->over_time[s]) > fabs(most->over_time[s])) most = at;
    }
    printf("  %9s to %8s %+9.4f", format_count(s == 0 ? explanation->start_step : explanation->spans[s - 1], from),
           format_count(explanation->spans[s], to), sum);
    if (most != NULL) {
      printf("  ");
      if (settings.by == VT_EXPLAIN_BY_SOURCE || settings.by == VT_EXPLAIN_BY_WORD)
        print_clean(stdout, vt_vocab_text(told->view->vocab, (uint32_t)most->source));
      if (settings.by == VT_EXPLAIN_BY_DOCUMENT && strcmp(most->role, "document") == 0)
        print_document(told, most);
      else
        printf(" %s", most->role);
      printf(" %+.4f", most->over_time[s]);
    }
    putchar('\n');
  }
}

static void print_sources(const struct told *told) {
  const struct vt_explanation *explanation = told->explanation;
  print_columns();
  if (settings.toward != NULL) print_line(told, "(its start)", "start", explanation->start, NULL);
  for (size_t i = 0; i < told->shown; i++) {
    const struct vt_contribution *at = &explanation->contributions[i];
    const char *source =
        settings.by == VT_EXPLAIN_BY_ROLE ? "" : vt_vocab_text(told->view->vocab, (uint32_t)at->source);
    print_line(told, source, at->role, at->contribution, at);
  }
  if (told->shown < explanation->count || explanation->others != 0)
    print_line(told, "(the rest)", settings.by == VT_EXPLAIN_BY_ROLE ? "rest" : "", told->rest, NULL);
}

static void print_table(const struct told *told) {
  const struct vt_explanation *explanation = told->explanation;
  print_heading(told);
  if (settings.centered)
    printf("  the mean of its cosines with all words is %.4f; what it is above that came from\n",
           explanation->baseline);
  if (settings.by == VT_EXPLAIN_BY_DOCUMENT)
    print_documents(told);
  else
    print_sources(told);
  if (settings.over_time) print_spans(told);
  if (!isnan(explanation->residual))
    printf("  %sv(T) = v(0) + the sum of its updates, to %.0e of the way%s\n", terminal_style(stdout, STYLE_DIM),
           explanation->residual, terminal_style(stdout, STYLE_PLAIN));
}

/* ---- the command --------------------------------------------------------------------------------------------------
 */

/* A word without a ledger: the command that makes one. */
static enum exit_status report_no_ledger(const char *run, const char *word, const struct vt_error *error) {
  char *help = NULL;
  size_t bytes;
  FILE *stream = open_memstream(&help, &bytes);
  if (stream == NULL) return report_error(error);
  fputs("make one, the training stays as it is: vectrail replay ", stream);
  print_shell_word(stream, run);
  fputs(" --ledger ", stream);
  print_shell_word(stream, word);
  if (settings.by == VT_EXPLAIN_BY_DOCUMENT) fputs(" --by document", stream);
  return report_error_with(error, stream, &help, &bytes);
}

static enum exit_status explain(const struct view *view, const char *run, uint32_t word, uint32_t toward) {
  const struct vt_explain_request request = {.word = word,
                                             .has_toward = settings.toward != NULL,
                                             .toward = toward,
                                             .centered = settings.centered,
                                             .by = (enum vt_explain_by)settings.by,
                                             .step = settings.step};
  struct vt_explanation *explanation;
  struct vt_error error;
  enum vt_status status = vt_explain(view->run, &request, &explanation, &error);
  if (status == VT_ERROR_EMPTY) return report_no_ledger(run, vt_vocab_text(view->vocab, word), &error);
  if (status != VT_OK) return report_error(&error);
  struct told told = tell(view, word, toward, explanation);
  if (settings.json)
    print_json(&told);
  else
    print_table(&told);
  vt_explanation_free(explanation);
  return EXIT_DONE;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct view view;
  if (settings.centered && settings.toward == NULL)
    return report_usage("explain", "--centered says how to explain a cosine; name the other word with --toward");
  enum exit_status status = view_open(&view, operands->items[0], VT_STEP_LAST);
  if (status != EXIT_DONE) return status;
  uint32_t word, toward = 0;
  if (!view_find(&view, operands->items[1], &word) ||
      (settings.toward != NULL && !view_find(&view, settings.toward, &toward)))
    status = EXIT_FAILED;
  else
    status = explain(&view, operands->items[0], word, toward);
  view_close(&view);
  return status;
}

const struct command command_explain = {
    .name = "explain",
    .operands = "DIR WORD [--toward OTHER] [options]",
    .summary = "what gave a word its place: a cosine as an exact sum over what moved the vector",
    .about = "Prints what every word that drew the vector of WORD or pushed it away gave to its cosine with OTHER, "
             "largest first: start, sources and rest sum to the cosine. Without --toward it says the same of the way "
             "that the vector went. Needs a ledger of WORD: 'train --ledger WORD' keeps one, 'replay' makes one "
             "afterwards.",
    .example = "vectrail explain runs/first king --toward queen",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 2,
    .operands_high = 2,
    .operands_missing = "explain needs a run folder and a word",
    .run = run,
};

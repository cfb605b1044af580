/*
 * cmd_eval.c: vectrail eval.
 *
 * One score is taken for each test and each snapshot asked for: the last, one of them, or all. Scores are kept until
 * all are there, so that a test file that turns out to be damaged leaves no half of a report behind.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "words.h"
#include "vectrail/eval.h"
#include "vectrail/train.h"

static struct eval_settings {
  struct text_list similarity;
  const char *analogy;
  uint64_t restrict_rows;
  bool over_time;
  uint64_t step;
  int threads;
  bool json;
} settings;

static void prepare(void) {
  struct vt_train_options train;
  vt_train_options_init(&train);
  settings = (struct eval_settings){.restrict_rows = 30000, .step = VT_STEP_LAST, .threads = train.threads};
}

#define AT(field) .offset = offsetof(struct eval_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_LIST_ALL,
     .name = "similarity",
     .value = "FILE...",
     AT(similarity),
     .help = "word pairs with people's scores: two words and a number a line"},
    {.kind = OPTION_TEXT,
     .name = "analogy",
     .value = "FILE",
     AT(analogy),
     .help = "analogy questions in word2vec's format: four words a line, ': section' lines between"},
    {.kind = OPTION_U64,
     .name = "restrict",
     .value = "N",
     AT(restrict_rows),
     .high = UINT64_MAX,
     .help = "answer analogies among the N most frequent words; 0: all"},
    {.kind = OPTION_FLAG, .name = "over-time", AT(over_time), .help = "the scores at every snapshot, too"},
    {.kind = OPTION_U64,
     .name = "step",
     .value = "S",
     AT(step),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "the snapshot at step S, or the last one before it"},
    SHARED_THREADS(AT(threads)),
    SHARED_JSON(AT(json)),
};

/* The scores of one snapshot. */
struct scores {
  uint64_t step;
  struct vt_eval_similarity *similarity; /* settings.similarity.count */
  struct vt_eval_analogy analogy;        /* where settings.analogy is given */
};

static enum exit_status take_scores(const struct vt_vectors *vectors, struct scores *scores) {
  struct vt_error error;
  size_t files = settings.similarity.count;
  *scores = (struct scores){.step = vectors->step, .similarity = cli_alloc(files, sizeof *scores->similarity)};
  for (size_t i = 0; i < files; i++)
    if (vt_eval_similarity(vectors, settings.similarity.items[i], &scores->similarity[i], &error) != VT_OK)
      return report_error(&error);
  if (settings.analogy == NULL) return EXIT_DONE;
  size_t restrict_rows = settings.restrict_rows < vectors->rows ? (size_t)settings.restrict_rows : 0;
  if (vt_eval_analogy(vectors, settings.analogy, restrict_rows, settings.threads, &scores->analogy, &error) != VT_OK)
    return report_error(&error);
  return EXIT_DONE;
}

static void release_scores(struct scores *scores) {
  free(scores->similarity);
  vt_eval_analogy_release(&scores->analogy);
}

/* ---- as JSON ------------------------------------------------------------------------------------------------------
 */

static double accuracy(const struct vt_eval_section *section) {
  return section->covered > 0 ? (double)section->correct / (double)section->covered : NAN;
}

static json_t *section_json(const struct vt_eval_section *section) {
  json_t *object = json_new_object();
  json_put(object, "name", json_new_text(section->name));
  json_put(object, "accuracy", json_new_real(accuracy(section)));
  json_put(object, "correct", json_new_count(section->correct));
  json_put(object, "covered", json_new_count(section->covered));
  json_put(object, "questions", json_new_count(section->questions));
  return object;
}

static json_t *analogy_json(const struct vt_eval_analogy *analogy) {
  json_t *object = json_new_object();
  json_put(object, "file", json_new_text(settings.analogy));
  json_put(object, "all", json_new_real(accuracy(&analogy->all)));
  json_put(object, "semantic", json_new_real(accuracy(&analogy->semantic)));
  json_put(object, "syntactic", json_new_real(accuracy(&analogy->syntactic)));
  json_put(object, "correct", json_new_count(analogy->all.correct));
  json_put(object, "covered", json_new_count(analogy->all.covered));
  json_put(object, "questions", json_new_count(analogy->all.questions));
  json_t *sections = json_new_array();
  for (size_t i = 0; i < analogy->section_count; i++) json_push(sections, section_json(&analogy->sections[i]));
  json_put(object, "sections", sections);
  return object;
}

static json_t *scores_json(const struct scores *scores) {
  json_t *object = json_new_object();
  json_put(object, "step", json_new_count(scores->step));
  if (settings.similarity.count > 0) {
    json_t *files = json_new_object();
    for (size_t i = 0; i < settings.similarity.count; i++) {
      json_t *score = json_new_object();
      json_put(score, "spearman", json_new_real(scores->similarity[i].spearman));
      json_put(score, "pairs", json_new_count(scores->similarity[i].pairs));
      json_put(score, "covered", json_new_count(scores->similarity[i].covered));
      json_put(files, settings.similarity.items[i], score);
    }
    json_put(object, "similarity", files);
  }
  if (settings.analogy != NULL) json_put(object, "analogy", analogy_json(&scores->analogy));
  return object;
}

/* ---- for people ---------------------------------------------------------------------------------------------------
 */

static void print_number(double value, int width) {
  if (isnan(value))
    printf("%*s", width, "-");
  else
    printf("%*.4f", width, value);
}

static void print_section(const char *indent, const char *name, const struct vt_eval_section *section, int width) {
  fputs(indent, stdout);
  print_cell(stdout, name, width - display_width(indent), false);
  fputs("  ", stdout);
  print_number(accuracy(section), 8);
  printf("  %7zu of %zu\n", section->covered, section->questions);
}

static int name_columns(const struct scores *scores) {
  int width = 24;
  for (size_t i = 0; i < settings.similarity.count; i++) {
    int columns = display_width(settings.similarity.items[i]);
    if (columns > width) width = columns;
  }
  for (size_t i = 0; i < scores->analogy.section_count; i++) {
    int columns = display_width(scores->analogy.sections[i].name) + 2;
    if (columns > width) width = columns;
  }
  return width;
}

static void print_scores(const struct scores *scores) {
  int width = name_columns(scores);
  char step[NUMBER_TEXT_BYTES];
  const char *bold = terminal_style(stdout, STYLE_BOLD), *plain = terminal_style(stdout, STYLE_PLAIN);
  printf("%sstep %s%s\n", bold, format_count(scores->step, step), plain);
  if (settings.similarity.count > 0)
    printf("%s%-*s  %8s  %7s%s\n", bold, width, "similarity", "spearman", "covered", plain);
  for (size_t i = 0; i < settings.similarity.count; i++) {
    print_cell(stdout, settings.similarity.items[i], width, false);
    fputs("  ", stdout);
    print_number(scores->similarity[i].spearman, 8);
    printf("  %7zu of %zu\n", scores->similarity[i].covered, scores->similarity[i].pairs);
  }
  if (settings.analogy == NULL) return;
  printf("%s%-*s  %8s  %7s%s\n", bold, width, "analogy", "accuracy", "covered", plain);
  print_section("", "all", &scores->analogy.all, width);
  print_section("", "semantic", &scores->analogy.semantic, width);
  print_section("", "syntactic", &scores->analogy.syntactic, width);
  for (size_t i = 0; i < scores->analogy.section_count; i++)
    print_section("  ", scores->analogy.sections[i].name, &scores->analogy.sections[i], width);
}

/* One line a snapshot; the columns stand in the order of the tests, numbered where there are many. */
static void print_over_time(const struct scores *all, size_t count) {
  printf("\n%s%12s", terminal_style(stdout, STYLE_BOLD), "step");
  for (size_t f = 0; f < settings.similarity.count; f++)
    settings.similarity.count > 1 ? printf("  %7s %zu", "sim.", f + 1) : printf("  %9s", "spearman");
  if (settings.analogy != NULL) printf("  %9s", "analogy");
  printf("%s\n", terminal_style(stdout, STYLE_PLAIN));
  for (size_t i = 0; i < count; i++) {
    char step[NUMBER_TEXT_BYTES];
    printf("%12s", format_count(all[i].step, step));
    for (size_t f = 0; f < settings.similarity.count; f++) {
      fputs("  ", stdout);
      print_number(all[i].similarity[f].spearman, 9);
    }
    if (settings.analogy != NULL) {
      fputs("  ", stdout);
      print_number(accuracy(&all[i].analogy.all), 9);
    }
    putchar('\n');
  }
}

/* ---- the command --------------------------------------------------------------------------------------------------
 */

static enum exit_status follow(struct vt_run *run, struct scores *all, size_t *count) {
  size_t snapshots = vt_run_snapshot_count(run);
  for (size_t i = 0; i < snapshots; i++) {
    struct vt_vectors *vectors;
    struct vt_error error;
    if (vt_run_vectors(run, vt_run_snapshot_at(run, i).step, &vectors, &error) != VT_OK) return report_error(&error);
    enum exit_status status = take_scores(vectors, &all[i]);
    *count = i + 1;
    vt_vectors_free(vectors);
    if (status != EXIT_DONE) return status;
  }
  return EXIT_DONE;
}

static void print_all(const struct scores *now, const struct scores *all, size_t count) {
  if (!settings.json) {
    print_scores(now);
    if (settings.over_time) print_over_time(all, count);
    return;
  }
  json_t *object = scores_json(now);
  if (settings.over_time) {
    json_t *list = json_new_array();
    for (size_t i = 0; i < count; i++) json_push(list, scores_json(&all[i]));
    json_put(object, "over_time", list);
  }
  json_print_line(object);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  if (settings.similarity.count == 0 && settings.analogy == NULL)
    return report_usage("eval", "eval needs a test: --similarity FILE... or --analogy FILE");
  struct view view;
  enum exit_status status = view_open(&view, operands->items[0], settings.step);
  if (status != EXIT_DONE) return status;
  size_t count = 0;
  struct scores now = {0}, *all = cli_alloc(vt_run_snapshot_count(view.run), sizeof *all);
  status = take_scores(view.vectors, &now);
  if (status == EXIT_DONE && settings.over_time) status = follow(view.run, all, &count);
  if (status == EXIT_DONE) print_all(&now, all, count);
  release_scores(&now);
  for (size_t i = 0; i < count; i++) release_scores(&all[i]);
  free(all);
  view_close(&view);
  return status;
}

const struct command command_eval = {
    .name = "eval",
    .operands = "DIR --similarity FILE... --analogy FILE [options]",
    .summary = "the two standard tests of word vectors",
    .about = "Compares cosines with people's judgement of similarity (Spearman's rank correlation), and counts the "
             "analogies that are answered rightly. Words that the run does not know are left out; how many were "
             "covered stands beside each score.",
    .example = "vectrail eval runs/first --similarity pairs.txt --analogy questions-words.txt",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "eval needs a run folder, before the tests",
    .run = run,
};

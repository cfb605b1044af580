/* cmd_measure.c: vectrail measure: how the vectors of a run moved, at every snapshot. */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "pairs.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "verdict.h"
#include "words.h"
#include "vectrail/measure.h"

static struct measure_settings {
  const char *word;
  struct text_list only, series, pairs, corpus;
  bool json, csv;
  uint64_t sample_words, sample_among, neighbor_words, among, clusters;
  struct vt_measure_options measure;
} settings;

static void prepare(void) {
  settings = (struct measure_settings){0};
  vt_measure_options_init(&settings.measure);
  settings.sample_words = settings.measure.sample_words;
  settings.neighbor_words = settings.measure.neighbor_words;
  settings.among = settings.measure.among;
  settings.clusters = settings.measure.clusters;
}

#define AT(field) .offset = offsetof(struct measure_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "What to measure"},
    {.kind = OPTION_TEXT,
     .name = "word",
     .value = "WORD",
     AT(word),
     .help = "the story of this word instead of means over many"},
    {.kind = OPTION_LIST,
     .name = "only",
     .value = "GROUP,...",
     AT(only),
     .help = "leave out the groups not named: motion, pairs, neighbors, clusters, shape"},
    {.kind = OPTION_LIST,
     .name = "pairs",
     .value = "A:B,...",
     AT(pairs),
     .help = "follow the cosines of these pairs, too; @FILE: two words a line"},
    {.kind = OPTION_FLAG,
     .name = "cooccurrence",
     AT(measure.cooccurrence),
     .help = "read the text again for the pairs that meet most, and frequent words that never meet"},
    {.kind = OPTION_LIST,
     .name = "corpus",
     .value = "FILE",
     AT(corpus),
     .help = "the text that the run was trained on, where it is no longer where it was; implies --cooccurrence"},
    {.kind = OPTION_HEADING, .help = "How closely"},
    {.kind = OPTION_U64,
     .name = "sample-words",
     .value = "N",
     AT(sample_words),
     .high = UINT32_MAX,
     .help = "words that means are taken over, spread evenly over the ranks; 0: all"},
    {.kind = OPTION_U64,
     .name = "sample-among",
     .value = "N",
     AT(sample_among),
     .high = UINT32_MAX,
     .help = "take them from the N most frequent words, for rare words share a direction of their own; 0: from all"},
    {.kind = OPTION_U64,
     .name = "neighbor-words",
     .value = "N",
     AT(neighbor_words),
     .high = UINT32_MAX,
     .help = "words of each frequency band whose neighbours are looked for; 0: all"},
    {.kind = OPTION_U64,
     .name = "among",
     .value = "N",
     AT(among),
     .high = UINT32_MAX,
     .help = "look for neighbours among the N most frequent words; 0: all"},
    {.kind = OPTION_U64, .name = "clusters", .value = "N", AT(clusters), .low = 2, .high = 10000, .help = "clusters"},
    SHARED_THREADS(AT(measure.threads)),
    {.kind = OPTION_HEADING, .help = "Output"},
    {.kind = OPTION_LIST,
     .name = "series",
     .value = "NAME",
     AT(series),
     .help = "print only the series of this name: a step and a value a line; several: as columns"},
    {.kind = OPTION_FLAG, .name = "csv", AT(csv), .help = "print all as comma-separated values, a snapshot a line"},
    SHARED_JSON(AT(json)),
};

/* ---- options ------------------------------------------------------------------------------------------------------
 */

static enum exit_status choose_groups(void) {
  static const struct {
    const char *name;
    unsigned group;
  } groups[] = {{"motion", VT_MEASURE_MOTION},
                {"pairs", VT_MEASURE_PAIRS},
                {"neighbors", VT_MEASURE_NEIGHBORS},
                {"clusters", VT_MEASURE_CLUSTERS},
                {"shape", VT_MEASURE_SHAPE}};
  if (settings.only.count == 0) return EXIT_DONE;
  settings.measure.groups = 0;
  for (size_t i = 0; i < settings.only.count; i++) {
    for (const char *at = settings.only.items[i];; at++) {
      size_t bytes = strcspn(at, ","), g = 0;
      while (g < 5 && (strlen(groups[g].name) != bytes || strncmp(groups[g].name, at, bytes) != 0)) g++;
      if (g == 5)
        return report_usage("measure", "--only knows motion, pairs, neighbors, clusters and shape, not '%.*s'",
                            (int)(bytes < 100 ? bytes : 100), at);
      settings.measure.groups |= groups[g].group;
      at += bytes;
      if (*at == '\0') break;
    }
  }
  return EXIT_DONE;
}

/* ---- printing -----------------------------------------------------------------------------------------------------
 */

static void print_extent(const struct vt_measures *measures) {
  char a[NUMBER_TEXT_BYTES], b[NUMBER_TEXT_BYTES];
  printf("  %zu snapshots, from step %s to step %s\n", measures->count, format_count(measures->steps[0], a),
         format_count(measures->steps[measures->count - 1], b));
  if (measures->sample_words > 0 && measures->sample_words < measures->words)
    printf("  means over %s of %s words, spread evenly over the ranks\n", format_count(measures->sample_words, a),
           format_count(measures->words, b));
  else if (measures->sample_words > 0)
    printf("  means over all %s words\n", format_count(measures->words, a));
  if (measures->neighbor_words > 0)
    printf("  neighbours of %s words, from each frequency band, among the %s most frequent\n",
           format_count(measures->neighbor_words, a), format_count(measures->among, b));
  if (measures->clusters > 0) printf("  %zu clusters\n", measures->clusters);
  printf("  the cosine of two random directions is 0, give or take %.3f\n", 1 / sqrt((double)measures->dim));
}

/* First and last value that there are. */
static void print_series(const struct vt_measures *measures, const struct vt_measure_series *series) {
  enum { SPARK_COLUMNS = 24, NAME_COLUMNS = 22 };
  size_t first = 0, last = measures->count;
  while (first < measures->count && isnan(series->values[first])) first++;
  while (last > first && isnan(series->values[last - 1])) last--;
  fputs("  ", stdout);
  print_cell(stdout, series->name, NAME_COLUMNS, false);
  if (first == last) {
    printf("  not defined\n");
    return;
  }
  printf(" %10.4g  %s", series->values[first], terminal_style(stdout, STYLE_ACCENT));
  print_sparkline(stdout, series->values + first, last - first, SPARK_COLUMNS);
  printf("%s  %-10.4g  %s%s%s\n", terminal_style(stdout, STYLE_PLAIN), series->values[last - 1],
         terminal_style(stdout, STYLE_DIM), series->text, terminal_style(stdout, STYLE_PLAIN));
}

static void print_notes(const struct vt_measures *measures) {
  for (size_t k = 0; k < measures->note_count; k++) {
    fputs("note: ", stderr);
    print_clean(stderr, measures->notes[k]);
    fputc('\n', stderr);
  }
}

static void print_text(const char *path, const struct vt_measures *measures, uint32_t word, struct vt_run *run,
                       const struct vt_convergence *verdict) {
  fputs(terminal_style(stdout, STYLE_BOLD), stdout);
  print_clean(stdout, path);
  if (settings.word != NULL) {
    char count[NUMBER_TEXT_BYTES];
    const struct vt_vocab *vocab = vt_run_vocab(run);
    fputs(": ", stdout);
    print_clean(stdout, vt_vocab_text(vocab, word));
    printf("%s (%s times)\n", terminal_style(stdout, STYLE_PLAIN), format_count(vt_vocab_count(vocab, word), count));
  } else {
    printf("%s\n", terminal_style(stdout, STYLE_PLAIN));
    print_extent(measures);
    verdict_print(verdict);
  }
  printf("\n  %-22s %10s  %-24s  %-10s\n", "", "first", "", "last");
  for (size_t k = 0; k < measures->series_count; k++) print_series(measures, &measures->series[k]);
}

static json_t *reals_json(const double *values, size_t count) {
  json_t *list = json_new_array();
  for (size_t k = 0; k < count; k++) json_push(list, json_new_real(values[k]));
  return list;
}

static void print_json(const char *path, const struct vt_measures *measures, uint32_t word, struct vt_run *run,
                       const struct vt_convergence *verdict) {
  json_t *object = json_new_object(), *steps = json_new_array(), *series = json_new_object(), *notes = json_new_array();
  json_put(object, "run", json_new_text(path));
  if (settings.word != NULL) json_put(object, "word", json_new_text(vt_vocab_text(vt_run_vocab(run), word)));
  json_put(object, "words", json_new_count(measures->words));
  json_put(object, "sample_words", json_new_count(measures->sample_words));
  json_put(object, "neighbor_words", json_new_count(measures->neighbor_words));
  json_put(object, "among", json_new_count(measures->among));
  json_put(object, "clusters", json_new_count(measures->clusters));
  json_put(object, "chance", json_new_real(1 / sqrt((double)measures->dim)));
  for (size_t s = 0; s < measures->count; s++) json_push(steps, json_new_count(measures->steps[s]));
  json_put(object, "steps", steps);
  for (size_t k = 0; k < measures->series_count; k++)
    json_put(series, measures->series[k].name, reals_json(measures->series[k].values, measures->count));
  json_put(object, "series", series);
  if (measures->singular_values != NULL) {
    json_t *spectra = json_new_array();
    for (size_t s = 0; s < measures->count; s++)
      json_push(spectra, reals_json(measures->singular_values + s * measures->dim, measures->dim));
    json_put(object, "singular_values", spectra);
  }
  for (size_t k = 0; k < measures->note_count; k++) json_push(notes, json_new_text(measures->notes[k]));
  json_put(object, "notes", notes);
  json_put(object, "convergence", verdict_json(verdict));
  json_print_line(object);
}

/* A field of a CSV line: quoted, quotes doubled. */
static void print_field(const char *text) {
  putchar('"');
  for (; *text != '\0'; text++) {
    if (*text == '"') putchar('"');
    putchar(*text);
  }
  putchar('"');
}

/* A snapshot a line; what is not defined is an empty field. */
static void print_columns(const struct vt_measures *measures, const struct vt_measure_series *const *columns,
                          size_t count, bool heading, char separator) {
  if (heading) {
    fputs("step", stdout);
    for (size_t k = 0; k < count; k++) {
      putchar(separator);
      print_field(columns[k]->name);
    }
    putchar('\n');
  }
  for (size_t s = 0; s < measures->count; s++) {
    printf("%llu", (unsigned long long)measures->steps[s]);
    for (size_t k = 0; k < count; k++) {
      putchar(separator);
      if (!isnan(columns[k]->values[s])) printf("%.9g", columns[k]->values[s]);
    }
    putchar('\n');
  }
}

static enum exit_status report_no_series(const struct vt_measures *measures, const char *name) {
  char help[256] = "";
  size_t at = 0;
  for (size_t k = 0; k < measures->series_count && at < sizeof help; k++)
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): where there is no series, the count is 0 */
    at += (size_t)snprintf(help + at, sizeof help - at, "%s%s", k > 0 ? ", " : "there are ", measures->series[k].name);
  report(help, "no series called '%.100s' was measured", name);
  return EXIT_FAILED;
}

static enum exit_status print_chosen(const struct vt_measures *measures) {
  bool all = settings.series.count == 0;
  size_t count = all ? measures->series_count : settings.series.count;
  const struct vt_measure_series **columns = cli_alloc(count, sizeof *columns);
  enum exit_status status = EXIT_DONE;
  for (size_t k = 0; k < count && status == EXIT_DONE; k++) {
    columns[k] = all ? &measures->series[k] : vt_measures_find(measures, settings.series.items[k]);
    if (columns[k] == NULL) status = report_no_series(measures, settings.series.items[k]);
  }
  if (status == EXIT_DONE) print_columns(measures, columns, count, settings.csv, settings.csv ? ',' : '\t');
  free(columns);
  return status;
}

/* ---- the command --------------------------------------------------------------------------------------------------
 */

static enum exit_status measure(const struct common_settings *common, struct view *view, const char *path) {
  struct vt_measures measures = {0};
  struct vt_error error;
  uint32_t word = 0;
  if (settings.word != NULL && !view_find(view, settings.word, &word)) return EXIT_FAILED;
  enum vt_status measured = settings.word != NULL
                                ? vt_measure_word(view->run, word, &settings.measure, &measures, &error)
                                : vt_measure_run(view->run, &settings.measure, &measures, &error);
  if (measured != VT_OK) return report_error(&error);
  struct vt_convergence verdict;
  if (vt_run_convergence(view->run, &verdict, &error) != VT_OK) {
    vt_measures_release(&measures);
    return report_error(&error);
  }
  enum exit_status status = EXIT_DONE;
  if (!common->quiet && !settings.json) print_notes(&measures);
  if (settings.csv || settings.series.count > 0)
    status = print_chosen(&measures);
  else if (settings.json)
    print_json(path, &measures, word, view->run, &verdict);
  else
    print_text(path, &measures, word, view->run, &verdict);
  vt_measures_release(&measures);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  struct view view = {0};
  struct vt_error error;
  struct pair_ids pairs = {0};
  enum exit_status status = choose_groups();
  if (status != EXIT_DONE) return status;
  if (settings.json && (settings.csv || settings.series.count > 0))
    return report_usage("measure", "--json prints everything; it stands without --csv and --series");
  if (vt_run_open(operands->items[0], &view.run, &error) != VT_OK) return report_error(&error);
  view.vocab = vt_run_vocab(view.run);
  if (!pair_ids_find(&view, &settings.pairs, &pairs)) status = EXIT_FAILED;
  if (status == EXIT_DONE) {
    settings.measure.sample_words = (size_t)settings.sample_words;
    settings.measure.sample_among = (size_t)settings.sample_among;
    settings.measure.neighbor_words = (size_t)settings.neighbor_words;
    settings.measure.among = (size_t)settings.among;
    settings.measure.clusters = (size_t)settings.clusters;
    settings.measure.pairs = pairs.items;
    settings.measure.pair_count = pairs.count;
    settings.measure.corpus = settings.corpus.items;
    settings.measure.corpus_count = settings.corpus.count;
    status = measure(common, &view, operands->items[0]);
  }
  free(pairs.items);
  view_close(&view);
  return status;
}

const struct command command_measure = {
    .name = "measure",
    .operands = "DIR [options]",
    .summary = "how the vectors moved: speed, neighbours, clusters, shape, over the whole run",
    .about =
        "Computes measures from every snapshot of a run: how far and how straight the words went, whether they keep "
        "their neighbours, when clusters formed, how many directions are in use. docs/metrics.md defines each.",
    .example = "vectrail measure runs/first --word king",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "measure needs a run folder",
    .run = run,
};

/* cmd_compare.c: vectrail compare: two tables of vectors word by word, or how stable several are. */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "neighbor_list.h"
#include "report.h"
#include "shared_options.h"
#include "table_source.h"
#include "terminal.h"
#include "vectrail/compare.h"
#include "vectrail/train.h"

enum { ALIGN_AUTO, ALIGN_ALWAYS, ALIGN_NEVER };

static struct compare_settings {
  const char *vocab;
  const char *tensor;
  uint64_t sample;
  uint64_t restrict_rows;
  uint32_t count;
  uint32_t words;
  int align;
  int format;
  int threads;
  bool json;
} settings;

static void prepare(void) {
  struct vt_train_options train;
  vt_train_options_init(&train);
  settings = (struct compare_settings){.count = 10, .words = 10, .sample = 1000, .threads = train.threads};
}

#define AT(field) .offset = offsetof(struct compare_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_U32,
     .name = "count",
     .letter = "k",
     .aliases = "topn",
     .value = "N",
     AT(count),
     .low = 1,
     .high = 1000,
     .help = "how many neighbours of a word are compared"},
    {.kind = OPTION_U32,
     .name = "words",
     .value = "N",
     AT(words),
     .high = 1000000,
     .help = "how many words to list: those that moved most, or are most and least stable"},
    {.kind = OPTION_U64,
     .name = "sample",
     .value = "N",
     AT(sample),
     .high = UINT32_MAX,
     .help = "compare the neighbours of N words, spread evenly over those in common; 0: of all"},
    {.kind = OPTION_U64,
     .name = "restrict",
     .value = "N",
     AT(restrict_rows),
     .high = UINT32_MAX,
     .unset = "all",
     .help = "only words among the first N of the first table take part (in runs, the N most frequent)"},
    {.kind = OPTION_CHOICE,
     .name = "align",
     .value = "WHEN",
     AT(align),
     .choices = {"auto", "always", "never"},
     .help = "turn the first table onto the second one before words are compared; auto: unless both are of one run"},
    {.kind = OPTION_CHOICE,
     .name = "format",
     .value = "NAME",
     AT(format),
#define X(id, name, text) name,
     .choices = {VT_IMPORT_MAP(X)},
#undef X
     .help = "the format of files"},
    {.kind = OPTION_TEXT,
     .name = "vocab",
     .value = "FILE",
     AT(vocab),
     .unset = "FILE.vocab.txt beside it",
     .help = "the words of npy and safetensors files, as for vectrail import"},
    {.kind = OPTION_TEXT,
     .name = "tensor",
     .value = "NAME",
     AT(tensor),
     .unset = "the only one that fits the words",
     .help = "the tensor of safetensors files"},
    SHARED_THREADS(AT(threads)),
    SHARED_JSON(AT(json)),
};

/* What is compared, and what came of it. */
struct comparison {
  struct table_source *sources;
  size_t count;
  struct vt_vocab *vocab; /* the words in common */
  struct vt_vectors **tables;
  struct vt_compare compare; /* of two */
  struct vt_stability stability;
  bool has_stability;
  size_t listed;
  struct vt_neighbor *neighbors[2]; /* [listed][settings.count], of the words that moved most */
  size_t *neighbor_counts[2];
};

/* ---- measuring -----------------------------------------------------------------------------------------------------
 */

static enum exit_status open_all(struct comparison *c, const struct text_list *names) {
  const struct vt_import_options read = {.format = (enum vt_import_format)settings.format,
                                         .vocab_path = settings.vocab,
                                         .tensor = settings.tensor,
                                         .interrupt = &interrupt_flag};
  c->sources = cli_alloc(names->count, sizeof *c->sources);
  const struct vt_vectors **tables = cli_alloc(names->count, sizeof *tables);
  enum exit_status status = EXIT_DONE;
  for (size_t i = 0; i < names->count && status == EXIT_DONE; i++) {
    status = table_source_open(&c->sources[i], names->items[i], &read);
    if (status == EXIT_DONE) tables[c->count++] = c->sources[i].vectors;
  }
  struct vt_error error;
  c->tables = cli_alloc(names->count, sizeof *c->tables);
  for (size_t i = 0; i < names->count; i++) c->tables[i] = NULL;
  if (status == EXIT_DONE &&
      vt_vectors_common(tables, c->count, (size_t)settings.restrict_rows, &c->vocab, c->tables, &error) != VT_OK)
    status = report_error(&error);
  free(tables);
  return status;
}

static void release(struct comparison *c) {
  for (size_t i = 0; i < 2; i++) {
    free(c->neighbors[i]);
    free(c->neighbor_counts[i]);
  }
  vt_compare_release(&c->compare);
  vt_stability_release(&c->stability);
  for (size_t i = 0; c->vocab != NULL && i < c->count; i++) vt_vectors_free(c->tables[i]);
  vt_vocab_free(c->vocab);
  for (size_t i = 0; i < c->count; i++) table_source_close(&c->sources[i]);
  free(c->tables);
  free(c->sources);
}

static enum exit_status measure_stability(struct comparison *c) {
  struct vt_error error;
  if (vt_vocab_size(c->vocab) < 2) return EXIT_DONE; /* a single word has no neighbours */
  if (vt_stability_measure((const struct vt_vectors *const *)c->tables, c->count, settings.count,
                           (size_t)settings.sample, settings.threads, &c->stability, &error) != VT_OK)
    return report_error(&error);
  c->has_stability = true;
  return EXIT_DONE;
}

/* The words that moved most, and their neighbours in both tables. */
static enum exit_status measure_two(struct comparison *c) {
  struct vt_error error;
  bool align = settings.align == ALIGN_ALWAYS ||
               (settings.align == ALIGN_AUTO && !table_source_same_run(&c->sources[0], &c->sources[1]));
  if (vt_compare_vectors(c->tables[0], c->tables[1], align, settings.threads, &c->compare, &error) != VT_OK)
    return report_error(&error);
  size_t rows = vt_vocab_size(c->vocab);
  c->listed = settings.words < rows ? settings.words : rows;
  uint32_t *ids = cli_alloc(c->listed, sizeof *ids);
  for (size_t i = 0; i < c->listed; i++) ids[i] = c->compare.words[i].id;
  enum exit_status status = EXIT_DONE;
  for (size_t t = 0; t < 2 && status == EXIT_DONE; t++) {
    c->neighbors[t] = cli_alloc(c->listed, settings.count * sizeof *c->neighbors[t]);
    c->neighbor_counts[t] = cli_alloc(c->listed, sizeof *c->neighbor_counts[t]);
    if (vt_vectors_nearest_many(c->tables[t], ids, c->listed, settings.count, 0, settings.threads, c->neighbors[t],
                                c->neighbor_counts[t], &error) != VT_OK)
      status = report_error(&error);
  }
  free(ids);
  return status;
}

/* ---- printing ------------------------------------------------------------------------------------------------------
 */

static const struct vt_neighbor *neighbors_of(const struct comparison *c, size_t table, size_t word) {
  return c->neighbors[table] + word * settings.count;
}

static json_t *tables_json(const struct comparison *c) {
  json_t *list = json_new_array();
  for (size_t i = 0; i < c->count; i++) {
    const struct table_source *source = &c->sources[i];
    json_t *object = json_new_object();
    json_put(object, "name", json_new_text(source->name));
    json_put(object, "step", source->run != NULL ? json_new_count(source->vectors->step) : json_null());
    json_put(object, "words", json_new_count(source->vectors->rows));
    json_put(object, "dim", json_new_count(source->vectors->dim));
    json_push(list, object);
  }
  return list;
}

static void put_two(json_t *object, const struct comparison *c) {
  json_put(object, "aligned", c->compare.aligned ? json_true() : json_false());
  json_put(object, "cka", json_new_real(c->compare.cka));
  json_put(object, "pip_loss", json_new_real(c->compare.pip_loss));
  json_put(object, "pip_share", json_new_real(c->compare.pip_share));
  json_put(object, "cosine_mean", json_new_real(c->compare.cosine_mean));
  json_put(object, "cosine_median", json_new_real(c->compare.cosine_median));
  json_t *moved = json_new_array();
  for (size_t i = 0; i < c->listed; i++) {
    const struct vt_compare_word *word = &c->compare.words[i];
    json_t *entry = json_new_object();
    json_put(entry, "word", json_new_text(vt_vocab_text(c->vocab, word->id)));
    json_put(entry, "cosine", json_new_real(word->value));
    json_put(entry, "drift", json_new_real(1 - word->value));
    json_put(entry, "before", neighbor_list_json(c->vocab, neighbors_of(c, 0, i), c->neighbor_counts[0][i]));
    json_put(entry, "after", neighbor_list_json(c->vocab, neighbors_of(c, 1, i), c->neighbor_counts[1][i]));
    json_push(moved, entry);
  }
  json_put(object, "moved", moved);
}

static json_t *stable_json(const struct comparison *c, bool most) {
  const struct vt_stability *stability = &c->stability;
  json_t *list = json_new_array();
  for (size_t i = 0; i < settings.words && i < stability->word_count; i++) {
    const struct vt_compare_word *word = &stability->words[most ? stability->word_count - 1 - i : i];
    json_t *entry = json_new_object();
    json_put(entry, "word", json_new_text(vt_vocab_text(c->vocab, word->id)));
    json_put(entry, "overlap", json_new_real(word->value));
    json_push(list, entry);
  }
  return list;
}

static void put_stability(json_t *object, const struct comparison *c) {
  json_t *pairs = json_new_array();
  for (size_t a = 0; c->has_stability && a < c->count; a++)
    for (size_t b = a + 1; b < c->count; b++) {
      json_t *pair = json_new_object();
      json_put(pair, "a", json_new_count(a));
      json_put(pair, "b", json_new_count(b));
      json_put(pair, "overlap", json_new_real(c->stability.pairs[a * c->count + b]));
      json_push(pairs, pair);
    }
  json_put(object, "pairs", pairs);
  json_put(object, "least_stable", stable_json(c, false));
  json_put(object, "most_stable", stable_json(c, true));
}

static void print_json(const struct comparison *c) {
  json_t *object = json_new_object();
  json_put(object, "tables", tables_json(c));
  json_put(object, "common", json_new_count(vt_vocab_size(c->vocab)));
  if (c->count == 2) put_two(object, c);
  json_put(object, "k", json_new_count(settings.count));
  json_put(object, "overlap", json_new_real(c->has_stability ? c->stability.mean : (double)NAN));
  json_put(object, "overlap_words", json_new_count(c->stability.word_count));
  put_stability(object, c);
  json_print_line(object);
}

static void print_tables(const struct comparison *c) {
  for (size_t i = 0; i < c->count; i++) {
    const struct table_source *source = &c->sources[i];
    char words[NUMBER_TEXT_BYTES], step[NUMBER_TEXT_BYTES];
    printf("%s%zu%s  ", terminal_style(stdout, STYLE_BOLD), i + 1, terminal_style(stdout, STYLE_PLAIN));
    print_clean(stdout, source->name);
    printf("  (%s words, length %zu", format_count(source->vectors->rows, words), source->vectors->dim);
    if (source->run != NULL) printf(", step %s", format_count(source->vectors->step, step));
    puts(")");
  }
}

static void print_heading(const char *text) {
  printf("\n%s%s%s\n", terminal_style(stdout, STYLE_BOLD), text, terminal_style(stdout, STYLE_PLAIN));
}

static void print_neighbors(const struct comparison *c, size_t table, size_t word) {
  printf("  %s%12zu%s  ", terminal_style(stdout, STYLE_DIM), table + 1, terminal_style(stdout, STYLE_PLAIN));
  for (size_t k = 0; k < c->neighbor_counts[table][word]; k++) {
    if (k > 0) fputs(", ", stdout);
    print_clean(stdout, vt_vocab_text(c->vocab, neighbors_of(c, table, word)[k].id));
  }
  putchar('\n');
}

static void print_two(const struct comparison *c) {
  printf("  cosine of a word with itself   mean %.4f, median %.4f%s\n", c->compare.cosine_mean,
         c->compare.cosine_median, c->compare.aligned ? " (1 turned onto 2)" : " (not turned)");
  if (!isnan(c->compare.cka)) printf("  linear CKA                     %.4f\n", c->compare.cka);
  if (!isnan(c->compare.pip_share))
    printf("  PIP loss                       %.4g, %.1f%% of both\n", c->compare.pip_loss, 100 * c->compare.pip_share);
  if (c->compare.aligned && vt_vocab_size(c->vocab) < 2 * c->tables[0]->dim)
    puts("  With fewer than two words for each dimension, a rotation can make up most differences.");
  if (c->listed > 0) print_heading("moved most (cosine), and their neighbours in 1 and 2");
  for (size_t i = 0; i < c->listed; i++) {
    const struct vt_compare_word *word = &c->compare.words[i];
    fputs("  ", stdout);
    print_cell(stdout, vt_vocab_text(c->vocab, word->id), 24, false);
    printf("  %7.4f\n", word->value);
    print_neighbors(c, 0, i);
    print_neighbors(c, 1, i);
  }
}

static void print_stable(const struct comparison *c, bool most) {
  const struct vt_stability *stability = &c->stability;
  print_heading(most ? "most stable (share of neighbours kept)" : "least stable (share of neighbours kept)");
  for (size_t i = 0; i < settings.words && i < stability->word_count; i++) {
    const struct vt_compare_word *word = &stability->words[most ? stability->word_count - 1 - i : i];
    fputs("  ", stdout);
    print_cell(stdout, vt_vocab_text(c->vocab, word->id), 24, false);
    printf("  %7.4f\n", word->value);
  }
}

static void print_overlap(const struct comparison *c) {
  const struct vt_stability *stability = &c->stability;
  char words[NUMBER_TEXT_BYTES];
  printf("  neighbours kept (Jaccard)      mean %.4f of %lu, over %s words%s\n", stability->mean,
         (unsigned long)settings.count, format_count(stability->word_count, words),
         stability->word_count < vt_vocab_size(c->vocab) ? " spread evenly over those in common" : "");
  if (c->count == 2) return;
  for (size_t a = 0; a < c->count; a++)
    for (size_t b = a + 1; b < c->count; b++)
      printf("    %3zu and %-3zu                  %.4f\n", a + 1, b + 1, stability->pairs[a * c->count + b]);
}

static void print_text(const struct comparison *c) {
  char words[NUMBER_TEXT_BYTES];
  print_tables(c);
  printf("\n  words in common                %s\n", format_count(vt_vocab_size(c->vocab), words));
  if (c->has_stability) print_overlap(c);
  if (c->count == 2) print_two(c);
  if (c->count > 2 && c->has_stability && settings.words > 0) {
    print_stable(c, false);
    print_stable(c, true);
  }
}

/* ---- the command ---------------------------------------------------------------------------------------------------
 */

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct comparison c = {0};
  enum exit_status status = open_all(&c, operands);
  if (status == EXIT_DONE) status = measure_stability(&c);
  if (status == EXIT_DONE && c.count == 2) status = measure_two(&c);
  if (status == EXIT_DONE) {
    if (settings.json)
      print_json(&c);
    else
      print_text(&c);
  }
  release(&c);
  return status;
}

const struct command command_compare = {
    .name = "compare",
    .operands = "A B [C...] [options]",
    .summary = "how far two tables of vectors agree, and several are stable",
    .about = "Compares tables of vectors on the words that all of them hold. A table is a run (its last snapshot), "
             "DIR@STEP (the snapshot at a step), or a file that vectrail import reads. Of two tables it tells how far "
             "each word moved once one is turned onto the other, and which moved most; of several, seeds of one "
             "setting for example, how stable the neighbours of each word are.",
    .example = "vectrail compare runs/seed1 runs/seed2 -k 5",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 2,
    .operands_high = 100,
    .operands_missing = "compare needs two tables: runs, DIR@STEP, or files of vectors",
    .run = run,
};

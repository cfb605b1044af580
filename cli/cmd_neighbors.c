/*
 * cmd_neighbors.c: vectrail neighbors.
 *
 * All words are asked at once, at each snapshot: a search among many is some twenty times faster than as many searches.
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "json.h"
#include "neighbor_list.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/train.h"
#include "word_list.h"
#include "words.h"

static struct neighbors_settings {
  const char *words_file;
  uint32_t count;
  uint64_t step;
  int threads;
  bool over_time;
  bool json;
} settings;

static void prepare(void) {
  struct vt_train_options train;
  vt_train_options_init(&train);
  settings = (struct neighbors_settings){.count = 10, .step = VT_STEP_LAST, .threads = train.threads};
}

#define AT(field) .offset = offsetof(struct neighbors_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_U32,
     .name = "count",
     .letter = "k",
     .aliases = "topn",
     .value = "N",
     AT(count),
     .low = 1,
     .high = 1000000,
     .help = "how many neighbours"},
    {.kind = OPTION_TEXT,
     .name = "words-file",
     .value = "FILE",
     AT(words_file),
     .help = "ask for the words in FILE, a word a line, too"},
    {.kind = OPTION_FLAG,
     .name = "over-time",
     AT(over_time),
     .help = "the neighbours at every snapshot, too, and how many of them are still there in the end"},
    {.kind = OPTION_U64,
     .name = "step",
     .value = "S",
     AT(step),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "the snapshot at step S, or the last one before it"},
    SHARED_THREADS(AT(threads)),
    {.kind = OPTION_FLAG, .name = "json", AT(json), .help = "print one JSON object a word, each on a line"},
};

/* ---- the search ----------------------------------------------------------------------------------------------------
 */

/* The neighbours of all words at one step. */
struct answer {
  uint64_t step;
  struct vt_neighbor *neighbors; /* [words][settings.count] */
  size_t *counts;                /* [words] */
};

struct inquiry {
  const struct view *view;
  uint32_t *ids;
  size_t words;
  struct answer answer;     /* at --step */
  struct answer *over_time; /* [snapshots] with --over-time, else NULL */
  size_t snapshots;
};

static const struct vt_neighbor *neighbors_of(const struct answer *answer, size_t word) {
  return answer->neighbors + word * settings.count;
}

static enum exit_status search(const struct inquiry *inquiry, const struct vt_vectors *vectors, struct answer *answer) {
  struct vt_error error;
  answer->step = vectors->step;
  answer->neighbors = cli_alloc(inquiry->words, settings.count * sizeof *answer->neighbors);
  answer->counts = cli_alloc(inquiry->words, sizeof *answer->counts);
  if (vt_vectors_nearest_many(vectors, inquiry->ids, inquiry->words, settings.count, 0, settings.threads,
                              answer->neighbors, answer->counts, &error) != VT_OK)
    return report_error(&error);
  return EXIT_DONE;
}

static enum exit_status search_over_time(struct inquiry *inquiry) {
  size_t count = vt_run_snapshot_count(inquiry->view->run);
  enum exit_status status = EXIT_DONE;
  inquiry->over_time = cli_alloc(count, sizeof *inquiry->over_time);
  for (size_t i = 0; i < count && status == EXIT_DONE; i++) {
    struct vt_vectors *vectors;
    struct vt_error error;
    uint64_t step = vt_run_snapshot_at(inquiry->view->run, i).step;
    if (vt_run_vectors(inquiry->view->run, step, &vectors, &error) != VT_OK) return report_error(&error);
    inquiry->over_time[i] = (struct answer){0};
    inquiry->snapshots++;
    status = search(inquiry, vectors, &inquiry->over_time[i]);
    vt_vectors_free(vectors);
  }
  return status;
}

static void release(struct inquiry *inquiry) {
  for (size_t i = 0; i < inquiry->snapshots; i++) {
    free(inquiry->over_time[i].neighbors);
    free(inquiry->over_time[i].counts);
  }
  free(inquiry->over_time);
  free(inquiry->answer.neighbors);
  free(inquiry->answer.counts);
  free(inquiry->ids);
}

/* Neighbours in one answer that are in the other, too, as a share of those in either (Jaccard). */
static double overlap(const struct answer *a, const struct answer *b, size_t word) {
  size_t shared = 0;
  for (size_t i = 0; i < a->counts[word]; i++)
    for (size_t j = 0; j < b->counts[word]; j++) shared += neighbors_of(a, word)[i].id == neighbors_of(b, word)[j].id;
  size_t all = a->counts[word] + b->counts[word] - shared;
  return all > 0 ? (double)shared / (double)all : 1;
}

/* ---- printing ------------------------------------------------------------------------------------------------------
 */

static void print_json(const struct inquiry *inquiry, size_t word) {
  const struct vt_vocab *vocab = inquiry->view->vocab;
  const struct answer *last = &inquiry->answer;
  json_t *object = json_new_object();
  json_put(object, "word", json_new_text(vt_vocab_text(vocab, inquiry->ids[word])));
  json_put(object, "step", json_new_count(last->step));
  json_put(object, "neighbors", neighbor_list_json(vocab, neighbors_of(last, word), last->counts[word]));
  if (inquiry->over_time != NULL) {
    json_t *list = json_new_array();
    for (size_t i = 0; i < inquiry->snapshots; i++) {
      const struct answer *answer = &inquiry->over_time[i];
      json_t *point = json_new_object();
      json_put(point, "step", json_new_count(answer->step));
      json_put(point, "overlap", json_new_real(overlap(answer, last, word)));
      json_put(point, "neighbors", neighbor_list_json(vocab, neighbors_of(answer, word), answer->counts[word]));
      json_push(list, point);
    }
    json_put(object, "over_time", list);
  }
  json_print_line(object);
}

static void print_over_time(const struct inquiry *inquiry, size_t word) {
  printf("  %s%14s  %7s  neighbours%s\n", terminal_style(stdout, STYLE_DIM), "step", "overlap",
         terminal_style(stdout, STYLE_PLAIN));
  for (size_t i = 0; i < inquiry->snapshots; i++) {
    const struct answer *answer = &inquiry->over_time[i];
    char step[NUMBER_TEXT_BYTES];
    printf("  %14s  %7.4f  ", format_count(answer->step, step), overlap(answer, &inquiry->answer, word));
    for (size_t k = 0; k < answer->counts[word]; k++) {
      if (k > 0) fputs(", ", stdout);
      print_clean(stdout, vt_vocab_text(inquiry->view->vocab, neighbors_of(answer, word)[k].id));
    }
    putchar('\n');
  }
}

static void print_table(const struct inquiry *inquiry, size_t word) {
  const struct vt_vocab *vocab = inquiry->view->vocab;
  const struct answer *answer = &inquiry->answer;
  uint32_t id = inquiry->ids[word];
  char step[NUMBER_TEXT_BYTES], seen[NUMBER_TEXT_BYTES];
  if (word > 0) putchar('\n');
  fputs(terminal_style(stdout, STYLE_BOLD), stdout);
  print_clean(stdout, vt_vocab_text(vocab, id));
  printf("%s  (", terminal_style(stdout, STYLE_PLAIN));
  if (vt_vocab_tokens(vocab) > 0) printf("%s times in the text; ", format_count(vt_vocab_count(vocab, id), seen));
  printf("step %s)\n", format_count(answer->step, step));
  neighbor_list_print(vocab, neighbors_of(answer, word), answer->counts[word]);
  if (inquiry->over_time != NULL) print_over_time(inquiry, word);
}

/* ---- the command ---------------------------------------------------------------------------------------------------
 */

/* All words are looked up before the first is answered: half an answer is worse than none. */
static bool find_words(struct inquiry *inquiry, const struct text_list *operands, const struct text_list *listed) {
  inquiry->ids = cli_alloc(operands->count - 1 + listed->count, sizeof *inquiry->ids);
  for (size_t i = 1; i < operands->count; i++)
    if (!view_find(inquiry->view, operands->items[i], &inquiry->ids[inquiry->words++])) return false;
  for (size_t i = 0; i < listed->count; i++)
    if (!view_find(inquiry->view, listed->items[i], &inquiry->ids[inquiry->words++])) return false;
  return true;
}

static enum exit_status answer(const struct view *view, const struct text_list *operands,
                               const struct text_list *listed) {
  struct inquiry inquiry = {.view = view};
  if (settings.count > view->vectors->rows) settings.count = (uint32_t)view->vectors->rows;
  enum exit_status status = find_words(&inquiry, operands, listed) ? EXIT_DONE : EXIT_FAILED;
  if (status == EXIT_DONE) status = search(&inquiry, view->vectors, &inquiry.answer);
  if (status == EXIT_DONE && settings.over_time) status = search_over_time(&inquiry);
  for (size_t word = 0; word < inquiry.words && status == EXIT_DONE; word++) {
    if (settings.json)
      print_json(&inquiry, word);
    else
      print_table(&inquiry, word);
  }
  release(&inquiry);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct word_list list = {0};
  struct view view;
  if (operands->count < 2 && settings.words_file == NULL)
    return report_usage("neighbors", "neighbors needs a run folder and a word");
  enum exit_status status = EXIT_DONE;
  if (settings.words_file != NULL && !word_list_read(settings.words_file, &list)) status = EXIT_FAILED;
  if (status == EXIT_DONE) status = view_open(&view, operands->items[0], settings.step);
  if (status == EXIT_DONE) {
    status = answer(&view, operands, &list.words);
    view_close(&view);
  }
  word_list_release(&list);
  return status;
}

const struct command command_neighbors = {
    .name = "neighbors",
    .operands = "DIR WORD... [options]",
    .summary = "the words nearest to a word, now, at an earlier step or over the whole run",
    .about = "Lists the words whose vectors have the largest cosine with that of each WORD.",
    .example = "vectrail neighbors runs/first king -k 5 --step 100",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = SIZE_MAX,
    .operands_missing = "neighbors needs a run folder and a word",
    .run = run,
};

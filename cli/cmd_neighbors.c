/* cmd_neighbors.c: vectrail neighbors. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "json.h"
#include "neighbor_list.h"
#include "report.h"
#include "terminal.h"
#include "words.h"

static struct neighbors_settings {
  uint32_t count;
  uint64_t step;
  bool json;
} settings;

static void prepare(void) { settings = (struct neighbors_settings){.count = 10, .step = VT_STEP_LAST}; }

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
    {.kind = OPTION_U64,
     .name = "step",
     .value = "S",
     AT(step),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "the snapshot at step S, or the last one before it"},
    {.kind = OPTION_FLAG, .name = "json", AT(json), .help = "print one JSON object a word, each on a line"},
};

static enum exit_status answer(const struct view *view, uint32_t id, struct vt_neighbor *neighbors, bool first) {
  struct vt_error error;
  size_t count;
  const float *query = vt_vectors_row(view->vectors, id);
  if (vt_vectors_nearest(view->vectors, query, settings.count, 0, &id, 1, neighbors, &count, &error) != VT_OK)
    return report_error(&error);
  const char *word = vt_vocab_text(view->vocab, id);
  if (settings.json) {
    json_t *object = json_new_object();
    json_put(object, "word", json_new_text(word));
    json_put(object, "step", json_new_count(view->vectors->step));
    json_put(object, "neighbors", neighbor_list_json(view->vocab, neighbors, count));
    json_print_line(object);
    return EXIT_DONE;
  }
  if (!first) putchar('\n');
  char step[NUMBER_TEXT_BYTES], seen[NUMBER_TEXT_BYTES];
  fputs(terminal_style(stdout, STYLE_BOLD), stdout);
  print_clean(stdout, word);
  printf("%s  (", terminal_style(stdout, STYLE_PLAIN));
  if (vt_vocab_tokens(view->vocab) > 0)
    printf("%s times in the text; ", format_count(vt_vocab_count(view->vocab, id), seen));
  printf("step %s)\n", format_count(view->vectors->step, step));
  neighbor_list_print(view->vocab, neighbors, count);
  return EXIT_DONE;
}

/* All words are looked up before the first is answered: half an answer is worse than none. */
static enum exit_status answer_all(const struct view *view, const struct text_list *operands) {
  size_t word_count = operands->count - 1;
  uint32_t *ids = cli_alloc(word_count, sizeof *ids);
  if (settings.count > view->vectors->rows) settings.count = (uint32_t)view->vectors->rows;
  struct vt_neighbor *neighbors = cli_alloc(settings.count, sizeof *neighbors);
  enum exit_status status = EXIT_DONE;
  for (size_t i = 0; i < word_count && status == EXIT_DONE; i++)
    if (!view_find(view, operands->items[i + 1], &ids[i])) status = EXIT_FAILED;
  for (size_t i = 0; i < word_count && status == EXIT_DONE; i++) status = answer(view, ids[i], neighbors, i == 0);
  free(neighbors);
  free(ids);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct view view;
  enum exit_status status = view_open(&view, operands->items[0], settings.step);
  if (status != EXIT_DONE) return status;
  status = answer_all(&view, operands);
  view_close(&view);
  return status;
}

const struct command command_neighbors = {
    .name = "neighbors",
    .operands = "DIR WORD... [options]",
    .summary = "the words nearest to a word, now or at an earlier step",
    .about = "Lists the words whose vectors have the largest cosine with that of each WORD.",
    .example = "vectrail neighbors runs/first king -k 5 --step 100",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 2,
    .operands_high = SIZE_MAX,
    .operands_missing = "neighbors needs a run folder and a word",
    .run = run,
};

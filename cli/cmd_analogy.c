/* cmd_analogy.c: vectrail analogy. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "json.h"
#include "neighbor_list.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "words.h"

static struct analogy_settings {
  uint32_t count;
  uint64_t step;
  bool json;
} settings;

static void prepare(void) { settings = (struct analogy_settings){.count = 10, .step = VT_STEP_LAST}; }

#define AT(field) .offset = offsetof(struct analogy_settings, field)
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
     .help = "how many answers"},
    {.kind = OPTION_U64,
     .name = "step",
     .value = "S",
     AT(step),
     .high = UINT64_MAX,
     .unset = "the last",
     .help = "the snapshot at step S, or the last one before it"},
    SHARED_JSON(AT(json)),
};

static void print_answers(const struct view *view, const uint32_t ids[3], const struct vt_neighbor *answers,
                          size_t count) {
  const char *words[3];
  for (int i = 0; i < 3; i++) words[i] = vt_vocab_text(view->vocab, ids[i]);
  if (settings.json) {
    json_t *object = json_new_object();
    json_put(object, "a", json_new_text(words[0]));
    json_put(object, "b", json_new_text(words[1]));
    json_put(object, "c", json_new_text(words[2]));
    json_put(object, "step", json_new_count(view->vectors->step));
    json_put(object, "answers", neighbor_list_json(view->vocab, answers, count));
    json_print_line(object);
    return;
  }
  char step[NUMBER_TEXT_BYTES];
  fputs(terminal_style(stdout, STYLE_BOLD), stdout);
  print_clean(stdout, words[0]);
  fputs(" is to ", stdout);
  print_clean(stdout, words[1]);
  fputs(" as ", stdout);
  print_clean(stdout, words[2]);
  printf(" is to ...%s  (step %s)\n", terminal_style(stdout, STYLE_PLAIN), format_count(view->vectors->step, step));
  neighbor_list_print(view->vocab, answers, count);
}

static enum exit_status answer(const struct view *view, const struct text_list *operands) {
  uint32_t ids[3];
  for (int i = 0; i < 3; i++)
    if (!view_find(view, operands->items[i + 1], &ids[i])) return EXIT_FAILED;
  if (settings.count > view->vectors->rows) settings.count = (uint32_t)view->vectors->rows;
  struct vt_neighbor *answers = cli_alloc(settings.count, sizeof *answers);
  struct vt_error error;
  enum exit_status status = EXIT_DONE;
  size_t count;
  if (vt_vectors_analogy(view->vectors, ids[0], ids[1], ids[2], settings.count, answers, &count, &error) == VT_OK)
    print_answers(view, ids, answers, count);
  else
    status = report_error(&error);
  free(answers);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct view view;
  enum exit_status status = view_open(&view, operands->items[0], settings.step);
  if (status != EXIT_DONE) return status;
  status = answer(&view, operands);
  view_close(&view);
  return status;
}

const struct command command_analogy = {
    .name = "analogy",
    .operands = "DIR A B C [options]",
    .summary = "A is to B as C is to what",
    .about = "Lists the words nearest to B - A + C (vectors of unit length; A, B and C left out).",
    .example = "vectrail analogy runs/first man woman king",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 4,
    .operands_high = 4,
    .operands_missing = "analogy needs a run folder and three words",
    .run = run,
};

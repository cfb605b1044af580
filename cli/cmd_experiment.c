/* cmd_experiment.c: vectrail experiment: what is said of embeddings in training, claim by claim. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>

#include "cli.h"
#include "exercise.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "settling.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/experiment.h"

static struct experiment_settings {
  const char *run;
  bool json, exercise, stability, settling;
  uint32_t epochs, runs; /* 0: not given */
  struct text_list synonyms, analogies;
  double within; /* 0: not given */
  struct vt_experiment_request request;
} settings;

static void prepare(void) {
  settings = (struct experiment_settings){0};
  vt_experiment_request_init(&settings.request);
}

#define AT(field) .offset = offsetof(struct experiment_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "run",
     .aside = true,
     .value = "DIR",
     AT(run),
     .help = "the folder to make for the runs; required but for --exercise and --stability, where it is exercise, or "
             "stability, in the folder runs"},
    {.kind = OPTION_FLAG,
     .name = "exercise",
     .aside = true,
     AT(exercise),
     .help =
         "instead of the claims: a feed-forward next-word model on one small text, its figures beside a reference's"},
    {.kind = OPTION_FLAG,
     .name = "stability",
     .aside = true,
     AT(stability),
     .help = "the same training from ten starts, sixteen epochs each: what stays the same"},
    {.kind = OPTION_U32,
     .name = "runs",
     .value = "N",
     AT(runs),
     .low = 2,
     .high = 1000,
     .unset = "10",
     .help = "how many, with --stability"},
    {.kind = OPTION_FLAG,
     .name = "settling",
     .aside = true,
     AT(settling),
     .help = "of a run that is there, instead of a text: do frequent words settle before rare ones?"},
    {.kind = OPTION_REAL,
     .name = "within",
     .value = "X",
     AT(within),
     .above_low = true,
     .real_high = 0.999999,
     .unset = "0.9",
     .help = "with --settling, a word has settled when the cosine with its last vector stays at least X"},
    {.kind = OPTION_FLAG,
     .name = "force",
     .aside = true,
     AT(request.force),
     .help = "replace the runs of an earlier experiment there"},
    {.kind = OPTION_LIST,
     .name = "synonyms",
     .value = "A:B,...",
     AT(synonyms),
     .help = "pairs that mean the same, for a text of your own"},
    {.kind = OPTION_LIST,
     .name = "analogies",
     .value = "A:B:C:D,...",
     AT(analogies),
     .help = "A is to B as C is to D, for a text of your own"},
    {.kind = OPTION_U32,
     .name = "dim",
     .value = "N",
     AT(request.dim),
     .low = 1,
     .high = 4096,
     .help = "length of a vector"},
    {.kind = OPTION_U32,
     .name = "epochs",
     .value = "N",
     AT(epochs),
     .low = 1,
     .high = 1000000,
     .unset = "10; exercise 25, stability 16",
     .help = "passes over the text"},
    {.kind = OPTION_REAL,
     .name = "l2",
     .value = "X",
     AT(request.l2),
     .above_low = true,
     .real_high = 1,
     .help = "the penalty of the run that is held against one without"},
    {.kind = OPTION_U64,
     .name = "seed",
     .value = "N",
     AT(request.seed),
     .high = UINT64_MAX,
     .help = "of the random numbers"},
    SHARED_THREADS(AT(request.threads)),
    SHARED_JSON(AT(json)),
};

/* ---- words in lists ---------------------------------------------------------------------------------------------- */

/* Cuts "a:b:c" into `count` words, copied into *copy (freed by the caller) with the places in words. */
static bool cut(const char *text, const char **words, size_t count, char **copy) {
  size_t bytes = strlen(text) + 1;
  char *at = *copy = cli_alloc(bytes, 1);
  memcpy(at, text, bytes);
  for (size_t k = 0; k < count; k++) {
    words[k] = at;
    at = strchr(at, ':');
    if ((at == NULL) != (k + 1 == count) || words[k][0] == ':' || words[k][0] == '\0') return false;
    if (at != NULL) *at++ = '\0';
  }
  return true;
}

struct questions {
  char **copies; /* of the lists' texts, cut */
  size_t copy_count;
  struct vt_experiment_pair *synonyms;
  struct vt_experiment_analogy *analogies;
};

static enum exit_status read_questions(struct questions *questions) {
  size_t pairs = settings.synonyms.count, fours = settings.analogies.count;
  questions->copies = cli_alloc(pairs + fours + 1, sizeof *questions->copies);
  questions->synonyms = cli_alloc(pairs + 1, sizeof *questions->synonyms);
  questions->analogies = cli_alloc(fours + 1, sizeof *questions->analogies);
  for (size_t k = 0; k < pairs; k++) {
    const char *text = settings.synonyms.items[k];
    if (!cut(text, questions->synonyms[k].words, 2, &questions->copies[questions->copy_count++]))
      return report_usage("experiment", "--synonyms: '%.100s' is not a pair A:B", text);
  }
  for (size_t k = 0; k < fours; k++) {
    const char *text = settings.analogies.items[k];
    if (!cut(text, questions->analogies[k].words, 4, &questions->copies[questions->copy_count++]))
      return report_usage("experiment", "--analogies: '%.100s' is not A:B:C:D", text);
  }
  settings.request.synonyms = questions->synonyms;
  settings.request.synonym_count = pairs;
  settings.request.analogies = questions->analogies;
  settings.request.analogy_count = fours;
  return EXIT_DONE;
}

static void release_questions(struct questions *questions) {
  for (size_t k = 0; k < questions->copy_count; k++) free(questions->copies[k]);
  free(questions->copies);
  free(questions->synonyms);
  free(questions->analogies);
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static void print_json(const struct vt_experiment *experiment) {
  json_t *object = json_new_object(), *claims = json_new_array();
  json_put(object, "run", json_new_text(settings.run));
  for (size_t k = 0; k < experiment->claim_count; k++) {
    const struct vt_claim *claim = &experiment->claims[k];
    json_t *entry = json_new_object(), *figures = json_new_object();
    json_put(entry, "id", json_new_text(claim->id));
    json_put(entry, "claim", json_new_text(claim->claim));
    json_put(entry, "verdict", json_new_text(vt_verdict_text(claim->verdict)));
    json_put(entry, "finding", json_new_text(claim->finding));
    for (size_t f = 0; f < claim->figure_count; f++)
      json_put(figures, claim->figures[f].name, json_new_real(claim->figures[f].value));
    json_put(entry, "figures", figures);
    json_push(claims, entry);
  }
  json_put(object, "claims", claims);
  json_print_line(object);
}

/* Words of a text, broken at `columns`, each line behind an indent. */
static void print_wrapped(const char *text, int indent, int columns) {
  int at = columns;
  for (const char *word = text; *word != '\0';) {
    size_t bytes = strcspn(word, " ");
    if (at + 1 + (int)bytes > columns) {
      if (word != text) putchar('\n');
      printf("%*s", indent, "");
      at = indent;
    } else {
      putchar(' ');
      at++;
    }
    print_clean_bytes(stdout, word, bytes);
    at += (int)bytes;
    word += bytes;
    word += strspn(word, " ");
  }
  putchar('\n');
}

static void print_claims(const struct vt_experiment *experiment) {
  enum { COLUMNS = 100 };
  for (size_t k = 0; k < experiment->claim_count; k++) {
    const struct vt_claim *claim = &experiment->claims[k];
    printf("%zu. %s%s%s\n", k + 1, terminal_style(stdout, STYLE_BOLD), claim->claim,
           terminal_style(stdout, STYLE_PLAIN));
    printf("   %s%s%s\n", terminal_style(stdout, STYLE_ACCENT), vt_verdict_text(claim->verdict),
           terminal_style(stdout, STYLE_PLAIN));
    print_wrapped(claim->finding, 3, COLUMNS);
  }
  printf("the runs: ");
  print_shell_word(stdout, settings.run);
  printf("/main, free (constant rate), bounded (constant rate, L2)\n");
}

static void announce(void *context, const char *name) {
  (void)context;
  fprintf(stderr, "training %s\n", name);
}

static enum exit_status run_exercise(const struct common_settings *common, const struct text_list *operands) {
  if (settings.exercise && settings.stability)
    return report_usage("experiment", "--exercise and --stability are two experiments; name one");
  const char *name = settings.exercise ? "exercise" : "stability";
  if (operands->count == 0)
    return report_usage("experiment", "--%s needs a text, such as one book: vectrail experiment --%s FILE", name, name);
  struct vt_exercise_request request;
  vt_exercise_request_init(&request);
  request.folder = settings.run;
  request.force = settings.request.force;
  if (settings.run == NULL) { /* a place of its own, which the next one may have */
    (void)mkdir("runs", 0777);
    request.folder = settings.exercise ? "runs/exercise" : "runs/stability";
    request.force = true;
  }
  request.inputs = operands->items;
  request.input_count = operands->count;
  request.epochs = settings.epochs > 0 ? settings.epochs : settings.exercise ? 25 : 16;
  if (settings.runs > 0) request.runs = settings.runs;
  request.seed = settings.request.seed;
  request.threads = settings.request.threads;
  request.interrupt = &interrupt_flag;
  if (!common->quiet) request.training = announce;
  interrupt_defer();
  return settings.exercise ? exercise_run(&request, settings.json) : exercise_stability_run(&request, settings.json);
}

static enum exit_status run_settling(const struct text_list *operands) {
  if (settings.exercise || settings.stability)
    return report_usage("experiment", "--settling looks at a run; it does not go with --exercise or --stability");
  if (operands->count != 1)
    return report_usage("experiment", "--settling needs one run: vectrail experiment --settling RUN");
  const double within = settings.within > 0 ? settings.within : VT_SETTLING_WITHIN;
  return settling_run(operands->items[0], within, settings.json);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  if (settings.settling) return run_settling(operands);
  if (settings.within > 0) return report_usage("experiment", "--within is for --settling");
  if (settings.exercise || settings.stability) return run_exercise(common, operands);
  if (settings.epochs > 0) settings.request.epochs = settings.epochs;
  if (settings.run == NULL) return report_usage("experiment", "experiment needs a folder for its runs: --run DIR");
  if (operands->count == 0 && settings.synonyms.count + settings.analogies.count > 0)
    return report_usage("experiment",
                        "--synonyms and --analogies are for a text of your own; the generated one has its own");
  struct questions questions = {0};
  enum exit_status status = read_questions(&questions);
  struct vt_experiment experiment = {0};
  if (status == EXIT_DONE) {
    settings.request.folder = settings.run;
    settings.request.inputs = operands->items;
    settings.request.input_count = operands->count;
    settings.request.interrupt = &interrupt_flag;
    interrupt_defer();
    if (!common->quiet) settings.request.training = announce;
    struct vt_error error;
    if (vt_experiment_run(&settings.request, &experiment, &error) != VT_OK) status = report_error(&error);
  }
  if (status == EXIT_DONE && settings.json)
    print_json(&experiment);
  else if (status == EXIT_DONE)
    print_claims(&experiment);
  vt_experiment_release(&experiment);
  release_questions(&questions);
  return status;
}

const struct command command_experiment = {
    .name = "experiment",
    .operands = "[CORPUS...] --run DIR [options]",
    .summary = "what is said of embeddings in training, held against a training, claim by claim",
    .about =
        "Trains on a text, three times: as usual, and at a constant rate without and with an L2 penalty. Then says "
        "of each claim whether it held, held with a condition, or did not hold, with the figures. Without a text "
        "one is generated whose synonyms and analogies are known.",
    .example = "vectrail experiment --run runs/experiment",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 0,
    .operands_high = SIZE_MAX,
    .operands_missing = "",
    .run = run,
};

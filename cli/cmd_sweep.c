/* cmd_sweep.c: vectrail sweep: which dimension, which penalty, which rate. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/sweep.h"

static struct sweep_settings {
  const char *dims, *l2s, *lrs, *page, *picture;
  bool json;
  int model, tokens;
  struct vt_sweep_request request;
} settings;

static void prepare(void) {
  settings = (struct sweep_settings){0};
  vt_sweep_request_init(&settings.request);
  settings.tokens = (int)settings.request.corpus.tokens;
}

#define AT(field) .offset = offsetof(struct sweep_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "run",
     .value = "DIR",
     AT(request.folder),
     .help = "the folder to make for the runs; required"},
    {.kind = OPTION_FLAG, .name = "force", AT(request.force), .help = "replace the runs of an earlier sweep there"},
    {.kind = OPTION_TEXT,
     .name = "dim",
     .value = "N,...|A..B",
     AT(dims),
     .unset = "10,25,50,100,200,400",
     .help = "dimensions to try, rising; 2..512: 2, 4, 8 and so on"},
    {.kind = OPTION_TEXT,
     .name = "l2",
     .value = "X,...",
     AT(l2s),
     .unset = "0",
     .help = "penalties; dimensions are tried at the first, the others at the best dimension"},
    {.kind = OPTION_TEXT,
     .name = "lr",
     .value = "X,...",
     AT(lrs),
     .unset = "0.025",
     .help = "learning rates; likewise"},
    {.kind = OPTION_U32,
     .name = "seeds",
     .value = "N",
     AT(request.seeds),
     .low = 1,
     .high = 16,
     .help = "trainings of each dimension on each half of the text"},
    {.kind = OPTION_CHOICE,
     .name = "model",
     .value = "NAME",
     AT(model),
     .choices = {"skipgram", "spectral"},
     .help = "spectral: do not train, take eigenvalues of what words do together; for a first look"},
    {.kind = OPTION_REAL,
     .name = "patience",
     .value = "X",
     AT(request.patience),
     .real_high = 100,
     .help =
         "a dimension whose first error, less the noise, is this share above the least is not tried again; 0: all are"},
    {.kind = OPTION_REAL,
     .name = "budget",
     .value = "SHARE",
     AT(request.budget),
     .above_low = true,
     .real_high = 1,
     .help = "of the time that all trainings would take, what those after the first of each dimension may bring the "
             "whole to; the best dimensions come first"},
    {.kind = OPTION_REAL,
     .name = "least",
     .value = "X",
     AT(request.least),
     .above_low = true,
     .real_high = 1e9,
     .help = "measure on pairs that meet so often in the tenth of the text that they are chosen by"},
    {.kind = OPTION_TEXT,
     .name = "output",
     .letter = "o",
     .value = "FILE",
     AT(page),
     .help = "also write a page with pictures, HTML in one file"},
    {.kind = OPTION_TEXT,
     .name = "picture",
     .value = "FILE",
     AT(picture),
     .help = "also draw error, bias and variance over the dimension, SVG"},
    {.kind = OPTION_U32,
     .name = "epochs",
     .aliases = "epoch iter",
     .value = "N",
     AT(request.train.epochs),
     .low = 1,
     .high = 1000000,
     .help = "passes over the text"},
    SHARED_WINDOW(AT(request.train.window), .help = "context words on each side, at most"),
    {.kind = OPTION_U32,
     .name = "negative",
     .aliases = "neg",
     .value = "N",
     AT(request.train.negative),
     .low = 1,
     .high = 64,
     .help = "noise words for each centre"},
    SHARED_SAMPLE(AT(request.train.sample),
                  .help = "leave out words more frequent than this share of the text, at random; 0: never"),
    SHARED_RULES(tokens, request.corpus),
    {.kind = OPTION_U64,
     .name = "seed",
     .value = "N",
     AT(request.train.seed),
     .high = UINT64_MAX,
     .help = "of the first training, and of how the text is divided"},
    SHARED_THREADS(AT(request.threads)),
    SHARED_JSON(AT(json)),
};

/* ---- lists --------------------------------------------------------------------------------------------------------
 */

static bool parse_whole(const char **at, uint32_t *value) {
  char *end;
  if (**at < '0' || **at > '9') return false;
  errno = 0;
  unsigned long number = strtoul(*at, &end, 10);
  if (errno != 0 || number < 1 || number > 4096) return false;
  *value = (uint32_t)number;
  *at = end;
  return true;
}

static bool parse_dims(const char *text, struct vt_sweep_request *request) {
  request->dim_count = 0;
  for (const char *at = text;;) {
    uint32_t value, last;
    if (request->dim_count == VT_SWEEP_VALUES_MAX || !parse_whole(&at, &value)) return false;
    if (request->dim_count > 0 && value <= request->dims[request->dim_count - 1]) return false;
    request->dims[request->dim_count++] = value;
    if (*at == '\0') return true;
    if (strncmp(at, "..", 2) == 0 && request->dim_count == 1) {
      at += 2;
      if (!parse_whole(&at, &last) || *at != '\0') return false;
      while (2 * value <= last) request->dims[request->dim_count++] = value *= 2;
      return true;
    }
    if (*at++ != ',') return false;
  }
}

static bool parse_reals(const char *text, double low, double values[VT_SWEEP_VALUES_MAX], size_t *count) {
  *count = 0;
  for (const char *at = text;;) {
    char *end;
    if (*count == VT_SWEEP_VALUES_MAX || strspn(at, "0123456789.") == 0) return false;
    double value = strtod(at, &end);
    if (!(value >= low && value <= 1000) || strcspn(at, "xXnN") < (size_t)(end - at)) return false;
    values[(*count)++] = value;
    if (*end == '\0') return true;
    if (*end != ',') return false;
    at = end + 1;
  }
}

static enum exit_status settle(void) {
  struct vt_sweep_request *request = &settings.request;
  request->spectral = settings.model == 1;
  if (request->folder == NULL && !request->spectral)
    return report_usage("sweep", "sweep needs a folder for its runs: add --run DIR");
  if (settings.dims != NULL && !parse_dims(settings.dims, request))
    return report_usage("sweep", "--dim is '%.100s'; it must be rising whole numbers up to 4096, or A..B",
                        settings.dims);
  if (settings.l2s != NULL && !parse_reals(settings.l2s, 0, request->l2s, &request->l2_count))
    return report_usage("sweep", "--l2 is '%.100s'; it must be numbers from 0 to 1000", settings.l2s);
  if (settings.lrs != NULL && !parse_reals(settings.lrs, 1e-12, request->lrs, &request->lr_count))
    return report_usage("sweep", "--lr is '%.100s'; it must be numbers above 0, up to 1000", settings.lrs);
  if (request->spectral && (settings.l2s != NULL || settings.lrs != NULL))
    return report_usage("sweep", "--l2 and --lr are of trainings, and the spectral model trains nothing");
  request->corpus.tokens = (enum vt_token_rule)settings.tokens;
  request->corpus.threads = request->threads;
  return EXIT_DONE;
}

/* ---- results ------------------------------------------------------------------------------------------------------
 */

static const char *const verdict_names[] = {"good", "too low", "too high", "diverged"};

static json_t *points_json(const struct vt_sweep_point *points, size_t count, bool verdicts) {
  json_t *list = json_new_array();
  for (size_t k = 0; k < count; k++) {
    const struct vt_sweep_point *p = &points[k];
    json_t *entry = json_new_object();
    json_put(entry, "dim", json_new_count(p->dim));
    json_put(entry, "l2", json_new_real(p->l2));
    json_put(entry, "lr", json_new_real(p->lr));
    json_put(entry, "runs", json_new_count(p->runs));
    json_put(entry, "diverged", json_boolean(p->diverged));
    json_put(entry, "slope", json_new_real(p->slope));
    json_put(entry, "error", json_new_real(p->error));
    json_put(entry, "bias2", json_new_real(p->bias));
    json_put(entry, "variance", json_new_real(p->variance));
    json_put(entry, "seed_variance", json_new_real(p->seed_variance));
    json_put(entry, "noise", json_new_real(p->noise));
    json_put(entry, "norm", json_new_real(p->norm));
    json_put(entry, "held_out_loss", json_new_real(p->held_out));
    if (verdicts) json_put(entry, "verdict", json_new_text(verdict_names[p->verdict]));
    json_put(entry, "seconds", json_new_real(p->seconds));
    json_push(list, entry);
  }
  return list;
}

static void print_json(const struct vt_sweep *sweep) {
  json_t *object = json_new_object(), *interval = json_new_array();
  json_put(object, "dim", json_new_count(sweep->dims[sweep->best].dim));
  json_push(interval, json_new_count(sweep->dim_low));
  json_push(interval, json_new_count(sweep->dim_high));
  json_put(object, "interval", interval);
  interval = json_new_array();
  json_push(interval, json_new_real(sweep->vertex_low));
  json_push(interval, json_new_real(sweep->vertex_high));
  json_put(object, "least_between", json_new_real(sweep->vertex));
  json_put(object, "least_between_interval", interval);
  json_put(object, "why", json_new_text(sweep->why));
  if (sweep->l2_count > 0) json_put(object, "l2", json_new_real(sweep->l2s[sweep->best_l2].l2));
  if (sweep->lr_count > 0) json_put(object, "lr", json_new_real(sweep->lrs[sweep->best_lr].lr));
  json_put(object, "pairs", json_new_count(sweep->pairs));
  json_put(object, "words", json_new_count(sweep->words));
  json_put(object, "seconds", json_new_real(sweep->seconds));
  json_put(object, "seconds_all", json_new_real(sweep->seconds_all));
  json_put(object, "dims", points_json(sweep->dims, sweep->dim_count, false));
  json_put(object, "l2s", points_json(sweep->l2s, sweep->l2_count, true));
  json_put(object, "lrs", points_json(sweep->lrs, sweep->lr_count, true));
  json_print_line(object);
}

static void print_number(double value, int decimals) {
  if (isnan(value))
    printf("  %9s", "-");
  else
    printf("  %9.*f", decimals, value);
}

static void print_points(const struct vt_sweep_point *points, size_t count, size_t best, bool verdicts) {
  printf("%s%6s  %9s  %9s  %9s  %9s  %9s  %9s  %9s  %9s  %5s  %8s%s\n", terminal_style(stdout, STYLE_BOLD), "dim", "l2",
         "lr", "error", "bias^2", "variance", "noise", "held out", "norm", "runs", "seconds",
         terminal_style(stdout, STYLE_PLAIN));
  for (size_t k = 0; k < count; k++) {
    const struct vt_sweep_point *p = &points[k];
    printf("%6" PRIu32 "  %9.3g  %9.3g", p->dim, p->l2, p->lr);
    print_number(p->error, 5);
    print_number(p->bias, 5);
    print_number(p->variance, 5);
    print_number(p->noise, 5);
    print_number(p->held_out, 5);
    print_number(p->norm, 3);
    printf("  %5" PRIu32 "  %8.1f%s  %s\n", p->runs, p->seconds, k == best ? "  *" : "",
           verdicts         ? verdict_names[p->verdict]
           : p->diverged    ? "diverged"
           : p->runs == 0   ? "hopeless, not tried"
           : p->hopeless    ? "hopeless, stopped"
           : isnan(p->bias) ? "beyond the budget"
                            : "");
  }
}

static void print_text(const struct vt_sweep *sweep) {
  char words[NUMBER_TEXT_BYTES];
  print_points(sweep->dims, sweep->dim_count, sweep->best, false);
  printf("\n%sdimension %" PRIu32 "%s; %" PRIu32 " to %" PRIu32 " cannot be told apart from it\n",
         terminal_style(stdout, STYLE_BOLD), sweep->dims[sweep->best].dim, terminal_style(stdout, STYLE_PLAIN),
         sweep->dim_low, sweep->dim_high);
  if (!isnan(sweep->vertex))
    printf("a parabola in log d through it and its neighbours is least at %.0f, from %.0f to %.0f\n", sweep->vertex,
           sweep->vertex_low, sweep->vertex_high);
  puts(sweep->why);
  printf("measured on %zu pairs of %s words; %.1f seconds of the %.1f that all of it would have taken\n", sweep->pairs,
         format_count(sweep->words, words), sweep->seconds, sweep->seconds_all);
  if (sweep->l2_count > 0) {
    puts("\npenalty");
    print_points(sweep->l2s, sweep->l2_count, sweep->best_l2, true);
  }
  if (sweep->lr_count > 0) {
    puts("\nrate");
    print_points(sweep->lrs, sweep->lr_count, sweep->best_lr, true);
  }
}

static void tell(void *context, const char *what) {
  const struct common_settings *common = context;
  if (!common->quiet) fprintf(stderr, "training %s\n", what);
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  struct vt_sweep_request *request = &settings.request;
  struct vt_sweep sweep;
  struct vt_error error;
  struct common_settings shared = *common;
  enum exit_status status = settle();
  if (status != EXIT_DONE) return status;
  request->inputs = operands->items;
  request->input_count = operands->count;
  request->told = tell;
  request->context = &shared;
  request->interrupt = &interrupt_flag;
  interrupt_defer();
  if (vt_sweep(request, &sweep, &error) != VT_OK) return report_error(&error);
  if (settings.page != NULL && vt_sweep_report(&sweep, settings.page, &error) != VT_OK) status = report_error(&error);
  if (status == EXIT_DONE && settings.picture != NULL && vt_sweep_picture(&sweep, settings.picture, &error) != VT_OK)
    status = report_error(&error);
  if (status == EXIT_DONE && settings.json) print_json(&sweep);
  if (status == EXIT_DONE && !settings.json) print_text(&sweep);
  vt_sweep_release(&sweep);
  return status;
}

const struct command command_sweep = {
    .name = "sweep",
    .operands = "CORPUS... --run DIR [options]",
    .summary = "which dimension, which penalty and which rate suit a text",
    .about =
        "Trains skip-gram on two parts of the text in each dimension, with several seeds, and holds the scores against "
        "what two further parts say they should be: the error, and what of it is bias, variance and noise. Stops "
        "dimensions that are hopeless. Then penalties and rates, at the dimension that came out best.",
    .example = "vectrail sweep text.txt --run runs/sweep --dim 25..400 --lr 0.025,0.1 --output sweep.html",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = SIZE_MAX,
    .operands_missing = "sweep needs a corpus: a file of text, or - for standard input",
    .run = run,
};

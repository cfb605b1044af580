/* cmd_svd.c: vectrail svd: vectors by singular values, and how many of them the text bears. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "counts_option.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/dimension.h"

static struct svd_settings {
  const char *picture;
  bool json;
  int matrix, tokens;
  struct vt_svd_request request;
} settings;

static void prepare(void) {
  settings = (struct svd_settings){0};
  vt_svd_request_init(&settings.request);
  settings.matrix = (int)settings.request.matrix;
  settings.tokens = (int)settings.request.corpus.tokens;
}

#define AT(field) .offset = offsetof(struct svd_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    SHARED_COUNTS(AT(request.counts),
                  .help =
                      "take the counts of a text that vectrail cooccur wrote, whatever their weights, in place of a "
                      "corpus"),
    {.kind = OPTION_TEXT,
     .name = "run",
     .value = "DIR",
     AT(request.run_path),
     .help = "the run folder to make; without it only figures are printed"},
    SHARED_FORCE(AT(request.force)),
    {.kind = OPTION_CHOICE,
     .name = "matrix",
     .value = "NAME",
     AT(matrix),
     .choices = {"quadratic", "pmi", "ppmi"},
     .help = "ppmi: pointwise mutual information above 0; pmi: below, too; quadratic: that of --loss quadratic"},
    {.kind = OPTION_U32,
     .name = "shift",
     .value = "K",
     AT(request.shift),
     .low = 1,
     .high = 1000,
     .help = "take log K from pmi: the optimum of negative sampling with K noise words"},
    {.kind = OPTION_U32,
     .name = "dim",
     .aliases = "size vector-size",
     .value = "N",
     AT(request.dim),
     .high = 4096,
     .help = "length of a vector; 0: the best by --choose"},
    {.kind = OPTION_REAL,
     .name = "power",
     .value = "X",
     AT(request.alpha),
     .above_low = true,
     .real_high = 1,
     .help = "to which singular values are raised"},
    {.kind = OPTION_FLAG,
     .name = "choose",
     AT(request.choose),
     .help = "look for the best dimension, by the noise in two halves of the text"},
    {.kind = OPTION_TEXT,
     .name = "picture",
     .value = "FILE",
     AT(picture),
     .help =
         "with --choose, also draw the PIP loss over the dimension, expected and, between the halves, measured; SVG"},
    {.kind = OPTION_U32,
     .name = "rank",
     .value = "N",
     AT(request.rank),
     .low = 1,
     .high = 4096,
     .help = "singular values that are looked at for it"},
    SHARED_WINDOW(AT(request.window), .help = "context words on each side, at most; one n away counts (N - n + 1) / N"),
    SHARED_SAMPLE(AT(request.sample),
                  .help =
                      "count as if words more frequent than this share of the text were left out at random; 0: never"),
    SHARED_RULES(tokens, request.corpus),
    {.kind = OPTION_U64,
     .name = "seed",
     .value = "N",
     AT(request.seed),
     .high = UINT64_MAX,
     .help = "another number gives other halves"},
    SHARED_THREADS(AT(request.threads)),
    SHARED_JSON(AT(json)),
};

static const int percents[VT_PIP_INTERVALS] = {5, 10, 20, 50};

static json_t *choice_json(const struct vt_svd_result *result) {
  const struct vt_pip_choice *choice = &result->choice;
  json_t *object = json_new_object(), *within = json_new_object();
  json_put(object, "dim", result->chosen ? json_new_count(choice->best) : json_null());
  json_put(object, "sigma", json_new_real(result->sigma));
  json_put(object, "sigma_error", json_new_real(result->sigma_error));
  json_put(object, "edge", json_new_real(result->edge));
  json_put(object, "signals", json_new_count(result->signals));
  json_put(object, "cut", json_boolean(result->cut));
  for (int m = 0; m < VT_PIP_INTERVALS; m++) {
    char name[8];
    json_t *pair = json_new_array();
    snprintf(name, sizeof name, "%d", percents[m]);
    json_push(pair, json_new_count(choice->within[m].low));
    json_push(pair, json_new_count(choice->within[m].high));
    json_put(within, name, pair);
  }
  json_put(object, "within_percent", within);
  if (result->chosen) {
    json_t *bound = json_new_object();
    json_put(bound, "bias", json_new_real(result->bound.bias));
    json_put(bound, "variance_of_sizes", json_new_real(result->bound.size));
    json_put(bound, "variance_of_directions", json_new_real(result->bound.direction));
    json_put(object, "bound", bound);
  }
  json_put(object, "dim_if_less_noise", json_new_count(choice->best_less_noise));
  json_put(object, "dim_if_more_noise", json_new_count(choice->best_more_noise));
  return object;
}

static void print_json(const struct vt_svd_result *result) {
  json_t *object = json_new_object(), *spectrum = json_new_array();
  json_put(object, "run", settings.request.run_path == NULL ? json_null() : json_new_text(settings.request.run_path));
  json_put(object, "words", json_new_count(result->words));
  json_put(object, "pairs", json_new_count(result->pairs));
  json_put(object, "dim", json_new_count(result->dim));
  for (size_t k = 0; k < result->spectrum_count; k++) json_push(spectrum, json_new_real(result->spectrum[k]));
  json_put(object, "spectrum", spectrum);
  if (result->signal != NULL) json_put(object, "choice", choice_json(result));
  json_print_line(object);
}

static void print_choice(const struct vt_svd_result *result) {
  const struct vt_pip_choice *choice = &result->choice;
  printf("\nnoise: deviation %.4g (error of that %.1f%%), so singular values up to %.4g may be noise alone; %zu%s lie "
         "above\n",
         result->sigma, 100 * result->sigma_error, result->edge, result->signals,
         result->cut ? ", all that were found," : "");
  if (!result->chosen) {
    puts("no direction stands out of the noise: the text is too small for this vocabulary to say which dimension it "
         "bears");
    return;
  }
  printf("%sbest dimension by expected PIP loss: %zu%s\n", terminal_style(stdout, STYLE_BOLD), choice->best,
         terminal_style(stdout, STYLE_PLAIN));
  for (int m = 0; m < VT_PIP_INTERVALS; m++)
    printf("  within %2d%% of the least loss   %5zu to %zu\n", percents[m], choice->within[m].low,
           choice->within[m].high);
  printf("  were the noise 0.8 times as large: %zu; 1.25 times: %zu\n", choice->best_less_noise,
         choice->best_more_noise);
  printf("  bound on the loss at %zu: %.4g left out, %.4g by noisy sizes, %.4g by noisy directions\n", choice->best,
         result->bound.bias, result->bound.size, result->bound.direction);
  if (result->sigma_error > 0.1 || choice->best < 3)
    puts("  the text is too small for a sure estimate of the noise; take the widest of these intervals");
  if (result->cut) puts("  more directions may lie above the noise: look at more (--rank)");
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  struct vt_svd_request *request = &settings.request;
  struct vt_svd_result result;
  struct vt_error error;
  enum exit_status status = counts_option_check(&command_svd, request->counts, operands);
  if (status != EXIT_DONE) return status;
  if (request->dim == 0) request->choose = true;
  if (settings.picture != NULL && !request->choose)
    return report_usage("svd", "--picture is of the choice of a dimension: add --choose");
  request->halves = settings.picture != NULL;
  request->inputs = operands->items;
  request->input_count = operands->count;
  request->matrix = (enum vt_association_kind)settings.matrix;
  request->corpus.tokens = (enum vt_token_rule)settings.tokens;
  request->corpus.threads = request->threads;
  request->interrupt = &interrupt_flag;
  interrupt_defer();
  if (vt_svd(request, &result, &error) != VT_OK) return report_error(&error);
  char words[NUMBER_TEXT_BYTES], pairs[NUMBER_TEXT_BYTES];
  if (settings.json) {
    print_json(&result);
  } else {
    printf("%s words, %s pairs meet; singular values %.4g, %.4g, ... %.4g\n", format_count(result.words, words),
           format_count(result.pairs, pairs), result.spectrum[0],
           result.spectrum_count > 1 ? result.spectrum[1] : result.spectrum[0],
           result.spectrum[result.spectrum_count - 1]);
    if (result.signal != NULL) print_choice(&result);
    if (request->run_path != NULL && !common->quiet)
      printf("vectors of length %" PRIu32 ": %s\n", result.dim, request->run_path);
  }
  if (settings.picture != NULL && vt_svd_picture(&result, request->alpha, settings.picture, &error) != VT_OK)
    status = report_error(&error);
  vt_svd_result_release(&result);
  return status;
}

const struct command command_svd = {
    .name = "svd",
    .operands = "CORPUS... [options]",
    .summary = "vectors by singular values, and how many dimensions a text bears",
    .about =
        "Counts which words meet, makes a matrix of how they go together and finds its largest singular values: the "
        "vectors that do without training, recorded as a run like others. With --choose, how many dimensions stand "
        "out of the noise, which two halves of the text show.",
    .example = "vectrail svd text.txt --choose --max-vocab 10000",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 0,
    .operands_high = SIZE_MAX,
    .operands_missing = "svd needs a corpus: a file of text, or - for standard input",
    .run = run,
};

/* cmd_import.c: vectrail import: a run of what others trained. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "interrupt.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "vectrail/import.h"

static struct import_settings {
  const char *run;
  const char *steps;
  const char *vocab;
  const char *tensor;
  int format;
  bool append;
  bool force;
  bool float16;
  bool json;
} settings;

static void prepare(void) { settings = (struct import_settings){0}; }

#define AT(field) .offset = offsetof(struct import_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT, .name = "run", .value = "DIR", AT(run), .help = "the run folder to make; required"},
    {.kind = OPTION_FLAG,
     .name = "append",
     AT(append),
     .help = "go on with the imported or recorded run that is in that folder"},
    SHARED_FORCE(AT(force)),
    {.kind = OPTION_TEXT,
     .name = "steps",
     .value = "LIST",
     AT(steps),
     .unset = "0, 1, 2 and so on, or on from the last",
     .help = "the step of each file, ascending, with commas between; 'names': the last number in the name of each "
             "file, and files are taken in that order"},
    {.kind = OPTION_CHOICE,
     .name = "format",
     .value = "NAME",
     AT(format),
#define X(id, name, text) name,
     .choices = {VT_IMPORT_MAP(X)},
#undef X
     .help = "auto tells by what the file holds"},
    {.kind = OPTION_TEXT,
     .name = "vocab",
     .value = "FILE",
     AT(vocab),
     .unset = "FILE.vocab.txt beside it",
     .help = "the words of npy and safetensors files: one a line, or a HuggingFace tokenizer.json"},
    {.kind = OPTION_TEXT,
     .name = "tensor",
     .value = "NAME",
     AT(tensor),
     .unset = "the only one that fits the words",
     .help = "the tensor of safetensors files that holds the vectors"},
    {.kind = OPTION_FLAG,
     .name = "float16",
     AT(float16),
     .help = "keep 16 bits of each number, as training does: half the space, 11 significant bits"},
    {.kind = OPTION_FLAG, .name = "json", AT(json), .help = "print what was imported as one JSON object"},
};

/* ---- steps ---------------------------------------------------------------------------------------------------------
 */

/* A file and its step. */
struct source {
  const char *path;
  uint64_t step;
};

/* Digits alone, up to 2^63 - 2; *end is what follows. */
static bool read_step(const char *text, uint64_t *step, const char **end) {
  *step = 0;
  for (*end = text; **end >= '0' && **end <= '9'; (*end)++) {
    uint64_t digit = (uint64_t)(**end - '0');
    if (*step > ((uint64_t)INT64_MAX - 1 - digit) / 10) return false;
    *step = *step * 10 + digit;
  }
  return *end > text;
}

static bool take_list(struct source *sources, size_t count) {
  const char *at = settings.steps;
  for (size_t k = 0; k < count; k++) {
    if (k > 0 && *at++ != ',') return false;
    if (!read_step(at, &sources[k].step, &at)) return false;
  }
  return *at == '\0';
}

/* How much of a name stands before its extension, which is no number: 4 of "v3.5.npy". */
static size_t stem_of(const char *name, size_t bytes) {
  size_t dot = bytes;
  while (dot > 0 && name[dot - 1] != '.') dot--;
  if (dot <= 1) return bytes;
  for (size_t k = dot; k < bytes; k++)
    if (name[k] < '0' || name[k] > '9') return dot - 1;
  return bytes;
}

static bool is_compressed(const char *name, size_t stem) {
  return strcmp(name + stem, ".gz") == 0 || strcmp(name + stem, ".zst") == 0 || strcmp(name + stem, ".xz") == 0;
}

/* The last number in a file's name, folder and extension aside: 1000 of "runs/2/step_1000.safetensors". */
static bool take_name(struct source *source) {
  const char *slash = strrchr(source->path, '/'), *name = slash != NULL ? slash + 1 : source->path, *end;
  size_t stem = stem_of(name, strlen(name));
  if (is_compressed(name, stem)) stem = stem_of(name, stem);
  while (stem > 0 && (name[stem - 1] < '0' || name[stem - 1] > '9')) stem--;
  if (stem == 0) return false;
  while (stem > 0 && name[stem - 1] >= '0' && name[stem - 1] <= '9') stem--;
  return read_step(name + stem, &source->step, &end);
}

static int compare_steps(const void *left, const void *right) {
  const struct source *a = left, *b = right;
  if (a->step != b->step) return a->step < b->step ? -1 : 1;
  return strcmp(a->path, b->path);
}

static enum exit_status take_steps(struct source *sources, size_t count) {
  if (settings.steps == NULL) return EXIT_DONE;
  if (strcmp(settings.steps, "names") != 0) {
    if (take_list(sources, count)) return EXIT_DONE;
    return report_usage("import", "--steps is '%.100s'; it must be 'names' or %zu whole number%s with commas between",
                        settings.steps, count, count == 1 ? "" : "s");
  }
  for (size_t k = 0; k < count; k++)
    if (!take_name(&sources[k]))
      return report_usage("import", "the name %.200s holds no number that could be its step", sources[k].path);
  qsort(sources, count, sizeof *sources, compare_steps);
  for (size_t k = 1; k < count; k++)
    if (sources[k].step == sources[k - 1].step)
      return report_usage("import", "%.150s and %.150s have the same step by their names, %" PRIu64,
                          sources[k - 1].path, sources[k].path, sources[k].step);
  return EXIT_DONE;
}

/* ---- the import ----------------------------------------------------------------------------------------------------
 */

struct telling {
  const struct source *sources;
  size_t count;
};

static void tell_progress(void *context, size_t files_done, uint64_t step) {
  const struct telling *telling = context;
  fprintf(stderr, "imported %zu of %zu as step %" PRIu64 ": ", files_done, telling->count, step);
  print_clean(stderr, telling->sources[files_done - 1].path);
  fputc('\n', stderr);
}

static void print_result(const struct vt_import_result *result, size_t files) {
  if (settings.json) {
    json_t *object = json_new_object();
    json_put(object, "run", json_new_text(settings.run));
    json_put(object, "files", json_new_count(files));
    json_put(object, "words", json_new_count(result->words));
    json_put(object, "dim", json_new_count(result->dim));
    json_put(object, "first_step", json_new_count(result->first_step));
    json_put(object, "last_step", json_new_count(result->last_step));
    json_put(object, "format", json_new_text(vt_import_format_name(result->format)));
    json_print_line(object);
    return;
  }
  char words[NUMBER_TEXT_BYTES], first[NUMBER_TEXT_BYTES], last[NUMBER_TEXT_BYTES];
  printf("%s words, vectors of length %zu, ", format_count(result->words, words), result->dim);
  if (files == 1)
    printf("step %s: ", format_count(result->last_step, last));
  else
    printf("steps %s to %s: ", format_count(result->first_step, first), format_count(result->last_step, last));
  print_clean(stdout, settings.run);
  putchar('\n');
}

static enum exit_status import(const struct source *sources, size_t count, bool quiet) {
  const char **paths = cli_alloc(count, sizeof *paths);
  uint64_t *steps = cli_alloc(count, sizeof *steps);
  for (size_t k = 0; k < count; k++) {
    paths[k] = sources[k].path;
    steps[k] = sources[k].step;
  }
  struct telling telling = {.sources = sources, .count = count};
  const struct vt_import_request request = {
      .paths = paths,
      .path_count = count,
      .steps = settings.steps != NULL ? steps : NULL,
      .run_path = settings.run,
      .force = settings.force,
      .append = settings.append,
      .float16 = settings.float16,
      .read = {.format = (enum vt_import_format)settings.format,
               .vocab_path = settings.vocab,
               .tensor = settings.tensor,
               .interrupt = &interrupt_flag},
      .progress = quiet ? NULL : tell_progress,
      .progress_context = &telling,
  };
  struct vt_import_result result;
  struct vt_error error;
  enum exit_status status = EXIT_DONE;
  interrupt_defer(); /* what was staged is removed, what was appended is taken back */
  if (vt_import(&request, &result, &error) != VT_OK)
    status = report_error(&error);
  else if (settings.json || !quiet)
    print_result(&result, count);
  free(paths);
  free(steps);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  if (settings.run == NULL) {
    report("add --run DIR, a folder that will hold the vectors", "import needs a run folder to write to");
    return EXIT_USAGE;
  }
  if (settings.append && settings.force)
    return report_usage("import", "--append goes on with a run, --force replaces it: not both");
  size_t standard_inputs = 0;
  for (size_t k = 0; k < operands->count; k++) standard_inputs += strcmp(operands->items[k], "-") == 0;
  if (standard_inputs > 1) return report_usage("import", "standard input ('-') can be read only once");
  struct source *sources = cli_alloc(operands->count, sizeof *sources);
  for (size_t k = 0; k < operands->count; k++) sources[k] = (struct source){.path = operands->items[k]};
  enum exit_status status = take_steps(sources, operands->count);
  if (status == EXIT_DONE) status = import(sources, operands->count, common->quiet);
  free(sources);
  return status;
}

const struct command command_import = {
    .name = "import",
    .operands = "FILES... --run DIR [options]",
    .summary = "make a run of vectors that others trained",
    .about = "Makes a run folder of one file of vectors, or of a series of them, a snapshot each, so that every "
             "reading command works on what another program trained. Reads word2vec text and binary, GloVe text, "
             "NumPy .npy and safetensors; the first four plain or compressed with gzip, zstd or xz. All files of "
             "a series hold the same words.",
    .example = "vectrail import step_*.safetensors --run runs/bert --steps names --vocab tokenizer.json",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = SIZE_MAX,
    .operands_missing = "import needs a file of vectors",
    .run = run,
};

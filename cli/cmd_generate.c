/* cmd_generate.c: vectrail generate: text that a network writes, and how well it predicts one. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"
#include "report.h"
#include "shared_options.h"
#include "terminal.h"
#include "words.h"
#include "vectrail/network.h"
#include "vectrail/train.h"

#define SCORE_BYTES_MAX ((size_t)1 << 30)

static struct generate_settings {
  const char *prompt, *score;
  struct text_list ids;
  bool next, json;
  int threads;
  uint64_t length;
  struct vt_generate_options options;
} settings;

static void prepare(void) {
  settings = (struct generate_settings){0};
  vt_generate_options_init(&settings.options);
  settings.length = settings.options.tokens;
  struct vt_train_options train;
  vt_train_options_init(&train);
  settings.threads = train.threads;
}

#define AT(field) .offset = offsetof(struct generate_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_TEXT,
     .name = "prompt",
     .value = "TEXT",
     AT(prompt),
     .help = "what the text begins with; a Transformer of a run can do without: it then begins a line"},
    {.kind = OPTION_LIST,
     .name = "ids",
     .value = "N,...",
     AT(ids),
     .help = "numbers of tokens instead, for a network without words"},
    {.kind = OPTION_U64,
     .name = "length",
     .value = "N",
     AT(length),
     .low = 1,
     .high = 1000000,
     .help = "tokens to write"},
    {.kind = OPTION_REAL,
     .name = "temperature",
     .value = "X",
     AT(options.temperature),
     .real_high = 100,
     .help = "above 1 bolder, below 1 safer; 0: always the likeliest"},
    {.kind = OPTION_U32,
     .name = "top",
     .value = "N",
     AT(options.top),
     .high = UINT32_MAX,
     .help = "draw from the N likeliest alone; 0: from all"},
    {.kind = OPTION_U64,
     .name = "seed",
     .value = "N",
     AT(options.seed),
     .high = UINT64_MAX,
     .help = "another number writes another text"},
    {.kind = OPTION_FLAG,
     .name = "next",
     AT(next),
     .help = "print what may come next, the likeliest first, instead of writing on; with --json all logits"},
    {.kind = OPTION_TEXT,
     .name = "score",
     .value = "FILE",
     AT(score),
     .help = "print how well the network predicts the text of FILE"},
    {.kind = OPTION_INT,
     .name = "threads",
     .value = "N",
     AT(threads),
     .low = 1,
     .high = 1024,
     .unset = "the processors it may use",
     .help = "changes no result"},
    SHARED_JSON(AT(json), .aside = true),
};

struct ids {
  uint32_t *items;
  size_t count;
};

/* ---- what the text begins with ----------------------------------------------------------------------------------- */

static enum exit_status read_numbers(struct ids *ids) {
  ids->items = cli_alloc(settings.ids.count + 1, sizeof *ids->items);
  for (size_t k = 0; k < settings.ids.count; k++) {
    const char *text = settings.ids.items[k];
    for (;;) { /* commas within a value */
      size_t digits = strspn(text, "0123456789");
      if (digits == 0 || digits > 9 || (text[digits] != '\0' && text[digits] != ','))
        return report_usage("generate", "--ids: '%.100s' is no number of a token", text);
      ids->items = cli_realloc(ids->items, ids->count + 2, sizeof *ids->items);
      ids->items[ids->count++] = (uint32_t)strtoul(text, NULL, 10);
      if (text[digits] == '\0') break;
      text += digits + 1;
    }
  }
  return EXIT_DONE;
}

static enum exit_status read_prompt(const struct vt_network *network, struct ids *ids) {
  if (settings.ids.count > 0) return read_numbers(ids);
  const char *prompt = settings.prompt == NULL ? "" : settings.prompt;
  uint32_t *found, end = vt_network_end(network);
  size_t count;
  struct vt_error error;
  if (vt_network_encode(network, prompt, strlen(prompt), &found, &count, &error) != VT_OK) return report_error(&error);
  ids->items = cli_alloc(count + 1, sizeof *ids->items);
  if (end != UINT32_MAX) ids->items[ids->count++] = end; /* a text begins where a line has ended */
  for (size_t k = 0; k < count; k++) ids->items[ids->count++] = found[k];
  vt_network_ids_free(found);
  return EXIT_DONE;
}

static const char *text_of(const struct vt_network *network, uint32_t id) {
  const struct vt_vocab *vocab = vt_network_vocab(network);
  return vocab != NULL && id < vt_vocab_size(vocab) ? vt_vocab_text(vocab, id) : NULL;
}

/* ---- writing on -------------------------------------------------------------------------------------------------- */

/* Pieces of words, as the bytes that they are. */
static void print_pieces(const struct vt_network *network, const uint32_t *ids, size_t count,
                         const struct ids *prompt) {
  size_t held = 0, capacity = 1024;
  unsigned char *text = cli_realloc(NULL, capacity, 1);
  for (size_t k = 0; k < prompt->count + count; k++) {
    uint32_t id = k < prompt->count ? prompt->items[k] : ids[k - prompt->count];
    size_t bytes = 0;
    const unsigned char *piece = vt_network_token_bytes(network, id, &bytes);
    if (held + bytes + 1 > capacity) {
      capacity = 2 * (held + bytes) + 1024;
      text = cli_realloc(text, capacity, 1);
    }
    if (piece != NULL) memcpy(text + held, piece, bytes);
    held += bytes;
    if (id == vt_network_end(network) && k > 0) text[held++] = '\n';
  }
  for (size_t at = 0, next; at < held; at = next) { /* line by line: a line end is no control character here */
    const unsigned char *line = memchr(text + at, '\n', held - at);
    next = line == NULL ? held : (size_t)(line - text) + 1;
    print_clean_bytes(stdout, (const char *)text + at, (line == NULL ? held : next - 1) - at);
    if (line != NULL) putchar('\n');
  }
  putchar('\n');
  free(text);
}

static bool has_pieces(const struct vt_network *network) {
  size_t bytes;
  for (uint32_t id = 0; id < vt_network_tokens(network); id++)
    if (vt_network_token_bytes(network, id, &bytes) != NULL) return true;
  return false;
}

static void print_text(const struct vt_network *network, const uint32_t *ids, size_t count, const struct ids *prompt) {
  if (has_pieces(network)) {
    print_pieces(network, ids, count, prompt);
    return;
  }
  bool begins = true;
  for (size_t k = 0; k < prompt->count + count; k++) {
    uint32_t id = k < prompt->count ? prompt->items[k] : ids[k - prompt->count];
    const char *text = text_of(network, id);
    if (id == vt_network_end(network)) {
      if (k > 0) putchar('\n');
      begins = true;
      continue;
    }
    if (!begins) putchar(' ');
    if (text != NULL)
      print_clean(stdout, text);
    else
      printf("%" PRIu32, id);
    begins = false;
  }
  putchar('\n');
}

static void print_text_json(const struct vt_network *network, const uint32_t *ids, size_t count) {
  json_t *object = json_new_object(), *numbers = json_new_array(), *words = json_new_array();
  for (size_t k = 0; k < count; k++) {
    json_push(numbers, json_new_count(ids[k]));
    const char *text = text_of(network, ids[k]);
    json_push(words, text == NULL ? json_null() : json_new_text(text));
  }
  json_put(object, "ids", numbers);
  if (vt_network_vocab(network) != NULL)
    json_put(object, "words", words);
  else
    json_decref(words);
  json_print_line(object);
}

static enum exit_status write_on(struct vt_network *network, const struct ids *prompt) {
  struct vt_error error;
  settings.options.tokens = (size_t)settings.length;
  uint32_t *ids = cli_alloc(settings.options.tokens, sizeof *ids);
  enum exit_status status = EXIT_DONE;
  if (vt_network_generate(network, prompt->items, prompt->count, &settings.options, ids, &error) != VT_OK)
    status = report_error(&error);
  else if (settings.json)
    print_text_json(network, ids, settings.options.tokens);
  else
    print_text(network, ids, settings.options.tokens, prompt);
  free(ids);
  return status;
}

/* ---- what may come next ------------------------------------------------------------------------------------------ */

static void print_next(const struct vt_network *network, const float *logits) {
  const uint32_t tokens = vt_network_tokens(network);
  double largest = -INFINITY, sum = 0, above = INFINITY;
  for (uint32_t k = 0; k < tokens; k++) largest = fmax(largest, (double)logits[k]);
  for (uint32_t k = 0; k < tokens; k++) sum += exp((double)logits[k] - largest);
  printf("  %-20s %12s %10s\n", "token", "probability", "logit");
  uint32_t last = UINT32_MAX;
  for (int row = 0; row < 10 && row < (int)tokens; row++) {
    uint32_t best = UINT32_MAX;
    for (uint32_t k = 0; k < tokens; k++) {
      bool below = (double)logits[k] < above || ((double)logits[k] == above && last != UINT32_MAX && k > last);
      if (below && (best == UINT32_MAX || logits[k] > logits[best])) best = k;
    }
    if (best == UINT32_MAX) break;
    above = (double)logits[best];
    last = best;
    const char *text = text_of(network, best);
    char number[16];
    snprintf(number, sizeof number, "%" PRIu32, best);
    const char *shown = best == vt_network_end(network) ? "(end of line)" : text == NULL ? number : text;
    printf("  ");
    print_clean(stdout, shown);
    printf("%*s %11.2f%% %10.4f\n", (int)(strlen(shown) < 20 ? 20 - strlen(shown) : 0), "",
           100 * exp((double)logits[best] - largest) / sum, (double)logits[best]);
  }
}

static enum exit_status tell_next(struct vt_network *network, const struct ids *prompt) {
  struct vt_error error;
  const uint32_t tokens = vt_network_tokens(network);
  float *logits = cli_alloc(tokens, sizeof *logits);
  enum exit_status status = EXIT_DONE;
  if (vt_network_logits(network, prompt->items, prompt->count, logits, &error) != VT_OK) {
    status = report_error(&error);
  } else if (settings.json) {
    json_t *object = json_new_object(), *array = json_new_array();
    for (uint32_t k = 0; k < tokens; k++) json_push(array, json_new_real((double)logits[k]));
    json_put(object, "logits", array);
    json_print_line(object);
  } else {
    print_next(network, logits);
  }
  free(logits);
  return status;
}

/* ---- scoring ----------------------------------------------------------------------------------------------------- */

static enum exit_status read_file(const char *path, char **text, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  *text = NULL;
  *bytes = 0;
  if (file == NULL) {
    report(NULL, "%s: cannot open: %s", path, strerror(errno));
    return EXIT_FAILED;
  }
  size_t capacity = 65536, got = 1;
  *text = cli_alloc(capacity, 1);
  while (got > 0 && *bytes < SCORE_BYTES_MAX) {
    if (*bytes == capacity) {
      capacity *= 2;
      *text = cli_realloc(*text, capacity, 1);
    }
    got = fread(*text + *bytes, 1, capacity - *bytes, file);
    *bytes += got;
  }
  bool failed = ferror(file) != 0;
  fclose(file);
  if (!failed) return EXIT_DONE;
  report(NULL, "%s: cannot be read", path);
  return EXIT_FAILED;
}

static enum exit_status score(struct vt_network *network) {
  char *text;
  size_t bytes;
  struct ids ids = {0};
  struct vt_error error;
  struct vt_network_score result;
  enum exit_status status = read_file(settings.score, &text, &bytes);
  if (status == EXIT_DONE && vt_network_encode(network, text, bytes, &ids.items, &ids.count, &error) != VT_OK)
    status = report_error(&error);
  if (status == EXIT_DONE && vt_network_score(network, ids.items, ids.count, &result, &error) != VT_OK)
    status = report_error(&error);
  if (status == EXIT_DONE && settings.json) {
    json_t *object = json_new_object();
    json_put(object, "tokens", json_new_count(result.tokens));
    json_put(object, "loss", json_new_real(result.loss));
    json_put(object, "perplexity", json_new_real(exp(result.loss)));
    json_print_line(object);
  } else if (status == EXIT_DONE) {
    char a[NUMBER_TEXT_BYTES];
    printf("%s tokens predicted: %.4f nats each, perplexity %.2f\n", format_count(result.tokens, a), result.loss,
           exp(result.loss));
  }
  vt_network_ids_free(ids.items);
  free(text);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  (void)common;
  struct vt_network *network;
  struct vt_error error;
  struct ids prompt = {0};
  if (settings.prompt != NULL && settings.ids.count > 0)
    return report_usage("generate", "--prompt and --ids say the same in two ways; give one");
  if (vt_network_open(operands->items[0], settings.threads, &network, &error) != VT_OK) return report_error(&error);
  enum exit_status status = settings.score != NULL ? score(network) : read_prompt(network, &prompt);
  if (status == EXIT_DONE && settings.score == NULL)
    status = settings.next ? tell_next(network, &prompt) : write_on(network, &prompt);
  free(prompt.items);
  vt_network_free(network);
  return status;
}

const struct command command_generate = {
    .name = "generate",
    .operands = "DIR [options]",
    .summary = "text that a trained network writes, or how well it predicts one",
    .about =
        "Of a run of --model nnlm or transformer, or of a folder with config.json and model.safetensors as GPT-2 and "
        "Pythia are published. The same seed writes the same text.",
    .example = "vectrail generate runs/gpt --prompt \"this movie was\" --length 60 --top 40",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "generate needs a run folder, or a published model's",
    .run = run,
};

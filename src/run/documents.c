/* documents.c: sentences are in the order of the text, so their lines are found by one walk. */
#include "run/documents.h"

#include <string.h>

#include "base/memory.h"
#include "text/input.h"

#define BUFFER_BYTES ((size_t)256 << 10)

struct sentences {
  uint64_t *numbers;
  size_t count;
  size_t capacity;
  uint64_t end; /* of the corpus */
};

static enum vt_status add_sentence(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct sentences *sentences = context;
  if (values[0].integer < 0 || (uint64_t)values[0].integer >= sentences->end)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "the ledger speaks of a sentence that there is not");
  if (sentences->count == sentences->capacity) {
    size_t capacity = 2 * sentences->capacity + 64;
    uint64_t *grown = vt_realloc(sentences->numbers, capacity, sizeof *grown);
    if (grown == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *grown);
    sentences->numbers = grown;
    sentences->capacity = capacity;
  }
  sentences->numbers[sentences->count++] = (uint64_t)values[0].integer;
  return VT_OK;
}

/* An input, read line by line. */
struct reading {
  struct vt_input *input;
  unsigned char *buffer;
  size_t at, end;
  uint64_t line; /* that begins, or goes on, at `at` */
  char text[VT_DOCUMENT_BYTES + 1];
  size_t bytes; /* of text */
};

/* Reads up to the end of the line, and keeps its beginning where it is wanted. *more is false at the end of the input.
 */
static enum vt_status read_line(struct reading *reading, bool wanted, bool *more, struct vt_error *error) {
  reading->bytes = 0;
  for (*more = true; *more;) {
    if (reading->at == reading->end) {
      VT_TRY(vt_input_read(reading->input, reading->buffer, BUFFER_BYTES, &reading->end, error));
      reading->at = 0;
      *more = reading->end > 0;
      if (!*more) break;
    }
    const unsigned char *from = reading->buffer + reading->at;
    const unsigned char *newline = memchr(from, '\n', reading->end - reading->at);
    size_t bytes = newline == NULL ? reading->end - reading->at : (size_t)(newline - from);
    size_t kept = wanted ? VT_DOCUMENT_BYTES - reading->bytes : 0;
    if (kept > bytes) kept = bytes;
    memcpy(reading->text + reading->bytes, from, kept);
    reading->bytes += kept;
    reading->at += bytes + (newline != NULL);
    if (newline != NULL) break;
  }
  reading->line++;
  return VT_OK;
}

/* A character that was cut in two goes. */
static void end_text(struct reading *reading) {
  if (reading->bytes == VT_DOCUMENT_BYTES) {
    while (reading->bytes > 0 && ((unsigned char)reading->text[reading->bytes - 1] & 0xC0) == 0x80) reading->bytes--;
    if (reading->bytes > 0 && (unsigned char)reading->text[reading->bytes - 1] >= 0xC0) reading->bytes--;
  }
  bool marked = reading->line == 1 && reading->bytes >= 3 && memcmp(reading->text, "\xEF\xBB\xBF", 3) == 0;
  if (marked) memmove(reading->text, reading->text + 3, reading->bytes -= 3);
  while (reading->bytes > 0 && reading->text[reading->bytes - 1] == '\r') reading->bytes--;
  reading->text[reading->bytes] = '\0';
}

/* The sentences from `first` on that stand in one input; *end is the first that does not. */
static enum vt_status keep_input(struct vt_store *store, const struct vt_run_text *text,
                                 const struct sentences *sentences, size_t first, size_t *end, struct reading *reading,
                                 struct vt_error *error) {
  size_t input, its;
  uint64_t line;
  vt_run_text_line(text, sentences->numbers[first], &input, &line);
  if (input >= text->input_count) return VT_FAIL(error, VT_ERROR_CORRUPT, "a line of an input that there is not");
  VT_TRY(vt_input_open(text->inputs[input], NULL, &reading->input, error));
  reading->at = reading->end = 0;
  reading->line = 0;
  bool more = true;
  for (*end = first; *end < sentences->count; (*end)++) {
    vt_run_text_line(text, sentences->numbers[*end], &its, &line);
    if (its != input) break;
    while (more && reading->line < line) VT_TRY(read_line(reading, false, &more, error));
    VT_TRY(read_line(reading, true, &more, error));
    end_text(reading);
    const struct vt_store_value values[] = {vt_store_integer(sentences->numbers[*end]), vt_store_integer(input),
                                            vt_store_integer(line), vt_store_text(reading->text)};
    VT_TRY(vt_store_insert(store, VT_STORE_DOCUMENT, values, error));
  }
  vt_input_close(reading->input);
  reading->input = NULL;
  return VT_OK;
}

static enum vt_status keep_all(struct vt_store *store, const struct vt_run_text *text,
                               const struct sentences *sentences, struct reading *reading, struct vt_error *error) {
  VT_TRY(vt_store_begin(store, error));
  for (size_t first = 0, end; first < sentences->count; first = end)
    VT_TRY(keep_input(store, text, sentences, first, &end, reading, error));
  return vt_store_commit(store, error);
}

enum vt_status vt_documents_keep(struct vt_store *store, const struct vt_run_text *text, size_t *count,
                                 struct vt_error *error) {
  struct sentences sentences = {.end = text->lines.bytes / sizeof(uint64_t)};
  struct reading *reading = vt_alloc_zero(1, sizeof *reading);
  enum vt_status status = VT_OK;
  if (reading != NULL) reading->buffer = vt_alloc(BUFFER_BYTES, 1);
  if (reading == NULL || reading->buffer == NULL) status = VT_FAIL_MEMORY(error, BUFFER_BYTES);
  if (status == VT_OK) status = vt_store_read_ledger_documents(store, add_sentence, &sentences, error);
  if (status == VT_OK) status = keep_all(store, text, &sentences, reading, error);
  *count = sentences.count;
  vt_free(sentences.numbers);
  if (reading != NULL) {
    vt_input_close(reading->input);
    vt_free(reading->buffer);
  }
  vt_free(reading);
  return status;
}

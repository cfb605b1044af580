/*
 * bpe_corpus.c: a text by pieces of words.
 *
 * Merges are learnt from the whole text before any of it can be encoded, so it is held in memory. A line is encoded by
 * itself, without what ends it (a line feed, or carriage return and line feed); a line of no bytes leaves no mark. Ids
 * are in the vocabulary's order, more frequent tokens first, not in the tokenizer's.
 */
#include "text/bpe_corpus.h"

#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "text/chunks.h"
#include "text/corpus_internal.h"
#include "text/hash.h"
#include "text/input.h"
#include "text/utf8.h"
#include "text/vocab_internal.h"

struct text {
  unsigned char *bytes;
  size_t count, capacity;
};

struct encoding {
  const char *const *inputs;
  size_t input_count;
  const struct vt_corpus_options *options;
  struct text *texts;
  struct vt_bpe *bpe;
  uint32_t *ids; /* of tokens, with VT_CORPUS_END behind each line */
  size_t count, capacity;
  uint64_t *lines; /* of each sentence: the input and its line */
  size_t sentences, lines_capacity;
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static enum vt_status check_text(const char *path, struct text *text, struct vt_error *error) {
  const char *name = vt_input_name(path);
  if (text->count >= 3 && memcmp(text->bytes, "\xEF\xBB\xBF", 3) == 0) {
    text->count -= 3;
    memmove(text->bytes, text->bytes + 3, text->count);
  }
  const unsigned char *nul = text->count == 0 ? NULL : memchr(text->bytes, '\0', text->count);
  if (nul != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "if it is text in another encoding, convert it with iconv",
                        "%s: byte %zu is NUL: this is not text in UTF-8", name, (size_t)(nul - text->bytes));
  size_t first, bad = vt_utf8_count_bad(text->bytes, text->count, &first);
  if (vt_chunks_binary(bad, text->count))
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "if it is text in another encoding, convert it with iconv",
                        "%s: %zu of %zu bytes are not UTF-8: this is binary data, not text", name, bad, text->count);
  return VT_OK;
}

static enum vt_status read_open(struct encoding *encoding, struct vt_input *input, struct text *text, uint64_t before,
                                uint64_t in_all, struct vt_error *error) {
  const struct vt_corpus_options *options = encoding->options;
  for (size_t got = 1, wanted = 1; got == wanted;) {
    if (text->capacity - text->count < 65536) {
      size_t capacity = 2 * text->capacity + ((size_t)1 << 20);
      unsigned char *grown = vt_realloc(text->bytes, capacity, 1);
      if (grown == NULL) return VT_FAIL_MEMORY(error, capacity);
      text->bytes = grown;
      text->capacity = capacity;
    }
    wanted = text->capacity - text->count < ((size_t)1 << 20) ? text->capacity - text->count : (size_t)1 << 20;
    VT_TRY(vt_input_read(input, text->bytes + text->count, wanted, &got, error));
    text->count += got;
    if (options->progress != NULL)
      options->progress(options->progress_context, before + vt_input_stored_bytes(input), in_all);
  }
  return VT_OK;
}

static enum vt_status read_all(struct encoding *encoding, struct vt_corpus_report *report, struct vt_error *error) {
  const struct vt_corpus_options *options = encoding->options;
  uint64_t in_all = 0;
  for (size_t i = 0; i < encoding->input_count; i++) {
    uint64_t stored;
    VT_TRY(vt_input_check(encoding->inputs[i], &stored, error));
    in_all += stored;
  }
  for (size_t i = 0; i < encoding->input_count; i++) {
    struct text *text = &encoding->texts[i];
    struct vt_input *input;
    VT_TRY(vt_input_open(encoding->inputs[i], options->interrupt, &input, error));
    enum vt_status status = read_open(encoding, input, text, report->input_bytes, in_all, error);
    report->input_bytes += vt_input_stored_bytes(input);
    vt_input_close(input);
    VT_TRY(status);
    VT_TRY(check_text(encoding->inputs[i], text, error));
    if (options->input_hashes != NULL) options->input_hashes[i] = vt_hash_bytes(text->bytes, text->count);
    report->text_bytes += text->count;
  }
  if (report->text_bytes == 0)
    return VT_FAIL(error, VT_ERROR_EMPTY, "%s: there is no text", vt_input_name(encoding->inputs[0]));
  return VT_OK;
}

/* ---- line by line ------------------------------------------------------------------------------------------------ */

/* The line that begins at a place; returns where the next one begins. */
static size_t line_at(const struct text *text, size_t at, size_t *bytes) {
  const unsigned char *end = memchr(text->bytes + at, '\n', text->count - at);
  size_t stop = end == NULL ? text->count : (size_t)(end - text->bytes);
  *bytes = stop - at;
  if (*bytes > 0 && text->bytes[stop - 1] == '\r') --*bytes;
  return end == NULL ? stop : stop + 1;
}

static enum vt_status learn(struct encoding *encoding, struct vt_error *error) {
  const struct vt_corpus_options *options = encoding->options;
  if (options->tokenizer != NULL) return vt_bpe_read(options->tokenizer, &encoding->bpe, error);
  struct vt_bpe_trainer *trainer;
  VT_TRY(vt_bpe_trainer_create(&trainer, error));
  enum vt_status status = VT_OK;
  for (size_t i = 0; status == VT_OK && i < encoding->input_count; i++) {
    const struct text *text = &encoding->texts[i];
    for (size_t at = 0, next, bytes; status == VT_OK && at < text->count; at = next) {
      next = line_at(text, at, &bytes);
      status = vt_bpe_trainer_add(trainer, text->bytes + at, bytes, error);
    }
    if (status == VT_OK)
      status = vt_input_check_interrupt(options->interrupt, vt_input_name(encoding->inputs[i]), error);
  }
  if (status == VT_OK)
    status = vt_bpe_trainer_learn(trainer, options->bpe_tokens, options->interrupt, &encoding->bpe, error);
  vt_bpe_trainer_free(trainer);
  return status;
}

static enum vt_status end_sentence(struct encoding *encoding, uint64_t place, struct vt_error *error) {
  if (encoding->count == encoding->capacity) {
    size_t capacity = 2 * encoding->capacity + 64;
    uint32_t *grown = vt_realloc(encoding->ids, capacity, sizeof *grown);
    if (grown == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *grown);
    encoding->ids = grown;
    encoding->capacity = capacity;
  }
  if (encoding->sentences == encoding->lines_capacity) {
    size_t capacity = 2 * encoding->lines_capacity + 1024;
    uint64_t *grown = vt_realloc(encoding->lines, capacity, sizeof *grown);
    if (grown == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *grown);
    encoding->lines = grown;
    encoding->lines_capacity = capacity;
  }
  encoding->ids[encoding->count++] = VT_CORPUS_END;
  encoding->lines[encoding->sentences++] = place;
  return VT_OK;
}

static enum vt_status encode_input(struct encoding *encoding, size_t i, struct vt_error *error) {
  const struct text *text = &encoding->texts[i];
  uint64_t line = 0;
  for (size_t at = 0, next, bytes; at < text->count; at = next, line++) {
    next = line_at(text, at, &bytes);
    if (bytes == 0) continue;
    VT_TRY(vt_bpe_encode(encoding->bpe, text->bytes + at, bytes, &encoding->ids, &encoding->count, &encoding->capacity,
                         error));
    VT_TRY(end_sentence(encoding, (uint64_t)i << VT_CORPUS_LINE_BITS | line, error));
    if (line % 4096 == 0)
      VT_TRY(vt_input_check_interrupt(encoding->options->interrupt, vt_input_name(encoding->inputs[i]), error));
  }
  return VT_OK;
}

/* ---- the vocabulary ---------------------------------------------------------------------------------------------- */

enum vt_status vt_bpe_match(const struct vt_bpe *bpe, const struct vt_vocab *vocab, uint32_t *ids,
                            struct vt_error *error) {
  for (size_t k = 0; k < vt_bpe_size(bpe); k++)
    if (!vt_vocab_find(vocab, vt_bpe_spelling(bpe, (uint32_t)k), &ids[k]))
      return VT_FAIL(error, VT_ERROR_CORRUPT, "the tokenizer has a token \"%.100s\", and the vocabulary has not",
                     vt_bpe_spelling(bpe, (uint32_t)k));
  return VT_OK;
}

/* The tokens by their counts; or, where a vocabulary is given, in its order. */
static enum vt_status build(const struct encoding *encoding, const uint64_t *counts, struct vt_vocab_entry *entries,
                            uint32_t *ids, struct vt_vocab **vocab, struct vt_error *error) {
  const struct vt_vocab *given = encoding->options->vocab;
  const size_t size = vt_bpe_size(encoding->bpe);
  if (given != NULL) {
    VT_TRY(vt_bpe_match(encoding->bpe, given, ids, error));
    if (vt_vocab_size(given) != size)
      return VT_FAIL(error, VT_ERROR_CORRUPT, "the tokenizer has %zu tokens, and the vocabulary %zu", size,
                     vt_vocab_size(given));
  }
  for (size_t k = 0; k < size; k++) {
    const char *text = vt_bpe_spelling(encoding->bpe, (uint32_t)k);
    entries[given != NULL ? ids[k] : k] = (struct vt_vocab_entry){text, strlen(text), counts[k], (uint32_t)k};
  }
  if (given == NULL) vt_vocab_sort(entries, size);
  VT_TRY(vt_vocab_build(entries, size, vocab, NULL, error));
  for (size_t id = 0; id < size; id++) ids[entries[id].source] = (uint32_t)id;
  return VT_OK;
}

static enum vt_status make_vocab(struct encoding *encoding, struct vt_vocab **vocab, struct vt_error *error) {
  const size_t size = vt_bpe_size(encoding->bpe);
  uint64_t *counts = vt_alloc_zero(size, sizeof *counts);
  uint32_t *ids = vt_alloc_zero(size, sizeof *ids);
  struct vt_vocab_entry *entries = vt_alloc_zero(size, sizeof *entries);
  enum vt_status status = VT_OK;
  if (counts == NULL || ids == NULL || entries == NULL) {
    status = VT_FAIL_MEMORY(error, size * sizeof *entries);
  } else {
    for (size_t k = 0; k < encoding->count; k++)
      if (encoding->ids[k] != VT_CORPUS_END) counts[encoding->ids[k]]++;
    status = build(encoding, counts, entries, ids, vocab, error);
  }
  for (size_t k = 0; status == VT_OK && k < encoding->count; k++)
    if (encoding->ids[k] != VT_CORPUS_END) encoding->ids[k] = ids[encoding->ids[k]];
  vt_free(counts);
  vt_free(ids);
  vt_free(entries);
  return status;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static enum vt_status write_file(const char *path, const void *head, size_t head_bytes, const void *data, size_t bytes,
                                 bool synced, struct vt_error *error) {
  struct vt_output *output;
  VT_TRY(vt_output_open(path, &output, error));
  enum vt_status status = head_bytes > 0 ? vt_output_write(output, head, head_bytes, error) : VT_OK;
  if (status == VT_OK) status = vt_output_write(output, data, bytes, error);
  if (status == VT_OK) return synced ? vt_output_commit(output, error) : vt_output_commit_unsynced(output, error);
  vt_output_abort(output);
  return status;
}

static enum vt_status encode(struct encoding *encoding, const char *path, struct vt_vocab **vocab,
                             struct vt_corpus_report *report, struct vt_error *error) {
  const struct vt_corpus_options *options = encoding->options;
  VT_TRY(read_all(encoding, report, error));
  VT_TRY(learn(encoding, error));
  for (size_t i = 0; i < encoding->input_count; i++) VT_TRY(encode_input(encoding, i, error));
  if (encoding->sentences == 0)
    return VT_FAIL(error, VT_ERROR_EMPTY, "%s: there is no text", vt_input_name(encoding->inputs[0]));
  VT_TRY(make_vocab(encoding, vocab, error));
  struct vt_corpus_header header = {.entries = encoding->count,
                                    .tokens = encoding->count - encoding->sentences,
                                    .sentences = encoding->sentences,
                                    .fingerprint = vt_corpus_hash_entries(encoding->ids, encoding->count, 0),
                                    .vocab_size = (uint32_t)vt_bpe_size(encoding->bpe)};
  vt_corpus_header_seal(&header);
  VT_TRY(write_file(path, &header, sizeof header, encoding->ids, encoding->count * sizeof *encoding->ids,
                    !options->unsynced, error));
  if (options->lines_path != NULL)
    VT_TRY(write_file(options->lines_path, NULL, 0, encoding->lines, encoding->sentences * sizeof *encoding->lines,
                      false, error));
  if (options->tokenizer_out != NULL) VT_TRY(vt_bpe_write(encoding->bpe, options->tokenizer_out, error));
  report->lines = header.sentences;
  report->tokens = report->tokens_read = header.tokens;
  for (uint32_t id = 0; id < header.vocab_size; id++) report->types_read += vt_vocab_count(*vocab, id) > 0;
  return VT_OK;
}

enum vt_status vt_bpe_corpus_encode(const char *const *inputs, size_t input_count,
                                    const struct vt_corpus_options *options, const char *path, struct vt_vocab **vocab,
                                    struct vt_corpus_report *report, struct vt_error *error) {
  struct encoding encoding = {.inputs = inputs, .input_count = input_count, .options = options};
  encoding.texts = vt_alloc_zero(input_count, sizeof *encoding.texts);
  enum vt_status status = VT_OK;
  if (encoding.texts == NULL)
    status = VT_FAIL_MEMORY(error, input_count * sizeof *encoding.texts);
  else
    status = encode(&encoding, path, vocab, report, error);
  for (size_t i = 0; encoding.texts != NULL && i < input_count; i++) vt_free(encoding.texts[i].bytes);
  vt_free(encoding.texts);
  vt_bpe_free(encoding.bpe);
  vt_free(encoding.ids);
  vt_free(encoding.lines);
  return status;
}

/*
 * encode.c: text in, vocabulary and encoded corpus out.
 *
 * The steps, each in a file of its own: chunks.c reads, count.c tokenises, counts and puts word numbers away, tally.c
 * makes the vocabulary, phrases.c joins words before it does, remap.c writes the ids; encode_together.c is the
 * same for several processes. The text is read once, so pipes
 * work like files. With 100 MB of English reviews and 2 threads counting takes three fifths of the time, the vocabulary
 * an eighth, writing a quarter; syncing would come on top. A pass for phrases takes twice as long as all of it.
 *
 * Memory does not grow with the text, but for some 80 bytes a stretch of CHUNK_BYTES: tables of distinct words, buffers
 * for each thread, and the word numbers up to SPILL_MEMORY_BYTES, beyond which they go to disk.
 */
#include "text/encode_internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/pool.h"
#include "text/bpe_corpus.h"
#include "text/chunks.h"
#include "text/corpus_internal.h"
#include "text/count.h"
#include "text/hash.h"
#include "text/input.h"
#include "text/phrases.h"
#include "text/remap.h"
#include "text/spill.h"
#include "text/tally.h"

/* So that the text and the word numbers of a stretch stay in the second-level cache from one step to the next. */
#define CHUNK_BYTES ((size_t)256 << 10)
#define SPILL_MEMORY_BYTES ((size_t)64 << 20)
/* Three million pairs in one round. */
#define PAIR_TABLE_BYTES ((size_t)64 << 20)

const struct vt_encode_sizes vt_encode_default_sizes = {CHUNK_BYTES, SPILL_MEMORY_BYTES, PAIR_TABLE_BYTES};

static const char *const rule_names[] = {"words", "space", "letters", "bpe"};

const char *vt_token_rule_name(enum vt_token_rule rule) { return rule_names[rule]; }

bool vt_token_rule_find(const char *name, enum vt_token_rule *rule) {
  for (size_t k = 0; k < sizeof rule_names / sizeof rule_names[0]; k++) {
    if (strcmp(name, rule_names[k]) != 0) continue;
    *rule = (enum vt_token_rule)k;
    return true;
  }
  return false;
}

void vt_corpus_options_init(struct vt_corpus_options *options) {
  *options = (struct vt_corpus_options){
      .tokens = VT_TOKENS_WORDS, .min_count = 5, .bpe_tokens = 8192, .phrase_threshold = 100, .threads = 1};
}

enum vt_status vt_encoding_check(const struct vt_corpus_options *options, size_t input_count, struct vt_error *error) {
  if (input_count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "pass at least one file, or \"-\" for standard input",
                        "no input was given");
  if (options->threads < 1) return VT_FAIL(error, VT_ERROR_ARGUMENT, "%d threads: at least 1", options->threads);
  if (options->min_count < 1) return VT_FAIL(error, VT_ERROR_ARGUMENT, "a min_count of 0: at least 1");
  if (options->tokens > VT_TOKENS_BPE)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "token rule %d is not known", (int)options->tokens);
  if (options->phrases > VT_PHRASES_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%lu passes for phrases: at most %d", (unsigned long)options->phrases,
                   VT_PHRASES_MAX);
  if (!(options->phrase_threshold >= 0 && options->phrase_threshold <= VT_PHRASE_THRESHOLD_MAX))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "a phrase threshold of %g; it must lie between 0 and %g",
                   options->phrase_threshold, VT_PHRASE_THRESHOLD_MAX);
  if (options->phrases > 0 && options->vocab != NULL)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "leave the phrases or the vocabulary out",
                        "phrases are new words, and with a given vocabulary there can be none");
  if (options->phrases > 0 && options->tokens == VT_TOKENS_BPE)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "use another rule of tokens, or no phrases",
                        "phrases are made of words, and bpe takes words apart");
  return VT_OK;
}

void vt_encoding_release(struct vt_encoding *encoding) {
  vt_tally_release(&encoding->tally);
  vt_count_release(&encoding->count);
  vt_spill_free(encoding->spill);
  vt_chunks_free(encoding->chunks);
  vt_pool_free(encoding->pool);
}

enum vt_status vt_encoding_judge(const struct vt_count *count, struct vt_corpus_report *report,
                                 struct vt_error *error) {
  uint64_t bytes = 0, bad_bytes = 0;
  for (size_t i = 0; i < count->record_count; i++) {
    const struct vt_count_record *record = &count->records[i];
    bytes += record->bytes;
    bad_bytes += record->bad_bytes;
    if (record->bad_bytes > 0 && report->replaced_bytes == 0) {
      report->replaced_offset = record->bad_offset;
      report->replaced_input = (int)record->input;
    }
    report->replaced_bytes += record->bad_bytes;
    if (i + 1 < count->record_count && record[1].input == record->input) continue;
    if (vt_chunks_binary(bad_bytes, bytes))
      return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "if it is text in another encoding, convert it with iconv",
                          "%s: %llu of %llu bytes are not UTF-8: this is binary data, not text",
                          vt_input_name(count->inputs[record->input]), (unsigned long long)bad_bytes,
                          (unsigned long long)bytes);
    bytes = bad_bytes = 0;
  }
  return VT_OK;
}

/* Stretches are cut by the text alone, so their hashes, one after the other, are a hash of it. */
void vt_encoding_hash(const struct vt_count *count, size_t input_count, uint64_t *hashes) {
  for (size_t i = 0; i < input_count; i++) hashes[i] = UINT64_C(0x9e3779b97f4a7c15);
  for (size_t i = 0; i < count->record_count; i++) {
    const struct vt_count_record *record = &count->records[i];
    hashes[record->input] = vt_hash_fold(hashes[record->input] ^ record->hash, UINT64_C(0xe7037ed1a0b428db)) + 1;
  }
}

enum vt_status vt_encoding_begin_file(struct vt_output *output, struct vt_error *error) {
  const struct vt_corpus_header header = {0};
  return vt_output_write(output, &header, sizeof header, error);
}

enum vt_status vt_encoding_end_file(struct vt_output *output, const struct vt_remap_total *total, size_t words,
                                    struct vt_error *error) {
  struct vt_corpus_header header = {.entries = total->entries,
                                    .tokens = total->tokens,
                                    .sentences = total->sentences,
                                    .fingerprint = total->fingerprint,
                                    .vocab_size = (uint32_t)words};
  vt_corpus_header_seal(&header);
  return vt_output_rewrite(output, 0, &header, sizeof header, error);
}

static enum vt_status write_stream(struct vt_encoding *encoding, struct vt_output *output, struct vt_output *lines,
                                   struct vt_remap_total *total, struct vt_error *error) {
  VT_TRY(vt_encoding_begin_file(output, error));
  VT_TRY(vt_remap_run(&encoding->count, &encoding->tally, encoding->pool, output, lines, total, error));
  return vt_encoding_end_file(output, total, vt_vocab_size(encoding->tally.vocab), error);
}

static enum vt_status write_corpus(struct vt_encoding *encoding, const char *path,
                                   const struct vt_corpus_options *options, struct vt_remap_total *total,
                                   struct vt_error *error) {
  struct vt_output *output, *lines = NULL;
  VT_TRY(vt_output_open(path, &output, error));
  enum vt_status status = VT_OK;
  if (options->lines_path != NULL) status = vt_output_open(options->lines_path, &lines, error);
  if (status == VT_OK) status = write_stream(encoding, output, lines, total, error);
  if (status == VT_OK && lines != NULL) {
    status = vt_output_commit_unsynced(lines, error);
    lines = NULL;
  }
  vt_output_abort(lines);
  if (status == VT_OK)
    return options->unsynced ? vt_output_commit_unsynced(output, error) : vt_output_commit(output, error);
  vt_output_abort(output);
  return status;
}

void vt_encoding_report(const struct vt_encoding *encoding, const struct vt_remap_total *total,
                        struct vt_corpus_report *report) {
  struct vt_chunks_total read = vt_chunks_total(encoding->chunks);
  report->input_bytes = read.stored_bytes;
  report->text_bytes = read.text_bytes;
  report->lines = total->sentences;
  report->tokens_read = encoding->tally.tokens_read;
  report->types_read = encoding->tally.types_read;
  report->tokens = total->tokens;
  report->phrases = encoding->tally.phrases;
}

static enum vt_status encode(struct vt_encoding *encoding, const char *const *inputs, size_t input_count,
                             const struct vt_corpus_options *options, const struct vt_encode_sizes *sizes,
                             const char *path, struct vt_corpus_report *report, struct vt_error *error) {
  VT_TRY(vt_encoding_check(options, input_count, error));
  if (options->tokens == VT_TOKENS_BPE)
    return vt_bpe_corpus_encode(inputs, input_count, options, path, &encoding->tally.vocab, report, error);
  VT_TRY(vt_chunks_create(inputs, input_count, options->tokens, sizes->chunk_bytes, options->progress,
                          options->progress_context, options->interrupt, &encoding->chunks, error));
  VT_TRY(vt_pool_create(options->threads, &encoding->pool, error));
  VT_TRY(vt_spill_create(path, sizes->spill_memory_bytes, &encoding->spill, error));
  VT_TRY(vt_count_init(&encoding->count, inputs, options, encoding->chunks, encoding->spill, error));
  VT_TRY(vt_count_run(&encoding->count, encoding->pool, error));
  VT_TRY(vt_encoding_judge(&encoding->count, report, error));
  if (options->input_hashes != NULL) vt_encoding_hash(&encoding->count, input_count, options->input_hashes);
  VT_TRY(vt_tally_merge(&encoding->tally, &encoding->count, encoding->pool, error));
  if (options->phrases > 0)
    VT_TRY(vt_phrases_join(&encoding->count, &encoding->tally, encoding->pool, sizes->pair_table_bytes, error));
  VT_TRY(vt_tally_choose(&encoding->tally, &encoding->count, encoding->pool, error));
  struct vt_remap_total total = {0};
  VT_TRY(write_corpus(encoding, path, options, &total, error));
  vt_encoding_report(encoding, &total, report);
  return VT_OK;
}

enum vt_status vt_corpus_encode_sized(const char *const *inputs, size_t input_count,
                                      const struct vt_corpus_options *options, const struct vt_encode_sizes *sizes,
                                      const char *encoded_path, struct vt_vocab **vocab, struct vt_corpus **corpus,
                                      struct vt_corpus_report *report, struct vt_error *error) {
  double start = vt_clock_seconds();
  struct vt_encoding encoding = {0};
  struct vt_corpus_report seen = {0};
  enum vt_status status = encode(&encoding, inputs, input_count, options, sizes, encoded_path, &seen, error);
  if (status == VT_OK) status = vt_corpus_open(encoded_path, corpus, error);
  if (status == VT_OK) {
    *vocab = encoding.tally.vocab;
    encoding.tally.vocab = NULL;
  }
  vt_encoding_release(&encoding);
  seen.seconds = vt_clock_seconds() - start;
  if (status == VT_OK && report != NULL) *report = seen;
  return status;
}

enum vt_status vt_corpus_encode(const char *const *inputs, size_t input_count, const struct vt_corpus_options *options,
                                const char *encoded_path, struct vt_vocab **vocab, struct vt_corpus **corpus,
                                struct vt_corpus_report *report, struct vt_error *error) {
  return vt_corpus_encode_sized(inputs, input_count, options, &vt_encode_default_sizes, encoded_path, vocab, corpus,
                                report, error);
}

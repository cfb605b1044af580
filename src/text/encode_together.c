/*
 * encode_together.c: a text that several processes read a part of each.
 *
 * The inputs are cut into the stretches that one process would cut (chunks.c), and each rank reads those that begin in
 * its part. Then, in this order, each of the steps being over on all ranks before the next begins:
 *
 *   1. each rank tokenises and counts its stretches
 *   2. rank 0 gets what is known of each stretch, and judges and hashes the inputs by it
 *   3. rank 0 gets the words and how often each occurs, adds them up, and chooses the vocabulary
 *   4. all get the vocabulary, and turn their stretches into ids
 *   5. rank 0 gets the ids, part by part, and puts them behind each other
 *
 * Words are sorted by count and bytes, so ids do not know who counted what. Where a part begins within a sentence, the
 * mark that ends it belongs to the part before: rank 0 writes it.
 *
 * Memory: rank 0 has the distinct words of one other rank at a time besides the sum.
 */
#define _POSIX_C_SOURCE 200809L
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "text/corpus_internal.h"
#include "text/encode_internal.h"
#include "text/input.h"
#include "text/vocab_internal.h"

#define PIECE_ENTRIES ((size_t)4 << 20)

/* What the steps share. */
struct together {
  const struct vt_encode_team *team;
  struct vt_encoding encoding;
  struct vt_corpus_options options; /* with the vocabulary that was chosen, on the ranks but 0 */
  struct vt_vocab *chosen;          /* ... which is this */
  struct vt_output *output;
  struct vt_remap_total total;
  struct vt_corpus_report *report;
};

static bool leads(const struct together *t) { return t->team->rank == 0; }

static enum vt_status agree(const struct together *t, enum vt_status status, struct vt_error *error) {
  return t->team->agree(t->team->context, status, error);
}

/* Nothing in this part is nothing wrong. */
static enum vt_status unless_empty(enum vt_status status) { return status == VT_ERROR_EMPTY ? VT_OK : status; }

enum vt_status vt_corpus_can_be_shared(const char *const *inputs, size_t input_count,
                                       const struct vt_corpus_options *options, bool *can, struct vt_error *error) {
  *can = options->tokens != VT_TOKENS_BPE && options->phrases == 0 && options->vocab == NULL &&
         options->lines_path == NULL;
  for (size_t k = 0; k < input_count && *can; k++) VT_TRY(vt_input_is_plain(inputs[k], can, error));
  return VT_OK;
}

/* ---- 1. counting ------------------------------------------------------------------------------------------------- */

static enum vt_status count_part(struct together *t, const char *const *inputs, size_t input_count,
                                 const struct vt_encode_sizes *sizes, const char *path, struct vt_error *error) {
  struct vt_encoding *encoding = &t->encoding;
  const struct vt_corpus_options *options = &t->options;
  VT_TRY(vt_encoding_check(options, input_count, error));
  VT_TRY(vt_chunks_create(inputs, input_count, options->tokens, sizes->chunk_bytes, leads(t) ? options->progress : NULL,
                          options->progress_context, options->interrupt, &encoding->chunks, error));
  vt_chunks_take_part(encoding->chunks, (uint64_t)t->team->rank, (uint64_t)t->team->size);
  VT_TRY(vt_pool_create(options->threads, &encoding->pool, error));
  VT_TRY(vt_spill_create(path, sizes->spill_memory_bytes, &encoding->spill, error));
  VT_TRY(vt_count_init(&encoding->count, inputs, options, encoding->chunks, encoding->spill, error));
  VT_TRY(vt_count_run(&encoding->count, encoding->pool, error));
  return unless_empty(vt_tally_merge(&encoding->tally, &encoding->count, encoding->pool, error));
}

/* ---- 2. what is known of the stretches --------------------------------------------------------------------------- */

static enum vt_status append_records(struct vt_count *all, const struct vt_count_record *records, size_t count,
                                     struct vt_error *error) {
  struct vt_count_record *grown = vt_realloc(all->records, all->record_count + count + 1, sizeof *grown);
  if (grown == NULL) return VT_FAIL_MEMORY(error, (all->record_count + count) * sizeof *grown);
  all->records = grown;
  if (count > 0) memcpy(grown + all->record_count, records, count * sizeof *records);
  all->record_count += count;
  return VT_OK;
}

/* Those of all ranks, in the order of the text; failures of rank 0 wait until all have sent. */
static enum vt_status judge(struct together *t, size_t input_count, struct vt_error *error) {
  const struct vt_count *own = &t->encoding.count;
  if (!leads(t)) return t->team->send(t->team->context, own->records, own->record_count * sizeof *own->records, error);
  struct vt_count all = {.inputs = own->inputs};
  enum vt_status status = append_records(&all, own->records, own->record_count, error);
  for (int from = 1; from < t->team->size; from++) {
    const void *data;
    size_t bytes;
    struct vt_error lost;
    if (t->team->receive(t->team->context, from, &data, &bytes, &lost) != VT_OK) {
      vt_free(all.records);
      *error = lost;
      return lost.status;
    }
    if (status == VT_OK) status = append_records(&all, data, bytes / sizeof *all.records, error);
  }
  if (status == VT_OK) status = vt_encoding_judge(&all, t->report, error);
  if (status == VT_OK) vt_encoding_hash(&all, input_count, t->options.input_hashes);
  vt_free(all.records);
  return status;
}

/* ---- 3. the vocabulary ------------------------------------------------------------------------------------------- */

/* Words as a message: how many; counts; texts, each with its terminator. */
static enum vt_status send_words(struct together *t, struct vt_error *error) {
  const struct vt_word_table *table = &t->encoding.count.workers[0].table;
  uint64_t words = 0;
  size_t texts = 0;
  for (size_t id = 0; id < table->size; id++) {
    if (table->words[id].canonical != id || table->words[id].count == 0) continue;
    words++;
    texts += table->words[id].bytes + 1;
  }
  size_t bytes = (1 + words) * sizeof(uint64_t) + texts;
  unsigned char *message = vt_alloc(bytes, 1);
  if (message == NULL) {
    VT_TRY(t->team->send(t->team->context, NULL, 0, error)); /* rank 0 waits */
    return VT_FAIL_MEMORY(error, bytes);
  }
  unsigned char *count = message + sizeof words, *text = message + (1 + words) * sizeof(uint64_t);
  memcpy(message, &words, sizeof words);
  for (size_t id = 0; id < table->size; id++) {
    const struct vt_word *word = &table->words[id];
    if (word->canonical != id || word->count == 0) continue;
    memcpy(count, &word->count, sizeof word->count);
    memcpy(text, vt_word_table_text(table, id), word->bytes);
    text[word->bytes] = '\0';
    count += sizeof word->count;
    text += word->bytes + 1;
  }
  enum vt_status status = t->team->send(t->team->context, message, bytes, error);
  vt_free(message);
  return status;
}

static enum vt_status add_words(struct together *t, const unsigned char *data, size_t bytes, struct vt_error *error) {
  uint64_t words = 0;
  if (bytes >= sizeof words) memcpy(&words, data, sizeof words);
  if (bytes < sizeof words || words > (bytes - sizeof words) / sizeof(uint64_t))
    return VT_FAIL(error, VT_ERROR_CORRUPT, "another rank sent words that are none");
  size_t head = (1 + words) * sizeof(uint64_t);
  return vt_tally_add(&t->encoding.count, (const uint64_t *)(const void *)(data + sizeof words), words,
                      (const char *)data + head, bytes - head, error);
}

static enum vt_status gather_words(struct together *t, struct vt_error *error) {
  if (!leads(t)) return send_words(t, error);
  enum vt_status status = VT_OK;
  for (int from = 1; from < t->team->size; from++) {
    const void *data;
    size_t bytes;
    struct vt_error lost;
    if (t->team->receive(t->team->context, from, &data, &bytes, &lost) != VT_OK) {
      *error = lost;
      return lost.status;
    }
    /* Without any bytes, it has failed, and will say so. */
    if (status == VT_OK && bytes > 0) status = add_words(t, data, bytes, error);
  }
  struct vt_encoding *encoding = &t->encoding;
  if (status == VT_OK) status = vt_tally_added(&encoding->tally, &encoding->count, error);
  if (status == VT_OK) status = vt_tally_choose(&encoding->tally, &encoding->count, encoding->pool, error);
  return status;
}

/* ---- 4. ids ------------------------------------------------------------------------------------------------------ */

static enum vt_status build_vocab(struct together *t, const char *texts, size_t bytes, struct vt_error *error) {
  size_t words = 0;
  for (size_t k = 0; k < bytes; k++) words += texts[k] == '\0';
  struct vt_vocab_entry *entries = vt_alloc(words, sizeof *entries);
  if (entries == NULL) return VT_FAIL_MEMORY(error, words * sizeof *entries);
  size_t at = 0;
  for (size_t k = 0; k < words; k++) {
    entries[k] = (struct vt_vocab_entry){texts + at, strlen(texts + at), 0, 0};
    at += entries[k].bytes + 1;
  }
  enum vt_status status = vt_vocab_build(entries, words, &t->chosen, NULL, error);
  vt_free(entries);
  return status;
}

static enum vt_status share_vocab(struct together *t, struct vt_error *error) {
  struct vt_encoding *encoding = &t->encoding;
  const struct vt_vocab *vocab = encoding->tally.vocab;
  const void *data = leads(t) ? vocab->texts : NULL;
  size_t bytes = leads(t) ? vocab->offsets[vocab->size] : 0;
  VT_TRY(t->team->broadcast(t->team->context, &data, &bytes, error));
  if (leads(t)) return VT_OK;
  VT_TRY(build_vocab(t, data, bytes, error));
  t->options.vocab = t->chosen;
  return unless_empty(vt_tally_choose(&encoding->tally, &encoding->count, encoding->pool, error));
}

static enum vt_status write_part(struct together *t, const char *path, struct vt_error *error) {
  struct vt_encoding *encoding = &t->encoding;
  VT_TRY(vt_output_open(path, &t->output, error));
  if (leads(t)) VT_TRY(vt_encoding_begin_file(t->output, error));
  return vt_remap_run(&encoding->count, &encoding->tally, encoding->pool, t->output, NULL, &t->total, error);
}

/* ---- 5. one behind the other ------------------------------------------------------------------------------------- */

static enum vt_status put(struct together *t, const uint32_t *ids, size_t count, struct vt_error *error) {
  t->total.fingerprint += vt_corpus_hash_entries(ids, count, t->total.entries);
  t->total.entries += count;
  return vt_output_write(t->output, ids, count * sizeof *ids, error);
}

/* Takes a part in, whatever becomes of it: its sender knows nothing of that. */
static enum vt_status append_part(struct together *t, int from, enum vt_status status, struct vt_error *error) {
  static const uint32_t end = VT_CORPUS_END;
  struct vt_remap_total part;
  struct vt_error lost;
  const void *data;
  size_t bytes;
  if (t->team->receive(t->team->context, from, &data, &bytes, &lost) != VT_OK) goto broken;
  if (bytes == 0) return status; /* it has failed, and will say so */
  if (bytes != sizeof part) goto broken;
  memcpy(&part, data, sizeof part);
  bool closes = t->total.open && part.leads;
  if (closes) t->total.sentences++;
  if (closes && status == VT_OK) status = put(t, &end, 1, error);
  for (uint64_t left = part.entries; left > 0; left -= bytes / sizeof(uint32_t)) {
    size_t piece = left < PIECE_ENTRIES ? (size_t)left : PIECE_ENTRIES;
    if (t->team->receive(t->team->context, from, &data, &bytes, &lost) != VT_OK || bytes != piece * sizeof(uint32_t))
      goto broken;
    if (status == VT_OK) status = put(t, data, piece, error);
  }
  t->total.sentences += part.sentences;
  t->total.tokens += part.tokens;
  t->total.open = part.entries > 0 ? part.open : t->total.open && !closes;
  return status;
broken:
  return VT_FAIL(error, VT_ERROR_IO, "rank %d did not send its part of the text", from);
}

static enum vt_status send_part(struct together *t, const char *path, struct vt_error *error) {
  struct vt_mapping mapping = {0};
  enum vt_status status = vt_output_commit_unsynced(t->output, error);
  t->output = NULL;
  if (status == VT_OK) status = vt_mapping_open(path, &mapping, error);
  (void)unlink(path);
  if (status != VT_OK) {
    struct vt_error lost;
    return t->team->send(t->team->context, NULL, 0, &lost) == VT_OK ? status : lost.status;
  }
  status = t->team->send(t->team->context, &t->total, sizeof t->total, error);
  for (uint64_t at = 0; at < t->total.entries && status == VT_OK; at += PIECE_ENTRIES) {
    uint64_t left = t->total.entries - at, piece = left < PIECE_ENTRIES ? left : PIECE_ENTRIES;
    status = t->team->send(t->team->context, mapping.data + at * sizeof(uint32_t), piece * sizeof(uint32_t), error);
  }
  vt_mapping_release(&mapping);
  return status;
}

static enum vt_status bring_together(struct together *t, const char *path, struct vt_error *error) {
  if (!leads(t)) return send_part(t, path, error);
  enum vt_status status = VT_OK;
  for (int from = 1; from < t->team->size; from++) status = append_part(t, from, status, error);
  VT_TRY(status);
  VT_TRY(vt_encoding_end_file(t->output, &t->total, vt_vocab_size(t->encoding.tally.vocab), error));
  status = t->options.unsynced ? vt_output_commit_unsynced(t->output, error) : vt_output_commit(t->output, error);
  t->output = NULL;
  return status;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum vt_status encode(struct together *t, const char *const *inputs, size_t input_count,
                             const struct vt_encode_sizes *sizes, const char *path, struct vt_error *error) {
  VT_TRY(agree(t, count_part(t, inputs, input_count, sizes, path, error), error));
  VT_TRY(agree(t, judge(t, input_count, error), error));
  VT_TRY(agree(t, gather_words(t, error), error));
  VT_TRY(agree(t, share_vocab(t, error), error));
  VT_TRY(agree(t, write_part(t, path, error), error));
  VT_TRY(agree(t, bring_together(t, path, error), error));
  if (leads(t)) vt_encoding_report(&t->encoding, &t->total, t->report);
  return VT_OK;
}

enum vt_status vt_corpus_encode_together(const char *const *inputs, size_t input_count,
                                         const struct vt_corpus_options *options, const struct vt_encode_sizes *sizes,
                                         const struct vt_encode_team *team, const char *encoded_path,
                                         struct vt_vocab **vocab, struct vt_corpus **corpus,
                                         struct vt_corpus_report *report, struct vt_error *error) {
  double start = vt_clock_seconds();
  struct vt_corpus_report seen = {0};
  struct together together = {.team = team, .options = *options, .report = &seen};
  enum vt_status status = encode(&together, inputs, input_count, sizes, encoded_path, error);
  vt_output_abort(together.output);
  if (leads(&together)) {
    if (status == VT_OK) status = vt_corpus_open(encoded_path, corpus, error);
    if (status == VT_OK) {
      *vocab = together.encoding.tally.vocab;
      together.encoding.tally.vocab = NULL;
    }
    seen.seconds = vt_clock_seconds() - start;
    if (status == VT_OK && report != NULL) *report = seen;
  }
  vt_encoding_release(&together.encoding);
  vt_vocab_free(together.chosen);
  return status;
}

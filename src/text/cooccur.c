/*
 * cooccur.c: counting which words meet.
 *
 * A stretch of the text is turned around: for each word the places where it stands. Then a row of counts needs one word
 * after the other: the words around each of its places are added to a table of one sum a word, which stays in the
 * cache, and the row is read out of it in order. Nothing is sorted and nothing is hashed; threads take rows.
 *
 * A stretch is as long as its list of places has room in memory. Where the text is one stretch, its rows are the
 * result. Otherwise the rows of each stretch are a sorted run in a file without a name, and the same table adds up each
 * row over all runs. Centres are what a stretch cuts; the words around them are looked up wherever they are, so no pair
 * is lost at a cut. All sums are of whole numbers: neither the cuts nor the threads can change them.
 */
#include "text/cooccur.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/scratch.h"
#include "text/subsample.h"
#include "text/tally_row.h"

#define CHUNKS_A_WORKER 4 /* in a round, so that workers find something to do until its end */
#define CHUNK_BYTES ((size_t)4 << 20)
#define STRETCH_LEAST 1024 /* places */
#define AHEAD 12           /* places that are asked of the cache beforehand */

/* ---- the counter ------------------------------------------------------------------------------------------------- */

/* Rows that one worker counts into one buffer. */
struct chunk {
  uint32_t first, end;
  unsigned char *buffer; /* NULL until it is used */
  size_t room, bytes;    /* of the buffer; of the rows in it */
  uint64_t offset;       /* where it goes in the file */
  struct vt_error error;
};

struct run {
  uint64_t *starts; /* by row, within rows */
  const unsigned char *rows;
};

struct counter {
  const struct vt_cooccur_text *text;
  const struct vt_cooccur_options *options;
  uint64_t units[VT_COOCCUR_WINDOW_MAX + 1];
  double
      shares[VT_COOCCUR_WINDOW_MAX]; /* of windows that reach over so many words, with words that survive at random */
  struct vt_pool *pool;
  int workers; /* those that have a table; the others of the pool rest */
  struct vt_tally_row *tables;
  struct chunk *chunks;
  size_t chunk_count, chunk_room; /* those of this round; all */
  size_t chunk_bytes;
  uint64_t *row_bytes; /* by row, of this pass; then where they start: words + 1 */
  /* The stretch whose places are listed. */
  uint64_t stretch_most; /* entries */
  uint64_t begin, end;
  uint32_t *places; /* behind begin */
  uint32_t *place_starts;
  size_t span; /* the first that ends behind begin */
  /* The runs that are put away; where there are none, rows come from the stretch. */
  struct vt_scratch spill;
  uint64_t spilled_bytes;
  uint64_t *run_offsets; /* of each run: its rows, and behind them words + 1 starts */
  size_t run_count, run_room;
  const struct run *merging; /* run_count; NULL: rows are counted from the stretch */
  struct vt_scratch *target;
  atomic_size_t next;
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* What a counter takes besides the list of places. */
static uint64_t fixed_bytes(uint32_t words, uint64_t workers, uint64_t chunk_bytes) {
  uint64_t arrays = ((uint64_t)words + 2) * (sizeof(uint32_t) + 2 * sizeof(uint64_t));
  return workers * (vt_tally_row_bytes(words) + CHUNKS_A_WORKER * chunk_bytes) + arrays;
}

enum vt_status vt_cooccur_check_memory(uint32_t words, uint64_t memory_bytes, struct vt_error *error) {
  const uint64_t least = fixed_bytes(words, 1, vt_row_bytes(words)) + STRETCH_LEAST * sizeof(uint32_t);
  if (memory_bytes >= least) return VT_OK;
  return VT_FAIL(error, VT_ERROR_ARGUMENT,
                 "memory is %" PRIu64 " bytes; counting %" PRIu32 " words takes %" PRIu64 " at least", memory_bytes,
                 words, least);
}

/* Shares the memory out: as many workers as it feeds, then chunks, then places. */
static enum vt_status plan(struct counter *counter, struct vt_error *error) {
  const uint32_t words = counter->text->words;
  const uint64_t memory = counter->options->memory_bytes, row = vt_row_bytes(words);
  const uint64_t stretch = STRETCH_LEAST * sizeof(uint32_t);
  VT_TRY(vt_cooccur_check_memory(words, memory, error));
  counter->workers = counter->options->threads;
  while (counter->workers > 1 && memory / 2 < fixed_bytes(words, (uint64_t)counter->workers, row)) counter->workers--;
  uint64_t chunk = memory / 4 / ((uint64_t)counter->workers * CHUNKS_A_WORKER);
  if (chunk > CHUNK_BYTES) chunk = CHUNK_BYTES;
  if (chunk < row || memory < fixed_bytes(words, (uint64_t)counter->workers, chunk) + stretch) chunk = row;
  counter->chunk_bytes = (size_t)chunk;
  counter->stretch_most = (memory - fixed_bytes(words, (uint64_t)counter->workers, chunk)) / sizeof(uint32_t);
  if (counter->stretch_most > counter->text->entries) counter->stretch_most = counter->text->entries;
  if (counter->stretch_most > UINT32_MAX) counter->stretch_most = UINT32_MAX;
  return VT_OK;
}

static enum vt_status counter_init(struct counter *counter, struct vt_error *error) {
  const uint32_t words = counter->text->words;
  VT_TRY(plan(counter, error));
  VT_TRY(vt_pool_create(counter->workers, &counter->pool, error));
  counter->chunk_room = (size_t)counter->workers * CHUNKS_A_WORKER;
  counter->tables = vt_alloc_zero((size_t)counter->workers, sizeof *counter->tables);
  counter->chunks = vt_alloc_zero(counter->chunk_room, sizeof *counter->chunks);
  counter->places = vt_alloc_aligned_raw((size_t)counter->stretch_most, sizeof *counter->places);
  counter->place_starts = vt_alloc((size_t)words + 2, sizeof *counter->place_starts);
  counter->row_bytes = vt_alloc_zero((size_t)words + 1, sizeof *counter->row_bytes);
  bool done = counter->tables != NULL && counter->chunks != NULL && counter->places != NULL &&
              counter->place_starts != NULL && counter->row_bytes != NULL;
  for (int w = 0; done && w < counter->workers; w++) done = vt_tally_row_init(&counter->tables[w], words);
  if (!done) return VT_FAIL_MEMORY(error, counter->options->memory_bytes);
  for (uint32_t n = 1; n <= counter->options->window; n++)
    counter->units[n] = vt_cooccur_distance_units(counter->options->weight, counter->options->window, n);
  for (uint32_t m = 0; m < counter->options->window; m++)
    counter->shares[m] = (double)(counter->options->window - m) / (double)counter->options->window;
  return VT_OK;
}

static void counter_release(struct counter *counter) {
  for (int w = 0; counter->tables != NULL && w < counter->workers; w++) vt_tally_row_release(&counter->tables[w]);
  for (size_t k = 0; counter->chunks != NULL && k < counter->chunk_room; k++)
    vt_free_aligned(counter->chunks[k].buffer);
  vt_free(counter->tables);
  vt_free(counter->chunks);
  vt_free_aligned(counter->places);
  vt_free(counter->place_starts);
  vt_free(counter->row_bytes);
  vt_free(counter->run_offsets);
  vt_scratch_release(&counter->spill);
  vt_pool_free(counter->pool);
}

/* ---- the places of a stretch ------------------------------------------------------------------------------------- */

/* Places come in ascending order. */
static inline bool is_left_out(const struct vt_cooccur_text *text, uint64_t place, size_t *span) {
  while (*span < text->span_count && place >= text->spans[*span].end) ++*span;
  return (*span < text->span_count && place >= text->spans[*span].begin) != text->only;
}

/* Lists the places of each word in begin .. end, in order: counted, then put away. */
static void list_places(struct counter *counter) {
  const struct vt_cooccur_text *text = counter->text;
  uint32_t *starts = counter->place_starts + 1; /* moved on by one while they are filled */
  size_t span = counter->span;
  memset(counter->place_starts, 0, ((size_t)text->words + 2) * sizeof *starts);
  for (uint64_t place = counter->begin; place < counter->end; place++)
    if (text->ids[place] != VT_CORPUS_END && !is_left_out(text, place, &span)) starts[text->ids[place] + 1]++;
  for (uint32_t word = 0; word < text->words; word++) starts[word + 1] += starts[word];
  span = counter->span;
  for (uint64_t place = counter->begin; place < counter->end; place++)
    if (text->ids[place] != VT_CORPUS_END && !is_left_out(text, place, &span))
      counter->places[starts[text->ids[place]]++] = (uint32_t)(place - counter->begin);
  counter->span = span;
}

static void add_around(const struct counter *counter, struct vt_tally_row *table, uint64_t place) {
  const uint32_t *at = counter->text->ids + place;
  const uint64_t *units = counter->units;
  const uint64_t window = counter->options->window, rest = counter->text->entries - 1 - place;
  const uint64_t before = place < window ? place : window, after = rest < window ? rest : window;
  for (uint64_t n = 1; n <= before && *(at - n) != VT_CORPUS_END; n++) vt_tally_row_add(table, *(at - n), units[n]);
  if (counter->options->sides == VT_COOCCUR_LEFT) return;
  for (uint64_t n = 1; n <= after && at[n] != VT_CORPUS_END; n++) vt_tally_row_add(table, at[n], units[n]);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* Pairs that a row may have. */
static uint64_t pairs_most(const struct counter *counter, uint32_t word) {
  uint64_t pairs = 0;
  if (counter->merging == NULL && counter->text->keep != NULL) return counter->text->words; /* however far it reaches */
  if (counter->merging == NULL) {
    pairs = (uint64_t)(counter->place_starts[word + 1] - counter->place_starts[word]) * counter->options->window;
    if (counter->options->sides == VT_COOCCUR_BOTH) pairs *= 2;
  }
  for (size_t r = 0; counter->merging != NULL && r < counter->run_count; r++)
    pairs += vt_row_pairs(counter->merging[r].starts[word + 1] - counter->merging[r].starts[word]);
  return pairs < counter->text->words ? pairs : counter->text->words;
}

static void count_row(const struct counter *counter, struct vt_tally_row *table, uint32_t word) {
  const uint32_t end = counter->place_starts[word + 1];
  for (uint32_t k = counter->place_starts[word]; k < end; k++) {
    if (k + AHEAD < end) {
      const uint32_t *soon = counter->text->ids + counter->begin + counter->places[k + AHEAD];
      __builtin_prefetch(soon - 8);
      __builtin_prefetch(soon + 8);
    }
    if (counter->text->keep == NULL)
      add_around(counter, table, counter->begin + counter->places[k]);
    else
      vt_subsample_add_right(counter->text, counter->shares, counter->options->window,
                             counter->begin + counter->places[k], table);
  }
}

static void merge_row(const struct counter *counter, struct vt_tally_row *table, uint32_t word) {
  for (size_t r = 0; r < counter->run_count; r++) {
    const struct run *run = &counter->merging[r];
    const size_t pairs = vt_row_pairs(run->starts[word + 1] - run->starts[word]);
    const uint32_t *columns = (const uint32_t *)(const void *)(run->rows + run->starts[word]);
    const uint64_t *units = (const uint64_t *)(const void *)(columns + pairs + pairs % 2);
    for (size_t k = 0; k < pairs; k++) vt_tally_row_add(table, columns[k], units[k]);
  }
}

static void count_chunks(void *context, int worker) {
  struct counter *counter = context;
  struct vt_tally_row *table = &counter->tables[worker];
  for (;;) {
    size_t k = atomic_fetch_add_explicit(&counter->next, 1, memory_order_relaxed);
    if (k >= counter->chunk_count) return;
    struct chunk *chunk = &counter->chunks[k];
    chunk->bytes = 0;
    for (uint32_t word = chunk->first; word < chunk->end; word++) {
      if (counter->merging == NULL)
        count_row(counter, table, word);
      else
        merge_row(counter, table, word);
      counter->row_bytes[word] = vt_tally_row_take(table, chunk->buffer + chunk->bytes);
      chunk->bytes += counter->row_bytes[word];
    }
  }
}

static void write_chunks(void *context, int worker) {
  struct counter *counter = context;
  (void)worker;
  for (;;) {
    size_t k = atomic_fetch_add_explicit(&counter->next, 1, memory_order_relaxed);
    if (k >= counter->chunk_count) return;
    struct chunk *chunk = &counter->chunks[k];
    chunk->error.status = VT_OK;
    (void)vt_scratch_write(counter->target, chunk->buffer, chunk->bytes, chunk->offset, &chunk->error);
  }
}

static void run_workers(struct counter *counter, vt_pool_work *work) {
  atomic_store_explicit(&counter->next, 0, memory_order_relaxed);
  vt_pool_run(counter->pool, work, counter);
}

static enum vt_status make_room(struct chunk *chunk, size_t bytes, struct vt_error *error) {
  if (bytes <= chunk->room) return VT_OK;
  vt_free_aligned(chunk->buffer);
  chunk->buffer = vt_alloc_aligned_raw(bytes, 1);
  chunk->room = chunk->buffer == NULL ? 0 : bytes;
  return chunk->buffer == NULL ? VT_FAIL_MEMORY(error, bytes) : VT_OK;
}

/* Cuts the next chunks; *word moves on to the first row behind them. A text with few pairs fills none, and takes as
 * much memory as it needs. */
static enum vt_status lay_out_chunks(struct counter *counter, uint32_t *word, struct vt_error *error) {
  const uint32_t words = counter->text->words;
  for (counter->chunk_count = 0; counter->chunk_count < counter->chunk_room && *word < words;) {
    struct chunk *chunk = &counter->chunks[counter->chunk_count++];
    size_t bytes = 0;
    for (chunk->first = *word; *word < words; ++*word) {
      size_t more = vt_row_bytes((size_t)pairs_most(counter, *word));
      if (bytes + more > counter->chunk_bytes) break; /* never the first: a chunk has room for any row */
      bytes += more;
    }
    chunk->end = *word;
    VT_TRY(make_room(chunk, *word < words ? counter->chunk_bytes : bytes, error));
  }
  return VT_OK;
}

static void tell(const struct counter *counter, uint64_t done) {
  if (counter->options->progress == NULL) return;
  counter->options->progress(counter->options->progress_context, done, counter->text->entries);
}

/* Writes all rows to the target, from byte `offset` on; leaves where each starts behind it in row_bytes. */
static enum vt_status write_rows(struct counter *counter, uint64_t offset, uint64_t *bytes, struct vt_error *error) {
  *bytes = 0;
  for (uint32_t word = 0; word < counter->text->words;) {
    if (vt_is_interrupted(counter->options->interrupt))
      return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted while counting");
    VT_TRY(lay_out_chunks(counter, &word, error));
    run_workers(counter, count_chunks);
    for (size_t k = 0; k < counter->chunk_count; k++) {
      counter->chunks[k].offset = offset + *bytes;
      *bytes += counter->chunks[k].bytes;
    }
    run_workers(counter, write_chunks);
    for (size_t k = 0; k < counter->chunk_count; k++) {
      if (counter->chunks[k].error.status == VT_OK) continue;
      *error = counter->chunks[k].error;
      return error->status;
    }
    if (counter->merging == NULL)
      tell(counter, counter->begin + (uint64_t)((double)(counter->end - counter->begin) * word / counter->text->words));
  }
  uint64_t start = 0;
  for (uint32_t word = 0; word < counter->text->words; word++) {
    uint64_t of_row = counter->row_bytes[word];
    counter->row_bytes[word] = start;
    start += of_row;
  }
  counter->row_bytes[counter->text->words] = start;
  return VT_OK;
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static enum vt_status put_run_away(struct counter *counter, struct vt_error *error) {
  if (counter->run_count == counter->run_room) {
    size_t room = counter->run_room == 0 ? 16 : 2 * counter->run_room;
    uint64_t *larger = vt_realloc(counter->run_offsets, room, sizeof *larger);
    if (larger == NULL) return VT_FAIL_MEMORY(error, room * sizeof *larger);
    counter->run_offsets = larger;
    counter->run_room = room;
  }
  if (counter->spill.descriptor < 0) VT_TRY(vt_scratch_open(counter->options->folder, &counter->spill, error));
  counter->target = &counter->spill;
  counter->run_offsets[counter->run_count] = counter->spilled_bytes;
  uint64_t bytes;
  VT_TRY(write_rows(counter, counter->spilled_bytes, &bytes, error));
  const size_t starts_bytes = ((size_t)counter->text->words + 1) * sizeof(uint64_t);
  VT_TRY(vt_scratch_write(&counter->spill, counter->row_bytes, starts_bytes, counter->spilled_bytes + bytes, error));
  counter->spilled_bytes += bytes + starts_bytes;
  counter->run_count++;
  return VT_OK;
}

/* The runs as the mapping shows them. */
static enum vt_status open_runs(struct counter *counter, struct run **out, struct vt_error *error) {
  VT_TRY(vt_scratch_map(&counter->spill, (size_t)counter->spilled_bytes, error));
  struct run *runs = vt_alloc(counter->run_count, sizeof *runs);
  if (runs == NULL) return VT_FAIL_MEMORY(error, counter->run_count * sizeof *runs);
  const size_t starts_bytes = ((size_t)counter->text->words + 1) * sizeof(uint64_t);
  for (size_t r = 0; r < counter->run_count; r++) {
    uint64_t end = r + 1 < counter->run_count ? counter->run_offsets[r + 1] : counter->spilled_bytes;
    runs[r].rows = counter->spill.data + counter->run_offsets[r];
    runs[r].starts = (uint64_t *)(uintptr_t)(counter->spill.data + end - starts_bytes);
  }
  *out = runs;
  return VT_OK;
}

static enum vt_status merge_runs(struct counter *counter, struct vt_scratch *file, uint64_t *bytes,
                                 struct vt_error *error) {
  struct run *runs;
  VT_TRY(open_runs(counter, &runs, error));
  counter->merging = runs;
  counter->target = file;
  enum vt_status status = write_rows(counter, 0, bytes, error);
  counter->merging = NULL;
  vt_free(runs);
  return status;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum vt_status count(struct counter *counter, struct vt_scratch *file, uint64_t *bytes, struct vt_error *error) {
  const struct vt_cooccur_text *text = counter->text;
  uint64_t kept = 0;
  do {
    counter->begin = counter->end;
    counter->end =
        text->entries - counter->begin < counter->stretch_most ? text->entries : counter->begin + counter->stretch_most;
    list_places(counter);
    if (counter->begin == 0 && counter->end == text->entries) {
      counter->target = file;
      return write_rows(counter, 0, bytes, error);
    }
    VT_TRY(put_run_away(counter, error));
    if (text->corpus != NULL) vt_corpus_passed(text->corpus, counter->end, &kept);
  } while (counter->end < text->entries);
  return merge_runs(counter, file, bytes, error);
}

/* Gives the pages back on its way: they are no memory that counting takes. */
static double total_of(const struct vt_cooccur *counts) {
  const uint64_t some = (uint64_t)16 << 20;
  double total = 0;
  uint64_t kept = 0;
  for (uint32_t word = 0; word < counts->words; word++) {
    total += (double)vt_cooccur_row_units(counts, word);
    if (counts->starts[word + 1] - kept < some && word + 1 < counts->words) continue;
    vt_scratch_forget(&counts->file, (size_t)kept, (size_t)counts->starts[word + 1]);
    kept = counts->starts[word + 1];
  }
  return total / (double)vt_cooccur_scale(counts);
}

static enum vt_status finish(struct counter *counter, struct vt_cooccur *counts, uint64_t bytes,
                             struct vt_error *error) {
  counts->starts = counter->row_bytes;
  counter->row_bytes = NULL;
  for (uint32_t word = 0; word < counts->words; word++)
    counts->pairs += vt_row_pairs(counts->starts[word + 1] - counts->starts[word]);
  if (counts->pairs == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "no two words of the text stand in one sentence");
  tell(counter, counter->text->entries);
  return vt_scratch_map(&counts->file, (size_t)bytes, error);
}

enum vt_status vt_cooccur_count_text(const struct vt_cooccur_text *text, const struct vt_cooccur_options *options,
                                     struct vt_cooccur **out, struct vt_cooccur_report *report,
                                     struct vt_error *error) {
  struct vt_error own;
  if (error == NULL) error = &own;
  VT_TRY(vt_cooccur_options_check(options, error));
  double started = vt_clock_seconds();
  struct vt_cooccur *counts;
  VT_TRY(vt_cooccur_create(options->folder, &counts, error));
  counts->words = text->words;
  counts->expected = text->keep != NULL;
  counts->options = (struct vt_cooccur_options){.window = options->window,
                                                .weight = options->weight,
                                                .sides = options->sides,
                                                .sample = options->sample,
                                                .threads = 1};
  struct counter counter = {.text = text, .options = options, .spill = {.descriptor = -1}};
  uint64_t bytes = 0;
  enum vt_status status = counter_init(&counter, error);
  if (status == VT_OK) status = count(&counter, &counts->file, &bytes, error);
  if (status == VT_OK) status = finish(&counter, counts, bytes, error);
  const uint64_t runs = counter.run_count == 0 ? 1 : counter.run_count, run_bytes = counter.spilled_bytes;
  counter_release(&counter);
  if (status == VT_OK && counts->expected) status = vt_subsample_mirror(counts, options, error);
  if (status == VT_OK && report != NULL)
    *report = (struct vt_cooccur_report){.pairs = counts->pairs,
                                         .runs = runs,
                                         .run_bytes = run_bytes,
                                         .total = total_of(counts),
                                         .seconds = vt_clock_seconds() - started};
  if (status != VT_OK) {
    vt_cooccur_free(counts);
    return status;
  }
  *out = counts;
  return VT_OK;
}

static enum vt_status check_subsampling(const struct vt_corpus *corpus, const struct vt_cooccur_options *options,
                                        struct vt_error *error) {
  if (options->weight != VT_COOCCUR_LINEAR || options->sides != VT_COOCCUR_BOTH)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "count with weights of kind linear on both sides, or with sample 0",
                        "what is subsampled is counted as random windows reach it, to both sides");
  if (options->vocab == NULL || vt_vocab_size(options->vocab) != vt_corpus_vocab_size(corpus))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "subsampling needs the vocabulary of the corpus");
  return VT_OK;
}

static void note_source(struct vt_cooccur *counts, const struct vt_corpus *corpus,
                        const struct vt_corpus_options *rules) {
  counts->source = (struct vt_cooccur_source){.tokens = vt_corpus_tokens(corpus),
                                              .sentences = vt_corpus_sentences(corpus),
                                              .fingerprint = vt_corpus_fingerprint(corpus)};
  if (rules == NULL) return;
  counts->source.rules_known = true;
  counts->source.rule = rules->tokens;
  counts->source.fold_case = rules->fold_case;
  counts->source.min_count = rules->min_count;
  counts->source.max_vocab = rules->max_vocab;
}

enum vt_status vt_cooccur_count(const struct vt_corpus *corpus, const struct vt_cooccur_options *options,
                                struct vt_cooccur **counts, struct vt_cooccur_report *report, struct vt_error *error) {
  struct vt_cooccur_text text = {.ids = vt_corpus_ids(corpus),
                                 .entries = vt_corpus_entries(corpus),
                                 .words = vt_corpus_vocab_size(corpus),
                                 .corpus = corpus};
  double *keep = NULL;
  if (options->sample > 0) {
    VT_TRY(check_subsampling(corpus, options, error));
    keep = vt_alloc(text.words, sizeof *keep);
    if (keep == NULL) return VT_FAIL_MEMORY(error, text.words * sizeof *keep);
    vt_subsample_keep(options->vocab, options->sample, keep);
    text.keep = keep;
  }
  enum vt_status status = vt_cooccur_count_text(&text, options, counts, report, error);
  if (status == VT_OK) note_source(*counts, corpus, options->rules);
  vt_free(keep);
  vt_corpus_forget(corpus);
  return status;
}

/*
 * phrases.c: phrase learning by the score of Mikolov et al. 2013 ("Distributed representations of words and phrases and
 * their compositionality", equation 6, with the factor N of the program that came with it):
 *
 *   score(a, b) = N (n(a b) - min_count) / (n(a) n(b))
 *
 * n counts in the text as it stands at the beginning of a pass, N is its number of words, and min_count the discount.
 * A pass finds all pairs whose score is above the threshold, then joins them from left to right in every sentence: a
 * word that has just been joined is not joined again before the next pass. Pairs are of words that stand side by side
 * in the text. Rare words are still in their places then, min_count comes after the last pass, so no phrase is made of
 * words that had a third one between them; nor does a pair reach across the end of a line.
 *
 * What is worked on are the word numbers that counting has put away, stretch by stretch, so the text is read once. A
 * stretch may begin within a sentence. Whether its first word is joined to the last one before it depends on whether
 * that one was joined in turn, and so on back to a pair that is no phrase: the decisions along a run of such pairs
 * alternate. Each stretch therefore says how long a run it ends in, and one step over all stretches settles the rest.
 *
 * Pairs that cannot reach the threshold, however often they occurred, are not counted: n(a b) is at most the smaller of
 * n(a) and n(b). With a threshold of 100 that leaves out every pair with a word that makes up 1% of the text. The rest
 * is counted in a table of fixed size. Where the table is too small, only pairs whose hash lies in a part of all
 * hashes are counted, in as many rounds as it takes: memory is bounded, and the counts are exact all the same.
 *
 * Nothing depends on threads: counts are sums, and which pairs are phrases follows from the counts alone. The numbers
 * of new words depend on the order in the table of pairs, and end in the maps, as those of other words.
 *
 * Memory: the table of pairs, 1 byte a word of the table, 24 to 48 bytes a phrase, two stretches a worker, 12 bytes a
 * stretch. Threads: every stretch belongs to one worker in every phase; the flags and the tables are written between
 * phases, but for the counts in them, which are atomic.
 */
#include "text/phrases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "text/input.h"
#include "text/pairs.h"

#define BATCH 64
#define SEPARATOR '_'

/* What its neighbours need to know of a stretch. */
struct edge {
  uint32_t first; /* entries; without any, the stretch is passed over */
  uint32_t last;
  bool whole;      /* all its pairs are phrases */
  bool odd;        /* the run of phrases it ends in has an odd number of pairs */
  bool joined;     /* first is joined to the word before */
  bool gives_last; /* last is joined to the word behind */
  uint32_t phrase; /* what first becomes when it is joined */
};

/* What a word can be part of. */
enum { FLAG_PAIR = 1, FLAG_FIRST = 2, FLAG_SECOND = 4 };

struct worker {
  uint32_t *numbers; /* [capacity] read back */
  uint32_t *ids;     /* [capacity] translated, or joined */
};

struct joining {
  struct vt_count *count;
  struct vt_tally *tally;
  struct vt_pool *pool;
  struct vt_word_table *table;
  struct worker *workers; /* [worker_count] */
  struct edge *edges;     /* [record_count] */
  bool translated;        /* the records hold numbers of the table, not of their workers */
  double words;           /* N */
  uint64_t min_count;
  double threshold;
  unsigned char *flags; /* [table->size when the pass began] */
  struct vt_pairs pairs;
  uint64_t hash_first; /* the hashes of this round */
  uint64_t hash_last;
  _Atomic bool full;
  uint64_t *found; /* keys of phrases */
  size_t found_count;
  size_t found_capacity;
  struct vt_pairs phrases; /* those of this pass, counting how often each was joined */
  uint32_t *phrase_ids;    /* [phrases.slot_count] */
  _Atomic size_t taken;
  pthread_mutex_t mutex;
  struct vt_error failure; /* status VT_OK until something fails */
};

/* ---- stretches --------------------------------------------------------------------------------------------------- */

static void keep_failure(struct joining *joining, const struct vt_error *error) {
  (void)pthread_mutex_lock(&joining->mutex);
  if (joining->failure.status == VT_OK) joining->failure = *error;
  (void)pthread_mutex_unlock(&joining->mutex);
}

/* The entries of a stretch, in numbers of the table. */
static enum vt_status load(struct joining *joining, size_t index, int worker, const uint32_t **ids,
                           struct vt_error *error) {
  const struct vt_count_record *record = &joining->count->records[index];
  struct worker *own = &joining->workers[worker];
  const uint32_t *numbers;
  VT_TRY(vt_spill_get(joining->count->spill, &record->place, record->entries, own->numbers, &numbers, error));
  *ids = numbers;
  if (joining->translated) return VT_OK;
  const uint32_t *map = joining->tally->maps[record->worker].ids;
  for (size_t i = 0; i < record->entries; i++)
    own->ids[i] = numbers[i] == VT_CORPUS_END ? VT_CORPUS_END : map[numbers[i]];
  *ids = own->ids;
  return VT_OK;
}

/* The next stretch that is not empty, loaded; false when there is none, something failed, or the table is full. */
static bool take(struct joining *joining, int worker, size_t *index, const uint32_t **ids) {
  while (!atomic_load(&joining->full)) {
    *index = atomic_fetch_add(&joining->taken, 1);
    if (*index >= joining->count->record_count) return false;
    if (joining->count->records[*index].entries == 0) continue;
    struct vt_error error;
    enum vt_status status = vt_input_check_interrupt(joining->count->options->interrupt, "the text", &error);
    if (status == VT_OK) status = load(joining, *index, worker, ids, &error);
    if (status == VT_OK) return true;
    keep_failure(joining, &error);
    return false;
  }
  return false;
}

static enum vt_status run(struct joining *joining, vt_pool_work *work, struct vt_error *error) {
  atomic_store(&joining->taken, 0);
  atomic_store(&joining->full, false);
  vt_pool_run(joining->pool, work, joining);
  if (joining->failure.status != VT_OK && error != NULL) *error = joining->failure;
  return joining->failure.status;
}

/* ---- counting pairs ---------------------------------------------------------------------------------------------- */

static double score(const struct joining *joining, uint64_t both, uint64_t first, uint64_t second) {
  return ((double)both - (double)joining->min_count) * joining->words / ((double)first * (double)second);
}

static bool is_phrase(const struct joining *joining, uint64_t both, uint64_t first, uint64_t second) {
  return both > joining->min_count && score(joining, both, first, second) > joining->threshold;
}

/* A word with n occurrences has its best chance in a pair with another one of n that it never occurs without. */
static void flag_words(struct joining *joining) {
  for (size_t id = 0; id < joining->table->size; id++) {
    uint64_t n = joining->table->words[id].count;
    /* The factor outweighs rounding: this sorts out roughly, is_phrase decides. */
    joining->flags[id] =
        n > joining->min_count && score(joining, n, n, n) * (1 + 1e-9) >= joining->threshold ? FLAG_PAIR : 0;
  }
}

static bool may_be_phrase(const struct joining *joining, uint32_t first, uint32_t second) {
  if (!(joining->flags[first] & joining->flags[second] & FLAG_PAIR)) return false;
  uint64_t a = joining->table->words[first].count, b = joining->table->words[second].count;
  return is_phrase(joining, a < b ? a : b, a, b);
}

struct batch {
  size_t count;
  uint64_t keys[BATCH];
  uint64_t hashes[BATCH];
};

/* Nothing goes into a full table, but the one pair of each thread by which it learns that. */
static void flush(struct joining *joining, struct batch *batch) {
  bool room = !atomic_load(&joining->full);
  for (size_t i = 0; i < batch->count && room; i++) {
    room = vt_pairs_add(&joining->pairs, batch->keys[i], batch->hashes[i], 1);
    if (!room) atomic_store(&joining->full, true);
  }
  batch->count = 0;
}

static void count_pair(struct joining *joining, struct batch *batch, uint32_t first, uint32_t second) {
  if (first == VT_CORPUS_END || second == VT_CORPUS_END || !may_be_phrase(joining, first, second)) return;
  uint64_t key = vt_pair_key(first, second), hash = vt_pair_hash(key);
  if (hash < joining->hash_first || hash > joining->hash_last) return;
  vt_pairs_prefetch(&joining->pairs, hash);
  batch->keys[batch->count] = key;
  batch->hashes[batch->count++] = hash;
  if (batch->count == BATCH) flush(joining, batch);
}

static void count_stretches(void *context, int worker) {
  struct joining *joining = context;
  struct batch batch = {.count = 0};
  size_t index;
  const uint32_t *ids;
  while (take(joining, worker, &index, &ids)) {
    size_t entries = joining->count->records[index].entries;
    joining->edges[index] = (struct edge){.first = ids[0], .last = ids[entries - 1]};
    for (size_t i = 1; i < entries; i++) count_pair(joining, &batch, ids[i - 1], ids[i]);
  }
  flush(joining, &batch);
}

/* The pairs with one word in each of two stretches. */
static void count_seams(struct joining *joining) {
  struct batch batch = {.count = 0};
  uint32_t last = VT_CORPUS_END;
  for (size_t i = 0; i < joining->count->record_count; i++) {
    if (joining->count->records[i].entries == 0) continue;
    count_pair(joining, &batch, last, joining->edges[i].first);
    last = joining->edges[i].last;
  }
  flush(joining, &batch);
}

static enum vt_status keep_found(struct joining *joining, uint64_t key, struct vt_error *error) {
  if (joining->found_count == joining->found_capacity) {
    size_t capacity = 2 * joining->found_capacity + 1024;
    uint64_t *found = vt_realloc(joining->found, capacity, sizeof *found);
    if (found == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *found);
    joining->found = found;
    joining->found_capacity = capacity;
  }
  joining->found[joining->found_count++] = key;
  return VT_OK;
}

static enum vt_status collect(struct joining *joining, struct vt_error *error) {
  const struct vt_word *words = joining->table->words;
  for (size_t i = 0; i < joining->pairs.slot_count; i++) {
    uint64_t both = atomic_load_explicit(&joining->pairs.slots[i].count, memory_order_relaxed);
    if (both <= joining->min_count) continue;
    uint64_t key = atomic_load_explicit(&joining->pairs.slots[i].key, memory_order_relaxed);
    const struct vt_word *first = &words[vt_pair_first(key)], *second = &words[vt_pair_second(key)];
    /* A phrase is a word, and no word is longer than that. */
    if ((size_t)first->bytes + 1 + second->bytes > VT_WORD_BYTES_MAX) continue;
    if (is_phrase(joining, both, first->count, second->count)) VT_TRY(keep_found(joining, key, error));
  }
  return VT_OK;
}

/* All phrases of the text, in rounds over parts of the hashes that the table has room for. A part of one hash has one
 * pair, so it comes to an end. */
static enum vt_status find_phrases(struct joining *joining, struct vt_error *error) {
  joining->found_count = 0;
  joining->hash_first = 0;
  joining->hash_last = UINT64_MAX;
  for (;;) {
    vt_pairs_clear(&joining->pairs);
    VT_TRY(run(joining, count_stretches, error));
    if (!atomic_load(&joining->full)) count_seams(joining);
    uint64_t width = joining->hash_last - joining->hash_first;
    if (atomic_load(&joining->full)) {
      joining->hash_last = joining->hash_first + width / 2;
      continue;
    }
    VT_TRY(collect(joining, error));
    if (joining->hash_last == UINT64_MAX) return VT_OK;
    joining->hash_first = joining->hash_last + 1;
    joining->hash_last = width > UINT64_MAX - joining->hash_first ? UINT64_MAX : joining->hash_first + width;
  }
}

/* ---- new words --------------------------------------------------------------------------------------------------- */

static enum vt_status add_word(struct vt_word_table *table, uint64_t key, uint32_t *id, struct vt_error *error) {
  const struct vt_word *first = &table->words[vt_pair_first(key)], *second = &table->words[vt_pair_second(key)];
  unsigned char text[VT_WORD_BYTES_MAX];
  memcpy(text, vt_word_table_text(table, vt_pair_first(key)), first->bytes);
  text[first->bytes] = SEPARATOR;
  memcpy(text + first->bytes + 1, vt_word_table_text(table, vt_pair_second(key)), second->bytes);
  /* The word may be there: as a_b in the text itself, or as another pair, a_b c and a b_c. It is canonical: no
   * character composes with the separator. */
  VT_TRY(vt_word_table_add(table, text, (size_t)first->bytes + 1 + second->bytes, id, error));
  table->words[*id].canonical = *id;
  return VT_OK;
}

static enum vt_status name_phrases(struct joining *joining, struct vt_error *error) {
  vt_pairs_release(&joining->phrases);
  vt_free(joining->phrase_ids);
  VT_TRY(vt_pairs_init(&joining->phrases, joining->found_count / 3 * 4 + 4, 1, error));
  joining->phrase_ids = vt_alloc(joining->phrases.slot_count, sizeof *joining->phrase_ids);
  if (joining->phrase_ids == NULL)
    return VT_FAIL_MEMORY(error, joining->phrases.slot_count * sizeof *joining->phrase_ids);
  for (size_t i = 0; i < joining->found_count; i++) {
    uint64_t key = joining->found[i];
    uint32_t id;
    VT_TRY(add_word(joining->table, key, &id, error));
    (void)vt_pairs_add(&joining->phrases, key, vt_pair_hash(key), 0);
    joining->phrase_ids[vt_pairs_find(&joining->phrases, key) - joining->phrases.slots] = id;
    joining->flags[vt_pair_first(key)] |= FLAG_FIRST;
    joining->flags[vt_pair_second(key)] |= FLAG_SECOND;
  }
  return VT_OK;
}

static struct vt_pair_slot *find_phrase(const struct joining *joining, uint32_t first, uint32_t second) {
  if (first == VT_CORPUS_END || second == VT_CORPUS_END) return NULL;
  if (!(joining->flags[first] & FLAG_FIRST) || !(joining->flags[second] & FLAG_SECOND)) return NULL;
  return vt_pairs_find(&joining->phrases, vt_pair_key(first, second));
}

/* ---- joining ----------------------------------------------------------------------------------------------------- */

/* What run of phrases each stretch ends in. */
static void measure_stretches(void *context, int worker) {
  struct joining *joining = context;
  size_t index;
  const uint32_t *ids;
  while (take(joining, worker, &index, &ids)) {
    size_t entries = joining->count->records[index].entries, pairs = 0;
    while (pairs + 1 < entries && find_phrase(joining, ids[entries - 2 - pairs], ids[entries - 1 - pairs]) != NULL)
      pairs++;
    joining->edges[index].whole = pairs + 1 == entries;
    joining->edges[index].odd = pairs % 2 == 1;
  }
}

static uint32_t use_phrase(struct joining *joining, struct vt_pair_slot *slot) {
  atomic_fetch_add_explicit(&slot->count, 1, memory_order_relaxed);
  return joining->phrase_ids[slot - joining->phrases.slots];
}

/* Settles for all stretches whether their first and last words are joined across the seam. */
static void settle_seams(struct joining *joining) {
  struct edge *before = NULL;
  bool last_joined = false; /* of the stretch before */
  for (size_t i = 0; i < joining->count->record_count; i++) {
    if (joining->count->records[i].entries == 0) continue;
    struct edge *edge = &joining->edges[i];
    struct vt_pair_slot *slot = before == NULL || last_joined ? NULL : find_phrase(joining, before->last, edge->first);
    edge->joined = slot != NULL;
    if (slot != NULL) {
      edge->phrase = use_phrase(joining, slot);
      before->gives_last = true;
    }
    last_joined = edge->odd != (edge->whole && edge->joined);
    before = edge;
  }
}

static size_t join_entries(struct joining *joining, const struct edge *edge, const uint32_t *ids, size_t entries,
                           uint32_t *out) {
  bool joined = edge->joined; /* the entry before */
  size_t used = 0;
  out[used++] = joined ? edge->phrase : ids[0];
  uint32_t before = ids[0];
  for (size_t i = 1; i < entries; i++) {
    uint32_t id = ids[i]; /* out may be ids */
    struct vt_pair_slot *slot = joined ? NULL : find_phrase(joining, before, id);
    joined = slot != NULL;
    if (joined)
      out[used - 1] = use_phrase(joining, slot);
    else
      out[used++] = id;
    before = id;
  }
  return used - edge->gives_last;
}

static void join_stretches(void *context, int worker) {
  struct joining *joining = context;
  size_t index;
  const uint32_t *ids;
  uint32_t *out = joining->workers[worker].ids;
  while (take(joining, worker, &index, &ids)) {
    struct vt_count_record *record = &joining->count->records[index];
    size_t entries = join_entries(joining, &joining->edges[index], ids, record->entries, out);
    struct vt_error error;
    if (vt_spill_replace(joining->count->spill, &record->place, out, entries, &error) != VT_OK) {
      keep_failure(joining, &error);
      return;
    }
    record->entries = entries;
    record->worker = 0;
  }
}

/* Brings the counts of the words in line with the joined text. */
static void recount(struct joining *joining) {
  struct vt_word *words = joining->table->words;
  for (size_t i = 0; i < joining->phrases.slot_count; i++) {
    uint64_t key = atomic_load_explicit(&joining->phrases.slots[i].key, memory_order_relaxed);
    if (key == 0) continue;
    uint64_t joined = atomic_load_explicit(&joining->phrases.slots[i].count, memory_order_relaxed);
    words[vt_pair_first(key)].count -= joined;
    words[vt_pair_second(key)].count -= joined;
    words[joining->phrase_ids[i]].count += joined;
    joining->words -= (double)joined;
  }
}

/* The records hold numbers of the table now. */
static enum vt_status make_identity(struct vt_tally_map *map, size_t size, struct vt_error *error) {
  uint32_t *ids = vt_realloc(map->ids, size, sizeof *ids);
  if (ids == NULL) return VT_FAIL_MEMORY(error, size * sizeof *ids);
  for (size_t id = 0; id < size; id++) ids[id] = (uint32_t)id;
  *map = (struct vt_tally_map){ids, size};
  return VT_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum vt_status pass(struct joining *joining, bool *more, struct vt_error *error) {
  size_t words = joining->table->size;
  vt_free(joining->flags);
  joining->flags = vt_alloc(words, sizeof *joining->flags);
  if (joining->flags == NULL) return VT_FAIL_MEMORY(error, words);
  flag_words(joining);
  VT_TRY(find_phrases(joining, error));
  *more = joining->found_count > 0;
  if (!*more) return VT_OK;
  VT_TRY(name_phrases(joining, error));
  VT_TRY(run(joining, measure_stretches, error));
  settle_seams(joining);
  VT_TRY(run(joining, join_stretches, error));
  joining->translated = true;
  recount(joining);
  return make_identity(&joining->tally->maps[0], joining->table->size, error);
}

static enum vt_status allocate(struct joining *joining, size_t table_bytes, struct vt_error *error) {
  size_t capacity = 1, records = joining->count->record_count, workers = (size_t)joining->count->worker_count;
  for (size_t i = 0; i < records; i++)
    if (joining->count->records[i].entries > capacity) capacity = joining->count->records[i].entries;
  joining->edges = vt_alloc(records, sizeof *joining->edges);
  joining->workers = vt_alloc_zero(workers, sizeof *joining->workers);
  if (joining->edges == NULL || joining->workers == NULL)
    return VT_FAIL_MEMORY(error, records * sizeof *joining->edges);
  for (size_t i = 0; i < workers; i++) {
    joining->workers[i] = (struct worker){vt_alloc(capacity, sizeof(uint32_t)), vt_alloc(capacity, sizeof(uint32_t))};
    if (joining->workers[i].numbers == NULL || joining->workers[i].ids == NULL)
      return VT_FAIL_MEMORY(error, 2 * capacity * sizeof(uint32_t));
  }
  /* There are no more pairs than words. */
  size_t slots = table_bytes / sizeof(struct vt_pair_slot);
  if (joining->words * 2 < (double)slots) slots = 2 * (size_t)joining->words;
  return vt_pairs_init(&joining->pairs, slots, joining->count->worker_count, error);
}

static void release(struct joining *joining) {
  for (int i = 0; i < joining->count->worker_count && joining->workers != NULL; i++) {
    vt_free(joining->workers[i].numbers);
    vt_free(joining->workers[i].ids);
  }
  vt_free(joining->workers);
  vt_free(joining->edges);
  vt_free(joining->flags);
  vt_free(joining->found);
  vt_free(joining->phrase_ids);
  vt_pairs_release(&joining->pairs);
  vt_pairs_release(&joining->phrases);
  (void)pthread_mutex_destroy(&joining->mutex);
}

enum vt_status vt_phrases_join(struct vt_count *count, struct vt_tally *tally, struct vt_pool *pool, size_t table_bytes,
                               struct vt_error *error) {
  struct joining joining = {
      .count = count,
      .tally = tally,
      .pool = pool,
      .table = &count->workers[0].table,
      .words = (double)tally->tokens_read,
      .min_count = count->options->min_count,
      .threshold = count->options->phrase_threshold,
  };
  if (pthread_mutex_init(&joining.mutex, NULL) != 0) return VT_FAIL_MEMORY(error, sizeof joining);
  enum vt_status status = allocate(&joining, table_bytes, error);
  bool more = true;
  for (uint32_t i = 0; i < count->options->phrases && more && status == VT_OK; i++)
    status = pass(&joining, &more, error);
  release(&joining);
  return status;
}

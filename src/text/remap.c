/*
 * remap.c: from the workers' numbers to ids.
 *
 * Where the ids of a stretch belong in the file depends on how many words of all stretches before it are in the
 * vocabulary. Instead of counting first, workers take stretches in order, map each one in their own memory, and wait
 * for its turn to write: by then the stretch before, which was taken earlier, is mapped too, so the wait is short, and
 * the file is written once from front to back.
 *
 * Only one thing crosses from stretch to stretch besides the place: whether a sentence is open, that is, whether a
 * word has been written since the last end mark. An end that comes before any word of its stretch closes that sentence
 * or nothing at all; room for that one mark is kept in front of the ids.
 *
 * Memory: the ids of one stretch a worker, in and out. Threads: struct turn under its mutex; the output is written by
 * the worker whose turn it is.
 */
#define _POSIX_C_SOURCE 200809L
#include "text/remap.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "text/corpus_internal.h"
#include "text/input.h"

struct turn {
  pthread_mutex_t mutex;
  pthread_cond_t passed;
  size_t next;  /* the stretch to be written */
  bool open;    /* a sentence is, before that stretch */
  size_t input; /* of the stretch before, and lines that ended in it */
  uint64_t lines;
  struct vt_remap_total total;
  struct vt_error failure; /* status VT_OK until something fails */
};

struct remap {
  struct vt_count *count;
  const struct vt_tally *tally;
  struct vt_output *output;
  struct vt_output *lines; /* or NULL */
  size_t capacity;         /* the most entries in a stretch */
  _Atomic size_t taken;
  _Atomic bool stop;
  struct turn turn;
};

/* A stretch once it is mapped: ids[1 .. 1 + entries), with ids[0] for the mark that may go before. */
struct mapped {
  uint32_t *ids;
  size_t entries;
  size_t sentences; /* end marks among them */
  uint64_t *places; /* of each of those, how many lines end before it in the stretch; NULL: not asked for. Then room for
                       one more in front, as with ids */
  size_t lines;     /* that end in the stretch */
  bool leading_end; /* a line ends before the first word */
  bool open;        /* a sentence is, at the end; without any word and end, as before */
};

static void map_stretch(const uint32_t *numbers, size_t count, const uint32_t *map, struct mapped *mapped) {
  uint32_t *out = mapped->ids + 1, *line = out;
  mapped->sentences = mapped->lines = 0;
  mapped->leading_end = false;
  for (size_t i = 0; i < count; i++) {
    if (numbers[i] != VT_CORPUS_END) {
      uint32_t id = map[numbers[i]];
      *out = id;
      out += id != VT_TALLY_OUTSIDE;
      continue;
    }
    if (out == mapped->ids + 1) mapped->leading_end = true;
    size_t number = mapped->lines++;
    if (out == line) continue;
    *out++ = VT_CORPUS_END;
    line = out;
    mapped->sentences++;
    if (mapped->places != NULL) mapped->places[mapped->sentences] = number;
  }
  mapped->open = out > line;
  mapped->entries = (size_t)(out - (mapped->ids + 1));
}

/* Says in which lines the sentences stand. */
static enum vt_status write_lines(struct remap *remap, const struct mapped *mapped, size_t input, bool closes,
                                  struct vt_error *error) {
  struct turn *turn = &remap->turn;
  if (input != turn->input) turn->lines = 0;
  turn->input = input;
  uint64_t base = ((uint64_t)input << VT_CORPUS_LINE_BITS) + turn->lines;
  mapped->places[0] = 0; /* of the sentence that was open: its line is the first that ends here */
  for (size_t k = 0; k <= mapped->sentences; k++) mapped->places[k] += base;
  turn->lines += mapped->lines;
  return vt_output_write(remap->lines, mapped->places + !closes, (mapped->sentences + closes) * sizeof *mapped->places,
                         error);
}

/* Adds the stretch to the stream. Its ids begin at *position and, with the mark, at *first. */
static enum vt_status write_in_turn(struct remap *remap, const struct mapped *mapped, size_t input,
                                    const uint32_t **first, size_t *entries, uint64_t *position,
                                    struct vt_error *error) {
  struct turn *turn = &remap->turn;
  bool closes = turn->open && mapped->leading_end;
  *first = mapped->ids + !closes;
  *entries = mapped->entries + closes;
  *position = turn->total.entries;
  mapped->ids[0] = VT_CORPUS_END;
  turn->open = mapped->open || (turn->open && !closes && mapped->sentences == 0);
  if (!turn->total.begun) turn->total.leads = mapped->leading_end;
  turn->total.begun = turn->total.begun || mapped->leading_end || mapped->entries > 0;
  turn->total.open = turn->open;
  turn->total.entries += *entries;
  turn->total.sentences += mapped->sentences + closes;
  turn->total.tokens += mapped->entries - mapped->sentences;
  if (mapped->places != NULL) VT_TRY(write_lines(remap, mapped, input, closes, error));
  return vt_output_write(remap->output, *first, *entries * sizeof **first, error);
}

static enum vt_status remap_stretch(struct remap *remap, size_t index, uint32_t *buffer, struct mapped *mapped,
                                    struct vt_error *error) {
  const struct vt_count_record *record = &remap->count->records[index];
  const uint32_t *numbers;
  const char *name = vt_input_name(remap->count->inputs[record->input]);
  enum vt_status status = vt_input_check_interrupt(remap->count->options->interrupt, name, error);
  if (status == VT_OK)
    status = vt_spill_get(remap->count->spill, &record->place, record->entries, buffer, &numbers, error);
  if (status == VT_OK) map_stretch(numbers, record->entries, remap->tally->maps[record->worker].ids, mapped);
  struct turn *turn = &remap->turn;
  const uint32_t *first = NULL;
  size_t entries = 0;
  uint64_t position = 0;
  (void)pthread_mutex_lock(&turn->mutex);
  while (turn->next != index) (void)pthread_cond_wait(&turn->passed, &turn->mutex);
  if (turn->failure.status == VT_OK) {
    if (status == VT_OK) status = write_in_turn(remap, mapped, record->input, &first, &entries, &position, error);
    if (status != VT_OK) turn->failure = *error;
  }
  if (turn->failure.status != VT_OK) atomic_store(&remap->stop, true);
  turn->next++;
  (void)pthread_cond_broadcast(&turn->passed);
  (void)pthread_mutex_unlock(&turn->mutex);
  uint64_t hash = vt_corpus_hash_entries(first, entries, position);
  (void)pthread_mutex_lock(&turn->mutex);
  turn->total.fingerprint += hash;
  (void)pthread_mutex_unlock(&turn->mutex);
  return status;
}

static void work(void *context, int index) {
  (void)index;
  struct remap *remap = context;
  struct mapped mapped = {.ids = vt_alloc(remap->capacity + 1, sizeof(uint32_t))};
  uint32_t *buffer = vt_alloc(remap->capacity, sizeof *buffer);
  if (remap->lines != NULL) mapped.places = vt_alloc(remap->capacity + 1, sizeof *mapped.places);
  struct vt_error error;
  const bool ready = mapped.ids != NULL && buffer != NULL && (remap->lines == NULL || mapped.places != NULL);
  if (!ready) {
    (void)VT_FAIL_MEMORY(&error, (remap->capacity + 1) * sizeof *buffer);
    (void)pthread_mutex_lock(&remap->turn.mutex);
    remap->turn.failure = error;
    (void)pthread_mutex_unlock(&remap->turn.mutex);
    atomic_store(&remap->stop, true);
  }
  while (ready && !atomic_load(&remap->stop)) {
    size_t next = atomic_fetch_add(&remap->taken, 1);
    if (next >= remap->count->record_count || remap_stretch(remap, next, buffer, &mapped, &error) != VT_OK) break;
  }
  vt_free(mapped.ids);
  vt_free(mapped.places);
  vt_free(buffer);
}

enum vt_status vt_remap_run(struct vt_count *count, const struct vt_tally *tally, struct vt_pool *pool,
                            struct vt_output *output, struct vt_output *lines, struct vt_remap_total *total,
                            struct vt_error *error) {
  struct remap remap = {.count = count, .tally = tally, .output = output, .lines = lines};
  for (size_t i = 0; i < count->record_count; i++)
    if (count->records[i].entries > remap.capacity) remap.capacity = count->records[i].entries;
  if (pthread_mutex_init(&remap.turn.mutex, NULL) != 0) return VT_FAIL_MEMORY(error, sizeof remap);
  if (pthread_cond_init(&remap.turn.passed, NULL) != 0) {
    (void)pthread_mutex_destroy(&remap.turn.mutex);
    return VT_FAIL_MEMORY(error, sizeof remap);
  }
  vt_pool_run(pool, work, &remap);
  (void)pthread_cond_destroy(&remap.turn.passed);
  (void)pthread_mutex_destroy(&remap.turn.mutex);
  if (remap.turn.failure.status != VT_OK) {
    if (error != NULL) *error = remap.turn.failure;
    return remap.turn.failure.status;
  }
  *total = remap.turn.total;
  return VT_OK;
}

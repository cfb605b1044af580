/*
 * analogy.c: 3CosAdd for a whole test set.
 *
 * Taken one by one, Q questions over R rows of d cost Q R d multiplications. But a test set asks about few words many
 * times over (some 900 in 19,500 questions of word2vec's set), and 3CosAdd is linear: with s_w = cos(row, w), the score
 * of a row is s_b - s_a + s_c. So the rows are taken in tiles of VT_TILE; a tile's cosines with every distinct question
 * word are a small matrix product that stays in cache, after which a question costs two additions and a comparison a
 * row.
 *
 * Invariants: a cosine is one sum over the dimensions in order, so it does not depend on where a tile begins or which
 * thread takes it; scores are compared exactly and ties go to the smaller id, so that the best over all tiles does not
 * depend on the order in which they were taken.
 *
 * Memory: distinct words x (d + VT_TILE x threads) doubles and 16 bytes a question and thread. Threads: a pool of its
 * own, tiles dealt by an atomic counter; workers write nothing shared.
 */
#include "analysis/analogy.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "analysis/tile.h"
#include "base/memory.h"
#include "base/pool.h"

#define NO_ANSWER UINT32_MAX

struct best {
  double score;
  uint32_t id;
};

struct worker {
  double *panel;      /* [dim][VT_TILE] unit rows of the tile, a column each */
  double *cosines;    /* [words, padded][VT_TILE] */
  struct best *bests; /* [questions] */
};

struct job {
  const struct vt_vectors *vectors;
  size_t limit;
  const struct vt_question *questions;
  size_t question_count;
  uint32_t *slots; /* [limit]: where a question word stands among the words; NO_ANSWER for other rows */
  double *units;   /* [words, padded][dim] */
  size_t word_count;
  size_t padded_words;
  struct worker *workers;
  int worker_count;
  atomic_size_t next_tile;
};

static void measure_tile(const struct job *job, const struct worker *worker, size_t begin, size_t rows) {
  size_t dim = job->vectors->dim;
  /* In the last tile, columns past `rows` keep what an earlier tile left there; nobody looks at their cosines. */
  for (size_t r = 0; r < rows; r++)
    vt_tile_put_unit(job->vectors->data + (begin + r) * dim, dim, worker->panel + r, VT_TILE);
  vt_tile_multiply(job->units, job->padded_words, worker->panel, dim, worker->cosines);
}

/* The greatest score of a whole tile; which row has it is asked only when it is a new best. */
static double greatest(const double *a, const double *b, const double *c) {
  vt_double2 even = {-INFINITY, -INFINITY}, odd = even;
  for (size_t r = 0; r < VT_TILE; r += 4) {
    vt_double2 x = vt_double2_load(b + r) - vt_double2_load(a + r) + vt_double2_load(c + r);
    vt_double2 y = vt_double2_load(b + r + 2) - vt_double2_load(a + r + 2) + vt_double2_load(c + r + 2);
    even = (vt_double2){x[0] > even[0] ? x[0] : even[0], x[1] > even[1] ? x[1] : even[1]};
    odd = (vt_double2){y[0] > odd[0] ? y[0] : odd[0], y[1] > odd[1] ? y[1] : odd[1]};
  }
  double p = even[0] > even[1] ? even[0] : even[1], q = odd[0] > odd[1] ? odd[0] : odd[1];
  return p > q ? p : q;
}

static bool beats(double score, size_t id, const struct best *best) {
  return score != best->score ? score > best->score : id < best->id;
}

static void ask_tile(const struct job *job, const struct worker *worker, size_t begin, size_t rows) {
  for (size_t q = 0; q < job->question_count; q++) {
    const struct vt_question *question = &job->questions[q];
    struct best *best = &worker->bests[q];
    const double *a = worker->cosines + job->slots[question->a] * (size_t)VT_TILE;
    const double *b = worker->cosines + job->slots[question->b] * (size_t)VT_TILE;
    const double *c = worker->cosines + job->slots[question->c] * (size_t)VT_TILE;
    /* Below the best even with the question's own words in: nothing to look at. */
    if (rows == VT_TILE && greatest(a, b, c) < best->score) continue;
    for (size_t r = 0; r < rows; r++) {
      size_t id = begin + r;
      double score = b[r] - a[r] + c[r];
      if (!beats(score, id, best) || id == question->a || id == question->b || id == question->c) continue;
      *best = (struct best){score, (uint32_t)id};
    }
  }
}

static void work(void *context, int number) {
  struct job *job = context;
  const struct worker *worker = &job->workers[number];
  for (size_t q = 0; q < job->question_count; q++) worker->bests[q] = (struct best){-INFINITY, NO_ANSWER};
  size_t tiles = (job->limit + VT_TILE - 1) / VT_TILE;
  for (;;) {
    size_t tile = atomic_fetch_add_explicit(&job->next_tile, 1, memory_order_relaxed);
    if (tile >= tiles) return;
    size_t begin = tile * VT_TILE;
    size_t rows = job->limit - begin < VT_TILE ? job->limit - begin : VT_TILE;
    measure_tile(job, worker, begin, rows);
    ask_tile(job, worker, begin, rows);
  }
}

/* Gives every distinct question word a slot. Panels are padded to whole blocks, with words of zeros. */
static enum vt_status number_words(struct job *job, struct vt_error *error) {
  size_t dim = job->vectors->dim;
  job->slots = vt_alloc(job->limit, sizeof *job->slots);
  if (job->slots == NULL) return VT_FAIL_MEMORY(error, job->limit * sizeof *job->slots);
  memset(job->slots, 0xff, job->limit * sizeof *job->slots);
  for (size_t q = 0; q < job->question_count; q++) {
    const uint32_t ids[] = {job->questions[q].a, job->questions[q].b, job->questions[q].c};
    for (size_t i = 0; i < 3; i++)
      if (job->slots[ids[i]] == NO_ANSWER) job->slots[ids[i]] = (uint32_t)job->word_count++;
  }
  job->padded_words = vt_tile_padded(job->word_count);
  job->units = vt_alloc_zero(job->padded_words * dim, sizeof *job->units);
  if (job->units == NULL) return VT_FAIL_MEMORY(error, job->padded_words * dim * sizeof *job->units);
  for (size_t id = 0; id < job->limit; id++)
    if (job->slots[id] != NO_ANSWER)
      vt_tile_put_unit(job->vectors->data + id * dim, dim, job->units + job->slots[id] * dim, 1);
  return VT_OK;
}

static enum vt_status check_rows(const struct job *job, struct vt_error *error) {
  const struct vt_vectors *vectors = job->vectors;
  for (size_t id = 0; id < job->limit; id++)
    if (!isfinite(vt_measure_squared(vectors->data + id * vectors->dim, vectors->dim)))
      return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "take an earlier step, or train with a smaller learning rate",
                          "the vector of \"%s\" holds NaN or infinity", vt_vocab_text(vectors->vocab, (uint32_t)id));
  return VT_OK;
}

static enum vt_status make_workers(struct job *job, struct vt_error *error) {
  job->workers = vt_alloc_zero((size_t)job->worker_count, sizeof *job->workers);
  if (job->workers == NULL) return VT_FAIL_MEMORY(error, (size_t)job->worker_count * sizeof *job->workers);
  for (int i = 0; i < job->worker_count; i++) {
    struct worker *worker = &job->workers[i];
    worker->panel = vt_alloc_aligned(job->vectors->dim, VT_TILE * sizeof *worker->panel);
    worker->cosines = vt_alloc_aligned(job->padded_words, VT_TILE * sizeof *worker->cosines);
    worker->bests = vt_alloc(job->question_count, sizeof *worker->bests);
    if (worker->panel == NULL || worker->cosines == NULL || worker->bests == NULL)
      return VT_FAIL_MEMORY(error, (job->vectors->dim + job->padded_words) * VT_TILE * sizeof(double) +
                                       job->question_count * sizeof(struct best));
  }
  return VT_OK;
}

static void release(struct job *job) {
  for (int i = 0; job->workers != NULL && i < job->worker_count; i++) {
    vt_free_aligned(job->workers[i].panel);
    vt_free_aligned(job->workers[i].cosines);
    vt_free(job->workers[i].bests);
  }
  vt_free(job->workers);
  vt_free(job->slots);
  vt_free(job->units);
}

static void gather(const struct job *job, struct vt_question *questions) {
  for (size_t q = 0; q < job->question_count; q++) {
    struct best best = job->workers[0].bests[q];
    for (int i = 1; i < job->worker_count; i++) {
      const struct best *other = &job->workers[i].bests[q];
      if (beats(other->score, other->id, &best)) best = *other;
    }
    questions[q].answer = best.id;
  }
}

enum vt_status vt_answer_questions(const struct vt_vectors *vectors, size_t limit, int threads,
                                   struct vt_question *questions, size_t question_count, struct vt_error *error) {
  size_t tiles = (limit + VT_TILE - 1) / VT_TILE;
  struct job job = {.vectors = vectors, .limit = limit, .questions = questions, .question_count = question_count};
  job.worker_count = (size_t)threads < tiles ? threads : (int)tiles;
  struct vt_pool *pool = NULL;
  enum vt_status status = check_rows(&job, error);
  if (status == VT_OK) status = number_words(&job, error);
  if (status == VT_OK) status = make_workers(&job, error);
  if (status == VT_OK) status = vt_pool_create(job.worker_count, &pool, error);
  if (status == VT_OK) {
    vt_pool_run(pool, work, &job);
    gather(&job, questions);
  }
  vt_pool_free(pool);
  release(&job);
  return status;
}

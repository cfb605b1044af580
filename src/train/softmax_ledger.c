/* softmax_ledger.c: each watched word is one task, so that the order of its sums is that of the batch. */
#include "train/softmax_ledger.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"

enum vt_status vt_softmax_ledger_init(struct vt_softmax_ledger *space, const struct vt_ledger_options *options,
                                      const struct vt_table *input, const char *kernel, struct vt_ledger **ledger,
                                      struct vt_error *error) {
  VT_TRY(vt_ledger_create(options, input, kernel, 1, 1, ledger, error));
  size_t count = options->word_count, numbers = count * input->dim;
  *space = (struct vt_softmax_ledger){.ledger = *ledger, .words = input->rows, .dim = input->dim};
  space->before = vt_alloc(numbers, sizeof *space->before);
  space->vectors = vt_alloc(3 * numbers, sizeof *space->vectors);
  space->weights = vt_alloc(count, input->rows * sizeof *space->weights);
  if (space->before == NULL || space->vectors == NULL || space->weights == NULL)
    return VT_FAIL_MEMORY(error, count * input->rows * sizeof *space->weights);
  return VT_OK;
}

void vt_softmax_ledger_release(struct vt_softmax_ledger *space) {
  vt_free(space->before);
  vt_free(space->vectors);
  vt_free(space->weights);
  *space = (struct vt_softmax_ledger){0};
}

struct job {
  struct vt_softmax_ledger *space;
  const struct vt_softmax_booking *booking;
  atomic_size_t next;
};

/* ---- the parts of the gradient ----------------------------------------------------------------------------------- */

/* weights[c] becomes what word c pushes by; targets attract. */
static void note_row(const struct job *job, size_t k, size_t row, double *weights) {
  struct vt_softmax_ledger *space = job->space;
  const struct vt_softmax_batch *batch = job->booking->batch;
  for (uint32_t c = 0; c < space->words; c++) weights[c] += (double)vt_softmax_gradient_at(job->booking->space, row, c);
  for (size_t t = batch->start[row]; t < batch->start[row + 1]; t++) {
    uint32_t target = batch->targets[t];
    double attraction = (double)(batch->scale * batch->weights[t]); /* as G has it taken off */
    weights[target] += attraction;
    vt_ledger_part(space->ledger, k, vt_ledger_key(target, VT_LEDGER_ATTRACTED), -attraction,
                   vt_table_row(job->booking->output, target));
  }
}

static void note_word(const struct job *job, size_t k) {
  struct vt_softmax_ledger *space = job->space;
  const struct vt_softmax_booking *booking = job->booking;
  const uint32_t id = vt_ledger_word(space->ledger, k);
  double *weights = space->weights + k * space->words;
  size_t rows = 0;
  memcpy(space->before + k * space->dim, vt_table_row(booking->input, id), space->dim * sizeof(float));
  for (size_t row = 0; row < booking->batch->rows; row++) {
    if (booking->batch->inputs[row] != id) continue;
    if (vt_ledger_is_by_document(space->ledger)) {
      vt_ledger_part(space->ledger, k, vt_ledger_key(booking->documents[row], VT_LEDGER_DOCUMENT), 1,
                     vt_softmax_input_gradient(booking->space, row));
      continue;
    }
    if (rows++ == 0) memset(weights, 0, space->words * sizeof *weights);
    note_row(job, k, row, weights);
  }
  for (uint32_t c = 0; rows > 0 && c < space->words; c++)
    vt_ledger_part(space->ledger, k, vt_ledger_key(c, VT_LEDGER_PUSHED), weights[c], vt_table_row(booking->output, c));
}

static void note_words(void *context, int worker) {
  struct job *job = context;
  (void)worker;
  for (;;) {
    size_t k = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
    if (k >= vt_ledger_words(job->space->ledger)) return;
    note_word(job, k);
  }
}

void vt_softmax_ledger_before(struct vt_softmax_ledger *space, const struct vt_softmax_booking *booking) {
  struct job job = {.space = space, .booking = booking};
  vt_pool_run(booking->pool, note_words, &job);
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static void book_word(const struct job *job, size_t k) {
  struct vt_softmax_ledger *space = job->space;
  const struct vt_softmax_booking *booking = job->booking;
  const uint32_t id = vt_ledger_word(space->ledger, k);
  const bool adamw = booking->optimizer->kind == VT_OPTIMIZER_ADAMW;
  double *factors = space->vectors + 3 * k * space->dim, *decay = factors + space->dim, *held = decay + space->dim;
  vt_optimizer_explain(booking->optimizer, id, booking->step, space->before + k * space->dim,
                       vt_table_row(booking->input_gradient, id), factors, decay, held);
  vt_ledger_step(space->ledger, k, factors, booking->step->l2 > 0 ? decay : NULL, adamw ? held : NULL);
}

static void book_words(void *context, int worker) {
  struct job *job = context;
  (void)worker;
  for (;;) {
    size_t k = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
    if (k >= vt_ledger_words(job->space->ledger)) return;
    book_word(job, k);
  }
}

void vt_softmax_ledger_after(struct vt_softmax_ledger *space, const struct vt_softmax_booking *booking) {
  struct job job = {.space = space, .booking = booking};
  vt_pool_run(booking->pool, book_words, &job);
}

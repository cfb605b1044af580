/* theory.c: the closed form of the quadratic model beside the singular values of every snapshot. */
#include "analysis/theory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/association.h"
#include "base/median.h"
#include "base/memory.h"
#include "base/processors.h"
#include "run/run_counts.h"
#include "run/run_internal.h"
#include "run/run_text.h"
#include "text/subsample.h"

#define OVERLAP_MODES 5
#define SETTLED 0.999 /* of its eigenvalue: a mode from which a plateau is expected */
#define RISE_MODES 10

void vt_theory_options_init(struct vt_theory_options *options) {
  *options = (struct vt_theory_options){.modes = 10, .points = 4, .restrict_rows = 30000, .threads = vt_processors()};
}

double vt_theory_curve(double eigenvalue, double start, double tau) {
  if (!(start > 0)) return 0;
  if (eigenvalue == 0) return start / (1 + start * tau);
  /* Divided by e^(lambda tau), which may be large. */
  return eigenvalue / (-expm1(-eigenvalue * tau) + eigenvalue / start * exp(-eigenvalue * tau));
}

/* ---- the run's spectra ------------------------------------------------------------------------------------------- */

struct reading {
  struct vt_run *run;
  const struct vt_theory_options *options;
  struct vt_settings settings;
  uint64_t run_steps;
  struct vt_theory *theory;
  double *eigenvalues; /* theory->dim, or as many as there are words */
  double *eigenvectors;
  size_t eigen_count;
};

/* s_k^2 of a snapshot, and for the first and the last what else is asked of them. */
static enum vt_status read_snapshot(struct reading *r, size_t s, struct vt_error *error) {
  struct vt_theory *theory = r->theory;
  const size_t dim = theory->dim;
  struct vt_vectors *vectors;
  VT_TRY(vt_run_vectors(r->run, theory->steps[s], &vectors, error));
  double *values = vt_alloc(dim, sizeof *values), *right = vt_alloc(dim * dim, sizeof *right);
  enum vt_status status = VT_OK;
  if (vectors->dim != dim)
    status = VT_FAIL(error, VT_ERROR_CORRUPT, "the snapshot of step %llu has vectors of another length",
                     (unsigned long long)theory->steps[s]);
  else if (values == NULL || right == NULL)
    status = VT_FAIL_MEMORY(error, dim * dim * sizeof *right);
  if (status == VT_OK) status = vt_spectrum_rows(vectors->data, vectors->rows, dim, values, right, error);
  for (size_t k = 0; status == VT_OK && k < theory->mode_count; k++)
    theory->measured[s * theory->mode_count + k] = values[k] > 0 ? values[k] : 0;
  for (size_t k = 0; status == VT_OK && s == 0 && k < theory->mode_count; k++) {
    /* |u_k' W(0)|^2 */
    double squares = 0;
    for (size_t c = 0; c < dim; c++) {
      double sum = 0;
      for (size_t w = 0; w < vectors->rows; w++)
        sum += r->eigenvectors[k * vectors->rows + w] * (double)vectors->data[w * dim + c];
      squares += sum * sum;
    }
    theory->modes[k].start = squares;
  }
  if (status == VT_OK && s + 1 == theory->snapshot_count) {
    double squares = 0;
    const size_t count = theory->overlap_modes;
    for (size_t m = 0; m < count; m++) {
      if (!(values[m] > 0)) continue;
      for (size_t k = 0; k < count; k++) {
        double sum = 0;
        for (size_t w = 0; w < vectors->rows; w++) {
          double along = 0;
          for (size_t c = 0; c < dim; c++) along += (double)vectors->data[w * dim + c] * right[m * dim + c];
          sum += along * r->eigenvectors[k * vectors->rows + w];
        }
        squares += sum * sum / values[m];
      }
    }
    theory->overlap = squares / (double)count;
  }
  vt_free(values);
  vt_free(right);
  vt_vectors_free(vectors);
  return status;
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

/* The step at which tau is reached, as a fraction; NaN where the run ends before. */
static double step_of_tau(const struct reading *r, double tau) {
  const double per_rate = 4 / (r->theory->mean_square * (double)r->theory->words * (double)r->theory->words);
  double at = 0;
  for (uint64_t step = 1; step <= r->run_steps; step++) {
    double more = vt_settings_rate(&r->settings, step, r->run_steps) * per_rate;
    if (at + more >= tau) return (double)(step - 1) + (tau - at) / more;
    at += more;
  }
  return NAN;
}

static void fill_tau(struct reading *r) {
  struct vt_theory *theory = r->theory;
  const double per_rate = 4 / (theory->mean_square * (double)theory->words * (double)theory->words);
  double at = 0;
  size_t s = 0;
  for (uint64_t step = 0; step <= r->run_steps && s < theory->snapshot_count; step++) {
    if (step > 0) at += vt_settings_rate(&r->settings, step, r->run_steps) * per_rate;
    if (theory->steps[s] == step) theory->tau[s++] = at;
  }
}

/* Where s_k^2 passes half of `whole`. In between two snapshots log(x / (1 - x)) is taken to run straight, which for the
 * closed form it does. */
static double measured_rise(const struct vt_theory *theory, size_t mode, double whole) {
  double before = NAN;
  for (size_t s = 0; s < theory->snapshot_count; s++) {
    double share = theory->measured[s * theory->mode_count + mode] / whole;
    if (share >= 0.5) {
      if (s == 0 || !(before > 0)) return s == 0 ? NAN : (double)theory->steps[s];
      if (share > 0.999) share = 0.999;
      double a = log(before / (1 - before)), b = log(share / (1 - share));
      double x0 = (double)theory->steps[s - 1], x1 = (double)theory->steps[s];
      return b > a ? x0 + (x1 - x0) * (0 - a) / (b - a) : x1;
    }
    before = share;
  }
  return NAN;
}

static void judge(struct reading *r) {
  struct vt_theory *theory = r->theory;
  const size_t last = theory->snapshot_count - 1;
  double errors[RISE_MODES];
  size_t known = 0;
  theory->plateau_error = NAN;
  for (size_t k = 0; k < theory->mode_count; k++) {
    struct vt_theory_mode *mode = &theory->modes[k];
    mode->end_measured = theory->measured[last * theory->mode_count + k];
    mode->rise_predicted = mode->end_predicted = NAN;
    mode->rise_measured = measured_rise(theory, k, theory->has_time ? mode->eigenvalue : mode->end_measured);
    if (!theory->has_time) continue;
    for (size_t s = 0; s < theory->snapshot_count; s++)
      theory->predicted[s * theory->mode_count + k] = vt_theory_curve(mode->eigenvalue, mode->start, theory->tau[s]);
    mode->end_predicted = theory->predicted[last * theory->mode_count + k];
    if (mode->eigenvalue > mode->start)
      mode->rise_predicted = step_of_tau(r, log(mode->eigenvalue / mode->start - 1) / mode->eigenvalue);
    if (known < RISE_MODES && mode->rise_predicted > 0 && isfinite(mode->rise_measured))
      errors[known++] = fabs(mode->rise_measured - mode->rise_predicted) / mode->rise_predicted;
    if (!(mode->end_predicted >= SETTLED * mode->eigenvalue)) continue;
    double off = fabs(mode->end_measured - mode->eigenvalue) / mode->eigenvalue;
    if (theory->plateau_modes++ == 0 || off > theory->plateau_error) theory->plateau_error = off;
  }
  theory->rise_error = vt_median(errors, known);
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static enum vt_status prepare(struct reading *r, struct vt_error *error) {
  struct vt_theory *theory = r->theory;
  VT_TRY(vt_run_dim(r->run, 0, &theory->dim, error));
  theory->words = vt_vocab_size(vt_run_vocab(r->run));
  theory->snapshot_count = vt_run_snapshot_count(r->run);
  size_t most = theory->dim < theory->words ? theory->dim : theory->words;
  theory->mode_count = r->options->modes < most ? r->options->modes : most;
  theory->overlap_modes = most < OVERLAP_MODES ? most : OVERLAP_MODES;
  if (theory->mode_count == 0) theory->mode_count = 1;
  r->eigen_count = theory->mode_count > theory->overlap_modes ? theory->mode_count : theory->overlap_modes;
  size_t cells = theory->snapshot_count * theory->mode_count;
  theory->modes = vt_alloc_zero(theory->mode_count, sizeof *theory->modes);
  theory->steps = vt_alloc(theory->snapshot_count, sizeof *theory->steps);
  theory->tau = vt_alloc(theory->snapshot_count, sizeof *theory->tau);
  theory->measured = vt_alloc(cells, sizeof(double));
  theory->predicted = vt_alloc(cells, sizeof(double));
  r->eigenvalues = vt_alloc(r->eigen_count, sizeof(double));
  r->eigenvectors = vt_alloc(r->eigen_count * theory->words, sizeof(double));
  if (theory->modes == NULL || theory->steps == NULL || theory->tau == NULL || theory->measured == NULL ||
      theory->predicted == NULL || r->eigenvalues == NULL || r->eigenvectors == NULL)
    return VT_FAIL_MEMORY(error, (cells + r->eigen_count * theory->words) * sizeof(double));
  for (size_t s = 0; s < theory->snapshot_count; s++) {
    theory->steps[s] = vt_run_snapshot_at(r->run, s).step;
    theory->tau[s] = NAN;
  }
  for (size_t k = 0; k < cells; k++) theory->predicted[k] = NAN;
  return VT_OK;
}

/* The exact softmax in full batches leaves subsampling out. */
static bool is_subsampled(const struct vt_train_options *train) {
  return train->sample > 0 && !(train->loss == VT_LOSS_SOFTMAX && train->batch == VT_BATCH_FULL);
}

static enum vt_status take_counts(struct reading *r, struct vt_meetings *meetings, struct vt_error *error) {
  const struct vt_train_options *train = &r->settings.train;
  struct vt_cooccur *counts;
  VT_TRY(vt_run_counts_of_text(r->run, r->options->counts, train->window, is_subsampled(train) ? train->sample : 0,
                               &counts, error));
  enum vt_status status = vt_meetings_take(counts, meetings, error);
  vt_cooccur_free(counts);
  return status;
}

static enum vt_status count_text(struct reading *r, struct vt_meetings *meetings, struct vt_error *error) {
  const struct vt_train_options *train = &r->settings.train;
  const struct vt_run_text_options reading = {
      .inputs = r->options->corpus, .input_count = r->options->corpus_count, .threads = r->options->threads};
  struct vt_run_text text;
  double *keep = NULL;
  enum vt_status status = vt_run_text_open(r->run, &reading, &text, error);
  if (status == VT_OK && is_subsampled(train)) {
    keep = vt_alloc(r->theory->words, sizeof *keep);
    if (keep == NULL)
      status = VT_FAIL_MEMORY(error, r->theory->words * sizeof *keep);
    else
      vt_subsample_keep(vt_run_vocab(r->run), train->sample, keep);
  }
  const struct vt_meetings_options counting = {.window = train->window, .keep = keep, .threads = r->options->threads};
  if (status == VT_OK) status = vt_meetings_count(text.corpus, &counting, meetings, error);
  vt_free(keep);
  vt_run_text_release(&text);
  return status;
}

static enum vt_status compare_modes(struct reading *r, const struct vt_meetings *meetings, struct vt_pool *pool,
                                    struct vt_error *error) {
  struct vt_theory *theory = r->theory;
  struct vt_association association;
  VT_TRY(vt_association_create(meetings, VT_ASSOCIATION_QUADRATIC, 0, &association, error));
  enum vt_status status =
      vt_association_top(&association, pool, r->eigen_count, false, r->eigenvalues, r->eigenvectors, error);
  const double squares = association.squares;
  double extreme = 0, *vector = vt_alloc(theory->words, sizeof *vector);
  if (status == VT_OK && vector == NULL) status = VT_FAIL_MEMORY(error, theory->words * sizeof *vector);
  if (status == VT_OK) status = vt_association_top(&association, pool, 1, true, &extreme, vector, error);
  vt_free(vector);
  vt_association_release(&association);
  VT_TRY(status);
  theory->meeting_pairs = meetings->start[meetings->words];
  theory->mean_square = squares / ((double)theory->words * (double)theory->words);
  theory->lr = theory->lr_edge = NAN;
  const double taken = theory->has_time ? r->settings.train.l2 * squares : 0;
  for (size_t k = 0; k < theory->mode_count; k++) theory->modes[k].eigenvalue = r->eigenvalues[k] - taken;
  if (theory->has_time) {
    theory->lr = r->settings.train.lr;
    double first = r->eigenvalues[0] - taken, last = extreme - taken;
    theory->lr_edge = squares / (first + (-last > first ? -last : first));
    fill_tau(r);
  }
  for (size_t s = 0; s < theory->snapshot_count; s++) VT_TRY(read_snapshot(r, s, error));
  judge(r);
  return VT_OK;
}

static enum vt_status read_run(struct reading *r, struct vt_error *error) {
  struct vt_theory *theory = r->theory;
  if (vt_run_meta(r->run, "model") == NULL || vt_run_meta(r->run, "loss") == NULL ||
      vt_run_meta(r->run, "window") == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED,
                        "train with vectrail, on the text that theory is to be asked about",
                        "the run was not trained on text by vectrail, and theory needs to know how it was");
  if (vt_run_snapshot_count(r->run) == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "the run has no snapshot yet");
  VT_TRY(vt_settings_read(&r->settings, r->run, vt_run_path(r->run), error));
  r->run_steps = vt_run_text_setting(r->run, "steps", 0);
  theory->has_time = r->settings.train.loss == VT_LOSS_QUADRATIC && r->run_steps > 0;
  theory->exact = theory->has_time && r->settings.train.batch == VT_BATCH_FULL;
  VT_TRY(prepare(r, error));
  struct vt_meetings meetings = {0};
  struct vt_pool *pool = NULL;
  VT_TRY((r->options->counts != NULL ? take_counts : count_text)(r, &meetings, error));
  enum vt_status status = vt_pool_create(r->options->threads, &pool, error);
  if (status == VT_OK) status = compare_modes(r, &meetings, pool, error);
  if (status == VT_OK)
    status = vt_factorisation_measure(r->run, &r->settings, &meetings, r->options, pool, theory, error);
  if (status == VT_OK && r->options->analogy != NULL) status = vt_tasks_measure(r->run, r->options, theory, error);
  vt_pool_free(pool);
  vt_meetings_release(&meetings);
  return status;
}

enum vt_status vt_theory_run(struct vt_run *run, const struct vt_theory_options *options, struct vt_theory *theory,
                             struct vt_error *error) {
  *theory = (struct vt_theory){0};
  struct reading reading = {.run = run, .options = options, .theory = theory};
  if (options->threads < 1)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "threads is %d; it is at least 1", options->threads);
  enum vt_status status = read_run(&reading, error);
  vt_free(reading.eigenvalues);
  vt_free(reading.eigenvectors);
  if (status != VT_OK) vt_theory_release(theory);
  return status;
}

void vt_theory_release(struct vt_theory *theory) {
  vt_free(theory->modes);
  vt_free(theory->steps);
  vt_free(theory->tau);
  vt_free(theory->measured);
  vt_free(theory->predicted);
  vt_free(theory->factorisation);
  for (size_t t = 0; t < theory->task_count; t++) {
    vt_free(theory->tasks[t].section);
    vt_free(theory->tasks[t].signal);
    vt_free(theory->tasks[t].share);
    vt_free(theory->tasks[t].accuracy);
    vt_free(theory->tasks[t].eigenvalues);
  }
  vt_free(theory->tasks);
  *theory = (struct vt_theory){0};
}

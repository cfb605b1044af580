/* sweep_train.c: one training of a point of the grid, and what its scores are of the pairs that are measured on. */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/sweep_internal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/run_internal.h"

#define HELD_OUT 0.01 /* of the sentences of a part */

/* The last loss on what was held out. */
static enum vt_status read_held_out(struct vt_run *run, double *loss, struct vt_error *error) {
  struct vt_run_point *points;
  size_t count;
  VT_TRY(vt_run_metric(run, "held_out_loss", &points, &count, error));
  *loss = count > 0 ? points[count - 1].value : (double)NAN;
  vt_run_points_free(points);
  return VT_OK;
}

static enum vt_status read_scores(struct vt_sweep_state *sweep, const char *path, double *f,
                                  struct vt_sweep_point *point, struct vt_error *error) {
  const struct vt_sweep_targets *targets = &sweep->text.targets;
  struct vt_run *run;
  struct vt_vectors *vectors = NULL;
  VT_TRY(vt_run_open(path, &run, error));
  enum vt_status status = vt_run_vectors(run, VT_STEP_LAST, &vectors, error);
  if (status == VT_OK) status = read_held_out(run, &point->held_out, error);
  const size_t dim = status == VT_OK ? vectors->dim : 0, rows = status == VT_OK ? vectors->rows : 0;
  float *output = vt_alloc(rows * dim, sizeof *output);
  if (status == VT_OK && output == NULL) status = VT_FAIL_MEMORY(error, rows * dim * sizeof *output);
  if (status == VT_OK) status = vt_run_output(run, vt_run_snapshot_count(run) - 1, dim, output, error);
  for (size_t k = 0; status == VT_OK && k < targets->count; k++) {
    f[k] = 0;
    for (size_t d = 0; d < dim; d++)
      f[k] += (double)vectors->data[targets->w[k] * dim + d] * (double)output[targets->c[k] * dim + d];
  }
  point->norm = 0;
  for (size_t w = 0; status == VT_OK && w < rows; w++) {
    double squares = 0;
    for (size_t d = 0; d < dim; d++) squares += (double)vectors->data[w * dim + d] * (double)vectors->data[w * dim + d];
    point->norm += sqrt(squares) / (double)rows;
  }
  vt_free(output);
  vt_vectors_free(vectors);
  vt_run_close(run);
  return status;
}

static enum vt_status train(struct vt_sweep_state *sweep, struct vt_sweep_point *point, int half, uint32_t seed,
                            const char *name, double *f, struct vt_error *error) {
  const struct vt_sweep_request *request = sweep->request;
  const char *const inputs[] = {sweep->texts[half]};
  struct vt_train_request training = {
      .inputs = inputs, .input_count = 1, .force = request->force, .interrupt = request->interrupt};
  char *path = vt_path_join(request->folder, name);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(name));
  if (request->told != NULL) request->told(request->context, name);
  training.run_path = path;
  vt_corpus_options_init(&training.corpus);
  training.corpus.tokens = VT_TOKENS_SPACE;
  training.corpus.vocab = sweep->text.vocab; /* the same words in all */
  training.corpus.threads = request->threads;
  training.train = request->train;
  training.train.dim = point->dim;
  training.train.l2 = point->l2;
  training.train.lr = point->lr;
  training.train.seed = request->train.seed + seed;
  training.train.held_out = HELD_OUT;
  training.train.threads = request->threads;
  vt_record_options_init(&training.record);
  training.record.snapshots = 2;
  training.record.output = true;
  training.record.metrics = 50;
  training.record.probes = 10;
  enum vt_status status = vt_train(&training, NULL, error);
  if (status == VT_OK) status = read_scores(sweep, path, f, point, error);
  vt_free(path);
  return status;
}

/* f_wc = sum over the d largest of lambda u_w u_c. */
static void spectral_scores(const struct vt_sweep_state *sweep, uint32_t dim, int half, double *f) {
  const struct vt_sweep_targets *targets = &sweep->text.targets;
  const size_t words = vt_vocab_size(sweep->text.vocab);
  for (size_t k = 0; k < targets->count; k++) {
    f[k] = 0;
    for (size_t m = 0; m < dim && m < sweep->count && sweep->values[half][m] > 0; m++) {
      const double *u = sweep->vectors[half] + m * words;
      f[k] += sweep->values[half][m] * u[targets->w[k]] * u[targets->c[k]];
    }
  }
}

enum vt_status vt_sweep_run(struct vt_sweep_state *sweep, struct vt_sweep_point *point, struct vt_sweep_scores *scores,
                            int half, uint32_t seed, struct vt_error *error) {
  const struct vt_sweep_targets *targets = &sweep->text.targets;
  if (scores->f[half][seed] == NULL) scores->f[half][seed] = vt_alloc(targets->count, sizeof(double));
  if (scores->f[half][seed] == NULL) return VT_FAIL_MEMORY(error, targets->count * sizeof(double));
  double began = vt_clock_seconds();
  enum vt_status status = VT_OK;
  if (sweep->request->spectral) {
    spectral_scores(sweep, point->dim, half, scores->f[half][seed]);
  } else {
    char name[96];
    snprintf(name, sizeof name, "%s-%c-seed%" PRIu32, point->name, half == 0 ? 'a' : 'b', seed + 1);
    status = train(sweep, point, half, seed, name, scores->f[half][seed], error);
  }
  point->seconds += vt_clock_seconds() - began;
  if (status == VT_ERROR_DIVERGED) {
    point->diverged = true;
    return VT_OK;
  }
  VT_TRY(status);
  scores->seeds[half] = seed + 1;
  point->runs++;
  /* Between the halves of a further seed the figures stay those of the seeds before. */
  if (point->runs > 1 && scores->seeds[0] != scores->seeds[1]) return VT_OK;
  double *const *const f[2] = {scores->f[0], scores->f[1]};
  vt_sweep_measure(targets, f, scores->seeds, !sweep->request->spectral, point);
  if (point->runs > 1) return VT_OK;
  point->first_error = point->error;
  memcpy(point->first_groups, point->groups, sizeof point->groups);
  return VT_OK;
}

void vt_sweep_scores_release(struct vt_sweep_scores *scores) {
  for (int h = 0; h < 2; h++)
    for (uint32_t s = 0; s < VT_SWEEP_SEEDS_MAX; s++) vt_free(scores->f[h][s]);
  *scores = (struct vt_sweep_scores){0};
}

/*
 * tasks.c: what the pairs of an analogy's section have in common.
 *
 * With n pairs, R their differences v_b - v_a [n x d]: were the differences independent of each other, with the
 * variance they have, the eigenvalues of R R' would lie below s^2 (sqrt(n) + sqrt(d))^2, s^2 = |R|^2 / (n d) (Marchenko
 * and Pastur 1967). The largest over that edge is the signal; that it points along the mean difference is told by
 * `share`.
 */
#include <math.h>
#include <string.h>

#include "analysis/spectrum.h"
#include "analysis/text_file.h"
#include "analysis/theory.h"
#include "base/blas.h"
#include "base/memory.h"
#include "vectrail/eval.h"

#define PAIRS_LOW 4

struct pair {
  uint32_t a, b;
};

struct section {
  struct vt_field name;
  struct pair *pairs;
  size_t count, capacity;
};

struct questions {
  struct section *sections;
  size_t count, capacity;
};

static enum vt_status add_section(struct questions *questions, struct vt_field name, struct vt_error *error) {
  if (questions->count == questions->capacity) {
    size_t capacity = questions->capacity == 0 ? 16 : 2 * questions->capacity;
    struct section *larger = vt_realloc(questions->sections, capacity, sizeof *larger);
    if (larger == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *larger);
    questions->sections = larger;
    questions->capacity = capacity;
  }
  questions->sections[questions->count++] = (struct section){.name = name};
  return VT_OK;
}

/* Each pair once; sections have some dozens. */
static enum vt_status add_pair(struct section *section, struct pair pair, struct vt_error *error) {
  for (size_t k = 0; k < section->count; k++)
    if (section->pairs[k].a == pair.a && section->pairs[k].b == pair.b) return VT_OK;
  if (section->count == section->capacity) {
    size_t capacity = section->capacity == 0 ? 64 : 2 * section->capacity;
    struct pair *larger = vt_realloc(section->pairs, capacity, sizeof *larger);
    if (larger == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *larger);
    section->pairs = larger;
    section->capacity = capacity;
  }
  section->pairs[section->count++] = pair;
  return VT_OK;
}

/* The file has been read by vt_eval_analogy already, which complains of what is wrong with it. */
static enum vt_status read_questions(struct vt_text_file *file, const struct vt_vocab *vocab,
                                     struct questions *questions, struct vt_error *error) {
  struct vt_field line, words[4];
  while (vt_text_file_next(file, &line)) {
    if (line.text[0] == '#' || (line.bytes >= 2 && memcmp(line.text, "//", 2) == 0)) continue;
    if (line.text[0] == ':') {
      struct vt_field name = {line.text + 1, line.bytes - 1};
      while (name.bytes > 0 && (name.text[0] == ' ' || name.text[0] == '\t')) name.text++, name.bytes--;
      VT_TRY(add_section(questions, name, error));
      continue;
    }
    if (questions->count == 0) VT_TRY(add_section(questions, (struct vt_field){"", 0}, error));
    if (vt_field_split(line, ' ', words, 4) != 4) continue;
    for (int half = 0; half < 2; half++) {
      struct pair pair;
      if (vt_field_find(words[2 * half], vocab, &pair.a) && vt_field_find(words[2 * half + 1], vocab, &pair.b))
        VT_TRY(add_pair(&questions->sections[questions->count - 1], pair, error));
    }
  }
  return VT_OK;
}

/* Signal and share of a section; of vectors of length 1, as analogies are asked. NaN where there are too few pairs. All
 * eigenvalues over the edge into eigenvalues, where given. */
static enum vt_status measure_section(const struct section *section, const struct vt_vectors *vectors, double *signal,
                                      double *share, double *eigenvalues, struct vt_error *error) {
  const size_t n = section->count, dim = vectors->dim;
  *signal = *share = NAN;
  if (n < PAIRS_LOW) return VT_OK;
  VT_TRY(vt_blas_open(error));
  double *rows = vt_alloc(n * dim, sizeof *rows), *gram = vt_alloc(n * n, sizeof *gram);
  double *values = vt_alloc(n, sizeof *values);
  enum vt_status status = VT_OK;
  if (rows == NULL || gram == NULL || values == NULL) status = VT_FAIL_MEMORY(error, n * (dim + n) * sizeof *rows);
  double squares = 0, mean_squares = 0;
  for (size_t k = 0; status == VT_OK && k < n; k++) {
    const float *a = vt_vectors_row(vectors, section->pairs[k].a), *b = vt_vectors_row(vectors, section->pairs[k].b);
    double aa = 0, bb = 0;
    for (size_t c = 0; c < dim; c++) {
      aa += (double)a[c] * (double)a[c];
      bb += (double)b[c] * (double)b[c];
    }
    for (size_t c = 0; c < dim; c++) {
      double x = (bb > 0 ? (double)b[c] / sqrt(bb) : 0) - (aa > 0 ? (double)a[c] / sqrt(aa) : 0);
      rows[k * dim + c] = x;
      squares += x * x;
    }
  }
  for (size_t c = 0; status == VT_OK && c < dim; c++) {
    double mean = 0;
    for (size_t k = 0; k < n; k++) mean += rows[k * dim + c];
    mean_squares += mean * mean / (double)n;
  }
  if (status == VT_OK) {
    vt_blas.cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)dim, 1, rows, (int)dim, rows,
                        (int)dim, 0, gram, (int)n);
    status = vt_spectrum_full(gram, n, values, error);
  }
  if (status == VT_OK && squares > 0) {
    double edge = sqrt((double)n) + sqrt((double)dim);
    const double most = squares / ((double)n * (double)dim) * edge * edge;
    *signal = values[0] / most;
    for (size_t k = 0; eigenvalues != NULL && k < n; k++) eigenvalues[k] = values[k] / most;
    *share = mean_squares / squares;
  }
  vt_free(rows);
  vt_free(gram);
  vt_free(values);
  return status;
}

/* ---- what chance gives ------------------------------------------------------------------------------------------- */

/* The share of the eigenvalues above x, the density being sqrt((b - x)(x - a)) / x up to a constant; with x = middle -
 * half cos(angle) the root is half sin(angle), and the integrand is smooth. */
static double above(double a, double b, double x) {
  enum { PIECES = 400 };
  const double middle = (a + b) / 2, half = (b - a) / 2, pi = 3.14159265358979323846;
  double sums[2] = {0}; /* all, and above x */
  for (int k = 0; k < PIECES; k++) {
    double angle = pi * (k + 0.5) / PIECES, at = middle - half * cos(angle);
    double weight = sin(angle) * sin(angle) / at;
    sums[0] += weight;
    if (at > x) sums[1] += weight;
  }
  return sums[1] / sums[0];
}

double vt_marchenko_pastur(size_t n, size_t dim, double share) {
  const double b = pow(sqrt((double)n) + sqrt((double)dim), 2), a = pow(sqrt((double)n) - sqrt((double)dim), 2) / b;
  double low = a, high = 1;
  for (int k = 0; k < 40; k++) {
    double middle = (low + high) / 2;
    if (above(a, 1, middle) > share)
      low = middle;
    else
      high = middle;
  }
  return (low + high) / 2;
}

/* ---- over the run ------------------------------------------------------------------------------------------------ */

static enum vt_status create_tasks(const struct questions *questions, struct vt_theory *theory,
                                   struct vt_error *error) {
  theory->tasks = vt_alloc_zero(questions->count, sizeof *theory->tasks);
  if (theory->tasks == NULL) return VT_FAIL_MEMORY(error, questions->count * sizeof *theory->tasks);
  theory->task_count = questions->count;
  for (size_t t = 0; t < questions->count; t++) {
    struct vt_task *task = &theory->tasks[t];
    task->section = vt_copy_bytes(questions->sections[t].name.text, questions->sections[t].name.bytes);
    task->pairs = questions->sections[t].count;
    task->signal = vt_alloc(theory->snapshot_count, sizeof(double));
    task->share = vt_alloc(theory->snapshot_count, sizeof(double));
    task->accuracy = vt_alloc(theory->snapshot_count, sizeof(double));
    task->eigenvalues = vt_alloc(task->pairs, sizeof(double));
    for (size_t k = 0; task->eigenvalues != NULL && k < task->pairs; k++) task->eigenvalues[k] = NAN;
    if (task->section == NULL || task->signal == NULL || task->share == NULL || task->accuracy == NULL ||
        task->eigenvalues == NULL)
      return VT_FAIL_MEMORY(error, theory->snapshot_count * sizeof(double));
  }
  return VT_OK;
}

static enum vt_status measure_snapshot(const struct questions *questions, const struct vt_vectors *vectors, size_t s,
                                       const struct vt_theory_options *options, struct vt_theory *theory,
                                       struct vt_error *error) {
  struct vt_eval_analogy answered;
  size_t rows = options->restrict_rows < vectors->rows ? options->restrict_rows : 0;
  VT_TRY(vt_eval_analogy(vectors, options->analogy, rows, options->threads, &answered, error));
  enum vt_status status = VT_OK;
  for (size_t t = 0; t < questions->count && status == VT_OK; t++) {
    struct vt_task *task = &theory->tasks[t];
    const struct vt_eval_section *section = t < answered.section_count ? &answered.sections[t] : NULL;
    task->accuracy[s] =
        section != NULL && section->covered > 0 ? (double)section->correct / (double)section->covered : (double)NAN;
    status = measure_section(&questions->sections[t], vectors, &task->signal[s], &task->share[s],
                             s + 1 == theory->snapshot_count ? task->eigenvalues : NULL, error);
  }
  vt_eval_analogy_release(&answered);
  return status;
}

enum vt_status vt_tasks_measure(struct vt_run *run, const struct vt_theory_options *options, struct vt_theory *theory,
                                struct vt_error *error) {
  struct questions questions = {0};
  struct vt_text_file file;
  VT_TRY(vt_text_file_open(options->analogy, &file, error));
  enum vt_status status = read_questions(&file, vt_run_vocab(run), &questions, error);
  if (status == VT_OK) status = create_tasks(&questions, theory, error);
  for (size_t s = 0; status == VT_OK && s < theory->snapshot_count; s++) {
    struct vt_vectors *vectors;
    status = vt_run_vectors(run, theory->steps[s], &vectors, error);
    if (status != VT_OK) break;
    status = measure_snapshot(&questions, vectors, s, options, theory, error);
    vt_vectors_free(vectors);
  }
  for (size_t t = 0; t < questions.count; t++) vt_free(questions.sections[t].pairs);
  vt_free(questions.sections);
  vt_text_file_release(&file);
  return status;
}

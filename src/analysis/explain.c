/*
 * explain.c: a cosine as a sum over what moved the vector.
 *
 * Two passes over the rows of the word: one for their sum, which is v(T) where no float32 snapshot has it, one for the
 * products with the direction. Rows come by source, role and span, so a source's rows stand together. All in double.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/run_internal.h"
#include "vectrail/ledger.h"

/* What a row is to an explanation by sources, or by documents. */
enum kind { KIND_START, KIND_SOURCE, KIND_DOCUMENT, KIND_BOTH, KIND_NONE };
static const struct {
  const char *name;
  enum kind kind;
} roles[] = {{"start", KIND_START},    {"attracted", KIND_SOURCE},  {"pushed", KIND_SOURCE},
             {"path", KIND_SOURCE},    {"document", KIND_DOCUMENT}, {"decay", KIND_BOTH},
             {"optimizer", KIND_BOTH}, {"rounding", KIND_BOTH}};
#define ROLE_COUNT (sizeof roles / sizeof roles[0])

static const char net[] = "net";

struct explaining {
  struct vt_run *run;
  const struct vt_explain_request *request;
  struct vt_explanation *to;
  size_t dim;
  double *start;     /* dim each */
  double *sum;       /* of the ledger, without the start */
  double *end;       /* v(T) */
  double *mean;      /* of v_w / |v_w|; 0 where not centered */
  double *direction; /* q: of length 1 / |v(T)|, or 1 / |v(T) - v(0)| */
  size_t own_rows;   /* that are neither start, decay nor rounding */
  size_t capacity;   /* of contributions */
  size_t span_capacity;
};

/* The role's own name, which is static, or NULL, and what it is; routes of a network are sources. */
static const char *find_role(const char *name, enum kind *kind) {
  for (size_t k = 0; k < ROLE_COUNT; k++) {
    *kind = roles[k].kind;
    if (strcmp(roles[k].name, name) == 0) return roles[k].name;
  }
  *kind = KIND_SOURCE;
  for (size_t k = 0; k < vt_ledger_route_count(); k++)
    if (strcmp(vt_ledger_route_name(k), name) == 0) return vt_ledger_route_name(k);
  *kind = KIND_NONE;
  return NULL;
}

/* Whether a row is part of the sum that is asked for. */
static bool counts(const struct explaining *explaining, const struct vt_ledger_entry *entry, enum kind *kind) {
  (void)find_role(entry->role, kind);
  if (entry->span > explaining->request->step) return false;
  bool by_document = explaining->request->by == VT_EXPLAIN_BY_DOCUMENT;
  return *kind == KIND_START || *kind == KIND_BOTH || *kind == (by_document ? KIND_DOCUMENT : KIND_SOURCE);
}

static double product(const double *a, const float *b, size_t dim) {
  double sum = 0;
  for (size_t k = 0; k < dim; k++) sum += a[k] * (double)b[k];
  return sum;
}

static double length(const double *a, size_t dim) {
  double sum = 0;
  for (size_t k = 0; k < dim; k++) sum += a[k] * a[k];
  return sqrt(sum);
}

/* ---- the first pass: sums and spans ------------------------------------------------------------------------------ */

/* The spans stay sorted; there are few. */
static enum vt_status note_span(struct explaining *explaining, uint64_t span, struct vt_error *error) {
  struct vt_explanation *to = explaining->to;
  size_t at = to->span_count;
  while (at > 0 && to->spans[at - 1] > span) at--;
  if (at > 0 && to->spans[at - 1] == span) return VT_OK;
  if (to->span_count == explaining->span_capacity) {
    size_t capacity = 2 * explaining->span_capacity + 16;
    uint64_t *spans = vt_realloc(to->spans, capacity, sizeof *spans);
    if (spans == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *spans);
    to->spans = spans;
    explaining->span_capacity = capacity;
  }
  memmove(to->spans + at + 1, to->spans + at, (to->span_count - at) * sizeof *to->spans);
  to->spans[at] = span;
  to->span_count++;
  return VT_OK;
}

static enum vt_status add_row(void *context, const struct vt_ledger_entry *entry, struct vt_error *error) {
  struct explaining *explaining = context;
  enum kind kind;
  if (!counts(explaining, entry, &kind)) return VT_OK;
  double *to = kind == KIND_START ? explaining->start : explaining->sum;
  for (size_t k = 0; k < explaining->dim; k++) to[k] += (double)entry->vector[k];
  if (kind == KIND_START) {
    explaining->to->start_step = entry->span;
    return VT_OK;
  }
  explaining->own_rows += kind != KIND_BOTH;
  return note_span(explaining, entry->span, error);
}

static enum vt_status fail_empty(const struct explaining *explaining, struct vt_error *error) {
  const struct vt_explain_request *request = explaining->request;
  const char *word = vt_vocab_text(vt_run_vocab(explaining->run), request->word);
  bool by_document = request->by == VT_EXPLAIN_BY_DOCUMENT;
  return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "replay the run with a ledger of the word",
                      "%s: the run has no ledger of \"%.100s\"%s", vt_run_path(explaining->run), word,
                      by_document ? " by document" : "");
}

/* ---- the ends ---------------------------------------------------------------------------------------------------- */

/* The snapshot of step T, in which a span ends. */
static enum vt_status find_snapshot(const struct explaining *explaining, size_t *index, struct vt_error *error) {
  size_t count = vt_run_snapshot_count(explaining->run);
  for (*index = 0; *index < count; (*index)++)
    if (vt_run_snapshot_at(explaining->run, *index).step == explaining->to->step) return VT_OK;
  return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: a span of the ledger ends at step %" PRIu64 ", which has no snapshot",
                 vt_run_path(explaining->run), explaining->to->step);
}

/* v(T) and, where it is asked for, the direction of the other word. */
static enum vt_status read_ends(struct explaining *explaining, float *rows, struct vt_error *error) {
  const struct vt_explain_request *request = explaining->request;
  struct vt_explanation *to = explaining->to;
  size_t dim = explaining->dim, index;
  uint32_t ids[2] = {request->word, request->has_toward ? request->toward : request->word};
  VT_TRY(find_snapshot(explaining, &index, error));
  VT_TRY(vt_run_rows(explaining->run, index, ids, 2, dim, dim, rows, error));
  bool exact = strcmp(vt_run_snapshot_at(explaining->run, index).dtype, "F32") == 0;
  double moved = 0, rest = 0;
  for (size_t k = 0; k < dim; k++) {
    double summed = explaining->start[k] + explaining->sum[k];
    explaining->end[k] = exact ? (double)rows[k] : summed;
    double displacement = explaining->end[k] - explaining->start[k];
    moved += displacement * displacement;
    rest += (explaining->end[k] - summed) * (explaining->end[k] - summed);
    explaining->direction[k] = request->has_toward ? (double)rows[dim + k] : displacement;
  }
  to->displacement = sqrt(moved);
  to->length = length(explaining->end, dim);
  to->residual = exact && moved > 0 ? sqrt(rest / moved) : NAN;
  return VT_OK;
}

/* The mean of all words' vectors divided by their lengths. */
static enum vt_status find_mean(struct explaining *explaining, struct vt_error *error) {
  struct vt_vectors *vectors;
  VT_TRY(vt_run_vectors(explaining->run, explaining->to->step, &vectors, error));
  for (uint32_t id = 0; id < vectors->rows; id++) {
    const float *row = vt_vectors_row(vectors, id);
    double squared = 0;
    for (size_t k = 0; k < explaining->dim; k++) squared += (double)row[k] * (double)row[k];
    double factor = squared > 0 ? 1 / sqrt(squared) / (double)vectors->rows : 0;
    for (size_t k = 0; k < explaining->dim; k++) explaining->mean[k] += factor * (double)row[k];
  }
  vt_vectors_free(vectors);
  return VT_OK;
}

/* Makes the direction such that a product with it is a contribution. A vector of length 0 has none. */
static void settle_direction(struct explaining *explaining) {
  bool has_toward = explaining->request->has_toward;
  struct vt_explanation *to = explaining->to;
  double *direction = explaining->direction, size = length(direction, explaining->dim);
  double whole = has_toward ? to->length : to->displacement;
  to->baseline = 0;
  to->start = to->cosine = has_toward ? 0 : NAN;
  for (size_t k = 0; k < explaining->dim; k++) {
    double unit = size > 0 && whole > 0 ? direction[k] / size / whole : 0;
    double mean = whole > 0 ? explaining->mean[k] / whole : 0;
    direction[k] = unit - mean;
    if (!has_toward) continue;
    to->cosine += explaining->end[k] * unit;
    to->baseline += explaining->end[k] * mean;
    to->start += explaining->start[k] * direction[k];
  }
}

/* ---- the second pass: contributions ------------------------------------------------------------------------------ */

static size_t span_index(const struct vt_explanation *explanation, uint64_t span) {
  size_t at = 0;
  while (explanation->spans[at] != span) at++;
  return at;
}

static enum vt_status add_contribution(struct explaining *explaining, int64_t source, const char *role,
                                       struct vt_contribution **out, struct vt_error *error) {
  struct vt_explanation *to = explaining->to;
  if (to->count == explaining->capacity) {
    size_t capacity = 2 * explaining->capacity + 64;
    struct vt_contribution *grown = vt_realloc(to->contributions, capacity, sizeof *grown);
    if (grown == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *grown);
    to->contributions = grown;
    explaining->capacity = capacity;
  }
  double *over_time = vt_alloc_zero(to->span_count, sizeof *over_time);
  if (over_time == NULL) return VT_FAIL_MEMORY(error, to->span_count * sizeof *over_time);
  *out = &to->contributions[to->count++];
  **out = (struct vt_contribution){.source = source, .role = role, .over_time = over_time};
  return VT_OK;
}

/* By source the one made last, for rows of a source stand together; by role there are few. */
static struct vt_contribution *find_contribution(const struct explaining *explaining, int64_t source,
                                                 const char *role) {
  struct vt_explanation *to = explaining->to;
  bool by_role = explaining->request->by == VT_EXPLAIN_BY_ROLE;
  for (size_t k = to->count; k > 0; k--) {
    struct vt_contribution *at = &to->contributions[k - 1];
    if (at->role == role && at->source == source) return at;
    if (!by_role) break;
  }
  return NULL;
}

static enum vt_status weigh_row(void *context, const struct vt_ledger_entry *entry, struct vt_error *error) {
  struct explaining *explaining = context;
  enum kind kind;
  if (!counts(explaining, entry, &kind) || kind == KIND_START) return VT_OK;
  bool by_role = explaining->request->by == VT_EXPLAIN_BY_ROLE;
  double value = product(explaining->direction, entry->vector, explaining->dim);
  if (!by_role && entry->source == VT_LEDGER_OTHER_SOURCES) {
    explaining->to->others += value;
    return VT_OK;
  }
  const char *role =
      kind == KIND_SOURCE && explaining->request->by == VT_EXPLAIN_BY_WORD ? net : find_role(entry->role, &kind);
  int64_t source = by_role ? -1 : entry->source;
  struct vt_contribution *to = find_contribution(explaining, source, role);
  if (to == NULL) VT_TRY(add_contribution(explaining, source, role, &to, error));
  to->contribution += value;
  to->updates += entry->updates;
  to->over_time[span_index(explaining->to, entry->span)] += value;
  return VT_OK;
}

/* Longest first, then by source and role: a total order. */
static int compare_contributions(const void *a, const void *b) {
  const struct vt_contribution *x = a, *y = b;
  double p = fabs(x->contribution), q = fabs(y->contribution);
  if (p != q) return p < q ? 1 : -1;
  if (x->source != y->source) return x->source < y->source ? -1 : 1;
  return strcmp(x->role, y->role);
}

/* What gave most first, what took most last. */
static int compare_gains(const void *a, const void *b) {
  const struct vt_contribution *x = a, *y = b;
  if (x->contribution != y->contribution) return x->contribution < y->contribution ? 1 : -1;
  return compare_contributions(a, b);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static enum vt_status explain(struct explaining *explaining, float *rows, struct vt_error *error) {
  struct vt_explanation *to = explaining->to;
  uint32_t word = explaining->request->word;
  VT_TRY(vt_run_ledger(explaining->run, word, explaining->dim, add_row, explaining, error));
  if (explaining->own_rows == 0) return fail_empty(explaining, error);
  to->step = to->spans[to->span_count - 1];
  VT_TRY(read_ends(explaining, rows, error));
  if (explaining->request->has_toward && explaining->request->centered) VT_TRY(find_mean(explaining, error));
  settle_direction(explaining);
  VT_TRY(vt_run_ledger(explaining->run, word, explaining->dim, weigh_row, explaining, error));
  bool by_document = explaining->request->by == VT_EXPLAIN_BY_DOCUMENT;
  qsort(to->contributions, to->count, sizeof *to->contributions, by_document ? compare_gains : compare_contributions);
  return VT_OK;
}

enum vt_status vt_explain(struct vt_run *run, const struct vt_explain_request *request, struct vt_explanation **out,
                          struct vt_error *error) {
  size_t dim, snapshots = vt_run_snapshot_count(run);
  if (snapshots == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: no snapshot was recorded yet", vt_run_path(run));
  VT_TRY(vt_run_dim(run, snapshots - 1, &dim, error));
  struct explaining explaining = {.run = run, .request = request, .dim = dim};
  double *numbers = vt_alloc_zero(5 * dim, sizeof *numbers);
  float *rows = vt_alloc(2 * dim, sizeof *rows);
  explaining.to = vt_alloc_zero(1, sizeof *explaining.to);
  enum vt_status status = VT_OK;
  if (numbers == NULL || rows == NULL || explaining.to == NULL) {
    status = VT_FAIL_MEMORY(error, 5 * dim * sizeof *numbers);
  } else {
    explaining.start = numbers;
    explaining.sum = numbers + dim;
    explaining.end = numbers + 2 * dim;
    explaining.direction = numbers + 3 * dim;
    explaining.mean = numbers + 4 * dim;
    status = explain(&explaining, rows, error);
  }
  vt_free(numbers);
  vt_free(rows);
  if (status != VT_OK) {
    vt_explanation_free(explaining.to);
    return status;
  }
  *out = explaining.to;
  return VT_OK;
}

void vt_explanation_free(struct vt_explanation *explanation) {
  if (explanation == NULL) return;
  for (size_t k = 0; k < explanation->count; k++) vt_free(explanation->contributions[k].over_time);
  vt_free(explanation->contributions);
  vt_free(explanation->spans);
  vt_free(explanation);
}

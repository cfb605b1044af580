/* routes.c */
#include "network/routes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kernel/kernel.h"
#include "network/tasks.h"

#define SLOTS_A_TASK 32

static const char *const group_names[VT_ROUTE_GROUPS] = {"output", "residual", "mlp", "query", "key", "value"};

enum vt_status vt_routes_init(struct vt_routes *routes, struct vt_net_net *net, size_t tokens, struct vt_error *error) {
  const struct vt_net_shape *shape = &net->layout->shape;
  const struct vt_net_parameter *table = &net->layout->parameters[VT_NET_TABLE];
  const size_t batch = shape->model == VT_MODEL_NNLM ? net->rows_max * shape->context : net->rows_max;
  *routes = (struct vt_routes){.net = net,
                               .layout = net->layout,
                               .parts = vt_route_count(shape),
                               .groups = shape->model == VT_MODEL_NNLM ? 0 : VT_ROUTE_GROUPS,
                               .dim = table->columns,
                               .stride = table->stride,
                               .used_max = tokens < table->rows ? tokens : table->rows};
  const size_t tasks = (routes->used_max + SLOTS_A_TASK - 1) / SLOTS_A_TASK;
  routes->slots = vt_alloc(table->rows, sizeof *routes->slots);
  routes->used = vt_alloc(routes->used_max, sizeof *routes->used);
  routes->rows = vt_alloc_aligned(routes->parts * routes->used_max, routes->stride * sizeof *routes->rows);
  routes->part = vt_alloc_aligned(batch, routes->dim * sizeof *routes->part);
  routes->sums = vt_alloc_zero(routes->parts + 1, sizeof *routes->sums);
  routes->partial = vt_alloc(tasks, (routes->parts + VT_ROUTE_GROUPS * VT_ROUTE_GROUPS) * sizeof *routes->partial);
  bool good = routes->slots != NULL && routes->used != NULL && routes->rows != NULL && routes->part != NULL &&
              routes->sums != NULL && routes->partial != NULL;
  if (shape->tied) {
    routes->output = vt_alloc_aligned(table->rows, routes->stride * sizeof *routes->output);
    routes->outputs = vt_alloc_aligned(table->rows, routes->stride * sizeof *routes->outputs);
    good = good && routes->output != NULL && routes->outputs != NULL;
  }
  if (!good) return VT_FAIL_MEMORY(error, routes->parts * routes->used_max * routes->stride * sizeof *routes->rows);
  for (size_t k = 0; k < table->rows; k++) routes->slots[k] = VT_NO_TARGET;
  return VT_OK;
}

void vt_routes_release(struct vt_routes *routes) {
  vt_free(routes->slots);
  vt_free(routes->used);
  vt_free_aligned(routes->rows);
  vt_free_aligned(routes->part);
  vt_free_aligned(routes->output);
  vt_free_aligned(routes->outputs);
  vt_free(routes->sums);
  vt_free(routes->partial);
  vt_free(routes->moments);
  vt_free(routes->before);
  *routes = (struct vt_routes){0};
}

/* What a word's part number `part` has of the first moment; behind the output's, what was there before. */
static double *moment_of(const struct vt_routes *routes, size_t k, size_t part) {
  return routes->moments + (k * (routes->parts + 2) + part) * routes->dim;
}

enum vt_status vt_routes_keep(struct vt_routes *routes, struct vt_ledger *ledger, const struct vt_update *update,
                              struct vt_error *error) {
  const size_t words = vt_ledger_words(ledger);
  routes->ledger = ledger;
  routes->moments = vt_alloc_zero(words * (routes->parts + 2) * routes->dim, sizeof *routes->moments);
  routes->before = vt_alloc(words * routes->dim, sizeof *routes->before);
  if (routes->moments == NULL || routes->before == NULL)
    return VT_FAIL_MEMORY(error, words * (routes->parts + 2) * routes->dim * sizeof *routes->moments);
  for (size_t k = 0; update->moments != NULL && k < words; k++)
    for (size_t c = 0; c < routes->dim; c++)
      moment_of(routes, k, routes->parts + 1)[c] =
          (double)update->moments[vt_ledger_word(ledger, k) * routes->stride + c];
  return VT_OK;
}

/* ---- gathering --------------------------------------------------------------------------------------------------- */

void vt_routes_begin(struct vt_routes *routes) {
  for (size_t k = 0; k < routes->used_count; k++) routes->slots[routes->used[k]] = VT_NO_TARGET;
  routes->used_count = 0;
  if (routes->outputs != NULL)
    memset(routes->outputs, 0, routes->layout->parameters[VT_NET_TABLE].rows * routes->stride * sizeof(float));
}

static float *row_of(const struct vt_routes *routes, size_t part, size_t slot) {
  return routes->rows + (part * routes->used_max + slot) * routes->stride;
}

void vt_routes_add(struct vt_routes *routes, size_t batch_tokens) {
  const uint32_t *tokens = routes->net->tokens;
  for (size_t t = 0; t < batch_tokens; t++) {
    if (routes->slots[tokens[t]] != VT_NO_TARGET) continue;
    size_t slot = routes->used_count++;
    routes->slots[tokens[t]] = (uint32_t)slot;
    routes->used[slot] = tokens[t];
    for (size_t p = 0; p < routes->parts; p++) memset(row_of(routes, p, slot), 0, routes->stride * sizeof(float));
  }
  for (size_t p = 0; p < routes->parts; p++) {
    vt_net_route(routes->net, p, routes->part);
    vt_net_scatter(routes->net, routes->part, row_of(routes, p, 0), routes->slots);
  }
  if (routes->outputs == NULL) return;
  const size_t rows = routes->layout->parameters[VT_NET_TABLE].rows;
  for (size_t row = 0; row < rows; row++)
    routes->net->ops->add(routes->outputs + row * routes->stride, routes->output + row * routes->stride,
                          routes->stride);
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

/* The group of a part. */
static size_t group_of(size_t part) {
  return part < VT_ROUTE_HEADS ? 1 + part : VT_ROUTE_GROUPS - 3 + (part - VT_ROUTE_HEADS) % 3;
}

static void measure_slot(const struct vt_routes *routes, size_t slot, double *squares, double *products) {
  const struct vt_dense *ops = routes->net->ops;
  float groups[VT_ROUTE_GROUPS][1024];
  for (size_t p = 0; p < routes->parts; p++) {
    const float *row = row_of(routes, p, slot);
    squares[p] += (double)ops->dot(row, row, routes->dim);
  }
  for (size_t first = 0; first < routes->dim && routes->groups > 0; first += 1024) {
    const size_t count = routes->dim - first < 1024 ? routes->dim - first : 1024;
    memset(groups, 0, sizeof groups);
    if (routes->outputs != NULL)
      memcpy(groups[0], routes->outputs + routes->used[slot] * routes->stride + first, count * sizeof(float));
    for (size_t p = 0; p < routes->parts; p++) ops->add(groups[group_of(p)], row_of(routes, p, slot) + first, count);
    for (size_t a = 0; a < VT_ROUTE_GROUPS; a++)
      for (size_t b = a; b < VT_ROUTE_GROUPS; b++)
        products[a * VT_ROUTE_GROUPS + b] += (double)ops->dot(groups[a], groups[b], count);
  }
}

static void measure_task(void *context, size_t task, int worker) {
  const struct vt_routes *routes = context;
  const size_t width = routes->parts + VT_ROUTE_GROUPS * VT_ROUTE_GROUPS;
  double *partial = routes->partial + task * width;
  (void)worker;
  memset(partial, 0, width * sizeof *partial);
  for (size_t slot = task * SLOTS_A_TASK; slot < (task + 1) * SLOTS_A_TASK && slot < routes->used_count; slot++)
    measure_slot(routes, slot, partial, partial + routes->parts);
}

void vt_routes_measure(struct vt_routes *routes) {
  const size_t tasks = (routes->used_count + SLOTS_A_TASK - 1) / SLOTS_A_TASK;
  const size_t width = routes->parts + VT_ROUTE_GROUPS * VT_ROUTE_GROUPS;
  vt_tasks_run(routes->net->pool, tasks, measure_task, routes);
  memset(routes->norms, 0, sizeof routes->norms);
  memset(routes->products, 0, sizeof routes->products);
  for (size_t t = 0; t < tasks; t++) {
    const double *partial = routes->partial + t * width;
    for (size_t p = 0; p < routes->parts; p++) routes->norms[p] += partial[p];
    for (size_t k = 0; k < VT_ROUTE_GROUPS * VT_ROUTE_GROUPS; k++)
      routes->products[k / VT_ROUTE_GROUPS][k % VT_ROUTE_GROUPS] += partial[routes->parts + k];
  }
  if (routes->outputs != NULL) {
    double squared = 0; /* of all rows, not only those that were looked up */
    for (size_t row = 0; row < routes->layout->parameters[VT_NET_TABLE].rows; row++) {
      const float *output = routes->outputs + row * routes->stride;
      squared += (double)routes->net->ops->dot(output, output, routes->dim);
    }
    routes->norms[routes->parts] = routes->products[0][0] = squared;
  }
  for (size_t p = 0; p <= routes->parts; p++) {
    routes->norms[p] = sqrt(routes->norms[p]);
    routes->sums[p] += routes->norms[p];
  }
}

/* ---- the ledger -------------------------------------------------------------------------------------------------- */

enum vt_ledger_role vt_routes_role(const struct vt_routes *routes, size_t part) {
  if (part == routes->parts) return VT_LEDGER_OUTPUT;
  if (part > routes->parts) return VT_LEDGER_OPTIMIZER;
  if (routes->layout->shape.model == VT_MODEL_NNLM)
    return (enum vt_ledger_role)(VT_LEDGER_PLACE + (part < VT_LEDGER_PLACES ? part : VT_LEDGER_PLACES - 1));
  if (part == VT_ROUTE_RESIDUAL) return VT_LEDGER_RESIDUAL;
  if (part == VT_ROUTE_MLP) return VT_LEDGER_MLP;
  return (enum vt_ledger_role)(VT_LEDGER_HEAD + (part - VT_ROUTE_HEADS));
}

void vt_routes_before(struct vt_routes *routes, const struct vt_update *update) {
  for (size_t k = 0; routes->ledger != NULL && k < vt_ledger_words(routes->ledger); k++)
    memcpy(routes->before + k * routes->dim, update->values + vt_ledger_word(routes->ledger, k) * routes->stride,
           routes->dim * sizeof *routes->before);
}

/* The gradient of a part for a word; NULL: none in this step. */
static const float *gradient_of(const struct vt_routes *routes, size_t part, uint32_t word) {
  if (part > routes->parts) return NULL;
  if (part == routes->parts) return routes->outputs == NULL ? NULL : routes->outputs + word * routes->stride;
  uint32_t slot = routes->slots[word];
  return slot == VT_NO_TARGET ? NULL : row_of(routes, part, slot);
}

static void book_word(struct vt_routes *routes, const struct vt_update *update, size_t k) {
  const struct vt_adamw *s = &update->adamw;
  const uint32_t word = vt_ledger_word(routes->ledger, k);
  const size_t dim = routes->dim;
  const float *before = routes->before + k * dim;
  double step[VT_KERNEL_WIDTH_MAX];
  for (size_t c = 0; c < dim; c++) step[c] = (s->keep - 1) * (double)before[c];
  vt_ledger_add_decay(routes->ledger, k, step);
  for (size_t p = 0; p <= routes->parts + 1; p++) {
    const float *g = gradient_of(routes, p, word);
    double *moment = moment_of(routes, k, p);
    bool any = p < routes->parts || (p == routes->parts && routes->outputs != NULL);
    for (size_t c = 0; c < dim; c++) {
      double gradient = g == NULL ? 0 : s->factor * (double)g[c];
      if (update->kind == VT_OPTIMIZER_SGD) {
        step[c] = -s->rate * gradient;
      } else {
        moment[c] = s->beta_1 * moment[c] + (1 - s->beta_1) * gradient;
        double h = (double)update->squares[word * routes->stride + c];
        step[c] = -s->rate * moment[c] * s->correction_1 / (sqrt(h * s->correction_2) + s->epsilon);
      }
      any = any || step[c] != 0;
    }
    if (any) vt_ledger_add(routes->ledger, k, vt_routes_role(routes, p), step);
  }
  vt_ledger_end_step(routes->ledger, k);
}

void vt_routes_after(struct vt_routes *routes, const struct vt_update *update) {
  for (size_t k = 0; routes->ledger != NULL && k < vt_ledger_words(routes->ledger); k++) book_word(routes, update, k);
}

/* ---- telling ----------------------------------------------------------------------------------------------------- */

enum vt_status vt_routes_visit(const struct vt_routes *routes, vt_engine_metric_visit *visit, void *context,
                               struct vt_error *error) {
  char name[64];
  for (size_t p = 0; p < routes->parts + (routes->outputs != NULL ? 1 : 0); p++) {
    const char *role = vt_ledger_role_name(vt_routes_role(routes, p));
    snprintf(name, sizeof name, "route_norm: %s", role);
    VT_TRY(visit(context, name, routes->norms[p], error));
    snprintf(name, sizeof name, "route_sum: %s", role);
    VT_TRY(visit(context, name, routes->sums[p], error));
  }
  for (size_t a = 0; a < routes->groups; a++)
    for (size_t b = a + 1; b < routes->groups; b++) {
      if (a == 0 && routes->outputs == NULL) continue;
      double lengths = sqrt(routes->products[a][a] * routes->products[b][b]);
      snprintf(name, sizeof name, "route_cosine: %s, %s", group_names[a], group_names[b]);
      VT_TRY(visit(context, name, lengths > 0 ? routes->products[a][b] / lengths : 0, error));
    }
  return VT_OK;
}

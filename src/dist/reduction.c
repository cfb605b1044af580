/*
 * reduction.c: rounds of a reduction.
 *
 * Memory that the ranks of a machine share: rank 0's wish, the values, the sum, and each rank's places for nodes. A
 * round has two points at which they wait for each other. Before the first each writes its own terms alone; between the
 * two each reads the wish and the values, and touches, in all places and in the sum, its ranges alone; after the
 * second, until it comes to the first of the next round, it reads the sum.
 *
 * The rank with order o owns range o of the floats. Of its own machine a range's nodes are added up by its owner; of
 * another machine, by the rank whose place there is o modulo their number, which sends them to the owner and is sent
 * the sum. A message with nodes is preceded by one with a head and the sender's machine's values. All that is sent lies
 * in the places and in the sum themselves, so the second waiting comes when all of it is on its way.
 *
 * What rank 0 wants is known on its machine after the first waiting, and elsewhere from the head that comes from there:
 * the others have sent their nodes by then, which rank 0's machine lets go of.
 *
 * Threads: messages are sent and received by the thread that calls; adding up is shared out in pieces.
 */
#include "dist/reduction.h"

#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "dist/machine.h"
#include "dist/ordered_sum.h"

#define LINE_FLOATS (VT_CACHE_LINE_BYTES / sizeof(float))
#define MAGIC UINT32_C(0x56545231)

enum kind {
  KIND_TERMS = 1, /* nodes follow */
  KIND_NOTHING,   /* of a rank that waits */
  KIND_STOP       /* of rank 0 and its machine */
};

struct head {
  uint32_t magic;
  uint32_t kind;
  uint64_t round;
  uint32_t nodes; /* messages that follow */
  uint32_t values;
};

struct vt_reduction {
  struct vt_machine machine;
  struct vt_machine_memory memory;
  struct vt_pool *pool;
  size_t floats;
  size_t stride; /* of a place */
  uint32_t terms;
  int size; /* ranks in all */
  uint64_t round;
  bool over;

  uint32_t begin, end; /* terms of this rank */
  uint32_t next;
  struct vt_ordered_sum own;

  /* Shared: */
  uint32_t *wish;
  double *shared_values;
  float *sum;
  float *places; /* of this rank */

  double *values; /* of the last round; where there is one process, the shared ones */

  struct vt_ordered_plan here; /* of the nodes of this machine's ranks */
  float **places_here;         /* by node of it: its array, whole */
  struct vt_ordered_plan all;  /* of the machines' nodes, whose sum is the sum; empty where there is one machine */
  uint32_t *first_node;        /* of it, by machine, and where they end */
  struct vt_box *boxes;        /* by node of it; those of this machine are empty */
  float **arrays;              /* by node of one of them: its array in a range */
  unsigned char *message;      /* head and values */
  struct vt_box box;
};

/* ---- what belongs to whom ---------------------------------------------------------------------------------------- */

/* Floats begin .. end belong to the rank with this order. */
struct range {
  size_t begin, end;
};

static struct range range_of(const struct vt_reduction *reduction, int order) {
  const uint64_t lines = (reduction->floats + LINE_FLOATS - 1) / LINE_FLOATS, size = (uint64_t)reduction->size;
  struct range range = {.begin = (size_t)(lines * (uint64_t)order / size) * LINE_FLOATS,
                        .end = (size_t)(lines * (uint64_t)(order + 1) / size) * LINE_FLOATS};
  if (range.end > reduction->floats) range.end = reduction->floats;
  return range;
}

static size_t range_bytes(struct range range) { return (range.end - range.begin) * sizeof(float); }

/* The number of a term at which those of the rank with this order begin. */
static uint32_t first_term(const struct vt_reduction *reduction, int order) {
  return vt_deal(reduction->terms, reduction->size, order);
}

/* What is left of the terms of some ranks; returns as vt_ordered_sum_of. */
static uint32_t left_of(const struct vt_reduction *reduction, int begin, int end, struct vt_ordered_sum *sum) {
  return vt_ordered_sum_of(sum, reduction->terms, first_term(reduction, begin), first_term(reduction, end));
}

static uint32_t machine_terms(const struct vt_reduction *reduction) {
  return first_term(reduction, reduction->machine.end) - first_term(reduction, reduction->machine.begin);
}

/* The rank that speaks for a machine about the range of an order. */
static int speaker(const struct vt_reduction *reduction, int number, int order) {
  const struct vt_machine *machine = &reduction->machine;
  const int begin = machine->begins[number], count = machine->begins[number + 1] - begin;
  return machine->at[begin + order % count];
}

/* Whether this rank speaks for its machine about the range of a rank of another machine. */
static bool speaks(const struct vt_reduction *reduction, int order) {
  const struct vt_machine *machine = &reduction->machine;
  return !vt_machine_has(machine, order) && order % vt_machine_ranks(machine) == machine->order - machine->begin;
}

/* ---- making and freeing ------------------------------------------------------------------------------------------ */

/* The places of all ranks of this machine; with nodes NULL they are counted, else noted. */
static uint32_t list_here(struct vt_reduction *reduction, struct vt_arena *arena, struct vt_ordered_node *nodes) {
  uint32_t count = 0;
  for (int order = reduction->machine.begin; order < reduction->machine.end; order++) {
    struct vt_ordered_sum sum;
    const uint32_t most = left_of(reduction, order, order + 1, &sum);
    float *places = vt_arena_take(arena, most * reduction->stride * sizeof *places);
    if (order == reduction->machine.order) reduction->places = places;
    for (uint32_t k = 0; nodes != NULL && k < sum.count; k++) {
      nodes[count + k] = sum.nodes[k];
      reduction->places_here[count + k] = places + k * reduction->stride;
    }
    count += sum.count;
  }
  return count;
}

static enum vt_status plan_here(struct vt_reduction *reduction, struct vt_arena *arena, struct vt_error *error) {
  struct vt_arena measure = {0};
  const uint32_t count = list_here(reduction, &measure, NULL);
  struct vt_ordered_node *nodes = vt_alloc(count, sizeof *nodes);
  reduction->places_here = vt_alloc(count, sizeof *reduction->places_here);
  enum vt_status status = VT_OK;
  if (nodes == NULL || reduction->places_here == NULL) {
    status = VT_FAIL_MEMORY(error, count * sizeof *nodes);
  } else {
    list_here(reduction, arena, nodes);
    status = vt_ordered_plan_init(&reduction->here, reduction->terms, nodes, count, error);
  }
  vt_free(nodes);
  return status;
}

/* The nodes of all machines; nodes NULL: they are counted. */
static uint32_t list_all(struct vt_reduction *reduction, struct vt_ordered_node *nodes) {
  const struct vt_machine *machine = &reduction->machine;
  uint32_t count = 0;
  for (int number = 0; number < machine->machines; number++) {
    struct vt_ordered_sum sum;
    left_of(reduction, machine->begins[number], machine->begins[number + 1], &sum);
    if (nodes != NULL) memcpy(nodes + count, sum.nodes, sum.count * sizeof *nodes);
    reduction->first_node[number] = count;
    count += sum.count;
  }
  reduction->first_node[machine->machines] = count;
  return count;
}

static enum vt_status plan_all(struct vt_reduction *reduction, struct vt_error *error) {
  const size_t machines = (size_t)reduction->machine.machines;
  reduction->first_node = vt_alloc(machines + 1, sizeof *reduction->first_node);
  if (reduction->first_node == NULL) return VT_FAIL_MEMORY(error, machines * sizeof *reduction->first_node);
  const uint32_t count = list_all(reduction, NULL);
  struct vt_ordered_node *nodes = vt_alloc(count, sizeof *nodes);
  reduction->boxes = vt_alloc_zero(count, sizeof *reduction->boxes);
  enum vt_status status = VT_OK;
  if (nodes == NULL || reduction->boxes == NULL) {
    status = VT_FAIL_MEMORY(error, count * sizeof *reduction->boxes);
  } else {
    list_all(reduction, nodes);
    status = vt_ordered_plan_init(&reduction->all, reduction->terms, nodes, count, error);
  }
  vt_free(nodes);
  return status;
}

static void lay_out(struct vt_reduction *reduction, struct vt_arena *arena) {
  reduction->wish = vt_arena_take(arena, sizeof *reduction->wish);
  reduction->shared_values = vt_arena_take(arena, reduction->terms * sizeof *reduction->shared_values);
  if (reduction->size > 1) reduction->sum = vt_arena_take(arena, reduction->stride * sizeof *reduction->sum);
}

static enum vt_status create_messages(struct vt_reduction *reduction, struct vt_error *error) {
  if (reduction->machine.machines == 1) return VT_OK;
  VT_TRY(plan_all(reduction, error));
  const size_t bytes = sizeof(struct head) + machine_terms(reduction) * sizeof(double);
  reduction->message = vt_alloc_aligned_raw(bytes, 1);
  return reduction->message == NULL ? VT_FAIL_MEMORY(error, bytes) : VT_OK;
}

/* What this rank has for itself, once what is shared is there. */
static enum vt_status create_own(struct vt_reduction *reduction, struct vt_arena *arena, struct vt_error *error) {
  lay_out(reduction, arena);
  VT_TRY(plan_here(reduction, arena, error));
  if (reduction->size == 1) {
    reduction->sum = reduction->places;
    reduction->values = reduction->shared_values;
    return VT_OK;
  }
  VT_TRY(create_messages(reduction, error));
  const uint32_t nodes = reduction->here.nodes > reduction->all.nodes ? reduction->here.nodes : reduction->all.nodes;
  reduction->values = vt_alloc(reduction->terms, sizeof *reduction->values);
  reduction->arrays = vt_alloc(nodes, sizeof *reduction->arrays);
  if (reduction->values != NULL && reduction->arrays != NULL) return VT_OK;
  return VT_FAIL_MEMORY(error, reduction->terms * sizeof *reduction->values);
}

static enum vt_status create(struct vt_reduction *reduction, struct vt_ranks *ranks, struct vt_error *error) {
  VT_TRY(vt_machine_find(reduction->size > 1 ? ranks : NULL, &reduction->machine, error));
  struct vt_arena arena = {0};
  lay_out(reduction, &arena);
  list_here(reduction, &arena, NULL);
  VT_TRY(vt_machine_share(&reduction->machine, arena.used, &reduction->memory, error));
  arena = (struct vt_arena){.data = reduction->memory.data};
  reduction->begin = first_term(reduction, reduction->machine.order);
  reduction->end = first_term(reduction, reduction->machine.order + 1);
  return vt_ranks_agree(ranks, create_own(reduction, &arena, error), error);
}

enum vt_status vt_reduction_create(struct vt_ranks *ranks, size_t floats, uint32_t terms, struct vt_pool *pool,
                                   struct vt_reduction **out, struct vt_error *error) {
  struct vt_reduction *reduction = vt_alloc_zero(1, sizeof *reduction);
  enum vt_status status = reduction == NULL ? VT_FAIL_MEMORY(error, sizeof *reduction) : VT_OK;
  status = vt_ranks_agree(ranks, status, error);
  if (status == VT_OK && reduction != NULL) { /* where all are well this one is */
    reduction->pool = pool;
    reduction->floats = floats;
    reduction->stride = (floats + LINE_FLOATS - 1) / LINE_FLOATS * LINE_FLOATS;
    reduction->terms = terms;
    reduction->size = vt_ranks_size(ranks);
    status = create(reduction, ranks, error);
  }
  if (status != VT_OK) {
    vt_reduction_free(reduction);
    return status;
  }
  *out = reduction;
  return VT_OK;
}

void vt_reduction_free(struct vt_reduction *reduction) {
  if (reduction == NULL) return;
  for (uint32_t k = 0; reduction->boxes != NULL && k < reduction->all.nodes; k++) vt_box_release(&reduction->boxes[k]);
  vt_box_release(&reduction->box);
  vt_free(reduction->boxes);
  if (reduction->size > 1) vt_free(reduction->values);
  vt_free_aligned(reduction->message);
  vt_free(reduction->arrays);
  vt_free(reduction->first_node);
  vt_free(reduction->places_here);
  vt_ordered_plan_release(&reduction->here);
  vt_ordered_plan_release(&reduction->all);
  vt_machine_unshare(&reduction->machine, &reduction->memory);
  vt_machine_release(&reduction->machine);
  vt_free(reduction);
}

/* ---- terms of this rank ------------------------------------------------------------------------------------------ */

void vt_reduction_begin(struct vt_reduction *reduction, uint32_t *begin, uint32_t *end) {
  vt_ordered_sum_begin(&reduction->own, reduction->terms);
  reduction->next = *begin = reduction->begin;
  *end = reduction->end;
}

float *vt_reduction_term(struct vt_reduction *reduction) {
  return reduction->places + reduction->own.count * reduction->stride;
}

void vt_reduction_add(struct vt_reduction *reduction, double value) {
  struct vt_ordered_sum *own = &reduction->own;
  reduction->shared_values[reduction->next] = value;
  vt_ordered_sum_put(own, (struct vt_ordered_node){reduction->next, reduction->next + 1});
  reduction->next++;
  while (vt_ordered_sum_fold(own)) {
    float *left = reduction->places + (own->count - 1) * reduction->stride;
    vt_ordered_add(left, left + reduction->stride, reduction->floats, reduction->pool);
  }
}

float *vt_reduction_sum(const struct vt_reduction *reduction) { return reduction->sum; }
const double *vt_reduction_values(const struct vt_reduction *reduction) { return reduction->values; }

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* Adds up the nodes of this machine; result: where the sum goes if it is one, or NULL. */
static void add_here(struct vt_reduction *reduction, struct range range, float *result) {
  const struct vt_ordered_plan *plan = &reduction->here;
  for (uint32_t k = 0; k < plan->nodes; k++) reduction->arrays[k] = reduction->places_here[k] + range.begin;
  vt_ordered_plan_add(plan, reduction->arrays, range.end - range.begin, result, reduction->pool);
}

/* Those of all machines, in this rank's range. */
static void add_all(struct vt_reduction *reduction) {
  const struct vt_ordered_plan *plan = &reduction->all;
  const struct range range = range_of(reduction, reduction->machine.order);
  const uint32_t first = reduction->first_node[reduction->machine.number];
  for (uint32_t k = 0; k < plan->nodes; k++) reduction->arrays[k] = (float *)(void *)reduction->boxes[k].data;
  for (uint32_t k = 0; k < reduction->here.left_count; k++)
    reduction->arrays[first + k] = reduction->places_here[reduction->here.left[k]] + range.begin;
  vt_ordered_plan_add(plan, reduction->arrays, range.end - range.begin, reduction->sum + range.begin, reduction->pool);
}

static enum vt_status strange(struct vt_reduction *reduction, int from, struct vt_error *error) {
  return vt_ranks_strange(reduction->machine.ranks, from, "does not belong here", error);
}

/* To the owners of the ranges that this rank speaks about. */
static enum vt_status send_nodes(struct vt_reduction *reduction, enum kind kind, struct vt_error *error) {
  struct vt_machine *machine = &reduction->machine;
  const uint32_t first = first_term(reduction, machine->begin), count = machine_terms(reduction);
  const uint32_t nodes = kind == KIND_TERMS ? reduction->here.left_count : 0;
  const struct head head = {
      .magic = MAGIC, .kind = (uint32_t)kind, .round = reduction->round, .nodes = nodes, .values = count};
  const size_t values = count * sizeof(double);
  memcpy(reduction->message, &head, sizeof head);
  memcpy(reduction->message + sizeof head, reduction->shared_values + first, values);
  for (int order = 0; order < reduction->size; order++) {
    if (!speaks(reduction, order)) continue;
    const struct range range = range_of(reduction, order);
    if (nodes > 0) add_here(reduction, range, NULL);
    VT_TRY(vt_ranks_send(machine->ranks, machine->at[order], reduction->message, sizeof head + values, error));
    for (uint32_t k = 0; k < nodes; k++)
      VT_TRY(vt_ranks_send(machine->ranks, machine->at[order],
                           reduction->places_here[reduction->here.left[k]] + range.begin, range_bytes(range), error));
  }
  return VT_OK;
}

/* A machine's nodes of this rank's range. */
static enum vt_status receive_nodes(struct vt_reduction *reduction, int number, enum kind *kind,
                                    struct vt_error *error) {
  const struct vt_machine *machine = &reduction->machine;
  struct vt_box *box = &reduction->box;
  struct head head;
  const int from = speaker(reduction, number, machine->order);
  const uint32_t first = first_term(reduction, machine->begins[number]),
                 count = first_term(reduction, machine->begins[number + 1]) - first,
                 own = reduction->first_node[number], nodes = reduction->first_node[number + 1] - own;
  VT_TRY(vt_ranks_receive(machine->ranks, from, box, error));
  if (box->bytes != sizeof head + count * sizeof(double)) return strange(reduction, from, error);
  memcpy(&head, box->data, sizeof head);
  const bool known = head.kind >= KIND_TERMS && head.kind <= KIND_STOP;
  if (head.magic != MAGIC || !known || head.round != reduction->round || head.values != count ||
      head.nodes != (head.kind == KIND_TERMS ? nodes : 0))
    return strange(reduction, from, error);
  memcpy(reduction->values + first, box->data + sizeof head, count * sizeof(double));
  for (uint32_t k = 0; k < head.nodes; k++) {
    struct vt_box *node = &reduction->boxes[own + k];
    VT_TRY(vt_ranks_receive(machine->ranks, from, node, error));
    if (node->bytes != range_bytes(range_of(reduction, machine->order))) return strange(reduction, from, error);
  }
  *kind = (enum kind)head.kind;
  return VT_OK;
}

/* Of all other machines. told: what rank 0 said, where its machine is another one. */
static enum vt_status receive_all_nodes(struct vt_reduction *reduction, enum kind *told, struct vt_error *error) {
  for (int number = 0; number < reduction->machine.machines; number++) {
    enum kind kind = KIND_NOTHING;
    if (number == reduction->machine.number) continue;
    VT_TRY(receive_nodes(reduction, number, &kind, error));
    if (number == 0) *told = kind;
  }
  return VT_OK;
}

/* The sum of this rank's range to all other machines, and those of their ranges from there. */
static enum vt_status exchange_sums(struct vt_reduction *reduction, struct vt_error *error) {
  struct vt_machine *machine = &reduction->machine;
  const struct range mine = range_of(reduction, machine->order);
  for (int number = 0; number < machine->machines; number++)
    if (number != machine->number)
      VT_TRY(vt_ranks_send(machine->ranks, speaker(reduction, number, machine->order), reduction->sum + mine.begin,
                           range_bytes(mine), error));
  for (int order = 0; order < reduction->size; order++) {
    if (!speaks(reduction, order)) continue;
    const struct range range = range_of(reduction, order);
    struct vt_box *box = &reduction->box;
    VT_TRY(vt_ranks_receive(machine->ranks, machine->at[order], box, error));
    if (box->bytes != range_bytes(range)) return strange(reduction, machine->at[order], error);
    if (box->bytes > 0) memcpy(reduction->sum + range.begin, box->data, box->bytes);
  }
  return VT_OK;
}

/* ---- rounds ------------------------------------------------------------------------------------------------------ */

static enum vt_status ended(struct vt_reduction *reduction, struct vt_error *error) {
  reduction->over = true;
  VT_TRY(vt_ranks_settle(reduction->machine.ranks, error));
  return VT_FAIL(error, VT_ERROR_INTERRUPTED, "rank 0 has ended the training");
}

static enum vt_status add_between_machines(struct vt_reduction *reduction, enum kind kind, struct vt_error *error) {
  struct vt_machine *machine = &reduction->machine;
  const struct range mine = range_of(reduction, machine->order);
  enum kind told = kind;
  VT_TRY(send_nodes(reduction, kind, error));
  if (kind == KIND_TERMS) add_here(reduction, mine, NULL);
  VT_TRY(receive_all_nodes(reduction, &told, error));
  if (told == KIND_STOP) return ended(reduction, error);
  if (kind != KIND_TERMS || told != KIND_TERMS) return strange(reduction, 0, error);
  add_all(reduction);
  VT_TRY(exchange_sums(reduction, error));
  return vt_ranks_settle(machine->ranks, error);
}

static enum vt_status make_round(struct vt_reduction *reduction, enum kind kind, struct vt_error *error) {
  struct vt_machine *machine = &reduction->machine;
  reduction->round++;
  if (machine->order == 0) *reduction->wish = (uint32_t)kind;
  VT_TRY(vt_machine_meet(machine, error));
  if (machine->begin == 0 && *reduction->wish == KIND_STOP) kind = KIND_STOP;
  const uint32_t first = first_term(reduction, machine->begin);
  memcpy(reduction->values + first, reduction->shared_values + first, machine_terms(reduction) * sizeof(double));
  if (machine->machines > 1) {
    VT_TRY(add_between_machines(reduction, kind, error));
  } else {
    if (kind == KIND_STOP) return ended(reduction, error);
    if (kind != KIND_TERMS) return strange(reduction, 0, error);
    const struct range mine = range_of(reduction, machine->order);
    add_here(reduction, mine, reduction->sum + mine.begin);
  }
  return vt_machine_meet(machine, error);
}

enum vt_status vt_reduction_finish(struct vt_reduction *reduction, struct vt_error *error) {
  enum vt_status status = reduction->size == 1 ? VT_OK : make_round(reduction, KIND_TERMS, error);
  if (status != VT_OK) reduction->over = true;
  reduction->own.count = 0;
  return status;
}

enum vt_status vt_reduction_stop(struct vt_reduction *reduction, struct vt_error *error) {
  if (reduction->size == 1 || reduction->over) return VT_OK;
  enum vt_status status = make_round(reduction, KIND_STOP, error);
  reduction->over = true;
  return status == VT_ERROR_INTERRUPTED ? VT_OK : status;
}

enum vt_status vt_reduction_wait(struct vt_reduction *reduction, struct vt_error *error) {
  if (reduction->size == 1 || reduction->over) return VT_OK;
  enum vt_status status = make_round(reduction, KIND_NOTHING, error);
  reduction->over = true;
  return status == VT_ERROR_INTERRUPTED ? VT_OK : status;
}

void vt_reduction_over(struct vt_reduction *reduction) { reduction->over = true; }

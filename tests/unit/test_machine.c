/* The ranks of a machine (label: threads): they are counted machine by machine, see the same memory, and
 * each waits until all have come. tests/cli/test_ranks.sh has them as processes. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dist/machine.h"
#include "support/temporary.h"
#include "support/thread_ranks.h"

#define ROUNDS 2000
#define SIZE 5

struct given {
  int machines;
};

/* Rank r is on machine r % machines: with two, ranks 0, 2, 4 have orders 0, 1, 2, and ranks 1, 3 orders 3, 4. */
static void check_order(const struct vt_machine *machine, int machines) {
  int rank = vt_ranks_rank(machine->ranks), before = 0;
  assert_int_equal(machine->machines, machines);
  assert_int_equal(machine->number, rank % machines);
  for (int other = 0; other < SIZE; other++)
    before += other % machines < rank % machines || (other % machines == rank % machines && other < rank);
  assert_int_equal(machine->order, before);
  assert_int_equal(machine->at[machine->order], rank);
  assert_int_equal(machine->orders[rank], machine->order);
  assert_true(vt_machine_has(machine, machine->order));
  assert_int_equal(vt_machine_ranks(machine), SIZE / machines + (rank % machines < SIZE % machines));
}

/* Everybody adds to what the others see, and nobody goes on before all have. */
static void add_up(struct vt_machine *machine, uint64_t *cells) {
  int count = vt_machine_ranks(machine), place = machine->order - machine->begin;
  struct vt_error error;
  for (uint64_t round = 1; round <= ROUNDS; round++) {
    cells[place]++;
    if (vt_machine_meet(machine, &error) != VT_OK) fail_msg("%s", error.message);
    for (int k = 0; k < count; k++) assert_true(cells[k] == round);
    if (vt_machine_meet(machine, &error) != VT_OK) fail_msg("%s", error.message);
  }
}

static void take_part(void *context, struct vt_ranks *ranks) {
  const struct given *given = context;
  struct vt_machine machine;
  struct vt_machine_memory memory;
  struct vt_error error;
  if (vt_machine_find(ranks, &machine, &error) != VT_OK) fail_msg("%s", error.message);
  check_order(&machine, given->machines);
  assert_int_equal(vt_machine_share(&machine, SIZE * sizeof(uint64_t), &memory, &error), VT_OK);
  add_up(&machine, (uint64_t *)(void *)memory.data);
  unsigned char told[100] = {0};
  if (vt_ranks_rank(ranks) == 0) memset(told, 7, sizeof told);
  assert_int_equal(vt_machine_spread(&machine, told, sizeof told, &error), VT_OK);
  assert_int_equal(told[99], vt_machine_leads(&machine) ? 7 : 0);
  assert_int_equal(vt_ranks_agree(ranks, VT_OK, &error), VT_OK);
  vt_machine_unshare(&machine, &memory);
  vt_machine_release(&machine);
}

static void ranks_meet(void **state) {
  (void)state;
  for (int machines = 1; machines <= SIZE; machines++)
    vtt_ranks_run(SIZE, machines, take_part, &(struct given){machines});
}

static void alone(void **state) {
  (void)state;
  struct vt_machine machine;
  struct vt_machine_memory memory;
  assert_int_equal(vt_machine_find(NULL, &machine, NULL), VT_OK);
  assert_int_equal(vt_machine_ranks(&machine), 1);
  assert_int_equal(vt_machine_share(&machine, 100, &memory, NULL), VT_OK);
  for (int k = 0; k < 100; k++) assert_int_equal(memory.data[k], 0);
  assert_int_equal(vt_machine_meet(&machine, NULL), VT_OK);
  vt_machine_unshare(&machine, &memory);
  vt_machine_release(&machine);
}

/* The kilobytes that this process has in memory. */
static long resident(void) {
  long pages = 0, all = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  assert_non_null(file);
  char line[128];
  assert_non_null(fgets(line, sizeof line, file));
  fclose(file);
  char *end = NULL;
  all = strtol(line, &end, 10);
  pages = strtol(end, NULL, 10);
  assert_true(all > 0 && pages > 0);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Room for the worst case costs nothing before it is used. */
static void much_memory_is_taken_where_it_is_written(void **state) {
  (void)state;
  const size_t bytes = ((size_t)400 << 20) + 5;
  struct vt_machine machine;
  struct vt_machine_memory memory;
  assert_int_equal(vt_machine_find(NULL, &machine, NULL), VT_OK);
  const long before = resident();
  assert_int_equal(vt_machine_share(&machine, bytes, &memory, NULL), VT_OK);
  unsigned char *data = memory.data;
  assert_true((uintptr_t)data % 4096 == 0 && data[0] == 0 && data[bytes / 2] == 0 && data[bytes - 1] == 0);
  data[bytes / 3] = data[bytes - 1] = 7;
  assert_true(data[bytes / 3] == 7 && data[bytes / 3 + 1] == 0);
  if (!vtt_sanitized) assert_true(resident() - before < 100 * 1024);
  vt_machine_unshare(&machine, &memory);
  assert_null(memory.data);
  vt_machine_release(&machine);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(ranks_meet), cmocka_unit_test(alone),
                                     cmocka_unit_test(much_memory_is_taken_where_it_is_written)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

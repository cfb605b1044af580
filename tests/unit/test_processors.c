/* How many processors a quota of control groups is. The files are as Linux has them (cgroup-v2, "cpu.max"; version 1:
 * sched-bwc, "cpu.cfs_quota_us"). */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>

#include "base/processors.h"
#include "support/temporary.h"

static void make_folders(struct vtt_folder *folder, const char *const *names) {
  for (; *names != NULL; names++) assert_int_equal(mkdir(vtt_path(folder, *names), 0700), 0);
}

static void a_quota_of_version_2_is_rounded_up_and_bound_by_those_above(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *root = vtt_folder_path(folder), *list = "0::/a/b\n";
  make_folders(folder, (const char *[]){"a", "a/b", NULL});
  assert_int_equal(vt_processors_of_quota(list, root), 0);
  vtt_write_text(folder, "a/b/cpu.max", "max 100000\n");
  assert_int_equal(vt_processors_of_quota(list, root), 0);
  vtt_write_text(folder, "a/b/cpu.max", "250000 100000\n");
  assert_int_equal(vt_processors_of_quota(list, root), 3);
  vtt_write_text(folder, "a/cpu.max", "400000 100000\n");
  assert_int_equal(vt_processors_of_quota(list, root), 3);
  vtt_write_text(folder, "a/cpu.max", "100000 50000\n");
  assert_int_equal(vt_processors_of_quota(list, root), 2);
  vtt_write_text(folder, "cpu.max", "1000 100000\n");
  assert_int_equal(vt_processors_of_quota(list, root), 1);
  vtt_folder_remove(folder);
}

static void a_quota_of_version_1_is_that_of_the_group_for_processors(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *root = vtt_folder_path(folder);
  make_folders(folder, (const char *[]){"cpu", "cpu/a", "memory", "memory/m", NULL});
  const char *list = "9:cpuset:/\n4:memory:/m\n2:cpuacct,cpu:/a\n0::/\n";
  vtt_write_text(folder, "memory/m/cpu.cfs_quota_us", "100000\n");
  vtt_write_text(folder, "memory/m/cpu.cfs_period_us", "100000\n");
  vtt_write_text(folder, "cpu/a/cpu.cfs_quota_us", "-1\n");
  vtt_write_text(folder, "cpu/a/cpu.cfs_period_us", "100000\n");
  assert_int_equal(vt_processors_of_quota(list, root), 0);
  vtt_write_text(folder, "cpu/a/cpu.cfs_quota_us", "600000\n");
  assert_int_equal(vt_processors_of_quota(list, root), 6);
  assert_int_equal(vt_processors_of_quota("1:cpu:/a\n", root), 6);
  assert_int_equal(vt_processors_of_quota("1:cpuset,cpuacct:/a\n", root), 0);
  vtt_folder_remove(folder);
}

/* A container's list may name its group as the machine around it does. */
static void a_path_that_is_not_there_is_looked_for_further_up(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  vtt_write_text(folder, "cpu.max", "150000 100000\n");
  assert_int_equal(vt_processors_of_quota("0::/system.slice/docker-1.scope\n", vtt_folder_path(folder)), 2);
  vtt_folder_remove(folder);
}

static void what_is_not_understood_sets_no_limit(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *root = vtt_folder_path(folder);
  static const char *const quotas[] = {"", "100000", "x y\n", "100000 0\n", "-5 100000\n", "max\n"};
  for (size_t k = 0; k < sizeof quotas / sizeof *quotas; k++) {
    vtt_write_text(folder, "cpu.max", quotas[k]);
    assert_int_equal(vt_processors_of_quota("0::/\n", root), 0);
  }
  vtt_write_text(folder, "cpu.max", "99999999999999999999 1\n");
  assert_true(vt_processors_of_quota("0::/\n", root) > 1000000);
  vtt_write_text(folder, "cpu.max", "100000 100000\n");
  static const char *const lists[] = {"", "\n\n", "0:", "0::", "0::relative\n", "nonsense", ":::\n", "0:memory:/\n"};
  for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) assert_int_equal(vt_processors_of_quota(lists[k], root), 0);
  char long_path[9000] = "0::/";
  memset(long_path + 4, 'a', sizeof long_path - 5);
  assert_int_equal(vt_processors_of_quota(long_path, root), 1);
  vtt_folder_remove(folder);
}

static void there_is_always_one(void **state) {
  (void)state;
  assert_true(vt_processors() >= 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_quota_of_version_2_is_rounded_up_and_bound_by_those_above),
      cmocka_unit_test(a_quota_of_version_1_is_that_of_the_group_for_processors),
      cmocka_unit_test(a_path_that_is_not_there_is_looked_for_further_up),
      cmocka_unit_test(what_is_not_understood_sets_no_limit),
      cmocka_unit_test(there_is_always_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

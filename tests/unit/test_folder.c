/* The folder of a run: what may be replaced, and that removing follows no link. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "run/folder.h"
#include "support/temporary.h"

static void make_run(struct vtt_folder *folder, const char *name, const char *content) {
  char database[64];
  assert_int_equal(mkdir(vtt_path(folder, name), 0777), 0);
  snprintf(database, sizeof database, "%s/run.db", name);
  vtt_write_text(folder, database, content);
}

static char *stage(const char *path, bool force) {
  char *staging;
  struct vt_error error;
  if (vt_run_folder_stage(path, force, &staging, &error) != VT_OK) fail_msg("%s", error.message);
  return staging;
}

static void a_new_run_takes_its_place(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run");
  char with_slash[4096];
  snprintf(with_slash, sizeof with_slash, "%s//", path);
  const char *const spellings[] = {path, with_slash};
  for (int k = 0; k < 2; k++) {
    char *staging = stage(spellings[k], false);
    assert_true(vtt_exists(staging) && !vtt_exists(path));
    assert_int_equal(vt_run_folder_install(staging, spellings[k], false, NULL), VT_OK);
    assert_true(vtt_exists(path));
    assert_int_equal(vtt_folder_entries(folder), 1);
    vt_free(staging);
    vt_run_folder_abandon(path);
    assert_int_equal(vtt_folder_entries(folder), 0);
  }
  vtt_folder_remove(folder);
}

static void an_empty_folder_may_be_taken(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run");
  assert_int_equal(mkdir(path, 0777), 0);
  char *staging = stage(path, false);
  assert_int_equal(vt_run_folder_install(staging, path, false, NULL), VT_OK);
  assert_int_equal(vtt_folder_entries(folder), 1);
  vt_free(staging);
  vtt_folder_remove(folder);
}

static void only_runs_are_replaced_and_only_by_force(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_error error;
  char *staging;
  make_run(folder, "run", "old");
  const char *path = vtt_path(folder, "run");
  assert_int_equal(vt_run_folder_stage(path, false, &staging, &error), VT_ERROR_EXISTS);
  assert_non_null(strstr(error.help, "--force"));
  staging = stage(path, true);
  assert_int_equal(vt_run_folder_install(staging, path, true, NULL), VT_OK);
  assert_false(vtt_exists(vtt_path(folder, "run/run.db")));
  assert_int_equal(vtt_folder_entries(folder), 1);
  vt_free(staging);

  assert_int_equal(mkdir(vtt_path(folder, "thesis"), 0777), 0);
  vtt_write_text(folder, "thesis/chapter", "precious");
  assert_int_equal(vt_run_folder_stage(vtt_path(folder, "thesis"), true, &staging, &error), VT_ERROR_EXISTS);
  vtt_write_text(folder, "file", "precious");
  assert_int_equal(vt_run_folder_stage(vtt_path(folder, "file"), true, &staging, &error), VT_ERROR_EXISTS);
  assert_int_equal(vtt_folder_entries(folder), 3);
  assert_true(vtt_exists(vtt_path(folder, "thesis/chapter")));
  vtt_folder_remove(folder);
}

static void something_that_came_up_meanwhile_is_left_alone(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run");
  char *staging = stage(path, false);
  make_run(folder, "run", "another");
  assert_int_equal(vt_run_folder_install(staging, path, false, NULL), VT_ERROR_EXISTS);
  char *content = vtt_read(vtt_path(folder, "run/run.db"), NULL);
  assert_string_equal(content, "another");
  free(content);
  vt_run_folder_abandon(staging);
  vt_free(staging);
  assert_int_equal(vtt_folder_entries(folder), 1);
  vtt_folder_remove(folder);
}

static void a_missing_parent_is_told(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_error error;
  char *staging;
  assert_int_equal(vt_run_folder_stage(vtt_path(folder, "no/such/run"), false, &staging, &error), VT_ERROR_IO);
  assert_non_null(strstr(error.message, "no/such/run"));
  assert_int_equal(vt_run_folder_stage("", false, &staging, &error), VT_ERROR_ARGUMENT);
  assert_int_equal(vtt_folder_entries(folder), 0);
  vtt_folder_remove(folder);
}

static void removing_follows_no_link(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  assert_int_equal(mkdir(vtt_path(folder, "precious"), 0777), 0);
  vtt_write_text(folder, "precious/data", "keep");
  make_run(folder, "run", "x");
  assert_int_equal(mkdir(vtt_path(folder, "run/snapshots"), 0777), 0);
  vtt_write_text(folder, "run/snapshots/1", "x");
  assert_int_equal(symlink(vtt_path(folder, "precious"), vtt_path(folder, "run/snapshots/link")), 0);
  assert_int_equal(symlink(vtt_path(folder, "precious/data"), vtt_path(folder, "run/file-link")), 0);
  vt_run_folder_abandon(vtt_path(folder, "run"));
  assert_false(vtt_exists(vtt_path(folder, "run")));
  assert_true(vtt_exists(vtt_path(folder, "precious/data")));
  /* A link in the place of a run is no run. */
  assert_int_equal(symlink(vtt_path(folder, "precious"), vtt_path(folder, "run")), 0);
  char *staging;
  assert_int_equal(vt_run_folder_stage(vtt_path(folder, "run"), true, &staging, NULL), VT_ERROR_EXISTS);
  vt_run_folder_abandon(vtt_path(folder, "run"));
  assert_true(vtt_exists(vtt_path(folder, "precious/data")));
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_run_takes_its_place),
      cmocka_unit_test(an_empty_folder_may_be_taken),
      cmocka_unit_test(only_runs_are_replaced_and_only_by_force),
      cmocka_unit_test(something_that_came_up_meanwhile_is_left_alone),
      cmocka_unit_test(a_missing_parent_is_told),
      cmocka_unit_test(removing_follows_no_link),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

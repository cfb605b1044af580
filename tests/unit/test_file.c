/* Files that are whole or absent. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "support/temporary.h"

static void committed_files_hold_all_that_was_written(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "out");
  struct vt_output *output;
  char *big = malloc(1000003), *text = malloc(5001);
  assert_true(big != NULL && text != NULL);
  memset(big, 'x', 1000003);
  memset(text, 'y', 5000);
  text[5000] = '\0';
  assert_int_equal(vt_output_open(path, &output, NULL), VT_OK);
  assert_int_equal(vt_output_write(output, "head", 4, NULL), VT_OK);
  assert_int_equal(vt_output_write(output, big, 1000003, NULL), VT_OK);
  assert_int_equal(vt_output_printf(output, NULL, "%d%s", 42, text), VT_OK);
  assert_int_equal(vt_output_rewrite(output, 1, "EA", 2, NULL), VT_OK);
  assert_int_equal(vt_output_rewrite(output, 2000000, "no", 2, NULL), VT_ERROR_ARGUMENT);
  assert_false(vtt_exists(path));
  assert_int_equal(vt_output_commit(output, NULL), VT_OK);
  size_t bytes;
  char *got = vtt_read(path, &bytes);
  assert_int_equal(bytes, 4 + 1000003 + 2 + 5000);
  assert_memory_equal(got, "hEAd", 4);
  assert_memory_equal(got + 4, big, 1000003);
  assert_memory_equal(got + 1000007, "42yyy", 5);
  assert_int_equal(vtt_folder_entries(folder), 1);
  free(got);
  free(big);
  free(text);
  vtt_folder_remove(folder);
}

/* Pieces that go through the buffer and pieces that do not, in turn. */
static void pieces_of_all_sizes_stay_in_order(void **state) {
  (void)state;
  static const size_t sizes[] = {1, 65535, 65536, 7, 200000, 100000, 300000, 0, 3, 65536, 65536, 150000, 150000};
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "out");
  size_t total = 0, done = 0, bytes;
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) total += sizes[k];
  char *data = malloc(total);
  assert_non_null(data);
  for (size_t i = 0; i < total; i++) data[i] = (char)(i * 2654435761u >> 13);
  struct vt_output *output;
  assert_int_equal(vt_output_open(path, &output, NULL), VT_OK);
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; done += sizes[k++])
    assert_int_equal(vt_output_write(output, data + done, sizes[k], NULL), VT_OK);
  assert_false(vtt_exists(path));
  assert_int_equal(vt_output_commit_unsynced(output, NULL), VT_OK);
  char *got = vtt_read(path, &bytes);
  assert_int_equal(bytes, total);
  assert_memory_equal(got, data, total);
  assert_int_equal(vtt_folder_entries(folder), 1);
  assert_int_equal(vt_sync_file(path, NULL), VT_OK);
  struct vt_error error;
  assert_int_equal(vt_sync_file(vtt_path(folder, "none"), &error), VT_ERROR_NOT_FOUND);
  assert_non_null(strstr(error.message, "none"));
  free(got);
  free(data);
  vtt_folder_remove(folder);
}

static void aborted_files_leave_nothing(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_write_text(folder, "out", "before");
  struct vt_output *output;
  assert_int_equal(vt_output_open(path, &output, NULL), VT_OK);
  assert_int_equal(vt_output_write(output, "after", 5, NULL), VT_OK);
  vt_output_abort(output);
  vt_output_abort(NULL);
  char *got = vtt_read(path, NULL);
  assert_string_equal(got, "before");
  assert_int_equal(vtt_folder_entries(folder), 1);
  free(got);
  vtt_folder_remove(folder);
}

static void errors_name_the_target(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_output *output;
  struct vt_error error;
  assert_int_equal(vt_output_open(vtt_path(folder, "missing/out"), &output, &error), VT_ERROR_IO);
  assert_non_null(strstr(error.message, "missing/out"));
  assert_int_equal(vt_output_open(vtt_folder_path(folder), &output, &error), VT_ERROR_IO);
  assert_non_null(strstr(error.message, "directory"));
  struct vt_mapping mapping;
  assert_int_equal(vt_mapping_open(vtt_path(folder, "none"), &mapping, &error), VT_ERROR_NOT_FOUND);
  assert_int_equal(vt_mapping_open(vtt_folder_path(folder), &mapping, &error), VT_ERROR_IO);
  assert_int_equal(vt_mapping_open(vtt_write_text(folder, "empty", ""), &mapping, &error), VT_OK);
  assert_int_equal(mapping.bytes, 0);
  assert_non_null(mapping.data);
  vt_mapping_release(&mapping);
  vtt_folder_remove(folder);
}

/* Writes 600,000 bytes, by a call that goes through the buffer or by one that does not; the status of the commit, or of
 * the write that failed before it. */
static enum vt_status write_much(const char *path, bool buffered, struct vt_error *error) {
  static const char zeros[300000];
  struct vt_output *output;
  enum vt_status status = vt_output_open(path, &output, error);
  if (status != VT_OK) return status;
  size_t piece = buffered ? 1000 : sizeof zeros;
  for (size_t done = 0; status == VT_OK && done < 2 * sizeof zeros; done += piece)
    status = vt_output_write(output, zeros, piece, error);
  if (status == VT_OK) return vt_output_commit(output, error);
  vt_output_abort(output);
  return status;
}

/* In a process of its own: files that may not grow beyond some size stand in for a disk that fills up, in the first
 * write, in a later one, and in that of the commit. 0: all went as it should. */
static int write_with_little_room(const char *path, const struct vtt_folder *folder) {
  signal(SIGXFSZ, SIG_IGN);
  static const rlim_t rooms[] = {0, 1, 300000, 599999};
  for (size_t k = 0; k < 2 * sizeof rooms / sizeof *rooms; k++) {
    struct rlimit limit = {.rlim_cur = rooms[k / 2], .rlim_max = RLIM_INFINITY};
    struct vt_error error;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    if (write_much(path, k % 2 == 0, &error) != VT_ERROR_IO) return 2;
    if (strstr(error.message, path) == NULL || strstr(error.message, strerror(EFBIG)) == NULL) return 3;
    if (vtt_folder_entries(folder) != 1) return 4;
  }
  struct rlimit enough = {.rlim_cur = 600000, .rlim_max = RLIM_INFINITY};
  if (setrlimit(RLIMIT_FSIZE, &enough) != 0) return 1;
  return write_much(path, true, NULL) == VT_OK && vtt_folder_entries(folder) == 1 ? 0 : 5;
}

static void a_full_disk_leaves_nothing(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_write_text(folder, "out", "before");
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(write_with_little_room(path, folder));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  vtt_folder_remove(folder);
}

static void devices_and_pipes_are_left_alone(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "pipe");
  assert_int_equal(mkfifo(path, 0666), 0);
  struct vt_output *output;
  struct vt_error error;
  assert_int_equal(vt_output_open(path, &output, &error), VT_ERROR_IO);
  assert_non_null(strstr(error.message, "pipe: not a plain file"));
  struct vt_mapping mapping;
  assert_int_equal(vt_mapping_open(path, &mapping, &error), VT_ERROR_IO); /* and does not wait for a writer */
  assert_non_null(strstr(error.message, "pipe: not a plain file"));
  struct stat info;
  assert_int_equal(lstat(path, &info), 0);
  assert_true(S_ISFIFO(info.st_mode));
  assert_int_equal(vtt_folder_entries(folder), 1);
  vtt_folder_remove(folder);
}

static void check_join(const char *folder, const char *name, const char *expected) {
  char *joined = vt_path_join(folder, name);
  assert_string_equal(joined, expected);
  vt_free(joined);
}

static void paths_join_with_one_slash(void **state) {
  (void)state;
  check_join("a/b", "c", "a/b/c");
  check_join("a/b//", "c", "a/b/c");
  check_join("/", "c", "/c");
  check_join(".", "c", "./c");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(committed_files_hold_all_that_was_written),
      cmocka_unit_test(pieces_of_all_sizes_stay_in_order),
      cmocka_unit_test(aborted_files_leave_nothing),
      cmocka_unit_test(errors_name_the_target),
      cmocka_unit_test(paths_join_with_one_slash),
      cmocka_unit_test(a_full_disk_leaves_nothing),
      cmocka_unit_test(devices_and_pipes_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

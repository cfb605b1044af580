/* The database of a run: its tables, who sees what and when, and folders that cannot be written to. */
#define _DEFAULT_SOURCE /* setgroups */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/store.h"
#include "support/temporary.h"
#include "vectrail/run.h"

#define NOBODY 65534

static struct vt_store *create(const char *path) {
  struct vt_store *store;
  struct vt_error error;
  if (vt_store_create(path, &store, &error) != VT_OK) fail_msg("%s", error.message);
  return store;
}

static struct vt_store *open_store(const char *path) {
  struct vt_store *store;
  struct vt_error error;
  if (vt_store_open(path, &store, &error) != VT_OK) fail_msg("%s", error.message);
  return store;
}

static void put_metric(struct vt_store *store, uint64_t step, double value) {
  const struct vt_store_value values[] = {vt_store_integer(step), vt_store_text("loss"), vt_store_real(value)};
  assert_int_equal(vt_store_insert(store, VT_STORE_METRIC, values, NULL), VT_OK);
}

static void commit_metric(struct vt_store *store, uint64_t step, double value) {
  assert_int_equal(vt_store_begin(store, NULL), VT_OK);
  put_metric(store, step, value);
  assert_int_equal(vt_store_commit(store, NULL), VT_OK);
}

static enum vt_status count_row(void *context, const struct vt_store_value *values, struct vt_error *error) {
  (void)values;
  (void)error;
  ++*(size_t *)context;
  return VT_OK;
}

static size_t rows(struct vt_store *store, enum vt_store_table table) {
  size_t count = 0;
  assert_int_equal(vt_store_read(store, table, count_row, &count, NULL), VT_OK);
  return count;
}

/* Runs SQL on a database and checks the first column of the first row, as text; NULL: no row is expected. */
static void check_sql(const char *path, const char *sql, const char *expected) {
  sqlite3 *database;
  sqlite3_stmt *statement;
  assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
  int code = sqlite3_step(statement);
  if (expected == NULL) {
    assert_int_equal(code, SQLITE_DONE);
  } else {
    assert_int_equal(code, SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(statement, 0), expected);
  }
  sqlite3_finalize(statement);
  assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* What other programs rely on. */
static void the_schema_is_as_documented(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  vt_store_close(create(path));
  check_sql(path, "PRAGMA application_id", "1987342945");
  check_sql(path, "PRAGMA user_version", "1");
  check_sql(path, "PRAGMA journal_mode", "delete");
  check_sql(path, "SELECT value FROM meta WHERE key = 'schema'", "1");
  static const char *const tables[][2] = {
      {"document", "id,input,line,text"},
      {"event", "step,kind,severity,text"},
      {"ledger", "word,source,role,span,updates,vector"},
      {"meta", "key,value"},
      {"metric", "step,name,value"},
      {"pair", "a,b,step,cosine"},
      {"snapshot", "step,path,dtype,sha256"},
      {"step", "step,epoch,tokens,seconds,lr"},
      {"trail", "word,step,vector"},
      {"word", "id,text,count"},
  };
  for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) {
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info('%s') ORDER BY cid)",
             tables[k][0]);
    check_sql(path, sql, tables[k][1]);
  }
  check_sql(path, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'", "10");
  assert_int_equal(vtt_folder_entries(folder), 1);
  vtt_folder_remove(folder);
}

struct seen {
  size_t count;
  double values[8];
};

static enum vt_status note_metric(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct seen *seen = context;
  (void)error;
  assert_string_equal((const char *)values[1].data, "loss");
  seen->values[seen->count++] = values[2].type == VT_STORE_NULL ? NAN : values[2].real;
  return VT_OK;
}

static enum vt_status check_trail(void *context, const struct vt_store_value *values, struct vt_error *error) {
  const float *vector = context;
  (void)error;
  assert_int_equal(values[0].integer, 3);
  assert_int_equal(values[1].integer, 12);
  assert_int_equal(values[2].type, VT_STORE_BLOB);
  assert_int_equal(values[2].bytes, 2 * sizeof *vector);
  assert_memory_equal(values[2].data, vector, 2 * sizeof *vector);
  return VT_ERROR_INTERRUPTED;
}

static void rows_come_back_in_key_order(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  struct vt_store *store = create(path);
  static const float vector[] = {1.25F, -0.0F};
  assert_int_equal(vt_store_begin(store, NULL), VT_OK);
  put_metric(store, 9, 2); /* a whole number is still a real */
  put_metric(store, 2, 0.5);
  put_metric(store, 5, NAN);
  put_metric(store, 9, 3); /* replaces */
  const struct vt_store_value trail[] = {vt_store_integer(3), vt_store_integer(12),
                                         vt_store_blob(vector, sizeof vector)};
  assert_int_equal(vt_store_insert(store, VT_STORE_TRAIL, trail, NULL), VT_OK);
  assert_int_equal(vt_store_commit(store, NULL), VT_OK);
  struct seen seen = {0};
  assert_int_equal(vt_store_read_metric(store, "loss", note_metric, &seen, NULL), VT_OK);
  assert_int_equal(seen.count, 3);
  assert_true(seen.values[0] == 0.5 && isnan(seen.values[1]) && seen.values[2] == 3);
  assert_int_equal(vt_store_read(store, VT_STORE_TRAIL, check_trail, (void *)(uintptr_t)vector, NULL),
                   VT_ERROR_INTERRUPTED);
  vt_store_close(store);
  vtt_folder_remove(folder);
}

static void a_cut_removes_what_came_at_a_step_and_after(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_store *store = create(vtt_path(folder, "run.db"));
  static const float vector[] = {1};
  assert_int_equal(vt_store_begin(store, NULL), VT_OK);
  for (uint64_t step = 0; step < 10; step++) {
    const struct vt_store_value number = vt_store_integer(step), text = vt_store_text("x"), real = vt_store_real(1);
    const struct vt_store_value steps[] = {number, number, number, real, real}, pair[] = {number, number, number, real},
                                trail[] = {number, number, vt_store_blob(vector, sizeof vector)},
                                snapshot[] = {number, text, text, text}, event[] = {number, text, text, text};
    put_metric(store, step, 1);
    assert_int_equal(vt_store_insert(store, VT_STORE_STEP, steps, NULL), VT_OK);
    assert_int_equal(vt_store_insert(store, VT_STORE_PAIR, pair, NULL), VT_OK);
    assert_int_equal(vt_store_insert(store, VT_STORE_TRAIL, trail, NULL), VT_OK);
    assert_int_equal(vt_store_insert(store, VT_STORE_SNAPSHOT, snapshot, NULL), VT_OK);
    assert_int_equal(vt_store_insert(store, VT_STORE_EVENT, event, NULL), VT_OK);
  }
  assert_int_equal(vt_store_cut(store, 4, VT_STORE_EVENTS_KEEP, NULL), VT_OK);
  assert_int_equal(vt_store_commit(store, NULL), VT_OK);
  static const enum vt_store_table tables[] = {VT_STORE_METRIC, VT_STORE_STEP, VT_STORE_PAIR, VT_STORE_TRAIL,
                                               VT_STORE_SNAPSHOT};
  for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) assert_int_equal(rows(store, tables[k]), 4);
  assert_int_equal(rows(store, VT_STORE_EVENT), 5); /* that of the step itself stays */
  assert_int_equal(vt_store_begin(store, NULL), VT_OK);
  assert_int_equal(vt_store_cut(store, 4, VT_STORE_EVENTS_CUT, NULL), VT_OK);
  assert_int_equal(vt_store_commit(store, NULL), VT_OK);
  assert_int_equal(rows(store, VT_STORE_EVENT), 4); /* unless it is to go, too */
  vt_store_close(store);
  vtt_folder_remove(folder);
}

/* ---- readers and a writer ---------------------------------------------------------------------------------------- */

static enum vt_status write_meanwhile(void *context, const struct vt_store_value *values, struct vt_error *error) {
  (void)values;
  (void)error;
  commit_metric(context, 100, 1); /* neither waits for the other */
  return VT_OK;
}

static void readers_see_what_is_committed_and_nobody_waits(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  struct vt_store *writer = create(path);
  commit_metric(writer, 1, 1);
  struct vt_store *reader = open_store(path);
  assert_int_equal(vt_store_begin(writer, NULL), VT_OK);
  put_metric(writer, 2, 1);
  assert_int_equal(rows(reader, VT_STORE_METRIC), 1);
  assert_int_equal(vt_store_commit(writer, NULL), VT_OK);
  assert_int_equal(rows(reader, VT_STORE_METRIC), 2);
  assert_int_equal(vt_store_read(reader, VT_STORE_METRIC, write_meanwhile, writer, NULL), VT_OK);
  assert_int_equal(rows(reader, VT_STORE_METRIC), 3);
  /* A reader cannot write. */
  struct vt_error error;
  const struct vt_store_value values[] = {vt_store_text("key"), vt_store_text("value")};
  assert_int_not_equal(vt_store_insert(reader, VT_STORE_META, values, &error), VT_OK);
  vt_store_close(writer);
  assert_int_equal(rows(reader, VT_STORE_METRIC), 3);
  vt_store_close(reader);
  vtt_folder_remove(folder);
}

/* A process that commits one row, has another one under way, and dies. */
static void leave_log(const char *path) {
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct vt_store *store = create(path);
    commit_metric(store, 1, 1);
    vt_store_begin(store, NULL);
    put_metric(store, 2, 1);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_killed_writer_loses_only_what_was_under_way(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  leave_log(path);
  assert_true(vtt_exists(vtt_path(folder, "run.db-wal")));
  struct vt_store *store = open_store(path);
  assert_int_equal(rows(store, VT_STORE_METRIC), 1);
  vt_store_close(store);
  /* Going on with it, or closing it for good. */
  assert_int_equal(vt_store_open_writable(path, &store, NULL), VT_OK);
  commit_metric(store, 2, 1);
  assert_int_equal(rows(store, VT_STORE_METRIC), 2);
  vt_store_close(store);
  assert_int_equal(vtt_folder_entries(folder), 1);
  assert_int_equal(unlink(path), 0);
  leave_log(path);
  assert_int_equal(vt_store_settle(path, NULL), VT_OK);
  assert_int_equal(vtt_folder_entries(folder), 1);
  assert_int_equal(vt_store_settle(path, NULL), VT_OK);
  vtt_folder_remove(folder);
}

/* Columns may be added within a version. */
static void columns_of_a_later_version_are_no_hindrance(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  vt_store_close(create(path));
  check_sql(path, "ALTER TABLE metric ADD COLUMN variance REAL", NULL);
  struct vt_store *store;
  assert_int_equal(vt_store_open_writable(path, &store, NULL), VT_OK);
  commit_metric(store, 1, 0.5);
  struct seen seen = {0};
  assert_int_equal(vt_store_read_metric(store, "loss", note_metric, &seen, NULL), VT_OK);
  assert_true(seen.count == 1 && seen.values[0] == 0.5);
  vt_store_close(store);
  vtt_folder_remove(folder);
}

/* ---- what is refused --------------------------------------------------------------------------------------------- */

static void check_open(const char *path, enum vt_status expected, const char *reason) {
  struct vt_store *store;
  struct vt_error error;
  assert_int_equal(vt_store_open(path, &store, &error), expected);
  assert_non_null(strstr(error.message, "run.db"));
  assert_non_null(strstr(error.message, reason));
}

static void what_is_no_run_database_is_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  struct vt_store *store;
  check_open(path, VT_ERROR_NOT_FOUND, "no run database");
  vt_store_close(create(path));
  assert_int_equal(vt_store_create(path, &store, NULL), VT_ERROR_EXISTS);
  check_sql(path, "PRAGMA user_version = 2", NULL);
  check_open(path, VT_ERROR_VERSION, "schema 2");
  assert_int_equal(vt_store_open_writable(path, &store, NULL), VT_ERROR_VERSION);
  check_sql(path, "PRAGMA user_version = 0", NULL);
  check_open(path, VT_ERROR_CORRUPT, "not the database of a vectrail run");
  check_sql(path, "PRAGMA user_version = 1", NULL);
  vt_store_close(open_store(path));
  check_sql(path, "PRAGMA application_id = 7", NULL);
  check_open(path, VT_ERROR_CORRUPT, "not the database of a vectrail run");
  assert_int_equal(unlink(path), 0);
  assert_int_equal(mkdir(path, 0777), 0);
  check_open(path, VT_ERROR_CORRUPT, "not a plain file");
  assert_int_equal(rmdir(path), 0);
  assert_int_equal(mkfifo(path, 0666), 0);
  check_open(path, VT_ERROR_CORRUPT, "not a plain file"); /* and does not wait for a writer */
  vtt_folder_remove(folder);
}

static void a_table_that_is_missing_is_damage(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  vt_store_close(create(path));
  check_sql(path, "DROP TABLE metric", NULL);
  struct vt_store *store = open_store(path);
  struct vt_error error;
  size_t count = 0;
  assert_int_equal(vt_store_read(store, VT_STORE_METRIC, count_row, &count, &error), VT_ERROR_CORRUPT);
  assert_non_null(strstr(error.message, "run.db"));
  vt_store_close(store);
  vtt_folder_remove(folder);
}

/* ---- folders that cannot be written to --------------------------------------------------------------------------- */

/* Opens in a process that may not write there: a status, and the rows of `metric` in *found. */
static enum vt_status open_as_stranger(struct vtt_folder *folder, const char *path, size_t *found) {
  assert_int_equal(chmod(vtt_folder_path(folder), 0555), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    struct vt_store *store;
    struct vt_error error;
    size_t count = 0;
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) _exit(100);
    enum vt_status status = vt_store_open(path, &store, &error);
    if (status != VT_OK) _exit(strstr(error.help, "copy the run") != NULL ? 101 : 102);
    if (vt_store_read(store, VT_STORE_METRIC, count_row, &count, NULL) != VT_OK) _exit(103);
    vt_store_close(store);
    _exit((int)count);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(chmod(vtt_folder_path(folder), 0755), 0);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == 101) return VT_ERROR_IO;
  assert_in_range(WEXITSTATUS(status), 0, 99);
  *found = (size_t)WEXITSTATUS(status);
  return VT_OK;
}

static void runs_are_read_where_nothing_can_be_written(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db"), *odd = vtt_path(folder, "100%25 #1?.db");
  size_t count = 0;
  struct vt_store *store = create(path);
  commit_metric(store, 1, 1);
  vt_store_close(store);
  assert_int_equal(open_as_stranger(folder, path, &count), VT_OK);
  assert_int_equal(count, 1);
  /* In WAL mode an index beside it is needed, and cannot be made. */
  check_sql(path, "PRAGMA journal_mode = WAL", "wal");
  count = 0;
  assert_int_equal(open_as_stranger(folder, path, &count), VT_OK);
  assert_int_equal(count, 1);
  assert_int_equal(rename(path, odd), 0);
  count = 0;
  assert_int_equal(open_as_stranger(folder, odd, &count), VT_OK);
  assert_int_equal(count, 1);
  char slashes[4096];
  snprintf(slashes, sizeof slashes, "/%s", odd);
  count = 0;
  assert_int_equal(open_as_stranger(folder, slashes, &count), VT_OK);
  assert_int_equal(count, 1);
  vtt_folder_remove(folder);
}

static void a_run_being_written_is_read_by_those_who_may_not_write(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  struct vt_store *writer = create(path);
  commit_metric(writer, 1, 1);
  commit_metric(writer, 2, 1);
  size_t count = 0;
  assert_int_equal(open_as_stranger(folder, path, &count), VT_OK);
  assert_int_equal(count, 2);
  commit_metric(writer, 3, 1);
  assert_int_equal(open_as_stranger(folder, path, &count), VT_OK);
  assert_int_equal(count, 3);
  vt_store_close(writer);
  vtt_folder_remove(folder);
}

/* What only the log holds must not be passed over in silence. */
static void a_log_that_cannot_be_recovered_is_told(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "run.db");
  size_t count = 0;
  leave_log(path);
  assert_int_equal(unlink(vtt_path(folder, "run.db-shm")), 0);
  assert_int_equal(open_as_stranger(folder, path, &count), VT_ERROR_IO);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_schema_is_as_documented),
      cmocka_unit_test(rows_come_back_in_key_order),
      cmocka_unit_test(a_cut_removes_what_came_at_a_step_and_after),
      cmocka_unit_test(readers_see_what_is_committed_and_nobody_waits),
      cmocka_unit_test(a_killed_writer_loses_only_what_was_under_way),
      cmocka_unit_test(columns_of_a_later_version_are_no_hindrance),
      cmocka_unit_test(what_is_no_run_database_is_refused),
      cmocka_unit_test(a_table_that_is_missing_is_damage),
      cmocka_unit_test(runs_are_read_where_nothing_can_be_written),
      cmocka_unit_test(a_run_being_written_is_read_by_those_who_may_not_write),
      cmocka_unit_test(a_log_that_cannot_be_recovered_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * store_counts.c: counts as an SQLite database, in one transaction; docs/run-format.md describes it. A row of counts is
 * one row: its columns and units as blobs, since 40 million small rows would take minutes and gigabytes.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "run/counts_file.h"
#include "base/error.h"
#include "vectrail/version.h"

static enum vt_status fail(sqlite3 *database, const char *path, struct vt_error *error) {
  return VT_FAIL(error, VT_ERROR_IO, "%s: cannot write: %s", path, sqlite3_errmsg(database));
}

static const char schema[] =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL, count INTEGER NOT NULL);"
    "CREATE TABLE row(word INTEGER PRIMARY KEY, pairs INTEGER NOT NULL, total INTEGER NOT NULL, columns BLOB NOT NULL, "
    "units BLOB NOT NULL);";

static enum vt_status run(sqlite3 *database, sqlite3_stmt *statement, const char *path, struct vt_error *error) {
  bool done = sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK;
  return done ? VT_OK : fail(database, path, error);
}

static enum vt_status write_meta(sqlite3 *database, sqlite3_stmt *statement, const struct vt_cooccur *counts,
                                 const char *path, struct vt_error *error) {
  const struct vt_cooccur_options options = vt_cooccur_counted_by(counts);
  char window[24], scale[24], words[24], pairs[24];
  snprintf(window, sizeof window, "%" PRIu32, options.window);
  snprintf(scale, sizeof scale, "%" PRIu64, vt_cooccur_scale(counts));
  snprintf(words, sizeof words, "%" PRIu32, vt_cooccur_words(counts));
  snprintf(pairs, sizeof pairs, "%" PRIu64, vt_cooccur_pairs(counts));
  const char *const rows[][2] = {{"format", "vectrail counts 1"},
                                 {"vectrail", vt_version()},
                                 {"window", window},
                                 {"weight", vt_counts_weight_name(options.weight)},
                                 {"sides", vt_counts_sides_name(options.sides)},
                                 {"scale", scale},
                                 {"words", words},
                                 {"pairs", pairs}};
  for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
    if (sqlite3_bind_text(statement, 1, rows[k][0], -1, SQLITE_TRANSIENT) != SQLITE_OK ||
        sqlite3_bind_text(statement, 2, rows[k][1], -1, SQLITE_TRANSIENT) != SQLITE_OK)
      return fail(database, path, error);
    VT_TRY(run(database, statement, path, error));
  }
  return VT_OK;
}

static enum vt_status write_words(sqlite3 *database, sqlite3_stmt *statement, const struct vt_vocab *vocab,
                                  const char *path, struct vt_error *error) {
  for (uint32_t id = 0; id < vt_vocab_size(vocab); id++) {
    if (sqlite3_bind_int64(statement, 1, id) != SQLITE_OK ||
        sqlite3_bind_text(statement, 2, vt_vocab_text(vocab, id), -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)vt_vocab_count(vocab, id)) != SQLITE_OK)
      return fail(database, path, error);
    VT_TRY(run(database, statement, path, error));
  }
  return VT_OK;
}

static enum vt_status write_rows(sqlite3 *database, sqlite3_stmt *statement, const struct vt_cooccur *counts,
                                 const char *path, struct vt_error *error) {
  for (uint32_t word = 0; word < vt_cooccur_words(counts); word++) {
    const uint32_t *columns;
    const uint64_t *units;
    const size_t pairs = vt_cooccur_row(counts, word, &columns, &units);
    if (pairs == 0) continue;
    if (sqlite3_bind_int64(statement, 1, word) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 2, (sqlite3_int64)pairs) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)vt_cooccur_row_units(counts, word)) != SQLITE_OK ||
        sqlite3_bind_blob64(statement, 4, columns, pairs * sizeof *columns, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_blob64(statement, 5, units, pairs * sizeof *units, SQLITE_STATIC) != SQLITE_OK)
      return fail(database, path, error);
    VT_TRY(run(database, statement, path, error));
  }
  return VT_OK;
}

enum vt_status vt_counts_write_database(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                        struct vt_error *error) {
  static const char *const inserts[] = {"INSERT INTO meta VALUES(?, ?)", "INSERT INTO word VALUES(?, ?, ?)",
                                        "INSERT INTO row VALUES(?, ?, ?, ?, ?)"};
  sqlite3 *database = NULL;
  sqlite3_stmt *statements[3] = {NULL, NULL, NULL};
  bool done =
      sqlite3_open(path, &database) == SQLITE_OK && sqlite3_exec(database, schema, NULL, NULL, NULL) == SQLITE_OK;
  for (int k = 0; done && k < 3; k++)
    done = sqlite3_prepare_v2(database, inserts[k], -1, &statements[k], NULL) == SQLITE_OK;
  enum vt_status status = done ? VT_OK : fail(database, path, error);
  if (status == VT_OK) status = write_meta(database, statements[0], counts, path, error);
  if (status == VT_OK) status = write_words(database, statements[1], vocab, path, error);
  if (status == VT_OK) status = write_rows(database, statements[2], counts, path, error);
  for (int k = 0; k < 3; k++) (void)sqlite3_finalize(statements[k]);
  if (status == VT_OK && sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
    status = fail(database, path, error);
  (void)sqlite3_close(database);
  return status;
}

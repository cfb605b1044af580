/*
 * store_counts.c: counts as an SQLite database, in one transaction; docs/run-format.md describes it. A row of counts is
 * one row: its columns and units as blobs, since 40 million small rows would take minutes and gigabytes.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "run/counts_file.h"
#include "run/settings.h"
#include "vectrail/version.h"

struct writer {
  sqlite3 *database;
  const char *path;
  sqlite3_stmt *statements[3]; /* meta, word, row */
  uint64_t hash;
};

static enum vt_status fail(const struct writer *writer, struct vt_error *error) {
  return VT_FAIL(error, VT_ERROR_IO, "%s: cannot write: %s", writer->path, sqlite3_errmsg(writer->database));
}

static const char schema[] =
    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL, count INTEGER NOT NULL);"
    "CREATE TABLE row(word INTEGER PRIMARY KEY, pairs INTEGER NOT NULL, total INTEGER NOT NULL, columns BLOB NOT NULL, "
    "units BLOB NOT NULL);";

static enum vt_status run(const struct writer *writer, sqlite3_stmt *statement, struct vt_error *error) {
  bool done = sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK;
  return done ? VT_OK : fail(writer, error);
}

static enum vt_status put_meta(struct writer *writer, const char *key, const char *value, struct vt_error *error) {
  sqlite3_stmt *statement = writer->statements[0];
  if (sqlite3_bind_text(statement, 1, key, -1, SQLITE_TRANSIENT) != SQLITE_OK ||
      sqlite3_bind_text(statement, 2, value, -1, SQLITE_TRANSIENT) != SQLITE_OK)
    return fail(writer, error);
  return run(writer, statement, error);
}

static enum vt_status write_meta(struct writer *writer, const struct vt_cooccur *counts, struct vt_error *error) {
  const struct vt_cooccur_options by = vt_cooccur_counted_by(counts);
  const struct vt_cooccur_source on = vt_cooccur_counted_on(counts);
  char values[VT_COUNTS_KEYS][VT_SETTINGS_TEXT_BYTES];
  const uint64_t numbers[VT_COUNTS_KEYS] = {[VT_COUNTS_WINDOW] = by.window,
                                            [VT_COUNTS_SCALE] = vt_cooccur_scale(counts),
                                            [VT_COUNTS_WORDS] = vt_cooccur_words(counts),
                                            [VT_COUNTS_PAIRS] = vt_cooccur_pairs(counts),
                                            [VT_COUNTS_TOKENS] = on.tokens,
                                            [VT_COUNTS_SENTENCES] = on.sentences,
                                            [VT_COUNTS_FOLD_CASE] = on.fold_case,
                                            [VT_COUNTS_MIN_COUNT] = on.min_count,
                                            [VT_COUNTS_MAX_VOCAB] = on.max_vocab};
  for (int k = 0; k < VT_COUNTS_KEYS; k++) snprintf(values[k], sizeof values[k], "%" PRIu64, numbers[k]);
  snprintf(values[VT_COUNTS_WEIGHT], sizeof values[0], "%s", vt_cooccur_weight_name(by.weight));
  snprintf(values[VT_COUNTS_SIDES], sizeof values[0], "%s", vt_cooccur_sides_name(by.sides));
  snprintf(values[VT_COUNTS_CORPUS], sizeof values[0], "%016" PRIx64, on.fingerprint);
  snprintf(values[VT_COUNTS_RULE], sizeof values[0], "%s", on.rules_known ? vt_token_rule_name(on.rule) : "");
  vt_settings_real_text(by.sample, values[VT_COUNTS_SAMPLE]);
  VT_TRY(put_meta(writer, "format", VT_COUNTS_FORMAT VT_COUNTS_VERSION, error));
  VT_TRY(put_meta(writer, "vectrail", vt_version(), error));
  for (int k = 0; k < VT_COUNTS_KEYS; k++) {
    VT_TRY(put_meta(writer, vt_counts_key_name((enum vt_counts_key)k), values[k], error));
    writer->hash = vt_counts_hash(writer->hash, values[k], strlen(values[k]) + 1);
  }
  return VT_OK;
}

static enum vt_status write_words(struct writer *writer, const struct vt_vocab *vocab, struct vt_error *error) {
  sqlite3_stmt *statement = writer->statements[1];
  for (uint32_t id = 0; id < vt_vocab_size(vocab); id++) {
    const char *text = vt_vocab_text(vocab, id);
    const uint64_t count = vt_vocab_count(vocab, id);
    if (sqlite3_bind_int64(statement, 1, id) != SQLITE_OK ||
        sqlite3_bind_text(statement, 2, text, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_int64(statement, 3, (sqlite3_int64)count) != SQLITE_OK)
      return fail(writer, error);
    VT_TRY(run(writer, statement, error));
    writer->hash = vt_counts_hash(writer->hash, text, strlen(text) + 1);
    writer->hash = vt_counts_hash(writer->hash, &count, sizeof count);
  }
  return VT_OK;
}

static enum vt_status write_rows(struct writer *writer, const struct vt_cooccur *counts, struct vt_error *error) {
  sqlite3_stmt *statement = writer->statements[2];
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
      return fail(writer, error);
    VT_TRY(run(writer, statement, error));
    const uint64_t id = word;
    writer->hash = vt_counts_hash(writer->hash, &id, sizeof id);
    writer->hash = vt_counts_hash(writer->hash, columns, pairs * sizeof *columns);
    writer->hash = vt_counts_hash(writer->hash, units, pairs * sizeof *units);
  }
  return VT_OK;
}

static enum vt_status write_all(struct writer *writer, const struct vt_cooccur *counts, const struct vt_vocab *vocab,
                                struct vt_error *error) {
  char fingerprint[24];
  VT_TRY(write_meta(writer, counts, error));
  VT_TRY(write_words(writer, vocab, error));
  VT_TRY(write_rows(writer, counts, error));
  snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, writer->hash);
  VT_TRY(put_meta(writer, "fingerprint", fingerprint, error));
  return sqlite3_exec(writer->database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK ? VT_OK : fail(writer, error);
}

enum vt_status vt_counts_write_database(const struct vt_cooccur *counts, const struct vt_vocab *vocab, const char *path,
                                        struct vt_error *error) {
  static const char *const inserts[] = {"INSERT INTO meta VALUES(?, ?)", "INSERT INTO word VALUES(?, ?, ?)",
                                        "INSERT INTO row VALUES(?, ?, ?, ?, ?)"};
  struct writer writer = {.path = path};
  bool done = sqlite3_open(path, &writer.database) == SQLITE_OK &&
              sqlite3_exec(writer.database, schema, NULL, NULL, NULL) == SQLITE_OK;
  for (int k = 0; done && k < 3; k++)
    done = sqlite3_prepare_v2(writer.database, inserts[k], -1, &writer.statements[k], NULL) == SQLITE_OK;
  enum vt_status status = done ? write_all(&writer, counts, vocab, error) : fail(&writer, error);
  for (int k = 0; k < 3; k++) (void)sqlite3_finalize(writer.statements[k]);
  (void)sqlite3_close(writer.database);
  return status;
}

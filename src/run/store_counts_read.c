/*
 * store_counts_read.c: counts out of an SQLite database. Nothing in it is trusted: numbers are bounded by the size of
 * the file before room is made for them, rows are held against what rows are, and all of it against its fingerprint.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "run/counts_file.h"
#include "run/settings.h"
#include "text/cooccur.h"
#include "text/tally_row.h"

#define BUFFER_BYTES ((size_t)4 << 20)

struct reader {
  sqlite3 *database;
  const char *path;
  struct vt_cooccur *counts;
  struct vt_vocab *vocab;
  uint64_t file_bytes;
  uint64_t pairs; /* as meta says */
  uint64_t hash;
  /* Rows on their way to the file of the counts. */
  unsigned char *buffer;
  size_t bytes, room;
  uint64_t written;
};

static enum vt_status damaged(const struct reader *reader, const char *what, struct vt_error *error) {
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "count again: vectrail cooccur CORPUS -o FILE", "%s: damaged counts: %s",
                      reader->path, what);
}

static enum vt_status fail(const struct reader *reader, struct vt_error *error) {
  const int code = sqlite3_errcode(reader->database) & 0xff;
  if (code == SQLITE_NOMEM)
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, VT_HELP_MEMORY, "%s: out of memory", reader->path);
  if (code == SQLITE_NOTADB || code == SQLITE_ERROR)
    return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "make counts with vectrail cooccur CORPUS -o counts.db",
                        "%s: not a database of counts: %s", reader->path, sqlite3_errmsg(reader->database));
  if (code == SQLITE_CORRUPT) return damaged(reader, sqlite3_errmsg(reader->database), error);
  return VT_FAIL(error, VT_ERROR_IO, "%s: cannot read: %s", reader->path, sqlite3_errmsg(reader->database));
}

/* ---- meta -------------------------------------------------------------------------------------------------------- */

static enum vt_status find_meta(const struct reader *reader, const char *key, char *value, size_t room,
                                struct vt_error *error) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(reader->database, "SELECT value FROM meta WHERE key = ?", -1, &statement, NULL) != SQLITE_OK ||
      sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC) != SQLITE_OK) {
    sqlite3_finalize(statement);
    return fail(reader, error);
  }
  const int code = sqlite3_step(statement);
  const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
  enum vt_status status = VT_OK;
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    status = fail(reader, error);
  else if (text == NULL || strlen(text) >= room)
    status = damaged(reader, key, error);
  else
    memcpy(value, text, strlen(text) + 1);
  sqlite3_finalize(statement);
  return status;
}

static bool parse_count(const char *text, uint64_t high, uint64_t *value) {
  char *end;
  if (*text < '0' || *text > '9' || strlen(text) > 19) return false;
  *value = strtoull(text, &end, 10);
  return *end == '\0' && *value <= high;
}

static bool parse_names(char values[][VT_SETTINGS_TEXT_BYTES], struct vt_cooccur *counts) {
  struct vt_cooccur_options *by = &counts->options;
  for (by->weight = VT_COOCCUR_DISTANCE; strcmp(vt_cooccur_weight_name(by->weight), values[VT_COUNTS_WEIGHT]) != 0;)
    if (++by->weight > VT_COOCCUR_FLAT) return false;
  by->sides = strcmp(values[VT_COUNTS_SIDES], "left") == 0 ? VT_COOCCUR_LEFT : VT_COOCCUR_BOTH;
  if (strcmp(vt_cooccur_sides_name(by->sides), values[VT_COUNTS_SIDES]) != 0) return false;
  char *end;
  counts->source.fingerprint = strtoull(values[VT_COUNTS_CORPUS], &end, 16);
  if (*end != '\0' || end != values[VT_COUNTS_CORPUS] + 16) return false;
  counts->source.rules_known = values[VT_COUNTS_RULE][0] != '\0';
  return !counts->source.rules_known || vt_token_rule_find(values[VT_COUNTS_RULE], &counts->source.rule);
}

/* Every word and every pair takes a byte of the file, at least. */
static bool parse_meta(char values[][VT_SETTINGS_TEXT_BYTES], struct reader *reader) {
  static const uint64_t highest[VT_COUNTS_KEYS] = {[VT_COUNTS_WINDOW] = VT_COOCCUR_WINDOW_MAX,
                                                   [VT_COUNTS_SCALE] = UINT64_MAX,
                                                   [VT_COUNTS_WORDS] = UINT32_MAX - 1,
                                                   [VT_COUNTS_PAIRS] = UINT64_MAX,
                                                   [VT_COUNTS_TOKENS] = UINT64_MAX / 4,
                                                   [VT_COUNTS_SENTENCES] = UINT64_MAX / 4,
                                                   [VT_COUNTS_FOLD_CASE] = 1,
                                                   [VT_COUNTS_MIN_COUNT] = UINT64_MAX,
                                                   [VT_COUNTS_MAX_VOCAB] = UINT32_MAX};
  struct vt_cooccur *counts = reader->counts;
  uint64_t numbers[VT_COUNTS_KEYS] = {0};
  for (int k = 0; k < VT_COUNTS_KEYS; k++)
    if (highest[k] > 0 && !parse_count(values[k], highest[k], &numbers[k])) return false;
  if (!parse_names(values, counts) || !vt_settings_parse_real(values[VT_COUNTS_SAMPLE], &counts->options.sample))
    return false;
  counts->options.window = (uint32_t)numbers[VT_COUNTS_WINDOW];
  counts->options.threads = 1;
  counts->expected = counts->options.sample > 0;
  counts->words = (uint32_t)numbers[VT_COUNTS_WORDS];
  reader->pairs = numbers[VT_COUNTS_PAIRS];
  counts->source.tokens = numbers[VT_COUNTS_TOKENS];
  counts->source.sentences = numbers[VT_COUNTS_SENTENCES];
  counts->source.fold_case = numbers[VT_COUNTS_FOLD_CASE] == 1;
  counts->source.min_count = numbers[VT_COUNTS_MIN_COUNT];
  counts->source.max_vocab = (uint32_t)numbers[VT_COUNTS_MAX_VOCAB];
  if (vt_cooccur_options_check(&counts->options, NULL) != VT_OK) return false;
  if (counts->expected && (counts->options.weight != VT_COOCCUR_LINEAR || counts->options.sides != VT_COOCCUR_BOTH))
    return false;
  return counts->words > 0 && counts->words < reader->file_bytes && numbers[VT_COUNTS_PAIRS] < reader->file_bytes &&
         numbers[VT_COUNTS_SCALE] == vt_cooccur_scale(counts) && counts->source.tokens > 0;
}

static enum vt_status read_meta(struct reader *reader, struct vt_error *error) {
  char format[64], fingerprint[24], values[VT_COUNTS_KEYS][VT_SETTINGS_TEXT_BYTES];
  VT_TRY(find_meta(reader, "format", format, sizeof format, error));
  if (strncmp(format, VT_COUNTS_FORMAT, strlen(VT_COUNTS_FORMAT)) != 0) return damaged(reader, "format", error);
  if (strcmp(format + strlen(VT_COUNTS_FORMAT), VT_COUNTS_VERSION) != 0)
    return VT_FAIL_HELP(error, VT_ERROR_VERSION, "count again: vectrail cooccur CORPUS -o FILE",
                        "%s: \"%s\", and this version reads \"" VT_COUNTS_FORMAT VT_COUNTS_VERSION "\"", reader->path,
                        format);
  VT_TRY(find_meta(reader, "fingerprint", fingerprint, sizeof fingerprint, error));
  char *end;
  reader->counts->fingerprint = strtoull(fingerprint, &end, 16);
  if (*end != '\0' || end != fingerprint + 16) return damaged(reader, "fingerprint", error);
  for (int k = 0; k < VT_COUNTS_KEYS; k++) {
    VT_TRY(find_meta(reader, vt_counts_key_name((enum vt_counts_key)k), values[k], sizeof values[k], error));
    reader->hash = vt_counts_hash(reader->hash, values[k], strlen(values[k]) + 1);
  }
  return parse_meta(values, reader) ? VT_OK : damaged(reader, "what it says of itself makes no sense", error);
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

static enum vt_status take_words(struct reader *reader, sqlite3_stmt *statement, char **texts, uint64_t *totals,
                                 struct vt_error *error) {
  uint32_t count = 0;
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    if (count == reader->counts->words || sqlite3_column_int64(statement, 0) != (sqlite3_int64)count ||
        sqlite3_column_type(statement, 1) != SQLITE_TEXT || sqlite3_column_type(statement, 2) != SQLITE_INTEGER)
      return damaged(reader, "its words are not in order", error);
    const char *text = (const char *)sqlite3_column_text(statement, 1);
    if (text == NULL) return fail(reader, error);
    texts[count] = vt_copy_string(text);
    if (texts[count] == NULL) return VT_FAIL_MEMORY(error, strlen(text));
    totals[count] = (uint64_t)sqlite3_column_int64(statement, 2);
    reader->hash = vt_counts_hash(reader->hash, text, strlen(text) + 1);
    reader->hash = vt_counts_hash(reader->hash, &totals[count], sizeof totals[count]);
    count++;
  }
  if (code != SQLITE_DONE) return fail(reader, error);
  return count == reader->counts->words ? VT_OK : damaged(reader, "words are missing", error);
}

static enum vt_status read_words(struct reader *reader, struct vt_error *error) {
  const uint32_t words = reader->counts->words;
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(reader->database, "SELECT id, text, count FROM word", -1, &statement, NULL) != SQLITE_OK)
    return fail(reader, error);
  char **texts = vt_alloc_zero(words, sizeof *texts);
  uint64_t *totals = vt_alloc(words, sizeof *totals);
  enum vt_status status = VT_OK;
  if (texts == NULL || totals == NULL) status = VT_FAIL_MEMORY(error, words * (sizeof *texts + sizeof *totals));
  if (status == VT_OK) status = take_words(reader, statement, texts, totals, error);
  if (status == VT_OK) {
    status = vt_vocab_create((const char *const *)texts, totals, words, &reader->vocab, error);
    if (status == VT_ERROR_FORMAT) status = damaged(reader, "words repeat", error);
    if (status == VT_OK && vt_vocab_tokens(reader->vocab) != reader->counts->source.tokens)
      status = damaged(reader, "words do not add up to the text", error);
  }
  for (uint32_t word = 0; texts != NULL && word < words; word++) vt_free(texts[word]);
  vt_free(texts);
  vt_free(totals);
  sqlite3_finalize(statement);
  return status;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static enum vt_status flush(struct reader *reader, struct vt_error *error) {
  VT_TRY(vt_scratch_write(&reader->counts->file, reader->buffer, reader->bytes, reader->written, error));
  reader->written += reader->bytes;
  reader->bytes = 0;
  return VT_OK;
}

/* Room for a row; what it takes is there in the database already. */
static enum vt_status make_room(struct reader *reader, size_t bytes, struct vt_error *error) {
  if (reader->bytes + bytes <= reader->room) return VT_OK;
  VT_TRY(flush(reader, error));
  if (bytes <= reader->room) return VT_OK;
  unsigned char *larger = vt_realloc(reader->buffer, bytes, 1);
  if (larger == NULL) return VT_FAIL_MEMORY(error, bytes);
  reader->buffer = larger;
  reader->room = bytes;
  return VT_OK;
}

static bool is_row(const uint32_t *columns, const uint64_t *units, size_t pairs, uint32_t words, uint64_t total) {
  for (size_t k = 0; k < pairs; k++) {
    if (columns[k] >= words || (k > 0 && columns[k] <= columns[k - 1]) || units[k] == 0) return false;
    total -= units[k];
  }
  return total == 0;
}

static enum vt_status take_row(struct reader *reader, sqlite3_stmt *statement, uint32_t word, struct vt_error *error) {
  struct vt_cooccur *counts = reader->counts;
  const size_t column_bytes = (size_t)sqlite3_column_bytes(statement, 3), pairs = column_bytes / sizeof(uint32_t);
  const void *columns = sqlite3_column_blob(statement, 3), *units = sqlite3_column_blob(statement, 4);
  if (pairs == 0 || columns == NULL || units == NULL || column_bytes != pairs * sizeof(uint32_t) ||
      sqlite3_column_int64(statement, 1) != (sqlite3_int64)pairs ||
      (size_t)sqlite3_column_bytes(statement, 4) != pairs * sizeof(uint64_t))
    return damaged(reader, "a row has other lengths than it says", error);
  const size_t bytes = vt_row_bytes(pairs);
  VT_TRY(make_room(reader, bytes, error));
  uint32_t *to = (uint32_t *)(void *)(reader->buffer + reader->bytes);
  uint64_t *to_units = (uint64_t *)(void *)(to + pairs + pairs % 2);
  memcpy(to, columns, pairs * sizeof *to);
  memcpy(to_units, units, pairs * sizeof *to_units);
  if (pairs % 2 == 1) to[pairs] = 0;
  if (!is_row(to, to_units, pairs, counts->words, (uint64_t)sqlite3_column_int64(statement, 2)))
    return damaged(reader, "a row holds no counts", error);
  const uint64_t id = word;
  reader->hash = vt_counts_hash(reader->hash, &id, sizeof id);
  reader->hash = vt_counts_hash(reader->hash, to, pairs * sizeof *to);
  reader->hash = vt_counts_hash(reader->hash, to_units, pairs * sizeof *to_units);
  reader->bytes += bytes;
  counts->pairs += pairs;
  return VT_OK;
}

static enum vt_status take_rows(struct reader *reader, sqlite3_stmt *statement, struct vt_error *error) {
  struct vt_cooccur *counts = reader->counts;
  uint32_t next = 0; /* word */
  int code;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    const sqlite3_int64 word = sqlite3_column_int64(statement, 0);
    if (word < (sqlite3_int64)next || word >= (sqlite3_int64)counts->words)
      return damaged(reader, "its rows are not in order", error);
    while (next <= word) counts->starts[next++] = reader->written + reader->bytes;
    VT_TRY(take_row(reader, statement, (uint32_t)word, error));
  }
  if (code != SQLITE_DONE) return fail(reader, error);
  while (next <= counts->words) counts->starts[next++] = reader->written + reader->bytes;
  if (counts->pairs != reader->pairs || counts->pairs == 0) return damaged(reader, "pairs are missing", error);
  VT_TRY(flush(reader, error));
  if (reader->hash != counts->fingerprint) return damaged(reader, "they do not match their fingerprint", error);
  return vt_scratch_map(&counts->file, (size_t)reader->written, error);
}

static enum vt_status read_rows(struct reader *reader, struct vt_error *error) {
  struct vt_cooccur *counts = reader->counts;
  sqlite3_stmt *statement;
  counts->starts = vt_alloc_zero((size_t)counts->words + 1, sizeof *counts->starts);
  reader->room = vt_row_bytes(reader->pairs);
  if (reader->room > BUFFER_BYTES) reader->room = BUFFER_BYTES;
  reader->buffer = vt_alloc(reader->room, 1);
  if (counts->starts == NULL || reader->buffer == NULL) return VT_FAIL_MEMORY(error, reader->room);
  if (sqlite3_prepare_v2(reader->database, "SELECT word, pairs, total, columns, units FROM row", -1, &statement,
                         NULL) != SQLITE_OK)
    return fail(reader, error);
  enum vt_status status = take_rows(reader, statement, error);
  sqlite3_finalize(statement);
  return status;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* A view of that name could go on for ever, and has no page; rows of a table come in the order of its key. */
static enum vt_status check_tables(const struct reader *reader, struct vt_error *error) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(reader->database,
                         "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND rootpage > 0 "
                         "AND name IN ('meta', 'word', 'row')",
                         -1, &statement, NULL) != SQLITE_OK)
    return fail(reader, error);
  const int code = sqlite3_step(statement), tables = code == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
  enum vt_status status = code == SQLITE_ROW ? VT_OK : fail(reader, error);
  sqlite3_finalize(statement);
  VT_TRY(status);
  if (tables == 3) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_CORRUPT, "make counts with vectrail cooccur CORPUS -o counts.db",
                      "%s: not a database of counts", reader->path);
}

static enum vt_status read_all(struct reader *reader, struct vt_error *error) {
  struct stat info;
  if (sqlite3_open_v2(reader->path, &reader->database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
      stat(reader->path, &info) != 0)
    return fail(reader, error);
  sqlite3_db_config(reader->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(reader->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  reader->file_bytes = (uint64_t)info.st_size;
  VT_TRY(check_tables(reader, error));
  VT_TRY(read_meta(reader, error));
  VT_TRY(read_words(reader, error));
  return read_rows(reader, error);
}

enum vt_status vt_counts_read_database(const char *path, const char *folder, struct vt_cooccur **counts,
                                       struct vt_vocab **vocab, struct vt_error *error) {
  struct reader reader = {.path = path};
  VT_TRY(vt_cooccur_create(folder, &reader.counts, error));
  enum vt_status status = read_all(&reader, error);
  (void)sqlite3_close(reader.database);
  vt_free(reader.buffer);
  if (status != VT_OK) {
    vt_cooccur_free(reader.counts);
    vt_vocab_free(reader.vocab);
    return status;
  }
  *counts = reader.counts;
  *vocab = reader.vocab;
  return VT_OK;
}

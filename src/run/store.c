/* store.c: the schema, and rows in and out. */
#define _POSIX_C_SOURCE 200809L

#include "run/store.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "run/checked_pages.h"
#include "vectrail/run.h"

#define APPLICATION_ID 0x76747261 /* "vtra" */
#define BUSY_MILLISECONDS 5000

struct table {
  int columns;
  const char *create;
  const char *insert;
  const char *read;
};

#define CREATE_DOCUMENT                                                                                                \
  "CREATE TABLE IF NOT EXISTS document(id INTEGER PRIMARY KEY, input INTEGER NOT NULL, line INTEGER NOT NULL, "        \
  "text TEXT NOT NULL);"

static const struct table tables[VT_STORE_TABLES] = {
    [VT_STORE_META] = {2, "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;",
                       "INSERT OR REPLACE INTO meta(key, value) VALUES(?,?)",
                       "SELECT key, value FROM meta ORDER BY key"},
    [VT_STORE_WORD] = {3,
                       "CREATE TABLE word(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, count INTEGER NOT NULL);",
                       "INSERT OR REPLACE INTO word(id, text, count) VALUES(?,?,?)",
                       "SELECT id, text, count FROM word ORDER BY id"},
    [VT_STORE_STEP] = {5,
                       "CREATE TABLE step(step INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, tokens INTEGER NOT NULL, "
                       "seconds REAL NOT NULL, lr REAL NOT NULL);",
                       "INSERT OR REPLACE INTO step(step, epoch, tokens, seconds, lr) VALUES(?,?,?,?,?)",
                       "SELECT step, epoch, tokens, seconds, lr FROM step ORDER BY step"},
    [VT_STORE_METRIC] = {3,
                         "CREATE TABLE metric(step INTEGER NOT NULL, name TEXT NOT NULL, value REAL, "
                         "PRIMARY KEY(name, step)) WITHOUT ROWID;",
                         "INSERT OR REPLACE INTO metric(step, name, value) VALUES(?,?,?)",
                         "SELECT step, name, value FROM metric ORDER BY name, step"},
    [VT_STORE_PAIR] = {4,
                       "CREATE TABLE pair(a INTEGER NOT NULL, b INTEGER NOT NULL, step INTEGER NOT NULL, "
                       "cosine REAL NOT NULL, PRIMARY KEY(a, b, step)) WITHOUT ROWID;",
                       "INSERT OR REPLACE INTO pair(a, b, step, cosine) VALUES(?,?,?,?)",
                       "SELECT a, b, step, cosine FROM pair ORDER BY a, b, step"},
    [VT_STORE_TRAIL] = {3,
                        "CREATE TABLE trail(word INTEGER NOT NULL, step INTEGER NOT NULL, vector BLOB NOT NULL, "
                        "PRIMARY KEY(word, step));",
                        "INSERT OR REPLACE INTO trail(word, step, vector) VALUES(?,?,?)",
                        "SELECT word, step, vector FROM trail ORDER BY word, step"},
    [VT_STORE_SNAPSHOT] = {4,
                           "CREATE TABLE snapshot(step INTEGER PRIMARY KEY, path TEXT NOT NULL, dtype TEXT NOT NULL, "
                           "sha256 TEXT NOT NULL);",
                           "INSERT OR REPLACE INTO snapshot(step, path, dtype, sha256) VALUES(?,?,?,?)",
                           "SELECT step, path, dtype, sha256 FROM snapshot ORDER BY step"},
    [VT_STORE_EVENT] = {4,
                        "CREATE TABLE event(step INTEGER NOT NULL, kind TEXT NOT NULL, severity TEXT NOT NULL, "
                        "text TEXT NOT NULL);",
                        "INSERT INTO event(step, kind, severity, text) VALUES(?,?,?,?)",
                        "SELECT step, kind, severity, text FROM event ORDER BY rowid"},
    [VT_STORE_LEDGER] = {6,
                         "CREATE TABLE ledger(word INTEGER NOT NULL, source INTEGER NOT NULL, role TEXT NOT NULL, "
                         "span INTEGER NOT NULL, updates INTEGER NOT NULL, vector BLOB NOT NULL, "
                         "PRIMARY KEY(word, span, role, source)) WITHOUT ROWID;",
                         "INSERT OR REPLACE INTO ledger(word, source, role, span, updates, vector) VALUES(?,?,?,?,?,?)",
                         "SELECT word, source, role, span, updates, vector FROM ledger "
                         "ORDER BY word, source, role, span"},
    [VT_STORE_DOCUMENT] = {4, CREATE_DOCUMENT, "INSERT OR REPLACE INTO document(id, input, line, text) VALUES(?,?,?,?)",
                           "SELECT id, input, line, text FROM document ORDER BY id"},
};

#define COLUMNS_MAX 6

struct vt_store {
  sqlite3 *database;
  char *path;
  bool writes;
  sqlite3_stmt *inserts[VT_STORE_TABLES]; /* prepared at first use */
};

/* ---- values ------------------------------------------------------------------------------------------------------ */

struct vt_store_value vt_store_integer(uint64_t value) {
  return (struct vt_store_value){.type = VT_STORE_INTEGER, .integer = (int64_t)value};
}

struct vt_store_value vt_store_real(double value) {
  return (struct vt_store_value){.type = isnan(value) ? VT_STORE_NULL : VT_STORE_REAL, .real = value};
}

struct vt_store_value vt_store_text(const char *text) {
  return (struct vt_store_value){.type = VT_STORE_TEXT, .data = text, .bytes = strlen(text)};
}

struct vt_store_value vt_store_blob(const void *data, size_t bytes) {
  return (struct vt_store_value){.type = VT_STORE_BLOB, .data = data, .bytes = bytes};
}

static int bind(sqlite3_stmt *statement, int column, const struct vt_store_value *value) {
  switch (value->type) {
  case VT_STORE_NULL:
    return sqlite3_bind_null(statement, column);
  case VT_STORE_INTEGER:
    return sqlite3_bind_int64(statement, column, value->integer);
  case VT_STORE_REAL:
    return sqlite3_bind_double(statement, column, value->real);
  case VT_STORE_TEXT:
    return sqlite3_bind_text64(statement, column, value->data, value->bytes, SQLITE_STATIC, SQLITE_UTF8);
  case VT_STORE_BLOB:
    return sqlite3_bind_blob64(statement, column, value->data, value->bytes, SQLITE_STATIC);
  }
  return SQLITE_MISUSE;
}

/* Both readings of a number are given: a whole real is stored as an integer by some writers. */
static struct vt_store_value column(sqlite3_stmt *statement, int index) {
  struct vt_store_value value = {.type = VT_STORE_NULL, .real = NAN};
  switch (sqlite3_column_type(statement, index)) {
  case SQLITE_INTEGER:
  case SQLITE_FLOAT:
    value.type = sqlite3_column_type(statement, index) == SQLITE_INTEGER ? VT_STORE_INTEGER : VT_STORE_REAL;
    value.integer = sqlite3_column_int64(statement, index);
    value.real = sqlite3_column_double(statement, index);
    break;
  case SQLITE_TEXT:
    value.type = VT_STORE_TEXT;
    value.data = sqlite3_column_text(statement, index);
    value.bytes = (size_t)sqlite3_column_bytes(statement, index);
    break;
  case SQLITE_BLOB:
    value.type = VT_STORE_BLOB;
    value.data = sqlite3_column_blob(statement, index);
    value.bytes = (size_t)sqlite3_column_bytes(statement, index);
    break;
  default:
    break;
  }
  return value;
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

static enum vt_status fail(const struct vt_store *store, struct vt_error *error) {
  int code = sqlite3_extended_errcode(store->database), primary = code & 0xff;
  const char *text = sqlite3_errmsg(store->database);
  if (code == SQLITE_IOERR_DATA)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged database: the page at byte %lld does not match its checksum",
                   store->path, (long long)vt_checked_pages_damage(store->database));
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB || primary == SQLITE_ERROR || primary == SQLITE_MISMATCH ||
      primary == SQLITE_CONSTRAINT)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: damaged database: %s", store->path, text);
  if (primary == SQLITE_NOMEM)
    return VT_FAIL_HELP(error, VT_ERROR_MEMORY, VT_HELP_MEMORY, "%s: out of memory", store->path);
  if (primary == SQLITE_FULL)
    return VT_FAIL_HELP(error, VT_ERROR_IO, "free some space", "%s: the disk is full", store->path);
  return VT_FAIL(error, VT_ERROR_IO, "%s: %s", store->path, text);
}

static enum vt_status run(struct vt_store *store, const char *sql, struct vt_error *error) {
  return sqlite3_exec(store->database, sql, NULL, NULL, NULL) == SQLITE_OK ? VT_OK : fail(store, error);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static enum vt_status open_database(const char *path, const char *name, int flags, struct vt_store **out,
                                    struct vt_error *error) {
  struct vt_store *store = vt_alloc_zero(1, sizeof *store);
  if (store == NULL) return VT_FAIL_MEMORY(error, sizeof *store);
  store->path = vt_copy_string(path);
  enum vt_status status = VT_OK;
  const char *layer = vt_checked_pages();
  if (store->path == NULL || layer == NULL)
    status = VT_FAIL_MEMORY(error, strlen(path));
  else if (sqlite3_open_v2(name, &store->database, flags | SQLITE_OPEN_NOMUTEX, layer) != SQLITE_OK)
    status = fail(store, error); /* a handle that could not be made counts as out of memory */
  if (status != VT_OK) {
    vt_store_close(store);
    return status;
  }
  sqlite3_busy_timeout(store->database, BUSY_MILLISECONDS);
  sqlite3_db_config(store->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  *out = store;
  return VT_OK;
}

/* Every commit is synced: what was recorded before a checkpoint must survive whatever the checkpoint survives. There is
 * one commit a second. */
static enum vt_status prepare_to_write(struct vt_store *store, struct vt_error *error) {
  store->writes = true;
  return run(store, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", error);
}

static enum vt_status create_schema(struct vt_store *store, struct vt_error *error) {
  char sql[160];
  snprintf(sql, sizeof sql, "PRAGMA application_id=%d; PRAGMA user_version=%d;", APPLICATION_ID, VT_RUN_SCHEMA_VERSION);
  if (vt_checked_pages_begin(store->database) != SQLITE_OK) return fail(store, error);
  VT_TRY(prepare_to_write(store, error));
  VT_TRY(run(store, "BEGIN", error));
  VT_TRY(run(store, sql, error));
  for (int t = 0; t < VT_STORE_TABLES; t++) VT_TRY(run(store, tables[t].create, error));
  snprintf(sql, sizeof sql, "INSERT INTO meta(key, value) VALUES('schema', '%d')", VT_RUN_SCHEMA_VERSION);
  VT_TRY(run(store, sql, error));
  return run(store, "COMMIT", error);
}

enum vt_status vt_store_create(const char *path, struct vt_store **out, struct vt_error *error) {
  struct vt_store *store;
  struct stat there;
  if (stat(path, &there) == 0) return VT_FAIL(error, VT_ERROR_EXISTS, "%s: exists already", path);
  VT_TRY(open_database(path, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &store, error));
  enum vt_status status = create_schema(store, error);
  if (status != VT_OK) {
    vt_store_close(store);
    return status;
  }
  *out = store;
  return VT_OK;
}

static enum vt_status read_pragma(struct vt_store *store, const char *sql, int64_t *value, struct vt_error *error) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL) != SQLITE_OK) return fail(store, error);
  int code = sqlite3_step(statement);
  *value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  enum vt_status status = code == SQLITE_ROW || code == SQLITE_DONE ? VT_OK : fail(store, error);
  sqlite3_finalize(statement);
  return status;
}

static enum vt_status check_schema(struct vt_store *store, struct vt_error *error) {
  int64_t application = 0, version = 0;
  VT_TRY(read_pragma(store, "PRAGMA application_id", &application, error));
  VT_TRY(read_pragma(store, "PRAGMA user_version", &version, error));
  if (application != APPLICATION_ID || version < 1)
    return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not the database of a vectrail run", store->path);
  if (version > VT_RUN_SCHEMA_VERSION)
    return VT_FAIL_HELP(error, VT_ERROR_VERSION, "use the version of vectrail that wrote it, or a later one",
                        "%s: written with schema %lld; this version reads up to %d", store->path, (long long)version,
                        VT_RUN_SCHEMA_VERSION);
  return VT_OK;
}

/* "file:" + path with every byte that means something in a URI escaped + "?immutable=1". "//" before an absolute path
 * is an empty host: a path that itself begins with two slashes would name one. */
static char *immutable_name(const char *path) {
  size_t bytes = strlen(path);
  char *name = vt_alloc(3 * bytes + 32, 1), *to = name;
  if (name == NULL) return NULL;
  to += snprintf(to, 8, "file:%s", *path == '/' ? "//" : "");
  for (const char *from = path; *from != '\0'; from++) {
    bool plain = strchr("%?#", *from) == NULL;
    to += snprintf(to, 4, plain ? "%c" : "%%%02X", (unsigned char)*from);
  }
  snprintf(to, 16, "?immutable=1");
  return name;
}

/* Whether there is a log beside the database ("-wal", "-journal") of more than so many bytes; false, too, when out of
 * memory. */
static bool has_log(const char *path, const char *ending, off_t more_than) {
  size_t bytes = strlen(path) + strlen(ending) + 1;
  char *log = vt_alloc(bytes, 1);
  struct stat info;
  if (log == NULL) return false;
  snprintf(log, bytes, "%s%s", path, ending);
  bool there = stat(log, &info) == 0 && info.st_size > more_than;
  vt_free(log);
  return there;
}

/* On read-only media the index of a write-ahead log cannot be made; the file itself is complete if its log is empty. */
static enum vt_status open_immutable(const char *path, struct vt_store **store, struct vt_error *error) {
  if (has_log(path, "-wal", 0))
    return VT_FAIL_HELP(error, VT_ERROR_IO, "copy the run to a folder that can be written to",
                        "%s: its write-ahead log has to be recovered", path);
  char *name = immutable_name(path);
  if (name == NULL) return VT_FAIL_MEMORY(error, strlen(path));
  enum vt_status status = open_database(path, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, store, error);
  vt_free(name);
  return status;
}

enum vt_status vt_store_open(const char *path, struct vt_store **out, struct vt_error *error) {
  struct stat info;
  if (stat(path, &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      return VT_FAIL(error, VT_ERROR_NOT_FOUND, "%s: there is no run database here", path);
    return VT_FAIL(error, VT_ERROR_IO, "%s: cannot open: %s", path, strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: not a plain file", path);
  struct vt_store *store = NULL;
  VT_TRY(open_database(path, path, SQLITE_OPEN_READONLY, &store, error));
  int64_t ignored;
  struct vt_error first;
  enum vt_status status = read_pragma(store, "PRAGMA schema_version", &ignored, &first);
  int code = sqlite3_errcode(store->database);
  if (status != VT_ERROR_CORRUPT && status != VT_OK &&
      (code == SQLITE_CANTOPEN || code == SQLITE_READONLY || code == SQLITE_IOERR)) {
    vt_store_close(store);
    store = NULL;
    VT_TRY(open_immutable(path, &store, error));
  } else if (status != VT_OK) {
    if (error != NULL) *error = first;
    vt_store_close(store);
    return status;
  }
  status = check_schema(store, error);
  if (status != VT_OK) {
    vt_store_close(store);
    return status;
  }
  *out = store;
  return VT_OK;
}

enum vt_status vt_store_open_writable(const char *path, struct vt_store **out, struct vt_error *error) {
  struct vt_store *store = NULL;
  VT_TRY(open_database(path, path, SQLITE_OPEN_READWRITE, &store, error));
  enum vt_status status = check_schema(store, error);
  if (status == VT_OK) status = prepare_to_write(store, error);
  if (status != VT_OK) {
    vt_store_close(store);
    return status;
  }
  *out = store;
  return VT_OK;
}

void vt_store_close(struct vt_store *store) {
  if (store == NULL) return;
  for (int t = 0; t < VT_STORE_TABLES; t++) sqlite3_finalize(store->inserts[t]);
  /* One plain file, readable from anywhere. Where a reader is still in, the log stays until the last one leaves. */
  if (store->writes) sqlite3_exec(store->database, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
  sqlite3_close_v2(store->database);
  vt_free(store->path);
  vt_free(store);
}

enum vt_status vt_store_settle(const char *path, struct vt_error *error) {
  struct vt_store *store;
  /* An empty one is left over, too. A rollback journal is there where the process was killed while it made one plain
   * file of database and log. */
  if (!has_log(path, "-wal", -1) && !has_log(path, "-journal", -1)) return VT_OK;
  VT_TRY(vt_store_open_writable(path, &store, error));
  vt_store_close(store);
  return VT_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

enum vt_status vt_store_begin(struct vt_store *store, struct vt_error *error) { return run(store, "BEGIN", error); }

enum vt_status vt_store_commit(struct vt_store *store, struct vt_error *error) { return run(store, "COMMIT", error); }

enum vt_status vt_store_insert(struct vt_store *store, enum vt_store_table table, const struct vt_store_value *values,
                               struct vt_error *error) {
  sqlite3_stmt **statement = &store->inserts[table];
  if (*statement == NULL && sqlite3_prepare_v3(store->database, tables[table].insert, -1, SQLITE_PREPARE_PERSISTENT,
                                               statement, NULL) != SQLITE_OK)
    return fail(store, error);
  int code = SQLITE_OK;
  for (int c = 0; c < tables[table].columns && code == SQLITE_OK; c++) code = bind(*statement, c + 1, &values[c]);
  if (code == SQLITE_OK) code = sqlite3_step(*statement);
  enum vt_status status = code == SQLITE_DONE ? VT_OK : fail(store, error);
  sqlite3_reset(*statement);
  sqlite3_clear_bindings(*statement);
  return status;
}

enum vt_status vt_store_cut(struct vt_store *store, uint64_t step, enum vt_store_events events,
                            struct vt_error *error) {
  const char *const cuts[] = {
      "DELETE FROM step WHERE step >= ?",
      "DELETE FROM metric WHERE step >= ?",
      "DELETE FROM pair WHERE step >= ?",
      "DELETE FROM trail WHERE step >= ?",
      "DELETE FROM snapshot WHERE step >= ?",
      events == VT_STORE_EVENTS_CUT ? "DELETE FROM event WHERE step >= ?" : "DELETE FROM event WHERE step > ?",
      /* What is found by measuring is found again. */
      "DELETE FROM event WHERE step >= ? AND kind = 'converged'",
      "DELETE FROM ledger WHERE span >= ?",
  };
  for (size_t k = 0; k < sizeof cuts / sizeof cuts[0]; k++) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store->database, cuts[k], -1, &statement, NULL) != SQLITE_OK) return fail(store, error);
    bool done = sqlite3_bind_int64(statement, 1, (int64_t)step) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
    enum vt_status status = done ? VT_OK : fail(store, error);
    sqlite3_finalize(statement);
    VT_TRY(status);
  }
  return VT_OK;
}

/* argument: bound to the first parameter; NULL where the query has none. */
static enum vt_status read_rows(struct vt_store *store, const char *sql, const struct vt_store_value *argument,
                                vt_store_row *row, void *context, struct vt_error *error) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL) != SQLITE_OK) return fail(store, error);
  enum vt_status status = VT_OK;
  if (argument != NULL && bind(statement, 1, argument) != SQLITE_OK) status = fail(store, error);
  int columns = sqlite3_column_count(statement), code = SQLITE_DONE;
  while (status == VT_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
    struct vt_store_value values[COLUMNS_MAX];
    for (int c = 0; c < columns; c++) values[c] = column(statement, c);
    status = row(context, values, error);
  }
  if (status == VT_OK && code != SQLITE_DONE) status = fail(store, error);
  sqlite3_finalize(statement);
  return status;
}

enum vt_status vt_store_read(struct vt_store *store, enum vt_store_table table, vt_store_row *row, void *context,
                             struct vt_error *error) {
  return read_rows(store, tables[table].read, NULL, row, context, error);
}

enum vt_status vt_store_read_metric(struct vt_store *store, const char *name, vt_store_row *row, void *context,
                                    struct vt_error *error) {
  struct vt_store_value argument = vt_store_text(name);
  return read_rows(store, "SELECT step, name, value FROM metric WHERE name = ? ORDER BY step", &argument, row, context,
                   error);
}

enum vt_status vt_store_read_ledger(struct vt_store *store, uint32_t word, vt_store_row *row, void *context,
                                    struct vt_error *error) {
  struct vt_store_value argument = vt_store_integer(word);
  return read_rows(store,
                   "SELECT word, source, role, span, updates, vector FROM ledger WHERE word = ? "
                   "ORDER BY source, role, span",
                   &argument, row, context, error);
}

enum vt_status vt_store_read_ledger_words(struct vt_store *store, vt_store_row *row, void *context,
                                          struct vt_error *error) {
  return read_rows(store, "SELECT DISTINCT word FROM ledger ORDER BY word", NULL, row, context, error);
}

enum vt_status vt_store_read_ledger_documents(struct vt_store *store, vt_store_row *row, void *context,
                                              struct vt_error *error) {
  return read_rows(store, "SELECT DISTINCT source FROM ledger WHERE role = 'document' AND source >= 0 ORDER BY source",
                   NULL, row, context, error);
}

enum vt_status vt_store_read_document(struct vt_store *store, uint64_t id, vt_store_row *row, void *context,
                                      struct vt_error *error) {
  int64_t tables_found;
  VT_TRY(read_pragma(store, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'document'",
                     &tables_found, error));
  if (tables_found == 0) return VT_OK;
  struct vt_store_value argument = vt_store_integer(id);
  return read_rows(store, "SELECT input, line, text FROM document WHERE id = ?", &argument, row, context, error);
}

/* ---- another database -------------------------------------------------------------------------------------------- */

enum vt_status vt_store_attach(struct vt_store *store, const char *path, struct vt_error *error) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(store->database, "ATTACH ? AS other", -1, &statement, NULL) != SQLITE_OK)
    return fail(store, error);
  bool done =
      sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC) == SQLITE_OK && sqlite3_step(statement) == SQLITE_DONE;
  enum vt_status status = done ? VT_OK : fail(store, error);
  sqlite3_finalize(statement);
  return status;
}

enum vt_status vt_store_take_attached(struct vt_store *store, struct vt_error *error) {
  /* Words whose spans are others now are replaced whole. Each word is looked at once: a table of rows is large. */
  static const char sql[] = CREATE_DOCUMENT
      "CREATE TEMP TABLE replaced AS SELECT word FROM (SELECT DISTINCT word FROM other.ledger) AS n WHERE "
      "EXISTS(SELECT span FROM main.ledger WHERE word = n.word EXCEPT SELECT span FROM other.ledger WHERE word = "
      "n.word) OR "
      "EXISTS(SELECT span FROM other.ledger WHERE word = n.word EXCEPT SELECT span FROM main.ledger WHERE word = "
      "n.word);"
      "DELETE FROM main.ledger WHERE word IN (SELECT word FROM replaced);"
      "DROP TABLE replaced;"
      "DELETE FROM main.ledger WHERE word IN (SELECT DISTINCT word FROM other.ledger) AND "
      "role IN (SELECT DISTINCT role FROM other.ledger);"
      "INSERT INTO main.ledger SELECT * FROM other.ledger;"
      "INSERT OR REPLACE INTO main.trail SELECT * FROM other.trail;"
      "INSERT OR REPLACE INTO main.pair SELECT * FROM other.pair;"
      "INSERT OR REPLACE INTO main.snapshot SELECT * FROM other.snapshot;"
      "INSERT OR REPLACE INTO main.document SELECT * FROM other.document;";
  return run(store, sql, error);
}

enum vt_status vt_store_read_last_step(struct vt_store *store, vt_store_row *row, void *context,
                                       struct vt_error *error) {
  return read_rows(store, "SELECT step, epoch, tokens, seconds, lr FROM step ORDER BY step DESC LIMIT 1", NULL, row,
                   context, error);
}

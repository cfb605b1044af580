/*
 * checked_pages.c: a layer of SQLite's between its pages and the file (a "VFS shim").
 *
 * The last 16 bytes of a page are: 4 bytes, in the first page a copy of the file's change counter (bytes 24 to 27 of
 * it); the mark "vtck"; the CRC-64 of the page's offset and of all the bytes before it. They are filled in where a page
 * is written into the database itself and looked at where it is read from there. SQLite gets them as zeros. So what it
 * puts into its write-ahead log has zeros there, and is guarded by the log's own checksums; and where another program
 * moves the log into the database, pages with zeros come to stand in it, which vouch for nothing and are not looked at.
 *
 * Another program may also change rows. It then leaves our bytes as they were, and steps up the change counter, but not
 * our copy: of such a database no checksum is looked at any more, and the copy stays wrong on purpose. One flipped bit
 * in the counter looks the same, and then it is the only damage.
 *
 * A page that is refused is SQLITE_IOERR_DATA. Memory: none of its own. Threads: one for each connection.
 */
#include "run/checked_pages.h"

#include <lzma.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define NAME "vectrail-checked"
#define COUNTER_AT 24         /* of the first page: SQLite's change counter */
#define RESERVED_AT 20        /* likewise: how many bytes of a page are kept free */
#define DAMAGE_CONTROL 0x7674 /* of xFileControl; SQLite's own numbers are small */
#define TRAILER (VT_PAGE_BYTES - VT_PAGE_RESERVED)
#define CHECKSUM_AT (VT_PAGE_BYTES - 8)

static const unsigned char mark[4] = {'v', 't', 'c', 'k'};

enum state {
  UNKNOWN,   /* nothing was read or written yet */
  UNCHECKED, /* a database without checksums: of an earlier version, or not ours */
  CHECKED,
  CHANGED /* by another program: checksums are kept, but not looked at */
};

/* SQLite's part comes first; the file below stands behind it. */
struct file {
  sqlite3_file base;
  bool database; /* logs and journals pass through */
  enum state state;
  int64_t damage;
};

static sqlite3_file *below(sqlite3_file *file) { return (sqlite3_file *)((struct file *)(void *)file + 1); }

/* ---- one page ---------------------------------------------------------------------------------------------------- */

static uint64_t checksum_of(const unsigned char *page, int64_t offset) {
  unsigned char place[8];
  for (int k = 0; k < 8; k++) place[k] = (unsigned char)((uint64_t)offset >> 8 * k);
  return lzma_crc64(page, CHECKSUM_AT, lzma_crc64(place, sizeof place, 0));
}

static uint64_t checksum_in(const unsigned char *page) {
  uint64_t value = 0;
  for (int k = 7; k >= 0; k--) value = value << 8 | page[CHECKSUM_AT + k];
  return value;
}

static bool vouches(const unsigned char *page) {
  for (int k = TRAILER; k < VT_PAGE_BYTES; k++)
    if (page[k] != 0) return true;
  return false;
}

static bool is_sound(const unsigned char *page, int64_t offset) {
  return !vouches(page) || checksum_in(page) == checksum_of(page, offset);
}

static void seal(unsigned char *page, int64_t offset, enum state state) {
  memset(page + TRAILER, 0, 4);
  for (int k = 0; offset == 0 && k < 4; k++)
    page[TRAILER + k] = (unsigned char)(state == CHANGED ? ~page[COUNTER_AT + k] : page[COUNTER_AT + k]);
  memcpy(page + TRAILER + 4, mark, sizeof mark);
  uint64_t checksum = checksum_of(page, offset);
  for (int k = 0; k < 8; k++) page[CHECKSUM_AT + k] = (unsigned char)(checksum >> 8 * k);
}

static int refuse(struct file *file, int64_t offset) {
  file->damage = offset;
  return SQLITE_IOERR_DATA;
}

/* What kind of database this is, by its first page; either of two signs tells one of ours, for one bit may be wrong. */
static int look(struct file *file) {
  unsigned char page[VT_PAGE_BYTES];
  sqlite3_file *real = below(&file->base);
  int code = real->pMethods->xRead(real, page, VT_PAGE_BYTES, 0);
  if (code == SQLITE_IOERR_SHORT_READ) return SQLITE_OK; /* empty yet, or not ours */
  if (code != SQLITE_OK) return code;
  if (page[RESERVED_AT] != VT_PAGE_RESERVED && memcmp(page + TRAILER + 4, mark, sizeof mark) != 0) {
    file->state = UNCHECKED;
    return SQLITE_OK;
  }
  bool changed = vouches(page) && memcmp(page + TRAILER, page + COUNTER_AT, 4) != 0;
  file->state = changed ? CHANGED : CHECKED;
  return changed || is_sound(page, 0) ? SQLITE_OK : refuse(file, 0);
}

static bool is_page(int bytes, int64_t offset) { return bytes == VT_PAGE_BYTES && offset % VT_PAGE_BYTES == 0; }

static int read_some(sqlite3_file *base, void *data, int bytes, sqlite3_int64 offset) {
  struct file *file = (struct file *)(void *)base;
  sqlite3_file *real = below(base);
  if (file->database && file->state == UNKNOWN) {
    int code = look(file);
    if (code != SQLITE_OK) {
      file->state = UNKNOWN; /* whoever asks again is refused again */
      return code;
    }
  }
  int code = real->pMethods->xRead(real, data, bytes, offset);
  if (code != SQLITE_OK || !file->database || file->state < CHECKED || !is_page(bytes, offset)) return code;
  if (file->state == CHECKED && !is_sound(data, offset)) return refuse(file, offset);
  memset((unsigned char *)data + TRAILER, 0, VT_PAGE_RESERVED);
  return SQLITE_OK;
}

static int write_some(sqlite3_file *base, const void *data, int bytes, sqlite3_int64 offset) {
  struct file *file = (struct file *)(void *)base;
  sqlite3_file *real = below(base);
  unsigned char page[VT_PAGE_BYTES];
  if (!file->database || !is_page(bytes, offset)) return real->pMethods->xWrite(real, data, bytes, offset);
  memcpy(page, data, sizeof page);
  /* The first page of a new database says whether there is room. */
  if (offset == 0 && file->state < CHECKED) file->state = page[RESERVED_AT] == VT_PAGE_RESERVED ? CHECKED : UNCHECKED;
  if (file->state >= CHECKED) seal(page, offset, file->state);
  return real->pMethods->xWrite(real, page, bytes, offset);
}

static int control(sqlite3_file *base, int what, void *value) {
  if (what == DAMAGE_CONTROL) {
    *(int64_t *)value = ((struct file *)(void *)base)->damage;
    return SQLITE_OK;
  }
  return below(base)->pMethods->xFileControl(below(base), what, value);
}

/* ---- what is handed on as it is ---------------------------------------------------------------------------------- */

static int close_file(sqlite3_file *base) { return below(base)->pMethods->xClose(below(base)); }
static int truncate_file(sqlite3_file *base, sqlite3_int64 bytes) {
  return below(base)->pMethods->xTruncate(below(base), bytes);
}
static int sync_file(sqlite3_file *base, int flags) { return below(base)->pMethods->xSync(below(base), flags); }
static int file_size(sqlite3_file *base, sqlite3_int64 *bytes) {
  return below(base)->pMethods->xFileSize(below(base), bytes);
}
static int lock(sqlite3_file *base, int level) { return below(base)->pMethods->xLock(below(base), level); }
static int unlock(sqlite3_file *base, int level) { return below(base)->pMethods->xUnlock(below(base), level); }
static int check_lock(sqlite3_file *base, int *reserved) {
  return below(base)->pMethods->xCheckReservedLock(below(base), reserved);
}
static int sector_size(sqlite3_file *base) { return below(base)->pMethods->xSectorSize(below(base)); }
static int characteristics(sqlite3_file *base) { return below(base)->pMethods->xDeviceCharacteristics(below(base)); }
static int map_shared(sqlite3_file *base, int region, int bytes, int extend, void volatile **at) {
  return below(base)->pMethods->xShmMap(below(base), region, bytes, extend, at);
}
static int lock_shared(sqlite3_file *base, int offset, int count, int flags) {
  return below(base)->pMethods->xShmLock(below(base), offset, count, flags);
}
static void barrier_shared(sqlite3_file *base) { below(base)->pMethods->xShmBarrier(below(base)); }
static int unmap_shared(sqlite3_file *base, int remove) {
  return below(base)->pMethods->xShmUnmap(below(base), remove);
}

/* Without version 3, which would map the file and read past us. */
#define COMMON_METHODS                                                                                                 \
  .iVersion = 2, .xClose = close_file, .xRead = read_some, .xWrite = write_some, .xTruncate = truncate_file,           \
  .xSync = sync_file, .xFileSize = file_size, .xLock = lock, .xUnlock = unlock, .xCheckReservedLock = check_lock,      \
  .xFileControl = control, .xSectorSize = sector_size, .xDeviceCharacteristics = characteristics
static const sqlite3_io_methods methods = {COMMON_METHODS, .xShmMap = map_shared, .xShmLock = lock_shared,
                                           .xShmBarrier = barrier_shared, .xShmUnmap = unmap_shared};
static const sqlite3_io_methods methods_unshared = {COMMON_METHODS};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *flags_out) {
  sqlite3_vfs *real = vfs->pAppData;
  struct file *file = (struct file *)(void *)base;
  *file = (struct file){.database = (flags & SQLITE_OPEN_MAIN_DB) != 0, .damage = -1};
  int code = real->xOpen(real, name, below(base), flags, flags_out);
  const sqlite3_io_methods *found = below(base)->pMethods;
  if (found != NULL) /* must be closed then, whatever the code */
    base->pMethods = found->iVersion >= 2 && found->xShmMap != NULL ? &methods : &methods_unshared;
  return code;
}

/* ---- the layer --------------------------------------------------------------------------------------------------- */

static sqlite3_vfs layer;
static const char *layer_name;

static void install(void) {
  sqlite3_vfs *real = sqlite3_vfs_find(NULL);
  if (real == NULL) return;
  layer = *real; /* the other functions look at nothing of ours */
  layer.zName = NAME;
  layer.pNext = NULL;
  layer.pAppData = real;
  layer.szOsFile = (int)sizeof(struct file) + real->szOsFile;
  layer.xOpen = open_file;
  if (sqlite3_vfs_register(&layer, 0) == SQLITE_OK) layer_name = NAME;
}

const char *vt_checked_pages(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  return layer_name;
}

int vt_checked_pages_begin(sqlite3 *database) {
  int reserved = VT_PAGE_RESERVED;
  int code = sqlite3_exec(database, "PRAGMA page_size=4096", NULL, NULL, NULL);
  return code != SQLITE_OK ? code : sqlite3_file_control(database, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
}

int64_t vt_checked_pages_damage(sqlite3 *database) {
  int64_t damage = -1;
  if (sqlite3_file_control(database, "main", DAMAGE_CONTROL, &damage) != SQLITE_OK) return -1;
  return damage;
}

/*
 * checked_pages.h: a checksum in every page of a run's database.
 *
 * SQLite notices damage to its structure, but not a bit that turns one number into another. So a database of ours keeps
 * VT_PAGE_RESERVED bytes at the end of each page free (a feature of the file format: any SQLite reads such a file), and
 * there we keep a checksum, looked at whenever a page is read. docs/run-format.md says what it is.
 */
#ifndef VECTRAIL_RUN_CHECKED_PAGES_H
#define VECTRAIL_RUN_CHECKED_PAGES_H

#include <sqlite3.h>
#include <stdint.h>

#define VT_PAGE_BYTES 4096
#define VT_PAGE_RESERVED 16

/* The name of the layer, for sqlite3_open_v2; NULL when out of memory. Any thread. */
const char *vt_checked_pages(void);
/* Makes a database that was just created, and is still empty, keep checksums; a code of SQLite. */
int vt_checked_pages_begin(sqlite3 *database);
/* Where the page begins that was refused last (SQLITE_IOERR_DATA); -1: none. */
int64_t vt_checked_pages_damage(sqlite3 *database);

#endif

/*
 * temporary.h: a folder of its own for each test.
 *
 *   struct vtt_folder *folder = vtt_folder_create();
 *   const char *path = vtt_write_text(folder, "corpus.txt", "one two\n");
 *   ...
 *   vtt_folder_remove(folder);
 *
 * Whatever goes wrong here (a full disk, say) fails the running cmocka test with the path and the reason. The heap is
 * the plain one, not the library's, so that a test that makes library allocations fail is left alone. One thread.
 */
#ifndef VECTRAIL_TESTS_TEMPORARY_H
#define VECTRAIL_TESTS_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether a sanitizer watches: it takes up to twenty times as long, and what it looks for does not show in the results.
 * So it is shown every path once, and what is the same at other thread counts and stops is left to the optimised build.
 */
#if defined(__SANITIZE_THREAD__)
#define vtt_under_tsan true
#else
#define vtt_under_tsan false
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define vtt_sanitized true
#else
#define vtt_sanitized false
#endif

/* Of the tests of a program, for TSan those that are named so, which are the ones with threads. */
#define VTT_TSAN_RUNS(pattern)                                                                                         \
  do {                                                                                                                 \
    if (vtt_under_tsan) cmocka_set_test_filter(pattern);                                                               \
  } while (0)

/* At the head of a test of what is computed, when another test shows TSan the same threads. */
#define VTT_NOT_FOR_TSAN()                                                                                             \
  do {                                                                                                                 \
    if (vtt_under_tsan) skip();                                                                                        \
  } while (0)

struct vtt_folder;

/* A fresh, empty folder below $TMPDIR, or /tmp where that is not set. */
struct vtt_folder *vtt_folder_create(void);
/* Removes the folder with everything in it (links are removed, not followed) and frees the paths handed out for it.
 * Accepts NULL. */
void vtt_folder_remove(struct vtt_folder *folder);
/* Where it is. Owned by the folder, as are the results of the next three. */
const char *vtt_folder_path(const struct vtt_folder *folder);

/* The path of a name in the folder; nothing is made there. */
const char *vtt_path(struct vtt_folder *folder, const char *name);
/* Writes a file (replacing an earlier one) and returns its path. */
const char *vtt_write(struct vtt_folder *folder, const char *name, const void *data, size_t bytes);
const char *vtt_write_text(struct vtt_folder *folder, const char *name, const char *text);

/* How many names the folder holds, hidden ones included: 0 proves that nothing half-written was left. */
size_t vtt_folder_entries(const struct vtt_folder *folder);

/* The whole file, with a zero byte behind it so that text can be compared as a string; bytes may be NULL. Free with
 * free(). */
char *vtt_read(const char *path, size_t *bytes);
/* Whether the path names anything. */
bool vtt_exists(const char *path);

#endif

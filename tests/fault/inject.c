/*
 * inject.c: the command with faults. It is linked into a second command, vectrail_fault, for tests alone. What the
 * system gives (memory, writes, syncs, names, threads) goes through here, for our own code and, because an executable's
 * symbols come before those of shared libraries, for SQLite, zstd, jansson and the rest too.
 *
 *   VECTRAIL_FAULT=KIND:N[+][:HOW]   the Nth call of a kind fails (with +: that one and all later ones)
 *       alloc   memory: NULL
 *       write   writes and truncations: HOW is ENOSPC (unless given), EIO, or short (one byte less than asked for)
 *       sync    fsync, fdatasync: EIO
 *       name    open, rename, mkdir, unlink, opendir: EIO, or EMFILE, EACCES, ENOSPC as HOW
 *       map     mmap: ENOMEM
 *       thread  pthread_create: EAGAIN
 *       kill    not a fault: the process kills itself before its Nth change to a file or a name
 *   VECTRAIL_FAULT_COUNTS=FILE       how many calls of each kind there were, written when the process ends
 *   VECTRAIL_FAULT_WAYS=FILE         for each allocation, in their order, a number that names the chain of our own
 *                                    calls that led to it, and the function of a library that they ended in
 *   VECTRAIL_FAULT_SYNCED=FOLDER     what a power cut would leave: each sync of a file copies it there as
 *                                    inode-NUMBER, each sync of a folder lists its names there as folder-NUMBER
 *                                    (powercut.py)
 *
 * Counters are atomic: with several threads the Nth call is that of any of them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The allocator below us: the sanitizer's, or the system's. */
#ifdef VECTRAIL_FAULT_ASAN
#define BELOW(name) __interceptor_##name
#else
#define BELOW(name) __libc_##name
#endif
extern void *BELOW(malloc)(size_t);
extern void *BELOW(calloc)(size_t, size_t);
extern void *BELOW(realloc)(void *, size_t);
extern void *BELOW(memalign)(size_t, size_t);

enum kind { ALLOC, WRITE, SYNC, NAME, MAP, THREAD, KILL, KINDS };
static const char *const kind_names[KINDS] = {"alloc", "write", "sync", "name", "map", "thread", "kill"};

static atomic_long counts[KINDS];
static int armed_kind = -1;
static long armed_at;
static bool armed_on;    /* later ones, too */
static bool armed_short; /* writes: less than asked for, no error */
static int armed_errno;
static const char *counts_path, *synced_path, *ways_path;
static pthread_mutex_t synced_mutex = PTHREAD_MUTEX_INITIALIZER;

#define WAYS_MAX (1 << 18)
#define WAY_CALLS 64 /* what goes deeper is taken for the same */
static uint64_t ways[WAYS_MAX];
static _Thread_local bool sparing;

static struct {
  ssize_t (*write)(int, const void *, size_t);
  ssize_t (*pwrite)(int, const void *, size_t, off_t);
  int (*ftruncate)(int, off_t);
  int (*fsync)(int);
  int (*fdatasync)(int);
  int (*open)(const char *, int, ...);
  int (*openat)(int, const char *, int, ...);
  DIR *(*opendir)(const char *);
  void *(*dlopen)(const char *, int);
  int (*rename)(const char *, const char *);
  int (*mkdir)(const char *, mode_t);
  int (*unlink)(const char *);
  int (*unlinkat)(int, const char *, int);
  void *(*mmap)(void *, size_t, int, int, int, off_t);
  int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  int (*pthread_getattr_np)(pthread_t, pthread_attr_t *);
} below;

/* A function pointer from dlsym, without a cast that ISO C forbids. */
static void find(void *pointer, const char *name) {
  void *symbol = dlsym(RTLD_NEXT, name);
  memcpy(pointer, &symbol, sizeof symbol);
}

/* Constructors of libraries may come before ours. */
static void find_all(void) {
  static atomic_bool found;
  if (atomic_exchange(&found, true)) return;
  find(&below.write, "write");
  find(&below.pwrite, "pwrite");
  find(&below.ftruncate, "ftruncate");
  find(&below.fsync, "fsync");
  find(&below.fdatasync, "fdatasync");
  find(&below.open, "open");
  find(&below.openat, "openat");
  find(&below.opendir, "opendir");
  find(&below.dlopen, "dlopen");
  find(&below.rename, "rename");
  find(&below.mkdir, "mkdir");
  find(&below.unlink, "unlink");
  find(&below.unlinkat, "unlinkat");
  find(&below.mmap, "mmap");
  find(&below.pthread_create, "pthread_create");
  find(&below.pthread_getattr_np, "pthread_getattr_np");
}

static void refuse(const char *text) {
  fprintf(stderr, "inject: VECTRAIL_FAULT is malformed: %s\n", text);
  _exit(99);
}

static void arm(const char *text) {
  static const struct {
    const char *name;
    int number;
  } reasons[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EMFILE", EMFILE}, {"EACCES", EACCES}};
  static const int usual[KINDS] = {ENOMEM, ENOSPC, EIO, EIO, ENOMEM, EAGAIN, 0};
  size_t length = strcspn(text, ":");
  int kind = 0;
  while (kind < KINDS && (strlen(kind_names[kind]) != length || strncmp(kind_names[kind], text, length) != 0)) kind++;
  if (kind == KINDS || text[length] != ':') refuse(text);
  char *end;
  armed_at = strtol(text + length + 1, &end, 10);
  armed_on = *end == '+';
  end += armed_on;
  armed_errno = usual[kind];
  if (strcmp(end, ":short") == 0) armed_short = true;
  bool known = *end == '\0' || armed_short;
  for (size_t k = 0; k < sizeof reasons / sizeof reasons[0]; k++)
    if (*end == ':' && strcmp(end + 1, reasons[k].name) == 0) {
      armed_errno = reasons[k].number;
      known = true;
    }
  if (!known || armed_at < 1) refuse(text);
  armed_kind = kind;
}

/* After the libraries' own constructors, before main: what they allocate is not ours to answer for. */
__attribute__((constructor)) static void begin(void) {
  find_all();
  counts_path = getenv("VECTRAIL_FAULT_COUNTS");
  synced_path = getenv("VECTRAIL_FAULT_SYNCED");
  ways_path = getenv("VECTRAIL_FAULT_WAYS");
  const char *fault = getenv("VECTRAIL_FAULT");
  for (int k = 0; k < KINDS; k++) atomic_store(&counts[k], 0);
  if (fault != NULL) arm(fault);
}

static void write_ways(const char *path) {
  const long count = atomic_load(&counts[ALLOC]);
  int file = below.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  for (long k = 0; k < count && k < WAYS_MAX && file >= 0; k++) dprintf(file, "%" PRIx64 "\n", ways[k]);
  if (file >= 0) close(file);
}

__attribute__((destructor)) static void end(void) {
  armed_kind = -1;
  const char *path = ways_path;
  ways_path = NULL;
  sparing = true; /* dprintf allocates */
  if (path != NULL) write_ways(path);
  if (counts_path == NULL) return;
  int file = below.open(counts_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  for (int k = 0; k < KINDS && file >= 0; k++) dprintf(file, "%s %ld\n", kind_names[k], atomic_load(&counts[k]));
  if (file >= 0) close(file);
}

/* Within a library ways are not told apart: what it does where memory runs out is for its own tests. */
static void remember_way(long number) {
  extern const char __executable_start[], _end[]; /* of the linker */
  void *calls[WAY_CALLS];
  sparing = true; /* it allocates when it is called first */
  const int count = backtrace(calls, WAY_CALLS);
  sparing = false;
  uint64_t hash = UINT64_C(14695981039346656037);
  uintptr_t below_it = 0;
  for (int k = 0; k < count; k++) {
    const uintptr_t call = (uintptr_t)calls[k];
    const bool ours = call >= (uintptr_t)__executable_start && call < (uintptr_t)_end;
    if (ours) hash = (hash ^ below_it) * UINT64_C(1099511628211);
    if (ours) hash = (hash ^ call) * UINT64_C(1099511628211);
    below_it = ours ? 0 : call;
  }
  if (number <= WAYS_MAX) ways[number - 1] = hash;
}

static bool fails(enum kind kind) {
  if (kind != ALLOC) find_all();
  if (sparing) return false;
  long number = atomic_fetch_add(&counts[kind], 1) + 1;
  bool hit = (int)kind == armed_kind && (number == armed_at || (armed_on && number > armed_at));
  if (kind == ALLOC && ways_path != NULL) remember_way(number);
  if (hit) errno = armed_errno;
  return hit;
}

/* Every change to a file or a name is an instant at which the process can end. */
static void may_end(void) {
  if (fails(KILL)) raise(SIGKILL);
}

/* Seen by the shared libraries, whatever the rest of the command hides from them. */
#pragma GCC visibility push(default)

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* glibc's declarations carry attributes that make a plain definition a warning; ours are its. */
void *malloc(size_t bytes) { return fails(ALLOC) ? NULL : BELOW(malloc)(bytes); }

void *calloc(size_t count, size_t bytes) { return fails(ALLOC) ? NULL : BELOW(calloc)(count, bytes); }

void *realloc(void *block, size_t bytes) { return fails(ALLOC) ? NULL : BELOW(realloc)(block, bytes); }

void *aligned_alloc(size_t alignment, size_t bytes) { return fails(ALLOC) ? NULL : BELOW(memalign)(alignment, bytes); }

void *memalign(size_t alignment, size_t bytes) { return fails(ALLOC) ? NULL : BELOW(memalign)(alignment, bytes); }

int posix_memalign(void **block, size_t alignment, size_t bytes) {
  void *got = fails(ALLOC) ? NULL : BELOW(memalign)(alignment, bytes);
  if (got == NULL) return ENOMEM;
  *block = got;
  return 0;
}

#pragma GCC visibility pop

/* ---- what a power cut would leave -------------------------------------------------------------------------------- */

static void copy_all(int from, int to) {
  static char buffer[1 << 16]; /* under the mutex */
  off_t at = 0;
  for (ssize_t got; (got = pread(from, buffer, sizeof buffer, at)) > 0; at += got)
    if (below.write(to, buffer, (size_t)got) != got) _exit(98);
}

static void list_names(int descriptor, int to) {
  int again = below.openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *folder = again < 0 ? NULL : fdopendir(again);
  if (folder == NULL) _exit(98);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    struct stat info;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(descriptor, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    dprintf(to, "%lu %c %s\n", (unsigned long)info.st_ino, S_ISDIR(info.st_mode) ? 'd' : 'f', entry->d_name);
  }
  closedir(folder);
}

static void remember(int descriptor) {
  struct stat info;
  if (synced_path == NULL || fstat(descriptor, &info) != 0) return;
  bool folder = S_ISDIR(info.st_mode);
  char path[4096];
  pthread_mutex_lock(&synced_mutex);
  snprintf(path, sizeof path, "%s/%s-%lu", synced_path, folder ? "folder" : "inode", (unsigned long)info.st_ino);
  int to = below.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (to < 0) _exit(98);
  if (folder)
    list_names(descriptor, to);
  else
    copy_all(descriptor, to);
  close(to);
  pthread_mutex_unlock(&synced_mutex);
}

/* A new file may have the number of one that is gone. */
static void forget(int descriptor) {
  struct stat info;
  char path[4096];
  if (synced_path == NULL || descriptor < 0 || fstat(descriptor, &info) != 0) return;
  snprintf(path, sizeof path, "%s/inode-%lu", synced_path, (unsigned long)info.st_ino);
  below.unlink(path);
}

#pragma GCC visibility push(default)

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* Files alone fail: what threads wake each other by, and sockets, have no disk that could be full. */
static bool is_spared(int descriptor) {
  find_all();
  struct stat status;
  return descriptor <= STDERR_FILENO || (fstat(descriptor, &status) == 0 && !S_ISREG(status.st_mode));
}

ssize_t write(int descriptor, const void *data, size_t bytes) {
  if (is_spared(descriptor)) return below.write(descriptor, data, bytes);
  may_end();
  if (!fails(WRITE)) return below.write(descriptor, data, bytes);
  return armed_short && bytes > 1 ? below.write(descriptor, data, bytes - 1) : -1;
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset) {
  may_end();
  if (!fails(WRITE)) return below.pwrite(descriptor, data, bytes, offset);
  return armed_short && bytes > 1 ? below.pwrite(descriptor, data, bytes - 1, offset) : -1;
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t offset) {
  return pwrite(descriptor, data, bytes, offset);
}

int ftruncate(int descriptor, off_t bytes) {
  may_end();
  return fails(WRITE) && !armed_short ? -1 : below.ftruncate(descriptor, bytes);
}

int ftruncate64(int descriptor, off_t bytes) { return ftruncate(descriptor, bytes); }

int fsync(int descriptor) {
  may_end();
  if (fails(SYNC)) return -1;
  int result = below.fsync(descriptor);
  remember(descriptor);
  return result;
}

int fdatasync(int descriptor) {
  may_end();
  if (fails(SYNC)) return -1;
  int result = below.fdatasync(descriptor);
  remember(descriptor);
  return result;
}

static int open_any(int folder, const char *path, int flags, mode_t mode) {
  bool makes = (flags & O_CREAT) != 0;
  if (makes) may_end();
  if (fails(NAME)) return -1;
  bool fresh = makes && synced_path != NULL && faccessat(folder, path, F_OK, 0) != 0;
  int descriptor = below.openat(folder, path, flags, mode);
  if (fresh) forget(descriptor);
  return descriptor;
}

static mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_any(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_any(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_any(folder, path, flags, mode);
}

/* What a library's own constructors do is not ours to answer for, as before main: it is there or not. */
void *dlopen(const char *file, int mode) {
  if (fails(NAME)) return NULL;
  sparing = true;
  void *handle = below.dlopen(file, mode);
  sparing = false;
  return handle;
}

DIR *opendir(const char *path) { return fails(NAME) ? NULL : below.opendir(path); }

int rename(const char *from, const char *to) {
  may_end();
  return fails(NAME) ? -1 : below.rename(from, to);
}

int mkdir(const char *path, mode_t mode) {
  may_end();
  return fails(NAME) ? -1 : below.mkdir(path, mode);
}

/* Taking something away does not fail, or no promise to leave nothing could be kept; but the process may end there. */
int unlink(const char *path) {
  may_end();
  return below.unlink(path);
}

int unlinkat(int folder, const char *path, int flags) {
  may_end();
  return below.unlinkat(folder, path, flags);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

void *mmap(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset) {
  find_all();
  if (descriptor >= 0 && fails(MAP)) return MAP_FAILED;
  return below.mmap(address, bytes, protection, flags, descriptor, offset);
}

void *mmap64(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset) {
  return mmap(address, bytes, protection, flags, descriptor, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  return fails(THREAD) ? EAGAIN : below.pthread_create(thread, attributes, start, argument);
}

/* The sanitizer asks where a new thread's stack lies, and gives up the process where the answer finds no memory. */
int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes) {
  find_all();
  sparing = true;
  int code = below.pthread_getattr_np(thread, attributes);
  sparing = false;
  return code;
}

#pragma GCC visibility pop

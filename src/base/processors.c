/*
 * processors.c: what the scheduler grants. A team larger than its quota uses that up early in each period and then
 * stands still for the rest, often with one thread of it in the middle of a piece that all others wait for.
 *
 * In a container the groups are often mounted so that its own is the topmost one, while the list names it by a path
 * outside: so a path that is not there is looked for further up.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/processors.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 4096 /* of what the system says, as much as is looked at */

/* The beginning of a small file, terminated. False where there is none. */
static bool read_text(const char *folder, const char *name, char text[TEXT_BYTES]) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  if (length < 0 || (size_t)length >= sizeof path) return false;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  ssize_t bytes = read(file, text, TEXT_BYTES - 1);
  close(file);
  if (bytes < 0) return false;
  text[bytes] = '\0';
  return true;
}

/* Of one group, by the files of version 2 or 1, in which "max" and -1 are no quota; 0 where there is none. */
static int quota_of_group(const char *folder) {
  char quota[TEXT_BYTES], period[TEXT_BYTES];
  const char *of = period;
  if (read_text(folder, "cpu.max", quota)) {
    of = strchr(quota, ' ');
    if (of == NULL) return 0;
  } else if (!read_text(folder, "cpu.cfs_quota_us", quota) || !read_text(folder, "cpu.cfs_period_us", period)) {
    return 0;
  }
  long long granted = strtoll(quota, NULL, 10), every = strtoll(of, NULL, 10);
  if (granted <= 0 || every <= 0) return 0;
  long long processors = granted / every + (granted % every != 0);
  return processors < INT_MAX ? (int)processors : INT_MAX;
}

/* Of two quotas, of which 0 is none. */
static int lesser(int a, int b) { return a == 0 || (b != 0 && b < a) ? b : a; }

/* The least of a group and of those above it; `path` begins with "/" and is used up. */
static int quota_of_path(const char *mounted, char *path) {
  char folder[PATH_MAX];
  int least = 0;
  for (char *end = path + strlen(path); end != NULL; end = strrchr(path, '/')) {
    *end = '\0';
    int length = snprintf(folder, sizeof folder, "%s%s", mounted, path);
    if (length >= 0 && (size_t)length < sizeof folder) least = lesser(least, quota_of_group(folder));
  }
  return least;
}

/* Whether a comma-separated list names cpu. */
static bool names_cpu(const char *controllers) {
  for (const char *name = controllers; name != NULL; name = strchr(name, ',')) {
    if (*name == ',') name++;
    if (strncmp(name, "cpu", 3) == 0 && (name[3] == ',' || name[3] == '\0')) return true;
  }
  return false;
}

int vt_processors_of_quota(const char *list, const char *mounted) {
  char text[TEXT_BYTES], folder[PATH_MAX];
  int least = 0;
  snprintf(text, sizeof text, "%s", list);
  char *rest = NULL;
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    /* number:controllers:path, where version 2 has the number 0 and no controllers. */
    char *controllers = strchr(line, ':'), *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL || path[1] != '/') continue;
    *controllers++ = *path++ = '\0';
    bool second = strcmp(line, "0") == 0 && *controllers == '\0';
    if (!second && !names_cpu(controllers)) continue;
    snprintf(folder, sizeof folder, "%s%s", mounted, second ? "" : "/cpu");
    least = lesser(least, quota_of_path(folder, path));
  }
  return least;
}

/* Read once: teams are made many times in a process. */
static pthread_once_t quota_read = PTHREAD_ONCE_INIT;
static int quota;

static void read_quota(void) {
  char list[TEXT_BYTES];
  if (read_text("/proc/self", "cgroup", list)) quota = vt_processors_of_quota(list, "/sys/fs/cgroup");
}

int vt_processors(void) {
  cpu_set_t set;
  /* The set has room for 1,024; the call fails where there may be more. */
  long count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
  if (count < 1 || count > INT_MAX) count = 1;
  (void)pthread_once(&quota_read, read_quota);
  return quota > 0 && quota < count ? quota : (int)count;
}

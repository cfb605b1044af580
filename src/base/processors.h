/*
 * processors.h: how many threads may run at once.
 */
#ifndef VECTRAIL_BASE_PROCESSORS_H
#define VECTRAIL_BASE_PROCESSORS_H

/* The processors this process may use, at least 1: those it is bound to, or fewer where a quota of time (that of a
 * container, say) is that of fewer. What it cannot read sets no limit. The quota is read once in a process. */
int vt_processors(void);

/* The processors, rounded up, that make use of the quota of control groups (Linux's cgroup-v1 and cgroup-v2, "CPU
 * bandwidth"): `list` has the form of /proc/self/cgroup, `mounted` is where the groups are found, usually
 * /sys/fs/cgroup. A group is bound by those above it. 0: there is no quota. */
int vt_processors_of_quota(const char *list, const char *mounted);

#endif

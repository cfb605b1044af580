/*
 * site.h: the runs that are served, each with a thread of its own that keeps it up to date.
 */
#ifndef VECTRAIL_SERVE_SITE_H
#define VECTRAIL_SERVE_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "serve/jobs.h"
#include "serve/text.h"
#include "vectrail/view.h"

struct vt_site;

struct vt_site_options {
  size_t map_words; /* as in struct vt_view_options */
  int threads;
};

/* Opens the runs and starts their keepers. A folder without a run is VT_ERROR_NOT_FOUND. Free with vt_site_free. */
enum vt_status vt_site_create(const char *const *paths, size_t count, const struct vt_site_options *options,
                              struct vt_site **site, struct vt_error *error);
void vt_site_free(struct vt_site *site); /* accepts NULL; stops the keepers */
size_t vt_site_count(const struct vt_site *site);
const char *vt_site_path(const struct vt_site *site, size_t run);

/* A view as it is now, and its number: it grows whenever the run gets new snapshots, and positions of one number cannot
 * be mixed with those of another. NULL while there is none. Give back with vt_site_give_back. */
struct vt_site_view;
struct vt_view *vt_site_take(struct vt_site *site, size_t run, struct vt_site_view **handle, uint64_t *number);
void vt_site_give_back(struct vt_site *site, size_t run, struct vt_site_view *handle);

/* The summary of a run as JSON (docs/http-api.md). */
void vt_site_summary(struct vt_site *site, size_t run, struct vt_text *text);
/* What changes from second to second, as JSON on one line. */
void vt_site_pulse(struct vt_site *site, size_t run, struct vt_text *text);
/* A question to the whole run; as vt_job_answer. */
enum vt_status vt_site_job(struct vt_site *site, size_t run, enum vt_job_kind kind, struct vt_text *text,
                           struct vt_error *error);
/* A number that grows with every change of what the pulse tells. */
uint64_t vt_site_beat(struct vt_site *site, size_t run);
/* Waits until a run is wholly prepared or cannot be (its error), or the flag is raised. */
enum vt_status vt_site_wait(struct vt_site *site, size_t run, const volatile sig_atomic_t *interrupt,
                            struct vt_error *error);

#endif

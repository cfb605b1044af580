/* routes_internal.h: what the files of routes share. Not for others. */
#ifndef VECTRAIL_SERVE_ROUTES_INTERNAL_H
#define VECTRAIL_SERVE_ROUTES_INTERNAL_H

#include "serve/jobs.h"
#include "serve/routes.h"

struct vt_request {
  struct vt_site *site;
  size_t run;
  struct vt_view *view;       /* where the route is one of a view */
  struct vt_view_facts facts; /* likewise */
  vt_argument *argument;
  void *context;
  struct vt_reply *reply;
  double started; /* vt_clock_seconds */
};

/* Instead of an answer: {"error":cause,"help":help}; help may be NULL. */
void vt_refuse(struct vt_reply *reply, unsigned status, const char *cause, const char *help);
void vt_refuse_error(struct vt_reply *reply, const struct vt_error *error);

/* Digits alone, up to high. */
bool vt_read_number(const char *text, size_t bytes, uint64_t high, uint64_t *value);
/* An argument of the request; where it is missing the fallback, unless that is UINT64_MAX. false: it was refused. */
bool vt_get_number(const struct vt_request *r, const char *name, uint64_t fallback, uint64_t high, uint64_t *value);
bool vt_get_word(const struct vt_request *r, const char *name, uint32_t *word);

void vt_route_movers(const struct vt_request *r);
void vt_route_coordinates(const struct vt_request *r);
void vt_route_explain(const struct vt_request *r);
void vt_route_job(const struct vt_request *r, enum vt_job_kind kind);
void vt_route_compare(const struct vt_request *r, bool positions);

#endif

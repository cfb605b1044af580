/*
 * routes.h: what the page may ask for, by path; independent of how it is asked. docs/http-api.md is the manual.
 */
#ifndef VECTRAIL_SERVE_ROUTES_H
#define VECTRAIL_SERVE_ROUTES_H

#include "serve/site.h"
#include "serve/text.h"

/* The value of a parameter of the request, or NULL. */
typedef const char *vt_argument(void *context, const char *name);

struct vt_reply {
  unsigned status;  /* of HTTP */
  const char *type; /* static */
  struct vt_text body;
  const void *fixed; /* instead of body: static data */
  size_t fixed_bytes;
};

/* Answers; the body is the caller's (vt_text_release). Never fails: what cannot be answered is a reply, too. */
void vt_route(struct vt_site *site, const char *path, vt_argument *argument, void *context, struct vt_reply *reply);

/* Whether a path asks for the events of a run, which the server answers by a stream. */
bool vt_route_is_events(struct vt_site *site, const char *path, size_t *run);

#endif

/*
 * events.h: streams of server-sent events: what changes in runs, told as it happens.
 */
#ifndef VECTRAIL_SERVE_EVENTS_H
#define VECTRAIL_SERVE_EVENTS_H

#include "base/error.h"
#include "serve/site.h"

struct MHD_Connection;
struct MHD_Response;

struct vt_events;
/* A thread looks at the runs four times a second. Free with vt_events_free once the server has been stopped. */
enum vt_status vt_events_create(struct vt_site *site, struct vt_events **events, struct vt_error *error);
void vt_events_free(struct vt_events *events); /* accepts NULL */
/* Wakes all streams for the last time; before the server is stopped. */
void vt_events_end(struct vt_events *events);
/* A stream of a run, to be queued on the connection; NULL when out of memory. */
struct MHD_Response *vt_events_open(struct vt_events *events, struct MHD_Connection *connection, size_t run);

#endif

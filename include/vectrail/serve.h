/*
 * vectrail/serve.h: runs on a page in the browser: from a server on this machine, or as one file.
 *
 * Both show the same page (web/), which is part of this library. docs/http-api.md describes what it asks for.
 */
#ifndef VECTRAIL_SERVE_H
#define VECTRAIL_SERVE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define VT_SERVE_PORT 8080
#define VT_SERVE_PORTS_TRIED 10 /* the default one and those behind it */
#define VT_SERVE_RUNS_MAX 64

struct vt_serve_request {
  const char *const *runs; /* folders; none: a page that says how to make one */
  size_t run_count;
  uint16_t port; /* 0: the first that is free of VT_SERVE_PORT and those behind it */
  int threads;   /* that answer; at least 1 [8] */
  /* What one client can hold: a connection on which nothing comes or goes for so long is closed [30], and so is one
   * that takes longer over a request and its answer, also where bytes trickle [120]; and so many may be open at once;
   * more are not taken [512]. */
  unsigned idle_seconds, request_seconds, connections;
  /* Called once the server answers; may be NULL. */
  void (*ready)(void *context, uint16_t port);
  void *context;
  const volatile sig_atomic_t *interrupt; /* when raised, the server stops and vt_serve returns VT_OK */
};
VT_API void vt_serve_request_init(struct vt_serve_request *request);

/* Serves the runs on 127.0.0.1 until it is interrupted. Reads only: nothing is written, and nothing outside the runs
 * is read. A folder that holds no run is an error; a run that is still being trained is shown as it grows.
 * VT_ERROR_BUSY: the port (or all that were tried) is in use. */
VT_API enum vt_status vt_serve(const struct vt_serve_request *request, struct vt_error *error);

struct vt_report_request {
  const char *run;
  const char *output;   /* the file; replaced where it exists */
  size_t words;         /* the most frequent words that the map shows [10000] */
  uint64_t curve_bytes; /* of vectors, for the curves of pairs over time of the most frequent words [1.6 MB] */
  int threads;          /* at least 1; changes no result [the processors this process may use] */
  const volatile sig_atomic_t *interrupt; /* may be NULL */
};
VT_API void vt_report_request_init(struct vt_report_request *request);

struct vt_report_result {
  uint64_t bytes;
  size_t words, frames;
  size_t curve_words;
};
/* Writes a run as one HTML file that holds the page and its data, and needs nothing else. Written beside, synced,
 * renamed. result may be NULL. */
VT_API enum vt_status vt_report(const struct vt_report_request *request, struct vt_report_result *result,
                                struct vt_error *error);

#ifdef __cplusplus
}
#endif

#endif

/*
 * events.c: see events.h.
 *
 * A stream has nothing to send most of the time. Its connection is put to sleep then, and woken by the one thread that
 * looks at the runs, so that ten streams cost what one costs. A stream beyond the sixty-fourth ends after one message;
 * the browser asks again by itself.
 *
 * Threads: `lock` guards the list and all streams. A connection is put to sleep by the server's thread and woken by the
 * watching one, both with the lock held, so that no waking is lost.
 */
#define _POSIX_C_SOURCE 200809L

#include "serve/events.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "serve/http_library.h"

#define STREAMS_MAX 64
#define LOOK_NS 250000000L
#define AT_LEAST_SECONDS 10
#define BLOCK_BYTES 4096

struct stream {
  struct vt_events *events;
  struct MHD_Connection *connection;
  size_t run;
  struct vt_text message;
  size_t sent; /* of the message */
  bool asleep, once;
  uint64_t beat;
  double told; /* vt_clock_seconds */
  struct stream *next;
};

struct vt_events {
  struct vt_site *site;
  pthread_mutex_t lock;
  pthread_t thread;
  bool ending;
  struct stream *streams;
  size_t count;
};

/* With the lock, all of these. */

static void compose(struct stream *stream, const char *before) {
  stream->message.bytes = 0;
  stream->sent = 0;
  vt_text_put(&stream->message, before);
  vt_text_put(&stream->message, "data: ");
  vt_site_pulse(stream->events->site, stream->run, &stream->message);
  vt_text_put(&stream->message, "\n\n");
  stream->told = vt_clock_seconds();
}

static void wake(struct stream *stream) {
  if (!stream->asleep) return;
  stream->asleep = false;
  vt_http.MHD_resume_connection(stream->connection);
}

static void look(struct vt_events *events) {
  for (struct stream *s = events->streams; s != NULL; s = s->next) {
    if (!s->asleep) continue;
    uint64_t beat = vt_site_beat(events->site, s->run);
    if (beat == s->beat && vt_clock_seconds() - s->told < AT_LEAST_SECONDS) continue;
    s->beat = beat;
    compose(s, "");
    wake(s);
  }
}

static void *watch(void *context) {
  struct vt_events *events = context;
  for (bool ending = false; !ending;) {
    nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    pthread_mutex_lock(&events->lock);
    ending = events->ending;
    if (!ending) look(events);
    pthread_mutex_unlock(&events->lock);
  }
  return NULL;
}

/* The server wants more to send. */
static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t capacity) {
  struct stream *stream = context;
  (void)position;
  pthread_mutex_lock(&stream->events->lock);
  size_t left = stream->message.bytes - stream->sent;
  ssize_t given = 0;
  if (left > 0) {
    size_t part = left < capacity ? left : capacity;
    memcpy(buffer, stream->message.data + stream->sent, part);
    stream->sent += part;
    given = (ssize_t)part;
  } else if (stream->once || stream->events->ending || stream->message.failed) {
    given = MHD_CONTENT_READER_END_OF_STREAM;
  } else if (!stream->asleep) {
    stream->asleep = true;
    vt_http.MHD_suspend_connection(stream->connection);
  }
  pthread_mutex_unlock(&stream->events->lock);
  return given;
}

static void close_stream(void *context) {
  struct stream *stream = context;
  struct vt_events *events = stream->events;
  pthread_mutex_lock(&events->lock);
  struct stream **link = &events->streams;
  while (*link != NULL && *link != stream) link = &(*link)->next;
  if (*link != NULL) *link = stream->next;
  events->count--;
  pthread_mutex_unlock(&events->lock);
  vt_text_release(&stream->message);
  vt_free(stream);
}

struct MHD_Response *vt_events_open(struct vt_events *events, struct MHD_Connection *connection, size_t run) {
  struct stream *stream = vt_alloc_zero(1, sizeof *stream);
  if (stream == NULL) return NULL;
  *stream = (struct stream){.events = events, .connection = connection, .run = run};
  struct MHD_Response *response =
      vt_http.MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, close_stream);
  if (response == NULL) {
    vt_free(stream);
    return NULL;
  }
  pthread_mutex_lock(&events->lock);
  stream->once = events->count >= STREAMS_MAX;
  stream->beat = vt_site_beat(events->site, run);
  compose(stream, "retry: 2000\n");
  stream->next = events->streams;
  events->streams = stream;
  events->count++;
  pthread_mutex_unlock(&events->lock);
  return response;
}

enum vt_status vt_events_create(struct vt_site *site, struct vt_events **out, struct vt_error *error) {
  struct vt_events *events = vt_alloc_zero(1, sizeof *events);
  if (events == NULL) return VT_FAIL_MEMORY(error, sizeof *events);
  events->site = site;
  pthread_mutex_init(&events->lock, NULL);
  if (pthread_create(&events->thread, NULL, watch, events) != 0) {
    pthread_mutex_destroy(&events->lock);
    vt_free(events);
    return VT_FAIL(error, VT_ERROR_THREAD, "the thread that tells of changes could not be started");
  }
  *out = events;
  return VT_OK;
}

void vt_events_end(struct vt_events *events) {
  pthread_mutex_lock(&events->lock);
  events->ending = true;
  for (struct stream *s = events->streams; s != NULL; s = s->next) wake(s);
  pthread_mutex_unlock(&events->lock);
  pthread_join(events->thread, NULL);
}

void vt_events_free(struct vt_events *events) {
  if (events == NULL) return;
  pthread_mutex_destroy(&events->lock);
  vt_free(events);
}

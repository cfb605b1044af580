/*
 * server.c: the place that speaks HTTP, with events.c. A team of threads answers; each reply is made whole in memory,
 * then sent.
 *
 * Everything is bounded: connections, the bytes of a request (its head; none here has a body), and the seconds from its
 * first byte to the last of the answer, whatever the other side does meanwhile.
 *
 * Only loopback is listened on. A page of another origin must not read it either, so requests for a foreign host name
 * (DNS rebinding) are refused, no reply carries a CORS header, and the page may load nothing but what is here.
 */
#define _POSIX_C_SOURCE 200809L

#include "vectrail/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "serve/events.h"
#include "serve/http_library.h"
#include "serve/routes.h"
#include "serve/site.h"

#define REQUEST_BYTES 32768 /* of a request's head, and what the library keeps beside it */

struct client {
  struct client *next, **at;
  int socket;
  double since; /* when it connected, or its last answer was sent */
};

struct server {
  struct vt_site *site;
  struct vt_events *events;
  uint16_t port;
  unsigned request_seconds;
  pthread_mutex_t lock; /* guards the list */
  struct client *clients;
};

void vt_serve_request_init(struct vt_serve_request *request) {
  *request = (struct vt_serve_request){.threads = 8, .idle_seconds = 30, .request_seconds = 120, .connections = 512};
}

static const char *argument(void *connection, const char *name) {
  return vt_http.MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
}

/* 127.0.0.1, localhost or [::1], with the port of this server or none (80). */
static bool is_our_host(const struct server *server, const char *host) {
  static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
  if (host == NULL) return false;
  for (int k = 0; k < 3; k++) {
    size_t bytes = strlen(names[k]);
    char port[8];
    snprintf(port, sizeof port, ":%u", (unsigned)server->port);
    if (strncmp(host, names[k], bytes) == 0 && (host[bytes] == '\0' || strcmp(host + bytes, port) == 0)) return true;
  }
  return false;
}

static void add_headers(struct MHD_Response *response, const char *type) {
  static const char *const headers[][2] = {
      {"Content-Security-Policy", "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
                                  "frame-ancestors 'none'; object-src 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cache-Control", "no-store"}};
  vt_http.MHD_add_response_header(response, "Content-Type", type);
  for (size_t k = 0; k < sizeof headers / sizeof headers[0]; k++)
    vt_http.MHD_add_response_header(response, headers[k][0], headers[k][1]);
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, const struct vt_reply *reply) {
  struct MHD_Response *response;
  if (reply->fixed != NULL || reply->body.bytes == 0) /* The library takes a pointer to data that it only reads. */
    response = vt_http.MHD_create_response_from_buffer(reply->fixed_bytes, (void *)(uintptr_t)reply->fixed,
                                                       MHD_RESPMEM_PERSISTENT);
  else
    response = vt_http.MHD_create_response_from_buffer_with_free_callback(reply->body.bytes, reply->body.data, vt_free);
  if (response == NULL) {
    vt_free(reply->body.data);
    return MHD_NO;
  }
  add_headers(response, reply->type);
  if (reply->status == 503) vt_http.MHD_add_response_header(response, "Retry-After", "1");
  if (reply->status == 405) vt_http.MHD_add_response_header(response, "Allow", "GET, HEAD");
  enum MHD_Result sent = vt_http.MHD_queue_response(connection, reply->status, response);
  vt_http.MHD_destroy_response(response);
  return sent;
}

static enum MHD_Result send_refusal(struct MHD_Connection *connection, unsigned status, const char *cause) {
  struct vt_reply reply = {.status = status, .type = "application/json", .fixed = cause, .fixed_bytes = strlen(cause)};
  return send_reply(connection, &reply);
}

/* From when on a client's time is counted. */
static void note_time(struct server *server, struct MHD_Connection *connection, double since) {
  const union MHD_ConnectionInfo *info =
      vt_http.MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  pthread_mutex_lock(&server->lock);
  struct client *client = info != NULL ? info->socket_context : NULL;
  if (client != NULL) client->since = since;
  pthread_mutex_unlock(&server->lock);
}

static enum MHD_Result send_events(struct server *server, struct MHD_Connection *connection, size_t run) {
  struct MHD_Response *response = vt_events_open(server->events, connection, run);
  if (response == NULL) return MHD_NO;
  add_headers(response, "text/event-stream");
  vt_http.MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U); /* it may be silent, ... */
  note_time(server, connection, (double)INFINITY); /* ... and last: events.c bounds how many */
  enum MHD_Result sent = vt_http.MHD_queue_response(connection, 200, response);
  vt_http.MHD_destroy_response(response);
  return sent;
}

static bool has_body(struct MHD_Connection *connection) {
  const char *length = vt_http.MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
  return (length != NULL && strcmp(length, "0") != 0) ||
         vt_http.MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding") != NULL;
}

/* Called when the head of a request is there, and again at its end. What is refused is refused at once: the library
 * then closes the connection behind the answer, and reads nothing of a body. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **seen) {
  struct server *server = context;
  static int begun;
  (void)version;
  (void)upload;
  (void)upload_bytes;
  if (*seen == NULL) {
    if (!is_our_host(server, vt_http.MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
      return send_refusal(connection, 403, "{\"error\":\"this server answers to 127.0.0.1 and localhost alone\"}");
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
      return send_refusal(connection, 405, "{\"error\":\"this server can only be read\"}");
    if (has_body(connection)) return send_refusal(connection, 413, "{\"error\":\"a request here has no body\"}");
    *seen = &begun;
    return MHD_YES;
  }
  size_t run;
  if (vt_route_is_events(server->site, url, &run) && strcmp(method, "GET") == 0)
    return send_events(server, connection, run);
  struct vt_reply reply;
  vt_route(server->site, url, argument, connection, &reply);
  return send_reply(connection, &reply);
}

/* ---- who is connected ----------------------------------------------------------------------------------------------
 */

static void connection_changed(void *context, struct MHD_Connection *connection, void **own,
                               enum MHD_ConnectionNotificationCode code) {
  struct server *server = context;
  struct client *client = *own;
  pthread_mutex_lock(&server->lock);
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    const union MHD_ConnectionInfo *info =
        vt_http.MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    client = info != NULL ? vt_alloc(1, sizeof *client) : NULL; /* without: only the library's own limits hold */
    if (client != NULL) {
      *client = (struct client){.next = server->clients, .at = &server->clients, .socket = info->connect_fd};
      client->since = vt_clock_seconds();
      if (client->next != NULL) client->next->at = &client->next;
      server->clients = client;
    }
    *own = client;
  } else if (client != NULL) { /* the socket is closed after this */
    *client->at = client->next;
    if (client->next != NULL) client->next->at = client->at;
    vt_free(client);
    *own = NULL;
  }
  pthread_mutex_unlock(&server->lock);
}

static void request_completed(void *context, struct MHD_Connection *connection, void **seen,
                              enum MHD_RequestTerminationCode code) {
  (void)seen;
  (void)code;
  note_time(context, connection, vt_clock_seconds());
}

/* Cuts off who takes too long; the library notices, and closes the socket. */
static void cut_slow_clients(struct server *server) {
  double now = vt_clock_seconds();
  pthread_mutex_lock(&server->lock);
  for (struct client *client = server->clients; client != NULL; client = client->next)
    if (now - client->since > server->request_seconds) shutdown(client->socket, SHUT_RDWR);
  pthread_mutex_unlock(&server->lock);
}

/* A broken request is the sender's business. Where there is no memory to wait for requests with, the library says so
 * and tries again at once; until there is some, that would take a whole processor. */
static void be_quiet(void *context, const char *format, va_list arguments) {
  (void)context;
  (void)format;
  (void)arguments;
  if (errno != ENOMEM) return;
  errno = 0;
  nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* Listens on a port of 127.0.0.1; -1 where it is taken. */
static int listen_on(uint16_t port) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0) return -1;
  int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 128) == 0) return listener;
  close(listener);
  return -1;
}

static enum vt_status choose_port(const struct vt_serve_request *request, int *listener, uint16_t *port,
                                  struct vt_error *error) {
  uint16_t first = request->port != 0 ? request->port : VT_SERVE_PORT;
  int tries = request->port != 0 ? 1 : VT_SERVE_PORTS_TRIED;
  for (int k = 0; k < tries; k++) {
    *port = (uint16_t)(first + k);
    *listener = listen_on(*port);
    if (*listener >= 0) return VT_OK;
  }
  if (tries == 1)
    return VT_FAIL_HELP(error, VT_ERROR_BUSY, "choose another one, or leave --port out to take the first that is free",
                        "port %u cannot be listened on: %s", (unsigned)first, strerror(errno));
  return VT_FAIL_HELP(error, VT_ERROR_BUSY, "choose a port with --port", "the ports %u to %u are all in use",
                      (unsigned)first, (unsigned)(first + tries - 1));
}

static enum vt_status serve(const struct vt_serve_request *request, struct server *server, struct vt_error *error) {
  int listener;
  VT_TRY(choose_port(request, &listener, &server->port, error));
  enum vt_status status = vt_events_create(server->site, &server->events, error);
  if (status != VT_OK) {
    close(listener);
    return status;
  }
  /* The logger first: options before it would speak on stderr. poll, not epoll: with its edges the library (0.9.75)
   * misses one end in ten that comes right behind the data, and keeps the connection until it has been idle too long.
   */
  struct MHD_Daemon *daemon = vt_http.MHD_start_daemon(
      MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, server->port, NULL, NULL, handle,
      server, MHD_OPTION_EXTERNAL_LOGGER, be_quiet, NULL, MHD_OPTION_LISTEN_SOCKET, listener,
      MHD_OPTION_THREAD_POOL_SIZE, (unsigned)(request->threads > 1 ? request->threads : 0),
      MHD_OPTION_CONNECTION_TIMEOUT, request->idle_seconds, MHD_OPTION_CONNECTION_LIMIT, request->connections,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_NOTIFY_CONNECTION, connection_changed,
      server, MHD_OPTION_NOTIFY_COMPLETED, request_completed, server, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (daemon == NULL) {
    close(listener);
    vt_events_end(server->events);
    return VT_FAIL(error, VT_ERROR_THREAD, "the server could not be started");
  }
  if (request->ready != NULL) request->ready(request->context, server->port);
  while (!vt_is_interrupted(request->interrupt)) {
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    cut_slow_clients(server);
  }
  vt_events_end(server->events);
  vt_http.MHD_stop_daemon(daemon);
  return VT_OK;
}

enum vt_status vt_serve(const struct vt_serve_request *request, struct vt_error *error) {
  if (request->run_count > VT_SERVE_RUNS_MAX || request->threads < 1)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "at most %d runs, and at least one thread", VT_SERVE_RUNS_MAX);
  if (request->idle_seconds < 1 || request->request_seconds < 1 || request->connections < (unsigned)request->threads)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "at least a second, and a connection for each thread");
  VT_TRY(vt_http_open(error));
  struct vt_view_options defaults;
  vt_view_options_init(&defaults);
  struct vt_site_options options = {.map_words = defaults.map_words, .threads = defaults.threads};
  struct server server = {.lock = PTHREAD_MUTEX_INITIALIZER, .request_seconds = request->request_seconds};
  VT_TRY(vt_site_create(request->runs, request->run_count, &options, &server.site, error));
  enum vt_status status = serve(request, &server, error);
  vt_events_free(server.events);
  vt_site_free(server.site);
  return status;
}

/*
 * server.c: the place that speaks HTTP, with events.c. A team of threads answers; each reply is made whole in memory,
 * then sent.
 *
 * Only loopback is listened on. A page of another origin must not read it either, so requests for a foreign host name
 * (DNS rebinding) are refused, no reply carries a CORS header, and the page may load nothing but what is here.
 */
#define _POSIX_C_SOURCE 200809L

#include "vectrail/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/memory.h"
#include "serve/events.h"
#include "serve/routes.h"
#include "serve/site.h"

#define IDLE_SECONDS 30
#define CONNECTIONS 256

struct server {
  struct vt_site *site;
  struct vt_events *events;
  uint16_t port;
};

void vt_serve_request_init(struct vt_serve_request *request) { *request = (struct vt_serve_request){.threads = 8}; }

static const char *argument(void *connection, const char *name) {
  return MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, name);
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
  MHD_add_response_header(response, "Content-Type", type);
  for (size_t k = 0; k < sizeof headers / sizeof headers[0]; k++)
    MHD_add_response_header(response, headers[k][0], headers[k][1]);
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, const struct vt_reply *reply) {
  struct MHD_Response *response;
  if (reply->fixed != NULL || reply->body.bytes == 0) /* The library takes a pointer to data that it only reads. */
    response =
        MHD_create_response_from_buffer(reply->fixed_bytes, (void *)(uintptr_t)reply->fixed, MHD_RESPMEM_PERSISTENT);
  else
    response = MHD_create_response_from_buffer_with_free_callback(reply->body.bytes, reply->body.data, vt_free);
  if (response == NULL) {
    vt_free(reply->body.data);
    return MHD_NO;
  }
  add_headers(response, reply->type);
  if (reply->status == 503) MHD_add_response_header(response, "Retry-After", "1");
  if (reply->status == 405) MHD_add_response_header(response, "Allow", "GET, HEAD");
  enum MHD_Result sent = MHD_queue_response(connection, reply->status, response);
  MHD_destroy_response(response);
  return sent;
}

static enum MHD_Result send_refusal(struct MHD_Connection *connection, unsigned status, const char *cause) {
  struct vt_reply reply = {.status = status, .type = "application/json", .fixed = cause, .fixed_bytes = strlen(cause)};
  return send_reply(connection, &reply);
}

static enum MHD_Result send_events(const struct server *server, struct MHD_Connection *connection, size_t run) {
  struct MHD_Response *response = vt_events_open(server->events, connection, run);
  if (response == NULL) return MHD_NO;
  add_headers(response, "text/event-stream");
  MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U); /* it may be silent */
  enum MHD_Result sent = MHD_queue_response(connection, 200, response);
  MHD_destroy_response(response);
  return sent;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **seen) {
  const struct server *server = context;
  static int begun;
  (void)version;
  (void)upload;
  if (*seen == NULL) { /* the headers are there; what comes behind them is looked at next time */
    *seen = &begun;
    return MHD_YES;
  }
  if (*upload_bytes > 0) { /* nobody reads it, but it has to be taken before an answer can be given */
    *upload_bytes = 0;
    return MHD_YES;
  }
  if (!is_our_host(server, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
    return send_refusal(connection, 403, "{\"error\":\"this server answers to 127.0.0.1 and localhost alone\"}");
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
    return send_refusal(connection, 405, "{\"error\":\"this server can only be read\"}");
  size_t run;
  if (vt_route_is_events(server->site, url, &run) && strcmp(method, "GET") == 0)
    return send_events(server, connection, run);
  struct vt_reply reply;
  vt_route(server->site, url, argument, connection, &reply);
  return send_reply(connection, &reply);
}

/* A broken request is the sender's business. */
static void be_quiet(void *context, const char *format, va_list arguments) {
  (void)context;
  (void)format;
  (void)arguments;
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
  /* The logger first: options before it would speak on stderr. */
  struct MHD_Daemon *daemon =
      MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME, server->port, NULL,
                       NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, be_quiet, NULL, MHD_OPTION_LISTEN_SOCKET,
                       listener, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)(request->threads > 1 ? request->threads : 0),
                       MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_LIMIT,
                       (unsigned)CONNECTIONS, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
  if (daemon == NULL) {
    close(listener);
    vt_events_end(server->events);
    return VT_FAIL(error, VT_ERROR_THREAD, "the server could not be started");
  }
  if (request->ready != NULL) request->ready(request->context, server->port);
  while (!vt_is_interrupted(request->interrupt)) nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
  vt_events_end(server->events);
  MHD_stop_daemon(daemon);
  return VT_OK;
}

enum vt_status vt_serve(const struct vt_serve_request *request, struct vt_error *error) {
  if (request->run_count > VT_SERVE_RUNS_MAX || request->threads < 1)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "at most %d runs, and at least one thread", VT_SERVE_RUNS_MAX);
  struct vt_view_options defaults;
  vt_view_options_init(&defaults);
  struct vt_site_options options = {.map_words = defaults.map_words, .threads = defaults.threads};
  struct server server = {0};
  VT_TRY(vt_site_create(request->runs, request->run_count, &options, &server.site, error));
  enum vt_status status = serve(request, &server, error);
  vt_events_free(server.events);
  vt_site_free(server.site);
  return status;
}

/*
 * fuzz_http.c: bytes to a server that serves a run: each input is one connection, whose writing end is then closed.
 *
 * Whatever comes, the server answers or hangs up, at once, and never says "internal error". Nobody who does not name
 * this machine gets an answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "vectrail/serve.h"

static uint16_t port; /* 0 until the server listens */
static volatile sig_atomic_t stop;
static pthread_t thread;

static void listening(void *context, uint16_t at) {
  (void)context;
  __atomic_store_n(&port, at, __ATOMIC_RELEASE);
}

static void *serve(void *path) {
  struct vt_serve_request request;
  struct vt_error error;
  vt_serve_request_init(&request);
  const char *runs[] = {path};
  request.runs = runs;
  request.run_count = 1;
  request.threads = 1;
  request.ready = listening;
  request.interrupt = &stop;
  /* Some port of this process's own: several of these may run at once. */
  for (int k = 0; k < 50; k++) {
    request.port = (uint16_t)(20000 + (getpid() * 50 + k) % 40000);
    if (vt_serve(&request, &error) == VT_OK) return NULL;
  }
  vtz_require(false, error.message);
  return NULL;
}

static void end(void) {
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  pthread_join(thread, NULL);
}

static int connect_to_server(void) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  /* Closed without lingering: thousands of connections a second would use up the ports. */
  const struct linger linger = {.l_onoff = 1, .l_linger = 0};
  const struct timeval patience = {.tv_sec = 10};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  /* Where all ports of this machine are used up for the moment, that is not the server's doing. */
  int code = -1;
  for (int k = 0; k < 10000 && code != 0; k++) {
    code = connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    if (code != EADDRNOTAVAIL && code != EINTR) break;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  char what[128];
  snprintf(what, sizeof what, "the server takes a connection (%s)", strerror(code));
  vtz_require(code == 0, what);
  return descriptor;
}

/* The beginning of what came back, terminated. */
static void ask(const void *data, size_t bytes, char reply[4096]) {
  int descriptor = connect_to_server();
  size_t got = 0;
  char rest[4096];
  if (bytes > 0) (void)!send(descriptor, data, bytes, MSG_NOSIGNAL);
  shutdown(descriptor, SHUT_WR);
  for (;;) {
    bool room = got < 4095;
    ssize_t more = recv(descriptor, room ? reply + got : rest, room ? 4095 - got : sizeof rest, 0);
    if (more <= 0) break; /* reset, ended, or out of patience */
    if (room) got += (size_t)more;
    /* A stream of events never ends: one will do. */
    if (memmem(reply, got, "text/event-stream", 17) != NULL && memmem(reply, got, "data: ", 6) != NULL) break;
  }
  reply[got] = '\0';
  close(descriptor);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  static const char hello[] = "GET /api/runs/0/frames HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n";
  static char path[256], reply[4096];
  (void)argc;
  (void)argv;
  vtz_make_run();
  snprintf(path, sizeof path, "%s", vtz_path("run"));
  vtz_require(pthread_create(&thread, NULL, serve, path) == 0, "a thread");
  while (__atomic_load_n(&port, __ATOMIC_ACQUIRE) == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  for (int k = 0; k < 5000 && strncmp(reply + 8, " 200 ", 5) != 0; k++) {
    ask(hello, sizeof hello - 1, reply);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
  }
  vtz_require(strncmp(reply + 8, " 200 ", 5) == 0, "the run is served");
  atexit(end);
  return 0;
}

static bool has(const uint8_t *data, size_t bytes, const char *text) {
  return bytes > 0 && memmem(data, bytes, text, strlen(text)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static char reply[4096];
  ask(data, bytes, reply);
  if (reply[0] == '\0') return 0; /* it hung up */
  vtz_require(strncmp(reply, "HTTP/1.", 7) == 0 || strncmp(reply, "HTTP/0.", 7) == 0 || reply[0] == '{' ||
                  reply[0] == '<',
              "an answer is one of HTTP");
  vtz_require(strncmp(reply + 8, " 500 ", 5) != 0, "no internal error");
  if (strncmp(reply + 8, " 200 ", 5) == 0)
    vtz_require(has(data, bytes, "127.0.0.1") || has(data, bytes, "localhost") || has(data, bytes, "[::1]"),
                "an answer goes to those who name this machine alone");
  return 0;
}

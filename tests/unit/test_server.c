/*
 * label: threads, label: long. Clients that ask at once are told the same. What one of them can hold: sizes, seconds
 * and connections are bounded, and whoever does not name this machine, or wants to write, is refused at once.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
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

#include "base/clock.h"
#include "support/planted.h"
#include "support/rank_jobs.h"
#include "text/hash.h"
#include "vectrail/serve.h"

#define PATIENCE 20 /* seconds: a bound that a slow machine keeps, too */

static uint16_t port;
static volatile sig_atomic_t stop;
static pthread_t thread;
static struct vtt_folder *folder;
static const char *runs[2];
static size_t run_count; /* with runs to show it has the usual patience, else it is strict */

static void listening(void *context, uint16_t at) {
  (void)context;
  __atomic_store_n(&port, at, __ATOMIC_RELEASE);
}

static void *serve(void *unused) {
  struct vt_serve_request request;
  struct vt_error error;
  (void)unused;
  vt_serve_request_init(&request);
  request.runs = runs;
  request.run_count = run_count;
  request.threads = 3;
  if (run_count == 0) {
    request.idle_seconds = 1;
    request.request_seconds = 2;
    request.connections = 8;
  }
  request.ready = listening;
  request.interrupt = &stop;
  for (int k = 0; k < 50; k++) {
    request.port = (uint16_t)(20000 + (getpid() * 50 + k) % 40000);
    if (vt_serve(&request, &error) == VT_OK) return NULL;
  }
  return NULL;
}

/* A run with a ledger of its most frequent word, which is number 0. */
static int train(const char *corpus, const char *run, uint64_t seed) {
  static const char *const watched[] = {"the1"};
  struct vt_train_request request;
  vtt_request_small(&request, &corpus, run, 8);
  request.train.seed = seed;
  request.record.ledger = watched;
  request.record.ledger_count = 1;
  return vt_train(&request, NULL, NULL) == VT_OK ? 0 : -1;
}

static int start(void **state) {
  (void)state;
  port = 0;
  stop = 0;
  if (pthread_create(&thread, NULL, serve, NULL) != 0) return -1;
  while (__atomic_load_n(&port, __ATOMIC_ACQUIRE) == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return 0;
}

static int end(void **state) {
  (void)state;
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  return pthread_join(thread, NULL);
}

static int start_with_runs(void **state) {
  folder = vtt_folder_create();
  const char *corpus = vtt_planted_corpus(folder, "corpus.txt", 200, 1);
  for (run_count = 0; run_count < 2; run_count++) {
    runs[run_count] = vtt_path(folder, run_count == 0 ? "first" : "second");
    if (train(corpus, runs[run_count], 1 + run_count) != 0) return -1;
  }
  return start(state);
}

static int end_with_runs(void **state) {
  int ended = end(state);
  run_count = 0;
  vtt_folder_remove(folder);
  return ended;
}

/* A connection, or -1. */
static int connected(void) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const struct timeval patience = {.tv_sec = PATIENCE};
  if (descriptor < 0) return -1;
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
  close(descriptor);
  return -1;
}

static int connect_to_server(void) {
  int descriptor = connected();
  assert_true(descriptor >= 0);
  return descriptor;
}

static void say(int descriptor, const char *text) { (void)!send(descriptor, text, strlen(text), MSG_NOSIGNAL); }

/* Up to the end of the connection, terminated; how many bytes, and in `ended` (may be NULL) whether it ended in time.
 */
static size_t hear_bytes(int descriptor, char *reply, size_t capacity, bool *ended) {
  size_t got = 0;
  ssize_t more = 1;
  while (got + 1 < capacity && (more = recv(descriptor, reply + got, capacity - 1 - got, 0)) > 0) got += (size_t)more;
  if (ended != NULL) *ended = got + 1 == capacity || more == 0 || errno == ECONNRESET;
  reply[got] = '\0';
  close(descriptor);
  return got;
}

static bool hear(int descriptor, char *reply, size_t capacity) {
  bool ended;
  (void)hear_bytes(descriptor, reply, capacity, &ended);
  return ended;
}

static void expect(const char *request, const char *status) {
  char reply[65536];
  int descriptor = connect_to_server();
  say(descriptor, request);
  assert_true(hear(descriptor, reply, sizeof reply));
  if (strncmp(reply + 8, status, strlen(status)) != 0) fail_msg("%.100s: %.100s", request, reply);
}

static void who_may_ask(void **state) {
  (void)state;
  expect("GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", " 200 ");
  expect("GET /api/runs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", " 403 ");
  expect("GET /api/runs HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\nConnection: close\r\n\r\n", " 403 ");
  expect("GET /api/runs HTTP/1.1\r\nConnection: close\r\n\r\n", " 400 ");
}

/* Refused by its head alone: of the body nothing is waited for. */
static void nothing_is_taken_in(void **state) {
  (void)state;
  expect("POST /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nx", " 405 ");
  expect("DELETE /api/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", " 405 ");
  expect("GET /api/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\nx", " 413 ");
  expect("GET /api/runs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx", " 413 ");
}

static void a_head_is_bounded(void **state) {
  (void)state;
  static char request[1 << 20], reply[65536];
  int at = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
  memset(request + at, 'x', sizeof request - 1 - (size_t)at);
  int descriptor = connect_to_server();
  say(descriptor, request);
  assert_true(hear(descriptor, reply, sizeof reply));
  assert_true(reply[0] == '\0' || strncmp(reply + 8, " 4", 2) == 0);
}

static void who_is_silent_is_cut_off(void **state) {
  (void)state;
  char reply[1024];
  int descriptor = connect_to_server();
  say(descriptor, "GET / HTTP/1.1\r\nHo");
  assert_true(hear(descriptor, reply, sizeof reply));
}

static void who_trickles_is_cut_off(void **state) {
  (void)state;
  char reply[1024];
  int descriptor = connect_to_server();
  double begun = vt_clock_seconds();
  say(descriptor, "GET / HTTP/1.1\r\nX: ");
  ssize_t sent = 1;
  while (sent == 1 && vt_clock_seconds() - begun < PATIENCE) {
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    sent = send(descriptor, "x", 1, MSG_NOSIGNAL);
  }
  assert_int_equal(sent, -1);
  hear(descriptor, reply, sizeof reply);
}

/* Each kind of answer there is: from snapshots, from what is computed once and kept, and from two runs at once. The
 * first ones tell how far that has come, too, and so change. */
static const char *const paths[] = {
    "/api/runs/0",
    "/api/runs/1",
    "/",
    "/app.js",
    "/api/runs/0/words",
    "/api/runs/0/frames",
    "/api/runs/0/movement",
    "/api/runs/0/clusters",
    "/api/runs/0/plane?axes=1,2,3,4",
    "/api/runs/0/plane/share?axes=1,2,3,4",
    "/api/runs/0/find?text=syn0a",
    "/api/runs/0/neighbors?word=3&k=4",
    "/api/runs/0/pair?a=1&b=2&ranks=1",
    "/api/runs/0/word?word=1",
    "/api/runs/0/analogy?words=1,2,3,4",
    "/api/runs/0/movers?frame=1&k=5",
    "/api/runs/0/table?frame=0",
    "/api/runs/0/explain?word=0&by=role",
    "/api/runs/0/diagnosis",
    "/api/runs/0/measures",
    "/api/runs/1/frames?first=1&count=1",
    "/api/runs/1/neighbors?word=1&k=2",
    "/api/compare?a=0&b=1&k=3",
    "/api/compare/positions?a=0&b=1",
};
enum { PATHS = sizeof paths / sizeof *paths, CHANGE = 2, CLIENTS = 4, REPLY_BYTES = 1 << 20 };

struct client {
  pthread_t thread;
  size_t first; /* where it begins in the list */
  bool good;    /* all was answered */
  const char *at;
  uint64_t told[PATHS]; /* a hash of each answer */
};

/* What is being computed is answered by 503; it is asked for again. Cmocka's checks belong to the thread that runs the
 * test: a client takes down what it heard. */
static bool ask(const char *path, char *reply, uint64_t *told) {
  char request[256];
  snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);
  double begun = vt_clock_seconds();
  do {
    int descriptor = connected();
    if (descriptor < 0) return false;
    say(descriptor, request);
    size_t bytes = hear_bytes(descriptor, reply, REPLY_BYTES, NULL);
    const char *body = strstr(reply, "\r\n\r\n");
    if (body != NULL && strncmp(reply + 8, " 200 ", 5) == 0) {
      *told = vt_hash_bytes(body, (size_t)(reply + bytes - body));
      return true;
    }
    if (strncmp(reply + 8, " 503 ", 5) != 0) return false;
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  } while (vt_clock_seconds() - begun < PATIENCE);
  return false;
}

static void *be_client(void *context) {
  struct client *client = context;
  char *reply = malloc(REPLY_BYTES);
  client->good = reply != NULL;
  for (size_t k = 0; k < PATHS && client->good; k++) {
    size_t place = (client->first + k) % PATHS;
    client->at = paths[place];
    client->good = ask(paths[place], reply, &client->told[place]);
  }
  free(reply);
  return NULL;
}

static void clients_at_once_are_told_the_same(void **state) {
  (void)state;
  static struct client clients[CLIENTS];
  /* Two begin with the same, and meet the others on the way. */
  for (size_t c = 0; c < CLIENTS; c++) {
    clients[c] = (struct client){.first = c / 2 * (PATHS / 2)};
    assert_int_equal(pthread_create(&clients[c].thread, NULL, be_client, &clients[c]), 0);
  }
  for (size_t c = 0; c < CLIENTS; c++) assert_int_equal(pthread_join(clients[c].thread, NULL), 0);
  for (size_t c = 0; c < CLIENTS; c++) {
    if (!clients[c].good) fail_msg("client %zu was not answered: %s", c, clients[c].at);
    for (size_t k = CHANGE; k < PATHS; k++)
      if (clients[c].told[k] != clients[0].told[k]) fail_msg("client %zu was told something else: %s", c, paths[k]);
  }
}

/* As many as may be open hold it no longer than their time; then others are answered again. */
static void connections_are_bounded(void **state) {
  (void)state;
  int descriptors[24];
  for (int k = 0; k < 24; k++) descriptors[k] = connect_to_server();
  char reply[65536];
  double begun = vt_clock_seconds();
  bool answered = false;
  while (!answered && vt_clock_seconds() - begun < PATIENCE) {
    int descriptor = connect_to_server();
    say(descriptor, "GET /api/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    hear(descriptor, reply, sizeof reply);
    answered = strncmp(reply + 8, " 200 ", 5) == 0;
  }
  assert_true(answered);
  for (int k = 0; k < 24; k++) close(descriptors[k]);
}

static void limits_are_checked(void **state) {
  (void)state;
  struct vt_serve_request request;
  struct vt_error error;
  vt_serve_request_init(&request);
  request.connections = 1;
  assert_int_equal(vt_serve(&request, &error), VT_ERROR_ARGUMENT);
  vt_serve_request_init(&request);
  request.request_seconds = 0;
  assert_int_equal(vt_serve(&request, &error), VT_ERROR_ARGUMENT);
}

int main(void) {
  const struct CMUnitTest with_runs[] = {cmocka_unit_test(clients_at_once_are_told_the_same)};
  const struct CMUnitTest strict[] = {
      cmocka_unit_test(limits_are_checked),       cmocka_unit_test(who_may_ask),
      cmocka_unit_test(nothing_is_taken_in),      cmocka_unit_test(a_head_is_bounded),
      cmocka_unit_test(who_is_silent_is_cut_off), cmocka_unit_test(who_trickles_is_cut_off),
      cmocka_unit_test(connections_are_bounded),
  };
  int failed = cmocka_run_group_tests(with_runs, start_with_runs, end_with_runs);
  return failed + cmocka_run_group_tests(strict, start, end);
}

/*
 * label: threads. What one client of the server can hold: sizes, seconds and connections are bounded, and whoever does
 * not name this machine, or wants to write, is refused at once.
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
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "vectrail/serve.h"

#define PATIENCE 20 /* seconds: a bound that a slow machine keeps, too */

static uint16_t port;
static volatile sig_atomic_t stop;
static pthread_t thread;

static void listening(void *context, uint16_t at) {
  (void)context;
  __atomic_store_n(&port, at, __ATOMIC_RELEASE);
}

static void *serve(void *unused) {
  struct vt_serve_request request;
  struct vt_error error;
  (void)unused;
  vt_serve_request_init(&request);
  request.threads = 2;
  request.idle_seconds = 1;
  request.request_seconds = 2;
  request.connections = 8;
  request.ready = listening;
  request.interrupt = &stop;
  for (int k = 0; k < 50; k++) {
    request.port = (uint16_t)(20000 + (getpid() * 50 + k) % 40000);
    if (vt_serve(&request, &error) == VT_OK) return NULL;
  }
  return NULL;
}

static int start(void **state) {
  (void)state;
  if (pthread_create(&thread, NULL, serve, NULL) != 0) return -1;
  while (__atomic_load_n(&port, __ATOMIC_ACQUIRE) == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  return 0;
}

static int end(void **state) {
  (void)state;
  __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
  return pthread_join(thread, NULL);
}

static int connect_to_server(void) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const struct timeval patience = {.tv_sec = PATIENCE};
  assert_true(descriptor >= 0);
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  assert_int_equal(connect(descriptor, (struct sockaddr *)&address, sizeof address), 0);
  return descriptor;
}

static void say(int descriptor, const char *text) { (void)!send(descriptor, text, strlen(text), MSG_NOSIGNAL); }

/* Up to the end of the connection, terminated; false where it did not end in time. */
static bool hear(int descriptor, char *reply, size_t capacity) {
  size_t got = 0;
  ssize_t more = 1;
  while (got + 1 < capacity && (more = recv(descriptor, reply + got, capacity - 1 - got, 0)) > 0) got += (size_t)more;
  bool ended = got + 1 == capacity || more == 0 || errno == ECONNRESET;
  reply[got] = '\0';
  close(descriptor);
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
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(limits_are_checked),       cmocka_unit_test(who_may_ask),
      cmocka_unit_test(nothing_is_taken_in),      cmocka_unit_test(a_head_is_bounded),
      cmocka_unit_test(who_is_silent_is_cut_off), cmocka_unit_test(who_trickles_is_cut_off),
      cmocka_unit_test(connections_are_bounded),
  };
  return cmocka_run_group_tests(tests, start, end);
}

/*
 * report.c: the only place that words errors, so that they all have the same two lines.
 *
 * The program reports at most one error: commands return at once with the status that the report gave them.
 */
#define _POSIX_C_SOURCE 200809L

#include "report.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "terminal.h"

static bool silenced;

void report_silence(bool silent) { silenced = silent; }

static void print_error(const char *help, const char *format, va_list arguments) {
  if (silenced) return;
  char cause[2048];
  int written = vsnprintf(cause, sizeof cause, format, arguments);
  if (written >= (int)sizeof cause) memcpy(cause + sizeof cause - 4, "...", 4);
  fflush(stdout);
  fputs("vectrail: ", stderr);
  print_clean(stderr, cause);
  fputc('\n', stderr);
  if (help == NULL || help[0] == '\0') return;
  print_clean(stderr, help);
  fputc('\n', stderr);
}

void report(const char *help, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print_error(help, format, arguments);
  va_end(arguments);
}

static enum exit_status exit_status_of(enum vt_status status) {
  switch (status) {
  case VT_OK:
    return EXIT_DONE;
  case VT_ERROR_ARGUMENT:
    return EXIT_USAGE;
  case VT_ERROR_DIVERGED:
    return EXIT_DIVERGED;
  case VT_ERROR_INTERRUPTED:
    return EXIT_INTERRUPTED;
  default:
    return EXIT_FAILED;
  }
}

enum exit_status report_error(const struct vt_error *error) {
  const char *cause = error->message[0] != '\0' ? error->message : vt_status_text(error->status);
  report(error->help, "%s", cause);
  return exit_status_of(error->status);
}

enum exit_status report_error_with(const struct vt_error *error, FILE *stream, char **help, const size_t *bytes) {
  struct vt_error explained = *error;
  if (stream != NULL) {
    /* Where memory runs out only while the stream is closed, that says nothing of it: there is no text. */
    const bool failed = ferror(stream) != 0;
    if (fclose(stream) == 0 && !failed && *help != NULL && *bytes < sizeof explained.help)
      snprintf(explained.help, sizeof explained.help, "%s", *help);
    free(*help);
  }
  return report_error(&explained);
}

enum exit_status report_usage(const char *command, const char *format, ...) {
  char help[128];
  snprintf(help, sizeof help, "'vectrail help%s%s' shows what there is", command != NULL ? " " : "",
           command != NULL ? command : "");
  va_list arguments;
  va_start(arguments, format);
  print_error(help, format, arguments);
  va_end(arguments);
  return EXIT_USAGE;
}

/* Whether stdout is a pipe whose reader has gone: the errno of the write that failed may be long overwritten. */
static bool reader_has_gone(void) {
  struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
  return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

enum exit_status finish_output(enum exit_status status) {
  errno = 0;
  bool failed_before = ferror(stdout) != 0;
  bool failed = fflush(stdout) != 0 || failed_before;
  int code = errno;
  if (!failed) return status;
  if (status == EXIT_DONE && code != EPIPE && !reader_has_gone())
    report("make room, or send the output elsewhere; what was printed is not complete",
           "cannot write the results to standard output: %s", code != 0 ? strerror(code) : "an earlier write failed");
  return status == EXIT_DONE ? EXIT_FAILED : status;
}

static void *checked(void *block) {
  if (block == NULL) {
    report(NULL, "out of memory");
    exit(EXIT_FAILED);
  }
  return block;
}

void *cli_alloc(size_t count, size_t size_bytes) { return checked(calloc(count > 0 ? count : 1, size_bytes)); }

void *cli_realloc(void *block, size_t count, size_t size_bytes) {
  if (size_bytes != 0 && count > SIZE_MAX / size_bytes) return checked(NULL);
  size_t bytes = count * size_bytes;
  return checked(realloc(block, bytes > 0 ? bytes : 1));
}

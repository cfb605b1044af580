/* cmd_serve.c: vectrail serve: runs in the browser. */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>

#include "cli.h"
#include "interrupt.h"
#include "report.h"
#include "terminal.h"
#include "vectrail/serve.h"

static struct serve_settings {
  int port;
  int threads;
} settings;

static void prepare(void) {
  struct vt_serve_request defaults;
  vt_serve_request_init(&defaults);
  settings = (struct serve_settings){.threads = defaults.threads};
}

#define AT(field) .offset = offsetof(struct serve_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    {.kind = OPTION_INT,
     .name = "port",
     .value = "N",
     AT(port),
     .low = 1,
     .high = 65535,
     .unset = "the first that is free from 8080 on",
     .help = "the port of 127.0.0.1 to listen on; an error where it is in use"},
    {.kind = OPTION_INT,
     .name = "threads",
     .value = "N",
     AT(threads),
     .low = 1,
     .high = 256,
     .help = "threads that answer requests"},
};

static void print_address(void *context, uint16_t port) {
  const struct common_settings *common = context;
  printf("%shttp://127.0.0.1:%u/%s\n", terminal_style(stdout, STYLE_BOLD), (unsigned)port,
         terminal_style(stdout, STYLE_PLAIN));
  fflush(stdout);
  if (!common->quiet) fprintf(stderr, "open this address in a browser; Ctrl-C ends the server\n");
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  struct vt_serve_request request;
  vt_serve_request_init(&request);
  struct common_settings handed_on = *common;
  request.runs = operands->items;
  request.run_count = operands->count;
  request.port = (uint16_t)settings.port;
  request.threads = settings.threads;
  request.ready = print_address;
  request.context = &handed_on;
  request.interrupt = &interrupt_flag;
  interrupt_defer();
  struct vt_error error;
  if (vt_serve(&request, &error) != VT_OK) return report_error(&error);
  return EXIT_DONE;
}

const struct command command_serve = {
    .name = "serve",
    .operands = "[DIR...] [options]",
    .summary = "look at runs in the browser: one map that plays the whole training",
    .about = "Serves a page on this machine alone that shows runs, also those still being trained: a map on which all "
             "words move from the first snapshot to the last, curves, and the story of each word. Nothing is written. "
             "The address is printed once the server answers.",
    .example = "vectrail serve runs/first",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 0,
    .operands_high = VT_SERVE_RUNS_MAX,
    .operands_missing = "serve takes run folders",
    .run = run,
};

/*
 * interrupt.c: what a signal does. The handler touches nothing but two flags, write and _exit. The flag that the
 * library looks at is set as an atomic: it may look from another thread than the one that the signal has met.
 */
#define _POSIX_C_SOURCE 200809L

#include "interrupt.h"

#include <unistd.h>

#include "cli.h"

volatile sig_atomic_t interrupt_flag = 0;
static volatile sig_atomic_t deferred = 0;

static void on_signal(int signal_number) {
  (void)signal_number;
  if (deferred && !interrupt_flag) {
    __atomic_store_n(&interrupt_flag, 1, __ATOMIC_RELAXED);
    return;
  }
  /* Leaves the terminal on a line of its own; nothing sensible can be done where that fails. */
  if (isatty(STDERR_FILENO) == 1 && write(STDERR_FILENO, "\n", 1) != 1) _exit(EXIT_INTERRUPTED);
  _exit(EXIT_INTERRUPTED);
}

void interrupt_install(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  struct sigaction before;
  /* A job started with SIGINT ignored (by nohup, or in the background of a script) stays that way. */
  if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGINT, &action, NULL);
  if (sigaction(SIGTERM, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGTERM, &action, NULL);
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGPIPE, &ignore, NULL);
}

void interrupt_defer(void) { deferred = 1; }

/*
 * interrupt.h: SIGINT and SIGTERM.
 */
#ifndef VECTRAIL_CLI_INTERRUPT_H
#define VECTRAIL_CLI_INTERRUPT_H

#include <signal.h>

/* Set by the first signal once interrupt_defer was called. */
extern volatile sig_atomic_t interrupt_flag;

/* From the start: the first signal ends the program at once with EXIT_INTERRUPTED; writing to a closed pipe is an
 * error of that write and no signal. */
void interrupt_install(void);
/* From now on the first signal only sets the flag, so that what is being written can be made whole; the second one
 * ends the program at once. */
void interrupt_defer(void);

#endif

/*
 * interrupt.h: whether a caller wants a stop. The flag is set by a signal handler, which may run in any thread, so it
 * is read as an atomic; a handler of ours sets it as one.
 */
#ifndef VECTRAIL_BASE_INTERRUPT_H
#define VECTRAIL_BASE_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* flag may be NULL. */
static inline bool vt_is_interrupted(const volatile sig_atomic_t *flag) {
  return flag != NULL && __atomic_load_n(flag, __ATOMIC_RELAXED) != 0;
}

#endif

/* relax.h: what a thread does between two looks at a word that another will change. */
#ifndef VECTRAIL_BASE_RELAX_H
#define VECTRAIL_BASE_RELAX_H

/* Tells the processor that this is a spin, so that its neighbour on the core gets on. Some tens of cycles. */
static inline void vt_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif

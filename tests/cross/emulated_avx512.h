/*
 * emulated_avx512.h: AVX-512F in plain C, so that the kernel for it can be held against the others on a processor
 * without it. Included before src/kernel/avx512.c (-include). SIMDe has most of it; what Debian's version lacks is
 * here.
 */
#ifndef VECTRAIL_TESTS_CROSS_EMULATED_AVX512_H
#define VECTRAIL_TESTS_CROSS_EMULATED_AVX512_H

#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_X86_AVX512F_NO_NATIVE
#include <simde/x86/avx512.h>
/* Only now: the compiler's own headers must not believe it. */
#define __AVX512F__ 1

static inline simde__m512 emulated_shuffle_f32x4(simde__m512 a, simde__m512 b, int choice) {
  simde__m512_private x = simde__m512_to_private(a), y = simde__m512_to_private(b), result;
  for (int quarter = 0; quarter < 4; quarter++) {
    int from = choice >> (2 * quarter) & 3;
    for (int lane = 0; lane < 4; lane++)
      result.f32[4 * quarter + lane] = quarter < 2 ? x.f32[4 * from + lane] : y.f32[4 * from + lane];
  }
  return simde__m512_from_private(result);
}

static inline simde__m512 emulated_maskz_loadu_ps(simde__mmask16 mask, const float *from) {
  simde__m512_private result;
  for (int lane = 0; lane < 16; lane++) result.f32[lane] = mask >> lane & 1 ? from[lane] : 0;
  return simde__m512_from_private(result);
}

static inline void emulated_mask_storeu_ps(float *to, simde__mmask16 mask, simde__m512 a) {
  simde__m512_private x = simde__m512_to_private(a);
  for (int lane = 0; lane < 16; lane++)
    if (mask >> lane & 1) to[lane] = x.f32[lane];
}

#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4 emulated_shuffle_f32x4
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps

/* There are no such registers to keep anything in. */
#define vf_keep(v) ((void)(v))

#endif

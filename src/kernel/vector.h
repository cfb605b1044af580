/* vector.h: what the templates ask of the compiler. */
#ifndef VECTRAIL_KERNEL_VECTOR_H
#define VECTRAIL_KERNEL_VECTOR_H

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* A kernel of scalars defines UNROLL as nothing: it has no registers to gain, and much code to lose. */
#if defined(UNROLL)
#elif defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif

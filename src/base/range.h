/* range.h: whether a number of the caller's may be taken; VT_ERROR_ARGUMENT names it and its range. */
#ifndef VECTRAIL_BASE_RANGE_H
#define VECTRAIL_BASE_RANGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

static inline enum vt_status vt_check_count(const char *name, uint64_t value, uint64_t low, uint64_t high,
                                            struct vt_error *error) {
  if (value >= low && value <= high) return VT_OK;
  return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s is %llu; it must lie between %llu and %llu", name,
                 (unsigned long long)value, (unsigned long long)low, (unsigned long long)high);
}

/* A NaN lies nowhere. */
static inline enum vt_status vt_check_number(const char *name, double value, double low, double high,
                                             struct vt_error *error) {
  if (value >= low && value <= high) return VT_OK;
  return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s is %g; it must lie between %g and %g", name, value, low, high);
}

#endif

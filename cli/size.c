/* size.c */
#include "size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool size_parse(const char *text, uint64_t *bytes) {
  static const char units[] = "KMGT";
  if (*text < '0' || *text > '9') return false;
  char *end;
  errno = 0;
  unsigned long long number = strtoull(text, &end, 10);
  if (errno != 0 || number == 0) return false;
  unsigned shift = 0;
  if (*end != '\0') {
    const char *unit = strchr(units, *end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end);
    if (unit == NULL || end[1] != '\0') return false;
    shift = 10 * (unsigned)(unit - units + 1);
  }
  if (number > (1ULL << 60) >> shift) return false;
  *bytes = (uint64_t)number << shift;
  return true;
}

/* size.h: an amount of memory as people write it: 500M, 4G, 65536. */
#ifndef VECTRAIL_CLI_SIZE_H
#define VECTRAIL_CLI_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* K, M, G and T are powers of 1024. False: no such text, 0, or more than 2^60. */
bool size_parse(const char *text, uint64_t *bytes);

#endif

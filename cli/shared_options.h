/*
 * shared_options.h: options that several commands have, said once. Each takes its place, AT(field), and what is a
 * command's own, such as .aside = true.
 */
#ifndef VECTRAIL_CLI_SHARED_OPTIONS_H
#define VECTRAIL_CLI_SHARED_OPTIONS_H

#include "cli.h"

/* An initializer, and no block, which is what the formatter would take it for. */
/* clang-format off */
#define SHARED_THREADS(...)                                                                                            \
  {.kind = OPTION_INT, .name = "threads", .value = "N", .low = 1, .high = 1024, .unset = "the processors there are",   \
   .help = "threads; the result does not depend on them", __VA_ARGS__}
#define SHARED_FORCE(...)                                                                                              \
  {.kind = OPTION_FLAG, .name = "force", .help = "replace the run that is in that folder", __VA_ARGS__}
#define SHARED_JSON(...)                                                                                               \
  {.kind = OPTION_FLAG, .name = "json", .help = "print the result as one JSON object", __VA_ARGS__}
#define SHARED_COUNTS(...)                                                                                             \
  {.kind = OPTION_TEXT, .name = "counts", .value = "FILE", __VA_ARGS__}

/* Of what trains a run further. */
#define SHARED_NEW_RUN(...)                                                                                            \
  {.kind = OPTION_TEXT, .name = "run", .value = "NEW", .help = "the run to make; required", __VA_ARGS__}
#define SHARED_ADAMW_RATE(...)                                                                                         \
  {.kind = OPTION_REAL, .name = "lr", .value = "RATE", .real_low = 1e-12, .real_high = 10,                             \
   .help = "learning rate of AdamW at the start; it falls to 0 in a straight line", __VA_ARGS__}
#define SHARED_CLIP(...)                                                                                               \
  {.kind = OPTION_REAL, .name = "clip", .value = "LENGTH", .real_high = 1e9,                                           \
   .help = "the gradient is cut to this length; 0: never", __VA_ARGS__}
#define SHARED_SEED(...)                                                                                               \
  {.kind = OPTION_U64, .name = "seed", .value = "N", .high = UINT64_MAX, .help = "seed of all randomness", __VA_ARGS__}
#define SHARED_SNAPSHOTS(...)                                                                                          \
  {.kind = OPTION_U32, .name = "snapshots", .value = "N", .low = 2, .high = 100000,                                    \
   .help = "snapshots of all vectors over the run", __VA_ARGS__}
/* clang-format on */

#endif

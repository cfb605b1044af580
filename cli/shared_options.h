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
  {.kind = OPTION_INT, .name = "threads", .aliases = "thread workers", .value = "N", .low = 1, .high = 1024,           \
   .unset = "the processors it may use", .help = "threads; the result does not depend on them", __VA_ARGS__}
#define SHARED_FORCE(...)                                                                                              \
  {.kind = OPTION_FLAG, .name = "force", .help = "replace the run that is in that folder", __VA_ARGS__}
#define SHARED_JSON(...)                                                                                               \
  {.kind = OPTION_FLAG, .name = "json", .help = "print the result as one JSON object", __VA_ARGS__}
#define SHARED_COUNTS(...)                                                                                             \
  {.kind = OPTION_TEXT, .name = "counts", .value = "FILE", __VA_ARGS__}

/* How a text is read. SHARED_RULES: the four options by which it is cut into words and a vocabulary chosen, into the
 * places `tokens` (int) and `corpus` (struct vt_corpus_options). */
#define SHARED_FOLD_CASE(...)                                                                                          \
  {.kind = OPTION_FLAG, .name = "fold-case", .help = "fold upper and lower case together", __VA_ARGS__}
#define SHARED_MIN_COUNT(...)                                                                                          \
  {.kind = OPTION_U64, .name = "min-count", .aliases = "minCount", .value = "N", .low = 1, .high = UINT64_MAX,         \
   .help = "drop words that occur fewer times", __VA_ARGS__}
#define SHARED_MAX_VOCAB(...)                                                                                          \
  {.kind = OPTION_U32, .name = "max-vocab", .aliases = "max-final-vocab", .value = "N", .high = UINT32_MAX - 1,        \
   .help = "keep the N most frequent words only; 0: all", __VA_ARGS__}
/* NOLINTBEGIN(bugprone-macro-parentheses): they are names of fields, which cannot stand in parentheses */
#define SHARED_RULES(tokens, corpus)                                                                                   \
  {.kind = OPTION_CHOICE, .name = "tokens", .value = "RULE", .choices = {"words", "space"},                            \
   .help = "what a word is: a run of letters and digits, or what stands between blanks", AT(tokens)},                  \
  SHARED_FOLD_CASE(AT(corpus.fold_case)), SHARED_MIN_COUNT(AT(corpus.min_count)),                                      \
  SHARED_MAX_VOCAB(AT(corpus.max_vocab))
/* NOLINTEND(bugprone-macro-parentheses) */
#define SHARED_VOCAB(...)                                                                                              \
  {.kind = OPTION_TEXT, .name = "vocab", .aliases = "read-vocab", .value = "FILE",                                     \
   .help = "use the words of FILE (a word and a count a line) instead of counting", __VA_ARGS__}

/* What is counted in it, or trained on. Their help is the command's own. */
#define SHARED_WINDOW(...)                                                                                             \
  {.kind = OPTION_U32, .name = "window", .aliases = "ws window-size", .value = "N", .low = 1, .high = 1000, __VA_ARGS__}
#define SHARED_SAMPLE(...)                                                                                             \
  {.kind = OPTION_REAL, .name = "sample", .aliases = "t", .value = "X", .real_high = 1, __VA_ARGS__}
#define SHARED_MEMORY(...)                                                                                             \
  {.kind = OPTION_TEXT, .name = "memory", .value = "SIZE", .unset = "1G", __VA_ARGS__}

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

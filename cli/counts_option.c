/* counts_option.c */
#include "counts_option.h"

#include "options.h"
#include "report.h"

const char *const counts_option_settled[] = {"tokens",           "vocab-size", "tokenizer", "fold-case", "min-count",
                                             "max-vocab",        "phrases",    "vocab",     "window",    "sample",
                                             "phrase-threshold", "one-sided",  "symmetric", "memory",    NULL};

enum exit_status counts_option_check(const struct command *command, const char *counts,
                                     const struct text_list *operands) {
  if (counts == NULL)
    return operands->count > 0 ? EXIT_DONE : report_usage(command->name, "%s", command->operands_missing);
  if (operands->count > 0)
    return report_usage(command->name, "--counts takes the place of a corpus; '%.200s' is one too many",
                        operands->items[0]);
  const char *name = options_typed(counts_option_settled);
  if (name == NULL) return EXIT_DONE;
  return report_usage(command->name, "--%s is about a corpus, and the file of --counts has settled it", name);
}

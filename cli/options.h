/*
 * options.h: one table of options drives parsing, checking, help and the settings that are printed.
 *
 * An option is written with one dash or two, its value as the next argument or behind '=': --dim 100, -dim=100. A
 * letter is written -k 10. Underscores stand for dashes (gensim's min_count). The last use of an option counts, except
 * for lists, which grow. "--" ends the options; "-" alone is an operand (standard input). Numbers are read whole:
 * trailing characters, signs, hexadecimal, NaN and infinities are refused, whatever the locale.
 */
#ifndef VECTRAIL_CLI_OPTIONS_H
#define VECTRAIL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings in order of appearance; the strings are borrowed (from argv, mostly), the array is owned. */
struct text_list {
  const char **items;
  size_t count;
  size_t capacity;
};
void text_list_add(struct text_list *list, const char *text);
void text_list_release(struct text_list *list);

enum option_kind {
  OPTION_HEADING,  /* no option: a line above those that follow; its text in help */
  OPTION_FLAG,     /* bool; takes no value */
  OPTION_INT,      /* int, from low to high (neither negative) */
  OPTION_U32,      /* uint32_t, from low to high */
  OPTION_U64,      /* uint64_t, from low to high */
  OPTION_REAL,     /* double, from real_low (itself excluded where above_low) to real_high */
  OPTION_SHARE,    /* double, likewise; "1%" is 0.01 */
  OPTION_TEXT,     /* const char *, not empty */
  OPTION_CHOICE,   /* int: the place of the value in choices */
  OPTION_LIST,     /* struct text_list: each use adds a value */
  OPTION_LIST_ALL, /* struct text_list: each use adds all the values up to the next option */
  OPTION_OPERAND   /* as if the value stood among the operands; no offset */
};

#define OPTION_CHOICES_MAX 8

struct option {
  const char *name;                        /* without dashes */
  const char *letter;                      /* "k", or NULL */
  const char *aliases;                     /* other names, one space between them, or NULL */
  const char *value;                       /* what help calls the value: "N", "FILE" */
  const char *choices[OPTION_CHOICES_MAX]; /* NULL ends them */
  const char *unset;                       /* shown as the default in place of the target's value; "" shows none */
  const char *help;
  size_t offset; /* of the target within the settings */
  uint64_t low, high;
  double real_low, real_high;
  enum option_kind kind;
  bool above_low; /* real_low itself is excluded */
  bool aside;     /* no setting of the work itself: help_settings leaves it out */
};

/* Options and the settings they write to. */
struct option_set {
  const struct option *options;
  size_t count;
  void *target;
};

/* Reads argv[0 .. argc-1] into the targets and operands. False: a usage error has been printed, which names the
 * command's help. */
bool options_parse(const struct option_set *sets, size_t set_count, const char *command, int argc, char **argv,
                   struct text_list *operands);

/* The first of these options, by their own names, that was written among the arguments last read; NULL: none was. */
const char *options_typed(const char *const *names);

/* Releases the lists among the targets. */
void options_release(const struct option_set *set);

/* The value an option has now, as one would type it, into text; empty for lists, flags that are off, choices below 0
 * and reals that are NaN. */
void option_value_text(const struct option *option, const void *target, char *text, size_t capacity);

/* Edit distance of two short ASCII strings (insertion, deletion, replacement, swap of neighbours). */
size_t edit_distance(const char *a, const char *b);
/* Whether names this far apart may be typing errors of one another. */
bool close_enough(const char *typed, size_t distance);

#endif

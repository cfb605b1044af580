/*
 * options.c: reading the arguments against the tables.
 *
 * The program never calls setlocale, so strtod reads the decimal point whatever the user's locale; the characters of
 * a number are checked before, because strtod alone would take "nan", "inf", "0x1p3" and leading blanks.
 */
#define _POSIX_C_SOURCE 200809L

#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

void text_list_add(struct text_list *list, const char *text) {
  if (list->count == list->capacity) {
    list->capacity = list->capacity == 0 ? 16 : list->capacity * 2;
    list->items = cli_realloc(list->items, list->capacity, sizeof *list->items);
  }
  list->items[list->count++] = text;
}

void text_list_release(struct text_list *list) {
  free(list->items);
  *list = (struct text_list){0};
}

void options_release(const struct option_set *set) {
  for (size_t i = 0; i < set->count; i++) {
    enum option_kind kind = set->options[i].kind;
    if (kind == OPTION_LIST || kind == OPTION_LIST_ALL)
      text_list_release((struct text_list *)(void *)((char *)set->target + set->options[i].offset));
  }
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

#define NAME_BYTES_MAX 64

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t edit_distance(const char *a, const char *b) {
  size_t rows = strnlen(a, NAME_BYTES_MAX), columns = strnlen(b, NAME_BYTES_MAX);
  size_t table[3][NAME_BYTES_MAX + 1]; /* the row in work and the two before it */
  for (size_t j = 0; j <= columns; j++) table[0][j] = j;
  for (size_t i = 1; i <= rows; i++) {
    size_t *now = table[i % 3], *above = table[(i + 2) % 3], *two_above = table[(i + 1) % 3];
    now[0] = i;
    for (size_t j = 1; j <= columns; j++) {
      size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
      now[j] = smaller(replaced, smaller(above[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = smaller(now[j], two_above[j - 2] + 1);
    }
  }
  return table[rows % 3][columns];
}

bool close_enough(const char *typed, size_t distance) {
  size_t length = strlen(typed);
  return distance <= (length <= 3 ? 1 : length <= 8 ? 2 : 3) && distance < length;
}

/* Walks over "size vector-size": the next name into text; false at the end. */
static bool next_alias(const char **aliases, char text[NAME_BYTES_MAX]) {
  if (*aliases == NULL || **aliases == '\0') return false;
  size_t length = strcspn(*aliases, " ");
  snprintf(text, NAME_BYTES_MAX, "%.*s", (int)length, *aliases);
  *aliases += length + ((*aliases)[length] == ' ');
  return true;
}

static bool has_name(const struct option *option, const char *name) {
  if (strcmp(option->name, name) == 0 || (option->letter != NULL && strcmp(option->letter, name) == 0)) return true;
  const char *rest = option->aliases;
  char alias[NAME_BYTES_MAX];
  while (next_alias(&rest, alias))
    if (strcmp(alias, name) == 0) return true;
  return false;
}

static const struct option *find_option(const struct option_set *sets, size_t set_count, const char *name,
                                        void **target) {
  for (size_t s = 0; s < set_count; s++)
    for (size_t i = 0; i < sets[s].count; i++) {
      const struct option *option = &sets[s].options[i];
      if (option->kind == OPTION_HEADING || !has_name(option, name)) continue;
      *target = sets[s].target;
      return option;
    }
  return NULL;
}

static void consider(const char *typed, const char *name, size_t *best, char nearest[NAME_BYTES_MAX]) {
  size_t distance = edit_distance(typed, name);
  if (distance >= *best || !close_enough(typed, distance)) return;
  *best = distance;
  snprintf(nearest, NAME_BYTES_MAX, "%s", name);
}

static void report_unknown(const struct option_set *sets, size_t set_count, const char *command, const char *typed,
                           const char *name) {
  char nearest[NAME_BYTES_MAX] = "", alias[NAME_BYTES_MAX];
  size_t best = SIZE_MAX;
  for (size_t s = 0; s < set_count; s++)
    for (size_t i = 0; i < sets[s].count; i++) {
      const struct option *option = &sets[s].options[i];
      if (option->kind == OPTION_HEADING) continue;
      consider(name, option->name, &best, nearest);
      for (const char *rest = option->aliases; next_alias(&rest, alias);) consider(name, alias, &best, nearest);
    }
  int typed_bytes = (int)smaller(strcspn(typed, "="), 200);
  if (nearest[0] == '\0') {
    report_usage(command, "unknown option '%.*s'", typed_bytes, typed);
    return;
  }
  char help[NAME_BYTES_MAX + 32];
  snprintf(help, sizeof help, "did you mean --%s?", nearest);
  report(help, "unknown option '%.*s'", typed_bytes, typed);
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

static bool read_count(const char *text, uint64_t *value) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || text[digits] != '\0') return false;
  errno = 0;
  unsigned long long number = strtoull(text, NULL, 10);
  if (errno != 0 || number > UINT64_MAX) return false;
  *value = number;
  return true;
}

static bool read_real(const char *text, double *value) {
  if (strspn(text, "0123456789.eE+-") != strlen(text) || strpbrk(text, "0123456789") == NULL) return false;
  errno = 0;
  char *end;
  double number = strtod(text, &end);
  if (end == text || *end != '\0' || errno != 0 || !isfinite(number)) return false;
  *value = number;
  return true;
}

/* "must be a whole number from 1 to 4096" and its like. */
static void say_range(const struct option *option, char *text, size_t capacity) {
  if (option->kind == OPTION_REAL || option->kind == OPTION_SHARE) {
    snprintf(text, capacity, option->above_low ? "a number above %g, up to %g" : "a number from %g to %g",
             option->real_low, option->real_high);
  } else if (option->kind == OPTION_CHOICE) {
    size_t at = 0;
    for (size_t i = 0; option->choices[i] != NULL && at < capacity; i++)
      at += (size_t)snprintf(text + at, capacity - at, "%s%s",
                             i == 0                           ? ""
                             : option->choices[i + 1] == NULL ? " or "
                                                              : ", ",
                             option->choices[i]);
  } else {
    snprintf(text, capacity, "a whole number from %llu to %llu", (unsigned long long)option->low,
             (unsigned long long)option->high);
  }
}

static bool store_count(const struct option *option, void *place, const char *text) {
  uint64_t number;
  if (!read_count(text, &number) || number < option->low || number > option->high) return false;
  if (option->kind == OPTION_INT)
    *(int *)place = (int)number;
  else if (option->kind == OPTION_U32)
    *(uint32_t *)place = (uint32_t)number;
  else
    *(uint64_t *)place = number;
  return true;
}

static bool store_real(const struct option *option, double *place, const char *text) {
  double number, unit = 1;
  char digits[64];
  size_t bytes = strlen(text);
  if (option->kind == OPTION_SHARE && bytes > 1 && bytes < sizeof digits && text[bytes - 1] == '%') {
    memcpy(digits, text, bytes - 1);
    digits[bytes - 1] = '\0';
    text = digits;
    unit = 100;
  }
  if (!read_real(text, &number)) return false;
  number /= unit;
  if (number < option->real_low || number > option->real_high) return false;
  if (option->above_low && number <= option->real_low) return false;
  *place = number == 0 ? 0 : number; /* no negative zero */
  return true;
}

static bool store_choice(const struct option *option, int *place, const char *text) {
  for (int i = 0; option->choices[i] != NULL; i++)
    if (strcmp(option->choices[i], text) == 0) {
      *place = i;
      return true;
    }
  return false;
}

/* False: the text is not what the option takes. */
static bool store(const struct option *option, void *target, const char *text, struct text_list *operands) {
  void *place = (char *)target + option->offset;
  switch (option->kind) {
  case OPTION_INT:
  case OPTION_U32:
  case OPTION_U64:
    return store_count(option, place, text);
  case OPTION_REAL:
  case OPTION_SHARE:
    return store_real(option, place, text);
  case OPTION_CHOICE:
    return store_choice(option, place, text);
  case OPTION_TEXT:
    *(const char **)place = text;
    return text[0] != '\0';
  case OPTION_LIST:
  case OPTION_LIST_ALL:
    text_list_add(place, text);
    return text[0] != '\0';
  case OPTION_OPERAND:
    text_list_add(operands, text);
    return text[0] != '\0';
  case OPTION_HEADING:
  case OPTION_FLAG:
    break;
  }
  return false;
}

void option_value_text(const struct option *option, const void *target, char *text, size_t capacity) {
  const void *place = (const char *)target + option->offset;
  text[0] = '\0';
  switch (option->kind) {
  case OPTION_INT:
    snprintf(text, capacity, "%d", *(const int *)place);
    break;
  case OPTION_U32:
    snprintf(text, capacity, "%lu", (unsigned long)*(const uint32_t *)place);
    break;
  case OPTION_U64:
    snprintf(text, capacity, "%llu", (unsigned long long)*(const uint64_t *)place);
    break;
  case OPTION_REAL:
  case OPTION_SHARE: {
    /* The shortest that reads back as the same number: what is printed can be typed again. */
    double value = *(const double *)place;
    if (isnan(value)) break; /* not given */
    for (int digits = 6; digits <= 17; digits++) {
      snprintf(text, capacity, "%.*g", digits, value);
      if (strtod(text, NULL) == value) break;
    }
    break;
  }
  case OPTION_CHOICE:
    if (*(const int *)place >= 0) snprintf(text, capacity, "%s", option->choices[*(const int *)place]);
    break;
  case OPTION_TEXT:
    if (*(const char *const *)place != NULL) snprintf(text, capacity, "%s", *(const char *const *)place);
    break;
  case OPTION_FLAG:
    if (*(const bool *)place) snprintf(text, capacity, "on");
    break;
  case OPTION_LIST:
  case OPTION_LIST_ALL:
  case OPTION_OPERAND:
  case OPTION_HEADING:
    break;
  }
}

/* ---- what was typed ---------------------------------------------------------------------------------------------- */

#define TYPED_MAX 128 /* more than any command has options */
static const struct option *taken[TYPED_MAX];
static size_t taken_count;

static void note_typed(const struct option *option) {
  if (taken_count < TYPED_MAX) taken[taken_count++] = option;
}

const char *options_typed(const char *const *names) {
  for (size_t n = 0; names[n] != NULL; n++)
    for (size_t k = 0; k < taken_count; k++)
      if (strcmp(taken[k]->name, names[n]) == 0) return names[n];
  return NULL;
}

/* ---- arguments -------------------------------------------------------------------------------------------------- */

struct arguments {
  int count;
  char **items;
  int next;
  const char *command;
  struct text_list *operands;
};

static bool looks_like_option(const char *text) { return text[0] == '-' && text[1] != '\0'; }

/* A value that begins with a dash is a forgotten value, unless it is a number (which then is out of range). */
static bool is_missing_value(const char *text) {
  return looks_like_option(text) && strchr("0123456789.", text[1]) == NULL;
}

static bool refuse_value(const struct arguments *arguments, const struct option *option, int name_bytes,
                         const char *name, const char *text) {
  if (text[0] == '\0') {
    report_usage(arguments->command, "%.*s needs a value; it got an empty one", name_bytes, name);
    return false;
  }
  char range[256];
  say_range(option, range, sizeof range);
  report_usage(arguments->command, "%.*s is '%.100s'; it must be %s", name_bytes, name, text, range);
  return false;
}

/* The option at arguments->next - 1, whose value may follow. */
static bool take_option(struct arguments *arguments, const struct option *option, void *target, const char *typed) {
  const char *equals = strchr(typed, '=');
  int name_bytes = (int)(equals != NULL ? (size_t)(equals - typed) : strlen(typed));
  if (option->kind == OPTION_FLAG) {
    if (equals != NULL) {
      report_usage(arguments->command, "%.*s takes no value", name_bytes, typed);
      return false;
    }
    *(bool *)((char *)target + option->offset) = true;
    return true;
  }
  const char *value = equals != NULL ? equals + 1 : NULL;
  if (value == NULL) {
    bool there = arguments->next < arguments->count;
    if (!there || is_missing_value(arguments->items[arguments->next])) {
      report_usage(arguments->command, "%s needs a value: %s %s", typed, typed, option->value);
      return false;
    }
    value = arguments->items[arguments->next++];
  }
  if (!store(option, target, value, arguments->operands))
    return refuse_value(arguments, option, name_bytes, typed, value);
  if (option->kind != OPTION_LIST_ALL || equals != NULL) return true;
  while (arguments->next < arguments->count && !looks_like_option(arguments->items[arguments->next])) {
    value = arguments->items[arguments->next++];
    if (!store(option, target, value, arguments->operands))
      return refuse_value(arguments, option, name_bytes, typed, value);
  }
  return true;
}

bool options_parse(const struct option_set *sets, size_t set_count, const char *command, int argc, char **argv,
                   struct text_list *operands) {
  struct arguments arguments = {.count = argc, .items = argv, .command = command, .operands = operands};
  taken_count = 0;
  while (arguments.next < argc) {
    const char *typed = argv[arguments.next++];
    if (strcmp(typed, "--") == 0) {
      while (arguments.next < argc) text_list_add(operands, argv[arguments.next++]);
      break;
    }
    if (!looks_like_option(typed)) {
      text_list_add(operands, typed);
      continue;
    }
    const char *begin = typed + (typed[1] == '-' ? 2 : 1);
    char name[NAME_BYTES_MAX];
    int length = snprintf(name, sizeof name, "%.*s", (int)smaller(strcspn(begin, "="), 4096), begin);
    void *target = NULL;
    const struct option *option = NULL;
    if (length < NAME_BYTES_MAX) {
      option = find_option(sets, set_count, name, &target);
      for (char *c = name; option == NULL && *c != '\0'; c++)
        if (*c == '_') *c = '-';
      if (option == NULL) option = find_option(sets, set_count, name, &target);
    }
    if (option == NULL) {
      report_unknown(sets, set_count, command, typed, name);
      return false;
    }
    if (!take_option(&arguments, option, target, typed)) return false;
    note_typed(option);
  }
  return true;
}

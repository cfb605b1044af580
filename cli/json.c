/*
 * json.c: jansson, with the checks in one place: a value is either in its place or the program has ended.
 */
#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "report.h"

static _Noreturn void end_without_memory(void) {
  report(NULL, "out of memory");
  exit(EXIT_FAILED);
}

static json_t *checked(json_t *value) {
  if (value == NULL) end_without_memory();
  return value;
}

json_t *json_new_object(void) { return checked(json_object()); }
json_t *json_new_array(void) { return checked(json_array()); }

/* text with U+FFFD in place of each byte that is not UTF-8; freed by the caller. */
static char *repair(const char *text) {
  size_t bytes = strlen(text), at = 0;
  char *out = cli_alloc(3 * bytes + 1, 1);
  for (size_t i = 0; i < bytes;) {
    utf8proc_int32_t code;
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(bytes - i), &code);
    const char *from = used >= 1 ? text + i : "\xef\xbf\xbd";
    size_t copied = used >= 1 ? (size_t)used : 3;
    memcpy(out + at, from, copied);
    at += copied;
    i += used >= 1 ? (size_t)used : 1;
  }
  return out;
}

json_t *json_new_text(const char *text) {
  json_t *value = json_string(text);
  if (value != NULL) return value;
  char *repaired = repair(text);
  value = checked(json_string(repaired));
  free(repaired);
  return value;
}

json_t *json_new_count(uint64_t value) {
  /* jansson's integers are signed; beyond them a double is the nearest that JSON readers hold anyway. */
  return value <= INT64_MAX ? checked(json_integer((json_int_t)value)) : json_new_real((double)value);
}

json_t *json_new_real(double value) { return checked(isfinite(value) ? json_real(value) : json_null()); }

void json_put(json_t *object, const char *key, json_t *value) {
  json_t *name = json_new_text(key);
  if (json_object_set_new(object, json_string_value(name), value) != 0) end_without_memory();
  json_decref(name);
}

void json_push(json_t *array, json_t *value) {
  if (json_array_append_new(array, value) != 0) end_without_memory();
}

/* Measured first, then written where there is room: json_dumps, whose room grows, loses a piece of the text without a
 * word where memory runs out at certain places (in jansson 2.14, at the name of a member). */
void json_print_line(json_t *value) {
  const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(17);
  size_t bytes = json_dumpb(value, NULL, 0, flags);
  char *text = bytes == 0 ? NULL : cli_alloc(bytes, 1);
  if (text == NULL || json_dumpb(value, text, bytes, flags) != bytes) end_without_memory();
  fwrite(text, 1, bytes, stdout);
  fputc('\n', stdout);
  free(text);
  json_decref(value);
}

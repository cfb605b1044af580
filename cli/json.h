/*
 * json.h: results as JSON: one object on one line, real numbers with all their digits, NaN as null.
 */
#ifndef VECTRAIL_CLI_JSON_H
#define VECTRAIL_CLI_JSON_H

#include <jansson.h>
#include <stdint.h>

/* Each returns a new value and ends the program where there is no memory. */
json_t *json_new_object(void);
json_t *json_new_array(void);
/* Bytes that are not UTF-8 (of a path, say) become U+FFFD, for JSON cannot hold them. */
json_t *json_new_text(const char *text);
json_t *json_new_count(uint64_t value);
json_t *json_new_real(double value); /* null where it is not finite */

/* Hand the value over to the object or array. A key is repaired like any text. */
void json_put(json_t *object, const char *key, json_t *value);
void json_push(json_t *array, json_t *value);

/* Prints on stdout with a newline, and frees. */
void json_print_line(json_t *value);

#endif

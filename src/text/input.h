/*
 * input.h: the bytes of one input, decompressed.
 */
#ifndef VECTRAIL_TEXT_INPUT_H
#define VECTRAIL_TEXT_INPUT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct vt_input;

/* How an input is called in messages: its path, or "standard input" for "-". */
const char *vt_input_name(const char *path);

/* Looks whether an input is there and can be read, without reading any of it: VT_ERROR_IO when it is missing, not
 * readable or a directory. *stored_bytes is its size, 0 where that is not known (a pipe). */
enum vt_status vt_input_check(const char *path, uint64_t *stored_bytes, struct vt_error *error);

/* Whether an input is a regular file that is not compressed: one whose bytes stand where its text does. */
enum vt_status vt_input_is_plain(const char *path, bool *plain, struct vt_error *error);

/* Opens an input; "-" is standard input. gzip, zstd and xz are told by their first bytes. path must live as long as
 * the input. Once *interrupt is not zero, reading it is VT_ERROR_INTERRUPTED (interrupt may be NULL). Free with
 * vt_input_close (accepts NULL). */
enum vt_status vt_input_open(const char *path, const volatile sig_atomic_t *interrupt, struct vt_input **input,
                             struct vt_error *error);
void vt_input_close(struct vt_input *input);

/* Fills data[capacity], capacity > 0; *bytes is less than capacity at the end of the input only. Damaged or truncated
 * compression is VT_ERROR_IO. */
enum vt_status vt_input_read(struct vt_input *input, unsigned char *data, size_t capacity, size_t *bytes,
                             struct vt_error *error);
/* VT_ERROR_INTERRUPTED when *interrupt is not zero; interrupt may be NULL, name says what is being read. */
enum vt_status vt_input_check_interrupt(const volatile sig_atomic_t *interrupt, const char *name,
                                        struct vt_error *error);
/* How many stored bytes have been taken so far. */
uint64_t vt_input_stored_bytes(const struct vt_input *input);

#endif

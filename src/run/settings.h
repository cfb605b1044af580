/*
 * settings.h: the settings of a run as rows of its table `meta`, written and read by one list.
 *
 * A new field of struct vt_train_options that changes the result, or of struct vt_record_options, needs a line in the
 * list of settings.c, or a run that is gone on with would lose it.
 */
#ifndef VECTRAIL_RUN_SETTINGS_H
#define VECTRAIL_RUN_SETTINGS_H

#include <stdbool.h>

#include "base/error.h"
#include "run/recorder.h"
#include "vectrail/run.h"
#include "vectrail/train.h"

struct vt_settings {
  struct vt_train_options train;
  struct vt_record_options record;
};

/* All but threads and kernel, which change no result, and the words to watch. */
enum vt_status vt_settings_write(const struct vt_settings *settings, struct vt_recorder *recorder,
                                 struct vt_error *error);
/* The same back; what has no row in the list has its default. VT_ERROR_CORRUPT: a row is missing or makes no sense. */
enum vt_status vt_settings_read(struct vt_settings *settings, const struct vt_run *run, const char *path,
                                struct vt_error *error);

/* The same list for who wants to compare two of them: name and value of setting k, k < vt_settings_count(). */
#define VT_SETTINGS_TEXT_BYTES 40
size_t vt_settings_count(void);
const char *vt_settings_name(size_t k);
void vt_settings_text(const struct vt_settings *settings, size_t k, char text[VT_SETTINGS_TEXT_BYTES]);

/* One more row with a number, in the form that the list uses. */
enum vt_status vt_settings_write_real(const char *key, double value, struct vt_recorder *recorder,
                                      struct vt_error *error);

/* That form, alone. */
void vt_settings_real_text(double value, char text[VT_SETTINGS_TEXT_BYTES]);
/* A number in that form; false where text is none. Whatever the locale. */
bool vt_settings_parse_real(const char *text, double *value);

/* The learning rate of a step, from 1, of a run of so many. */
double vt_settings_rate(const struct vt_settings *settings, uint64_t step, uint64_t steps);

/* Whether every field can be used, the names of those that cannot in the error (VT_ERROR_ARGUMENT). */
enum vt_status vt_settings_check(const struct vt_settings *settings, struct vt_error *error);

#endif

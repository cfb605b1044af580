/*
 * progress.h: how far reading and training are, on stderr.
 *
 * On a terminal it is one line, redrawn at most 10 times a second and fitted to the width; elsewhere one line of
 * key=value pairs every 10 seconds and at the end of each epoch.
 */
#ifndef VECTRAIL_CLI_PROGRESS_H
#define VECTRAIL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "vectrail/train.h"

struct progress {
  bool quiet;
  bool redraw;       /* a terminal that can */
  bool drawn;        /* a line stands there, to be erased */
  double next_print; /* not before, on the monotonic clock */
};

void progress_init(struct progress *progress, bool quiet);
/* The callback of struct vt_corpus_options; context is the struct progress. */
void progress_reading(void *context, uint64_t input_bytes, uint64_t input_bytes_total);
void progress_training(struct progress *progress, const struct vt_train_progress *state);
/* Erases the line, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif

/*
 * words.h: opening a run, and finding in it the words that were typed.
 */
#ifndef VECTRAIL_CLI_WORDS_H
#define VECTRAIL_CLI_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "vectrail/run.h"

/* The word in the spelling that a vocabulary holds: NFC, the typographic apostrophe as the plain one where the text
 * was cut into words, case folded where the text was. Freed by the caller. */
char *word_normalised(const char *typed, bool words_rule, bool fold_case);

/* A run and the vectors of one of its snapshots. */
struct view {
  struct vt_run *run;
  struct vt_vectors *vectors;
  const struct vt_vocab *vocab;
};

/* Opens both; on failure the error has been printed, and the status is what to end with. */
enum exit_status view_open(struct view *view, const char *path, uint64_t step);
void view_close(struct view *view);

/* Finds a typed word: as written, then normalised as the run's text was. False: the error, with what may have been
 * meant, has been printed. */
bool view_find(const struct view *view, const char *typed, uint32_t *id);

#endif

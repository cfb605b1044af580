/*
 * table_source.h: a table of vectors by what is typed: a run, a run at a step, or a file.
 *
 *   runs/a         the last snapshot of a run
 *   runs/a@100     its snapshot at step 100, or the last one before it
 *   vectors.txt    a file that vectrail import reads
 *
 * A name that is a folder or a file is taken as it stands, also where it holds an @.
 */
#ifndef VECTRAIL_CLI_TABLE_SOURCE_H
#define VECTRAIL_CLI_TABLE_SOURCE_H

#include <stdbool.h>

#include "cli.h"
#include "vectrail/import.h"
#include "vectrail/run.h"

struct table_source {
  const char *name;       /* as it was typed */
  struct vt_run *run;     /* NULL for a file */
  struct vt_vocab *vocab; /* of a file */
  struct vt_vectors *vectors;
};

/* read: how to read a file. On failure the error has been printed, the status is what to end with, and there is nothing
 * to close. */
enum exit_status table_source_open(struct table_source *source, const char *name, const struct vt_import_options *read);
void table_source_close(struct table_source *source);

/* Whether both come from one run, whatever it is called. */
bool table_source_same_run(const struct table_source *a, const struct table_source *b);

#endif

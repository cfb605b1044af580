/*
 * fuzz.h: what the fuzz targets share.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput, which reads one input and returns 0; what must hold for
 * every input it asks for by vtz_require. It is built twice: with libFuzzer (`make fuzz`, which looks for inputs), and
 * with replay.c, which gives it the committed inputs of corpus/NAME, as a test; there both names are others. Nothing in
 * a target depends on time or on the inputs before.
 */
#ifndef VECTRAIL_TESTS_FUZZ_H
#define VECTRAIL_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
/* Called once before, where a target has it. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the process with a message that the fuzzer takes for a finding. */
void vtz_require(bool holds, const char *what);

/* A file in memory that holds the bytes; its path. Files of the same place (0 to VTZ_FILES - 1) replace each other. */
#define VTZ_FILES 4
const char *vtz_file(int place, const void *data, size_t bytes);

/* A folder of this process, made at the first call and removed at the end; and a name in it, valid until the next. */
const char *vtz_folder(void);
const char *vtz_path(const char *name);
/* Writes a file of the folder, or ends the process. */
void vtz_write(const char *name, const void *data, size_t bytes);

/* What was read of foreign vectors has to hold; then it is freed. */
struct vt_vocab;
struct vt_vectors;
void vtz_check_vectors(struct vt_vocab *vocab, struct vt_vectors *vectors);

/* Imports an input as the format of that number (enum vt_import_format), words (may be NULL) naming the rows. */
void vtz_import(const uint8_t *data, size_t bytes, int format, const char *words);

/* A small run at vtz_path("run"): six words, three snapshots, metrics, a trail. */
void vtz_make_run(void);
/* Asks a run everything that there is to be asked. */
void vtz_read_run(const char *path);

#endif

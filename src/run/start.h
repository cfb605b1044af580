/*
 * start.h: where a training begins that goes on with another run's vectors (vectrail/tune.h).
 *
 * RUN/start.safetensors holds it, float32, each tensor named as vt_engine_start_parts has it: "input" and "output", or
 * "parameters"; with hierarchical softmax also "tree", float64, the links of its tree (train/huffman.h); the checksum
 * of their data as metadata. It stays with the run: going on, replaying and the anchor all need it.
 */
#ifndef VECTRAIL_RUN_START_H
#define VECTRAIL_RUN_START_H

#include "base/error.h"
#include "train/engine.h"
#include "vectrail/run.h"

#define VT_RUN_START "start.safetensors"

/* Fills an engine, at step 0, with the last vectors of a run for the words that both have: those numbered alike. What
 * the run has no vectors for is left as it is. *output: false where the run kept no output vectors. Errors: those of
 * the run's files; VT_ERROR_CORRUPT: they are of another shape than the engine's. */
enum vt_status vt_start_fill(struct vt_engine *engine, size_t words, struct vt_run *run, bool *output,
                             struct vt_error *error);

/* Where rows of an engine lie that are to be filled: table: [rows][stride]. Of a network that is its layout's. */
struct vt_start_rows {
  float *data;
  size_t stride, columns;
};
/* The rows of words in the input table, and what predicts them: a second table (data NULL where it is the same), and
 * with nnlm the biases, one a word (else data NULL). */
void vt_start_rows(struct vt_engine *engine, struct vt_start_rows *input, struct vt_start_rows *output,
                   struct vt_start_rows *biases);

/* tree: the links of hierarchical softmax; else NULL. */
enum vt_status vt_start_write(struct vt_engine *engine, const double *tree, const char *folder, struct vt_error *error);
/* VT_ERROR_NOT_FOUND, VT_ERROR_CORRUPT: there is none, or not what this engine begins with. */
enum vt_status vt_start_read(struct vt_engine *engine, const char *folder, struct vt_error *error);
/* Of a run that went on with another by hierarchical softmax, the links of its tree, which the engine is to be made
 * with (options.tuning.tree), in *tree (vt_free); of all others *tree is NULL. Errors as vt_start_read. */
enum vt_status vt_start_tree(const struct vt_train_options *options, size_t words, const char *folder, double **tree,
                             struct vt_error *error);

#endif

/*
 * glove_tune.h: GloVe gone on with: what is held to where it began, and the biases of words that are new.
 *
 * The vector of a word is the sum of its two rows. A frozen row has infinite sums of squares, so that AdaGrad's steps
 * on it are zero. The anchor, mu |row - row(0)|^2 for the rows of both tables, takes a step of its gradient with each
 * record trained, as anchor.h has it for words; biases are free.
 */
#ifndef VECTRAIL_TRAIN_GLOVE_TUNE_H
#define VECTRAIL_TRAIN_GLOVE_TUNE_H

#include "base/pool.h"
#include "train/glove_ledger.h"
#include "train/glove_records.h"

struct vt_glove_tuning {
  struct vt_glove_tables tables;
  double mu;
  float *start; /* [VT_TABLE_COUNT][words][dim]: the rows as they began; NULL without an anchor */
  float factor; /* of the step */
};

/* Takes the rows as they are as those that it began with; frozen: words, both of whose rows are frozen. */
enum vt_status vt_glove_tuning_init(struct vt_glove_tuning *tuning, const struct vt_glove_tables *tables,
                                    const struct vt_tuning_options *options, const uint32_t *frozen, size_t count,
                                    struct vt_error *error);
void vt_glove_tuning_release(struct vt_glove_tuning *tuning); /* accepts an all-zero one */
/* After a step that trained so many records at a rate. */
void vt_glove_tuning_pull(struct vt_glove_tuning *tuning, double rate, uint64_t records, struct vt_pool *pool);

/* The biases of the words from `known` on: of each the mean, by weight, of what the records that it is in leave of
 * their log counts; between two such words each takes half. O(records). */
enum vt_status vt_glove_place_biases(const struct vt_glove_tables *tables, const struct vt_glove_records *records,
                                     uint32_t known, struct vt_error *error);

#endif

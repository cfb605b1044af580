/*
 * glove_biases.h: where GloVe's biases start.
 *
 * Biases start where the loss is least while all vectors are 0: a fit of b_i + c_j to log X_ij by weighted least
 * squares, rows and columns in turn. Otherwise the vectors would learn how frequent words are, before the biases can.
 */
#ifndef VECTRAIL_TRAIN_GLOVE_BIASES_H
#define VECTRAIL_TRAIN_GLOVE_BIASES_H

#include "base/error.h"
#include "base/pool.h"
#include "train/glove_records.h"
#include "train/table.h"

/* biases[table][words], each the caller's (vt_free); 0 for words without a record. Threads take groups: the same bits
 * at any number of them. Cost: ten passes over the records. */
enum vt_status vt_glove_biases_fit(const struct vt_glove_records *records, uint32_t words, struct vt_pool *pool,
                                   double *biases[VT_TABLE_COUNT], struct vt_error *error);

#endif

/*
 * encoder.h: from tokens to one vector: the mean of a Transformer's last rows, or of the vectors of a table alone; and
 * back, from the slopes of those vectors to a step of all parameters.
 */
#ifndef VECTRAIL_NETWORK_ENCODER_H
#define VECTRAIL_NETWORK_ENCODER_H

#include <stdbool.h>

#include "network/net.h"
#include "network/policy.h"
#include "network/update.h"

struct vt_encoder {
  struct vt_net_layout own; /* of a table: one parameter */
  const struct vt_net_layout *layout;
  struct vt_net_net *net; /* NULL: a table alone */
  float *values;          /* borrowed; they move */
  float *gradients;
  struct vt_update update;
  size_t texts_max, length_max, dim;
  /* Of the batch that was encoded last: */
  const struct vt_answer *texts; /* borrowed */
  size_t count, length;
  uint32_t *tokens;
};

/* Of a network: all its parameters, and dropout where a batch is encoded to be trained on. */
enum vt_status vt_encoder_init(struct vt_encoder *encoder, const struct vt_net_layout *layout, float *values,
                               struct vt_pool *pool, const char *kernel, size_t texts_max, size_t length_max,
                               struct vt_error *error);
/* Of a table of rows x dim floats, one row behind the other. */
enum vt_status vt_encoder_init_table(struct vt_encoder *encoder, float *table, size_t rows, size_t dim,
                                     struct vt_pool *pool, const char *kernel, size_t texts_max,
                                     struct vt_error *error);
void vt_encoder_release(struct vt_encoder *encoder); /* accepts an all-zero one */

/* to[count][dim]. Of a text all `count` tokens are taken, at least one, at most length_max; `prompt` is not looked at.
 * train: with dropout, drawn anew for each place in the batch, from the stream of (seed, key); texts must stay until
 * vt_encoder_add. count <= texts_max. */
void vt_encoder_encode(struct vt_encoder *encoder, const struct vt_answer *texts, size_t count, bool train,
                       uint64_t seed, uint64_t key, double *to);
void vt_encoder_clear(struct vt_encoder *encoder);
/* Adds the gradient; slopes[count][dim]: of what was encoded last. */
void vt_encoder_add(struct vt_encoder *encoder, const double *slopes);
/* As vt_policy_step. */
bool vt_encoder_step(struct vt_encoder *encoder, double rate, double clip, uint64_t number);

#endif

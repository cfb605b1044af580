/* double_network.c */
#include "support/double_network.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rng.h"

void vtt_doubles_open(struct vtt_doubles *d, const struct vt_net_shape *shape, size_t rows, bool routes) {
  assert_int_equal(vt_net_layout_init(&d->layout, shape, NULL), VT_OK);
  assert_int_equal(vt_pool_create(1, &d->pool, NULL), VT_OK);
  assert_int_equal(vt_net_double_create(&d->layout, &vt_dense_in_double, d->pool, rows, true, routes, &d->net, NULL),
                   VT_OK);
  d->values = calloc(d->layout.floats, sizeof *d->values);
  d->gradients = calloc(d->layout.floats, sizeof *d->gradients);
  assert_true(d->values != NULL && d->gradients != NULL);
  d->net->values = d->values;
  d->net->gradients = d->gradients;
}

void vtt_doubles_close(struct vtt_doubles *d) {
  vt_net_double_free(d->net);
  vt_pool_free(d->pool);
  vt_net_layout_release(&d->layout);
  free(d->values);
  free(d->gradients);
}

void vtt_check_slopes(struct vtt_doubles *d, uint64_t key, vtt_loss *loss) {
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, key, 0, 0);
  for (size_t k = 0; k < d->layout.floats; k++) d->values[k] = (double)vt_rng_unit(&rng) - 0.5;
  loss(d, true);
  double largest = 0;
  for (size_t p = 0; p < d->layout.count; p++) {
    const struct vt_net_parameter *parameter = &d->layout.parameters[p];
    for (size_t row = 0; row < parameter->rows; row++)
      for (size_t k = row % 3; k < parameter->columns; k += 3) {
        double *at = &d->values[parameter->offset + row * parameter->stride + k], kept = *at;
        *at = kept + 1e-5;
        const double above = loss(d, false);
        *at = kept - 1e-5;
        const double below = loss(d, false);
        *at = kept;
        const double gradient = d->gradients[at - d->values];
        assert_true(fabs((above - below) / 2e-5 - gradient) < 1e-7);
        largest = fmax(largest, fabs(gradient));
      }
  }
  assert_true(largest > 0.01);
}

/*
 * cooccurrence.h: which frequent words of a run's text meet, and which never do.
 */
#ifndef VECTRAIL_ANALYSIS_COOCCURRENCE_H
#define VECTRAIL_ANALYSIS_COOCCURRENCE_H

#include <stddef.h>

#include "base/error.h"
#include "vectrail/measure.h"

struct vt_cooccurrence {
  struct vt_measure_pair *together; /* words; strongest first. Free with vt_free, as the next */
  size_t together_count;
  struct vt_measure_pair *apart;
  size_t apart_count;
};

/*
 * Reads the text of a run again (inputs; none: the files it was trained on) as it was read for training, and counts how
 * often two of the 2,000 most frequent words stand within the run's window of one another, n_ab. With n_a the number of
 * meetings that word takes part in and N their sum,
 *
 *   together: the pairs with the largest n_ab log(n_ab N / (n_a n_b))   (local mutual information, Evert 2005)
 *   apart:    the pairs with n_ab = 0 whose n_a n_b / N, the meetings expected by chance, is largest
 *
 * up to the numbers asked for, and of `apart` only those that chance would have had meet at least five times.
 * VT_ERROR_NOT_FOUND, VT_ERROR_IO: it cannot be read; VT_ERROR_CORRUPT: it is not the text that the run was trained on;
 * VT_ERROR_UNSUPPORTED: the run does not say how it read it. The encoded text is kept in a temporary file meanwhile.
 */
enum vt_status vt_cooccurrence_read(struct vt_run *run, const char *const *inputs, size_t input_count, int threads,
                                    size_t together, size_t apart, struct vt_cooccurrence *found,
                                    struct vt_error *error);

#endif

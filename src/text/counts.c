/* counts.c: what has been counted: units and their scale, rows, and the options that say how. */
#include <inttypes.h>

#include "base/memory.h"
#include "base/processors.h"
#include "text/cooccur.h"
#include "text/subsample.h"
#include "text/tally_row.h"

#define EXACT_WINDOW 22       /* the least common multiple of 1 .. 23 is above 2^32 */
#define EXACT_SCALE 232792560 /* of 1 .. 22 */

/* ---- weights ----------------------------------------------------------------------------------------------------- */

static uint64_t common_multiple(uint32_t window) {
  uint64_t multiple = 1;
  for (uint64_t n = 2; n <= window; n++) {
    uint64_t a = multiple, b = n;
    while (b != 0) {
      uint64_t rest = a % b;
      a = b;
      b = rest;
    }
    multiple = multiple / a * n;
  }
  return multiple;
}

static uint64_t scale_of(enum vt_cooccur_weight weight, uint32_t window) {
  if (weight == VT_COOCCUR_FLAT) return 1;
  if (weight == VT_COOCCUR_LINEAR) return window;
  return window < EXACT_WINDOW ? common_multiple(window) : EXACT_SCALE;
}

uint64_t vt_cooccur_distance_units(enum vt_cooccur_weight weight, uint32_t window, uint32_t distance) {
  if (weight == VT_COOCCUR_FLAT) return 1;
  if (weight == VT_COOCCUR_LINEAR) return window + 1 - distance;
  return (scale_of(weight, window) + distance / 2) / distance;
}

const char *vt_cooccur_weight_name(enum vt_cooccur_weight weight) {
  return weight == VT_COOCCUR_FLAT ? "flat" : weight == VT_COOCCUR_LINEAR ? "linear" : "distance";
}

const char *vt_cooccur_sides_name(enum vt_cooccur_sides sides) { return sides == VT_COOCCUR_LEFT ? "left" : "both"; }

/* ---- options and looking in -------------------------------------------------------------------------------------- */

void vt_cooccur_options_init(struct vt_cooccur_options *options) {
  *options =
      (struct vt_cooccur_options){.window = 10, .memory_bytes = VT_COOCCUR_MEMORY_DEFAULT, .threads = vt_processors()};
}

enum vt_status vt_cooccur_options_check(const struct vt_cooccur_options *options, struct vt_error *error) {
  if (options->window < 1 || options->window > VT_COOCCUR_WINDOW_MAX)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "window is %" PRIu32 "; it must lie between 1 and %d", options->window,
                   VT_COOCCUR_WINDOW_MAX);
  if (options->weight > VT_COOCCUR_FLAT)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown weight %d", (int)options->weight);
  if (options->sides > VT_COOCCUR_LEFT)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "unknown sides %d", (int)options->sides);
  if (!(options->sample >= 0 && options->sample <= 1))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "sample is %g; it must lie between 0 and 1", options->sample);
  if (options->threads < 1 || options->threads > 1024)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "threads is %d; it must lie between 1 and 1024", options->threads);
  return VT_OK;
}

uint32_t vt_cooccur_words(const struct vt_cooccur *counts) { return counts->words; }
uint64_t vt_cooccur_pairs(const struct vt_cooccur *counts) { return counts->pairs; }
uint64_t vt_cooccur_scale(const struct vt_cooccur *counts) {
  return counts->expected ? VT_SUBSAMPLE_UNITS : scale_of(counts->options.weight, counts->options.window);
}
struct vt_cooccur_options vt_cooccur_counted_by(const struct vt_cooccur *counts) {
  return counts->options;
}

size_t vt_cooccur_row(const struct vt_cooccur *counts, uint32_t word, const uint32_t **columns,
                      const uint64_t **units) {
  const size_t pairs = vt_row_pairs(counts->starts[word + 1] - counts->starts[word]);
  *columns = (const uint32_t *)(const void *)(counts->file.data + counts->starts[word]);
  *units = (const uint64_t *)(const void *)(*columns + pairs + pairs % 2);
  return pairs;
}

uint64_t vt_cooccur_row_units(const struct vt_cooccur *counts, uint32_t word) {
  const uint32_t *columns;
  const uint64_t *units;
  uint64_t sum = 0;
  for (size_t k = 0, pairs = vt_cooccur_row(counts, word, &columns, &units); k < pairs; k++) sum += units[k];
  return sum;
}

struct vt_cooccur_source vt_cooccur_counted_on(const struct vt_cooccur *counts) {
  return counts->source;
}

uint64_t vt_cooccur_fingerprint(const struct vt_cooccur *counts) { return counts->fingerprint; }

enum vt_status vt_cooccur_create(const char *folder, struct vt_cooccur **out, struct vt_error *error) {
  struct vt_cooccur *counts = vt_alloc_zero(1, sizeof *counts);
  if (counts == NULL) return VT_FAIL_MEMORY(error, sizeof *counts);
  enum vt_status status = vt_scratch_open(folder, &counts->file, error);
  if (status == VT_OK)
    *out = counts;
  else
    vt_cooccur_free(counts);
  return status;
}

void vt_cooccur_free(struct vt_cooccur *counts) {
  if (counts == NULL) return;
  vt_scratch_release(&counts->file);
  vt_free(counts->starts);
  vt_free(counts);
}

/* verdict.c: the four conditions of docs/metrics.md, and which of them do not hold. */
#define _POSIX_C_SOURCE 200809L

#include "verdict.h"

#include <stdio.h>

#include "terminal.h"

#define MEASUREMENTS_NEEDED 21

/* What still changes, one after the other. */
static void print_reasons(const struct vt_convergence *verdict) {
  const char *between = "";
  if (!verdict->begun) {
    printf("the loss has hardly fallen since the start");
    between = ", ";
  } else if (!verdict->loss_level) {
    printf("the loss still falls (by %.2f%%)", -100 * verdict->loss_change);
    between = ", ";
  }
  if (!verdict->gradient_level) {
    printf("%sthe gradient changes (by %+.1f%%)", between, 100 * verdict->gradient_change);
    between = ", ";
  }
  if (!verdict->speed_level) {
    printf("%sthe words slow down (by %.0f%%)", between, -100 * verdict->update_ratio_change);
    between = ", ";
  }
  if (!verdict->neighbors_level)
    printf("%sthe neighbourhoods still settle (%.2f kept, %+.2f)", between, verdict->overlap, verdict->overlap_change);
}

void verdict_print(const struct vt_convergence *verdict) {
  char step[NUMBER_TEXT_BYTES];
  if (!verdict->known) return;
  if (verdict->converged) {
    printf("  converged at step %s: loss, gradient, speed and neighbourhoods were level over 20 measurements\n",
           format_count(verdict->step, step));
  } else if (verdict->measurements < MEASUREMENTS_NEEDED) {
    printf("  cannot tell whether it has converged: %zu measurements, and %d are needed\n", verdict->measurements,
           MEASUREMENTS_NEEDED);
  } else {
    fputs("  not converged: ", stdout);
    print_reasons(verdict);
    printf(", in the last ten measurements against the ten before\n");
  }
}

static json_t *flag(bool value) { return value ? json_true() : json_false(); }

json_t *verdict_json(const struct vt_convergence *verdict) {
  if (!verdict->known) return json_null();
  json_t *object = json_new_object();
  json_put(object, "converged", flag(verdict->converged));
  json_put(object, "step", verdict->converged ? json_new_count(verdict->step) : json_null());
  json_put(object, "measurements", json_new_count(verdict->measurements));
  json_put(object, "last_step", json_new_count(verdict->last_step));
  if (verdict->measurements < MEASUREMENTS_NEEDED) return object;
  json_put(object, "begun", flag(verdict->begun));
  json_put(object, "loss_level", flag(verdict->loss_level));
  json_put(object, "gradient_level", flag(verdict->gradient_level));
  json_put(object, "speed_level", flag(verdict->speed_level));
  json_put(object, "neighbors_level", flag(verdict->neighbors_level));
  json_put(object, "at_rest", flag(verdict->at_rest));
  json_put(object, "loss_change", json_new_real(verdict->loss_change));
  json_put(object, "gradient_change", json_new_real(verdict->gradient_change));
  json_put(object, "update_ratio", json_new_real(verdict->update_ratio));
  json_put(object, "update_ratio_change", json_new_real(verdict->update_ratio_change));
  json_put(object, "overlap", json_new_real(verdict->overlap));
  json_put(object, "overlap_change", json_new_real(verdict->overlap_change));
  return object;
}

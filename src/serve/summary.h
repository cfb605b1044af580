/* summary.h: what is told of a run, as JSON. */
#ifndef VECTRAIL_SERVE_SUMMARY_H
#define VECTRAIL_SERVE_SUMMARY_H

#include "base/error.h"
#include "serve/text.h"
#include "vectrail/run.h"
#include "vectrail/view.h"

enum vt_run_state { VT_RUN_TRAINING, VT_RUN_STOPPED, VT_RUN_FINISHED, VT_RUN_DIVERGED, VT_RUN_IMPORTED };
const char *vt_run_state_name(enum vt_run_state state);

struct vt_summary_facts {
  enum vt_run_state state;
  uint64_t last_step;
  size_t snapshots;
};

/* Adds members of an object, each with a comma before it: state, words, settings, events, series, convergence. still:
 * the database was not written lately, so a run without an end was cut off. */
enum vt_status vt_summary_write(struct vt_run *run, bool still, struct vt_text *text, struct vt_summary_facts *facts,
                                struct vt_error *error);
/* Likewise: the map, its frames and clusters. */
void vt_summary_view(const struct vt_view *view, uint64_t number, struct vt_text *text);

#endif

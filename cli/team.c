/* team.c: joining, who speaks, leaving. */
#include "team.h"

#include <stdio.h>

#include "report.h"

enum exit_status team_join(struct vt_ranks **ranks) {
  struct vt_error error;
  if (vt_ranks_join(ranks, &error) != VT_OK) return report_error(&error);
  report_silence(!vt_ranks_reports(*ranks));
  return EXIT_DONE;
}

bool team_speaks(const struct vt_ranks *ranks) { return vt_ranks_rank(ranks) == 0; }

enum exit_status team_agree(struct vt_ranks *ranks, enum exit_status status) {
  bool all = vt_ranks_all(ranks, status == EXIT_DONE);
  if (all || status != EXIT_DONE) return status;
  report("start all ranks with the same command and files", "another rank cannot use these settings or files");
  return EXIT_FAILED;
}

enum exit_status team_leave(struct vt_ranks *ranks, enum exit_status status) {
  if (ranks == NULL) return status;
  fflush(stderr);
  enum exit_status own = team_speaks(ranks) ? finish_output(status) : EXIT_DONE;
  vt_ranks_leave(ranks);
  return own;
}

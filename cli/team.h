/*
 * team.h: commands that several processes run together under mpirun: one of them speaks.
 */
#ifndef VECTRAIL_CLI_TEAM_H
#define VECTRAIL_CLI_TEAM_H

#include "cli.h"
#include "vectrail/ranks.h"

/* *ranks is NULL where this process is alone. All but rank 0 report nothing from here on. */
enum exit_status team_join(struct vt_ranks **ranks);
/* Whether this process has results to print. */
bool team_speaks(const struct vt_ranks *ranks);
/* Collective: EXIT_DONE where it is that everywhere; a failure that this process has not reported yet is reported. */
enum exit_status team_agree(struct vt_ranks *ranks, enum exit_status status);
/* Leaves; the status to exit with. The others exit well once rank 0 has said what went wrong: mpirun would stop it
 * short at the first failure it sees. */
enum exit_status team_leave(struct vt_ranks *ranks, enum exit_status status);

#endif

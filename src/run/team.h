/*
 * team.h: a training session of several processes: what the ranks tell each other before and after the engine runs.
 *
 * Rank 0 has the session that the other files of this folder speak of. The others have one with vocabulary, corpus and
 * engine and nothing to record. Both pass the same points, at each of which all go on or all end with the same error:
 *
 *   1. the requests are the same (vt_team_same)
 *   2. rank 0 has a folder to begin the run in, and says who is to read the text (vt_team_plan_reading)
 *      all read it, a part each, or rank 0 does
 *      rank 0 has made or found the run; the others are handed what it has (vt_team_share)
 *   3. rank 0 knows the words that it was asked to watch (vt_team_agree)
 *   4. the engines are made, all of them or none (vt_engine_create, vt_team_agree, vt_engine_spread)
 *   5. the record is open (vt_team_agree)
 *   6. the training has ended (vt_team_agree)
 *
 * All of these are collective, and return the status they were handed where there is one process.
 */
#ifndef VECTRAIL_RUN_TEAM_H
#define VECTRAIL_RUN_TEAM_H

#include <stdbool.h>

#include "run/session.h"

static inline bool vt_team_follows(const struct vt_session *session) { return vt_ranks_rank(session->ranks) != 0; }

/* status: of what this rank did before, with its error. */
enum vt_status vt_team_agree(struct vt_session *session, enum vt_status status, struct vt_error *error);

/* Holds version and, for a training from text, request and inputs against rank 0's; the error names the difference.
 * request: NULL where a run is gone on with. */
enum vt_status vt_team_same(struct vt_session *session, const struct vt_train_request *request, enum vt_status status,
                            struct vt_error *error);

/* Whether all ranks read the text of a training that begins. status: rank 0's so far. */
enum vt_status vt_team_plan_reading(struct vt_session *session, const struct vt_train_request *request, bool *together,
                                    enum vt_status status, struct vt_error *error);
/* Where they do, on rank 0: as vt_corpus_encode, into the session; and on the others. */
enum vt_status vt_team_encode(struct vt_session *session, const struct vt_train_request *request,
                              const struct vt_corpus_options *options, const char *path, struct vt_error *error);
enum vt_status vt_team_help_reading(struct vt_session *session, const struct vt_train_request *request,
                                    struct vt_error *error);

/* folder: where rank 0's encoded corpus lies. finished: of rank 0; told to the others, who then need nothing else. */
enum vt_status vt_team_share(struct vt_session *session, const char *folder, bool *finished, enum vt_status status,
                             struct vt_error *error);

/* On the ranks but 0, once the requests are the same: all the rest of vt_train or, with request NULL, of vt_resume. */
enum vt_status vt_team_follow(struct vt_session *session, const struct vt_train_request *request,
                              struct vt_error *error);

#endif

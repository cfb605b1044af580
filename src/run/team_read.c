/*
 * team_read.c: the text read by all ranks together (text/encode_together.c), over their messages.
 *
 * What cannot be read in parts (compressed inputs, pipes, phrases, pieces of words) rank 0 reads alone.
 */
#define _POSIX_C_SOURCE 200809L

#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/scratch.h"
#include "dist/ranks.h"
#include "run/team.h"
#include "text/encode.h"

enum vt_status vt_team_plan_reading(struct vt_session *session, const struct vt_train_request *request, bool *together,
                                    enum vt_status status, struct vt_error *error) {
  *together = false;
  if (vt_ranks_size(session->ranks) == 1) return status;
  if (status == VT_OK && !vt_team_follows(session))
    status = vt_corpus_can_be_shared(request->inputs, request->input_count, &request->corpus, together, error);
  VT_TRY(vt_team_agree(session, status, error));
  return vt_ranks_broadcast(session->ranks, together, sizeof *together, error);
}

/* ---- the team of an encoding ------------------------------------------------------------------------------------- */

struct reading {
  struct vt_ranks *ranks;
  struct vt_box box;
};

static enum vt_status agree(void *context, enum vt_status status, struct vt_error *error) {
  return vt_ranks_agree(((struct reading *)context)->ranks, status, error);
}

static enum vt_status send_to_zero(void *context, const void *data, size_t bytes, struct vt_error *error) {
  struct vt_ranks *ranks = ((struct reading *)context)->ranks;
  VT_TRY(vt_ranks_send(ranks, 0, data, bytes, error));
  return vt_ranks_settle(ranks, error);
}

static enum vt_status receive(void *context, int from, const void **data, size_t *bytes, struct vt_error *error) {
  struct reading *reading = context;
  VT_TRY(vt_ranks_receive(reading->ranks, from, &reading->box, error));
  *data = reading->box.data;
  *bytes = reading->box.bytes;
  return VT_OK;
}

static enum vt_status broadcast(void *context, const void **data, size_t *bytes, struct vt_error *error) {
  struct reading *reading = context;
  VT_TRY(vt_ranks_broadcast_box(reading->ranks, *data, *bytes, &reading->box, error));
  if (vt_ranks_rank(reading->ranks) == 0) return VT_OK;
  *data = reading->box.data;
  *bytes = reading->box.bytes;
  return VT_OK;
}

enum vt_status vt_team_encode(struct vt_session *session, const struct vt_train_request *request,
                              const struct vt_corpus_options *options, const char *path, struct vt_error *error) {
  struct reading reading = {.ranks = session->ranks};
  const struct vt_encode_team team = {.rank = vt_ranks_rank(session->ranks),
                                      .size = vt_ranks_size(session->ranks),
                                      .context = &reading,
                                      .agree = agree,
                                      .send = send_to_zero,
                                      .receive = receive,
                                      .broadcast = broadcast};
  enum vt_status status =
      vt_corpus_encode_together(request->inputs, request->input_count, options, &vt_encode_default_sizes, &team, path,
                                &session->vocab, &session->corpus, &session->report, error);
  vt_box_release(&reading.box);
  return status;
}

/* ---- on the ranks but 0 ------------------------------------------------------------------------------------------ */

enum vt_status vt_team_help_reading(struct vt_session *session, const struct vt_train_request *request,
                                    struct vt_error *error) {
  struct vt_corpus_options options = request->corpus;
  char *folder = NULL, *path = NULL;
  uint64_t *hashes = vt_alloc_zero(request->input_count, sizeof *hashes);
  if (options.interrupt == NULL) options.interrupt = request->interrupt;
  options.unsynced = true;
  options.input_hashes = hashes;
  enum vt_status status = hashes == NULL ? VT_FAIL_MEMORY(error, request->input_count * sizeof *hashes) : VT_OK;
  if (status == VT_OK) status = vt_scratch_folder(&folder, error);
  if (status == VT_OK) path = vt_path_join(folder, "part.ids");
  if (status == VT_OK && path == NULL) status = VT_FAIL_MEMORY(error, 1);
  status = vt_team_agree(session, status, error);
  if (status == VT_OK) status = vt_team_encode(session, request, &options, path, error);
  if (path != NULL) (void)unlink(path);
  if (folder != NULL) (void)rmdir(folder);
  vt_free(path);
  vt_free(folder);
  vt_free(hashes);
  return status;
}

/*
 * export_trajectories.c: where the frequent words were at each snapshot, for the projector of TensorBoard.
 *
 * One point for each word at each snapshot, a word's points one after the other; the column "__seq_next__" of the
 * metadata holds the number of the point that follows, and the projector joins them by a line. Memory: all points.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "run/export.h"
#include "run/run_internal.h"
#include "vectrail/export.h"

struct trajectories {
  const struct vt_run *run;
  const struct vt_vocab *vocab;
  size_t words, frames, dim;
  float *points; /* frames x words x dim */
};

static enum vt_status write_points(const void *source, struct vt_output *output, struct vt_error *error) {
  const struct trajectories *t = source;
  for (size_t word = 0; word < t->words; word++)
    for (size_t frame = 0; frame < t->frames; frame++)
      VT_TRY(vt_export_tsv_row(output, t->points + (frame * t->words + word) * t->dim, t->dim, error));
  return VT_OK;
}

static enum vt_status write_metadata(const void *source, struct vt_output *output, struct vt_error *error) {
  const struct trajectories *t = source;
  VT_TRY(vt_export_check_tsv_words(t->vocab, t->words, error));
  VT_TRY(vt_output_printf(output, error, "word\tstep\tcount\t__seq_next__\n"));
  for (size_t word = 0; word < t->words; word++) {
    for (size_t frame = 0; frame < t->frames; frame++) {
      char next[24] = ""; /* none behind the last */
      if (frame + 1 < t->frames) snprintf(next, sizeof next, "%zu", word * t->frames + frame + 1);
      VT_TRY(vt_output_printf(output, error, "%s\t%" PRIu64 "\t%" PRIu64 "\t%s\n",
                              vt_vocab_text(t->vocab, (uint32_t)word), vt_run_snapshot_at(t->run, frame).step,
                              vt_vocab_count(t->vocab, (uint32_t)word), next));
    }
  }
  return VT_OK;
}

static enum vt_status read_points(struct trajectories *t, struct vt_error *error) {
  uint32_t *ids = vt_alloc(t->words, sizeof *ids);
  if (ids == NULL) return VT_FAIL_MEMORY(error, t->words * sizeof *ids);
  for (size_t word = 0; word < t->words; word++) ids[word] = (uint32_t)word;
  enum vt_status status = VT_OK;
  for (size_t frame = 0; frame < t->frames && status == VT_OK; frame++)
    status = vt_run_rows(t->run, frame, ids, t->words, t->dim, t->dim, t->points + frame * t->words * t->dim, error);
  vt_free(ids);
  return status;
}

enum vt_status vt_export_trajectories(struct vt_run *run, size_t words, const char *path, size_t *points,
                                      struct vt_error *error) {
  struct trajectories t = {.run = run, .vocab = vt_run_vocab(run), .frames = vt_run_snapshot_count(run)};
  if (t.frames == 0) return VT_FAIL(error, VT_ERROR_EMPTY, "%s: no snapshot was recorded yet", vt_run_path(run));
  if (words == 0) return VT_FAIL(error, VT_ERROR_ARGUMENT, "no words to export");
  t.words = words < vt_vocab_size(t.vocab) ? words : vt_vocab_size(t.vocab);
  VT_TRY(vt_run_dim(run, 0, &t.dim, error));
  t.points = vt_alloc(t.frames * t.words, t.dim * sizeof *t.points);
  if (t.points == NULL) return VT_FAIL_MEMORY(error, t.frames * t.words * t.dim * sizeof *t.points);
  static const struct vt_export_writers writing = {write_points, write_metadata, ".metadata.tsv"};
  enum vt_status status = read_points(&t, error);
  if (status == VT_OK) status = vt_export_files(&writing, &t, path, error);
  vt_free(t.points);
  if (status == VT_OK && points != NULL) *points = t.frames * t.words;
  return status;
}

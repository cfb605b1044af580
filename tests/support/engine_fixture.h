/*
 * engine_fixture.h: a small text and an engine on it, for objectives whose every number is looked at.
 */
#ifndef VECTRAIL_TESTS_ENGINE_FIXTURE_H
#define VECTRAIL_TESTS_ENGINE_FIXTURE_H

#include "support/temporary.h"
#include "text/meetings.h"
#include "train/engine.h"
#include "vectrail/corpus.h"
#include "vectrail/train.h"

/* Two topics of three words; "a" is in both. */
extern const char vtt_toy[];

struct vtt_fixture {
  struct vtt_folder *folder;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_train_options options;
};

/* The text at a path, encoded, all of its words; the folder passes to the fixture. Options to be changed at will: full
 * batches at a constant rate, three dimensions, window 2, no subsampling, two threads. */
struct vtt_fixture vtt_fixture_open(struct vtt_folder *folder, const char *path, enum vt_loss loss);
void vtt_fixture_close(struct vtt_fixture *f);

/* Free with vt_engine_free. */
struct vt_engine *vtt_fixture_engine(const struct vtt_fixture *f);
/* Which words meet, subsampling at a threshold taken into account; 0: none. Free with vt_meetings_release. */
struct vt_meetings vtt_fixture_meetings(const struct vtt_fixture *f, double sample);

#endif

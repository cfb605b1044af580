#include "support/engine_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "text/subsample.h"

const char vtt_toy[] = "a b c a\nb c a b\nc a b\na d e f\nd e f a d\nf e d a\nb a c b\nd f e\n";

struct vtt_fixture vtt_fixture_open(struct vtt_folder *folder, const char *path, enum vt_loss loss) {
  struct vtt_fixture f = {.folder = folder};
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.min_count = 1;
  assert_int_equal(vt_corpus_encode(&path, 1, &options, vtt_path(folder, "encoded"), &f.vocab, &f.corpus, NULL, NULL),
                   VT_OK);
  vt_train_options_init(&f.options);
  f.options.loss = loss;
  f.options.batch = VT_BATCH_FULL;
  f.options.schedule = VT_SCHEDULE_CONSTANT;
  f.options.dim = 3;
  f.options.window = 2;
  f.options.sample = 0;
  f.options.threads = 2;
  return f;
}

void vtt_fixture_close(struct vtt_fixture *f) {
  vt_corpus_free(f->corpus);
  vt_vocab_free(f->vocab);
  vtt_folder_remove(f->folder);
}

struct vt_engine *vtt_fixture_engine(const struct vtt_fixture *f) {
  struct vt_engine *engine;
  struct vt_error error;
  if (vt_engine_create(&f->options, f->vocab, f->corpus, &engine, &error) != VT_OK) fail_msg("%s", error.message);
  return engine;
}

struct vt_meetings vtt_fixture_meetings(const struct vtt_fixture *f, double sample) {
  struct vt_meetings meetings;
  struct vt_error error;
  double *keep = calloc(vt_vocab_size(f->vocab), sizeof *keep);
  assert_non_null(keep);
  vt_subsample_keep(f->vocab, sample, keep);
  const struct vt_meetings_options options = {
      .window = f->options.window, .keep = sample > 0 ? keep : NULL, .threads = f->options.threads};
  if (vt_meetings_count(f->corpus, &options, &meetings, &error) != VT_OK) fail_msg("%s", error.message);
  free(keep);
  return meetings;
}

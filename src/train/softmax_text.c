/* softmax_text.c */
#include "train/softmax_text.h"

#include "base/memory.h"
#include "train/window.h"

enum vt_status vt_softmax_text_init(struct vt_softmax_text *text, struct vt_engine *engine, struct vt_error *error) {
  struct vt_objective_setup *setup = &text->setup;
  uint64_t tokens = vt_vocab_tokens(engine->vocab);
  VT_TRY(vt_kernel_choose(engine->options.kernel, &setup->kernel, error));
  engine->kernel = engine->options.kernel = setup->kernel->name;
  VT_TRY(vt_window_keep(&engine->options, engine->vocab, &text->keep, error));
  setup->options = &engine->options;
  setup->keep = text->keep;
  setup->corpus = engine->corpus;
  if (engine->counts != NULL) return VT_OK; /* no text to draw pairs from */
  if (engine->held_out.count > 0) {
    setup->held_out = &engine->held_out;
    VT_TRY(vt_probe_create(engine->ids, engine->entries, tokens, true, setup, 0, &text->held_out_probe, error));
  }
  VT_TRY(vt_probe_create(engine->ids, engine->entries, tokens, false, setup, 0, &text->probe, error));
  engine->probe_pairs = setup->probe_count = vt_probe_pairs(text->probe);
  setup->probe_positions = vt_probe_positions(text->probe);
  return VT_OK;
}

void vt_softmax_text_release(struct vt_softmax_text *text) {
  vt_probe_free(text->probe);
  vt_probe_free(text->held_out_probe);
  vt_free(text->keep);
  *text = (struct vt_softmax_text){0};
}

size_t vt_softmax_text_pairs(const struct vt_probe *probe, uint32_t *inputs, uint32_t *targets) {
  size_t count = vt_probe_pairs(probe);
  for (size_t k = 0; k < count; k++) vt_probe_pair(probe, k, &inputs[k], &targets[k]);
  return count;
}

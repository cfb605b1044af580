/* fuzz_preferences.c: a file of preferences; and the same bytes as texts and pairs of them. */
#include <stdlib.h>

#include "base/memory.h"
#include "fuzz/fuzz.h"
#include "run/model_file.h"
#include "run/preferences.h"
#include "run/text_pairs.h"

#define CONTEXT 12

static struct vt_network *network;

/* The small run with a network of its six words and an end mark. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  const struct vt_net_shape shape = {.model = VT_MODEL_TRANSFORMER,
                                     .tokens = 7,
                                     .dim = 4,
                                     .context = CONTEXT,
                                     .hidden = 8,
                                     .layers = 1,
                                     .heads = 1,
                                     .tied = true,
                                     .epsilon = 1e-5};
  struct vt_net_layout layout;
  (void)argc;
  (void)argv;
  vtz_make_run();
  vtz_require(vt_net_layout_init(&layout, &shape, NULL) == VT_OK, "a layout");
  float *values = vt_alloc(layout.floats, sizeof *values);
  vtz_require(values != NULL, "memory");
  vt_net_start(&layout, 1, values);
  vtz_require(vt_model_save(vtz_path("run"), &layout, values, NULL) == VT_OK, "a network");
  vt_free(values);
  vt_net_layout_release(&layout);
  vtz_require(vt_network_open(vtz_path("run"), 1, &network, NULL) == VT_OK, "the network opens");
  return 0;
}

static void check(const struct vt_answer *answer, uint32_t least) {
  vtz_require(answer->count >= least && answer->count <= CONTEXT, "a text fits the context");
  for (uint32_t t = 0; t < answer->count; t++) vtz_require(answer->tokens[t] < 7, "tokens are those that there are");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  struct vt_preferences preferences;
  struct vt_text_pairs pairs;
  if (bytes > 65536) return 0;
  const char *path = vtz_file(0, data, bytes);
  if (vt_preferences_read(&preferences, path, network, NULL) == VT_OK) {
    vtz_require(preferences.count > 0 && preferences.prompt_count > 0, "there are some");
    for (size_t k = 0; k < preferences.count; k++) {
      check(&preferences.chosen[k], preferences.chosen[k].prompt + 1);
      check(&preferences.rejected[k], preferences.rejected[k].prompt + 1);
    }
    for (size_t k = 0; k < preferences.prompt_count; k++) check(&preferences.prompts[k], 1);
  }
  vt_preferences_release(&preferences);
  if (vt_text_pairs_read(&pairs, path, vt_network_run(network), network, NULL) == VT_OK) {
    vtz_require(pairs.count >= 2, "there are two");
    for (size_t k = 0; k < pairs.count; k++) {
      check(&pairs.first[k], 1);
      check(&pairs.second[k], 1);
    }
  }
  vt_text_pairs_release(&pairs);
  return 0;
}

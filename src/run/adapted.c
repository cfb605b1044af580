/* adapted.c */
#include "run/adapted.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/distance.h"
#include "base/file.h"
#include "base/memory.h"
#include "run/folder.h"
#include "run/model_file.h"
#include "run/run_internal.h"
#include "run/settings.h"

/* ---- beginning --------------------------------------------------------------------------------------------------- */

/* What the run that is made has in common with the one it comes from: its settings, and how its text was read. */
static enum vt_status copy_meta(struct vt_adapted *adapted, struct vt_run *run, struct vt_error *error) {
  static const char *const text_keys[] = {"tokens_rule",   "fold_case",         "min_count", "max_vocab",
                                          "phrases",       "phrase_threshold",  "inputs",    "input_hashes",
                                          "corpus_tokens", "corpus_fingerprint"};
  for (size_t k = 0; k < vt_settings_count(); k++) {
    const char *key = vt_settings_name(k), *value = vt_run_meta(run, key);
    if (value != NULL && strcmp(key, "dim") != 0) VT_TRY(vt_adapted_meta(adapted, key, value, error));
  }
  for (size_t k = 0; k < sizeof text_keys / sizeof text_keys[0]; k++) {
    const char *value = vt_run_meta(run, text_keys[k]);
    if (value != NULL) VT_TRY(vt_adapted_meta(adapted, text_keys[k], value, error));
  }
  return VT_OK;
}

static enum vt_status check_network(struct vt_network *network, const char *base, struct vt_error *error) {
  if (vt_network_run(network) == NULL)
    return VT_FAIL_HELP(error, VT_ERROR_UNSUPPORTED, "train one: vectrail train TEXT --model transformer --run DIR",
                        "%s: a published network, and no run, whose words and settings are known", base);
  if (vt_network_layout(network)->shape.model != VT_MODEL_TRANSFORMER)
    return VT_FAIL(error, VT_ERROR_UNSUPPORTED, "%s: no Transformer, which alone can be trained so", base);
  return VT_OK;
}

static void take_rows(struct vt_adapted *adapted) {
  for (size_t row = 0; row < adapted->words; row++)
    memcpy(adapted->rows + row * adapted->dim, adapted->table + row * adapted->stride,
           adapted->dim * sizeof *adapted->rows);
}

static enum vt_status find_table(struct vt_adapted *adapted, const struct vt_adapted_options *options,
                                 struct vt_error *error) {
  adapted->network = options->network;
  if (options->network == NULL) {
    adapted->run = options->run;
    adapted->table = options->table;
    adapted->stride = adapted->dim = options->dim;
    return VT_OK;
  }
  VT_TRY(check_network(options->network, options->base, error));
  const struct vt_net_parameter *table = &vt_network_layout(options->network)->parameters[VT_NET_TABLE];
  adapted->run = vt_network_run(options->network);
  adapted->table = vt_network_values(options->network) + table->offset;
  adapted->stride = table->stride;
  adapted->dim = table->columns;
  return VT_OK;
}

static enum vt_status begin(struct vt_adapted *adapted, const struct vt_adapted_options *options,
                            struct vt_error *error) {
  VT_TRY(find_table(adapted, options, error));
  struct vt_run *run = adapted->run;
  struct vt_record_options record;
  vt_record_options_init(&record);
  record.snapshots = options->snapshots;
  if (options->probes > 0) record.probes = options->probes;
  adapted->words = vt_vocab_size(vt_run_vocab(run));
  adapted->rows = vt_alloc(adapted->words * adapted->dim, sizeof *adapted->rows);
  adapted->start = vt_alloc(adapted->words * adapted->dim, sizeof *adapted->start);
  if (adapted->rows == NULL || adapted->start == NULL)
    return VT_FAIL_MEMORY(error, 2 * adapted->words * adapted->dim * sizeof *adapted->rows);
  take_rows(adapted);
  memcpy(adapted->start, adapted->rows, adapted->words * adapted->dim * sizeof *adapted->rows);
  VT_TRY(vt_plan_init(&adapted->plan, options->steps, &record, error));
  VT_TRY(vt_run_recorder_stage(options->path, vt_run_vocab(run), adapted->dim, options->force, options->origin,
                               &adapted->recorder, error));
  VT_TRY(vt_adapted_meta(adapted, "base", options->base, error));
  return copy_meta(adapted, run, error);
}

enum vt_status vt_adapted_begin(struct vt_adapted *adapted, const struct vt_adapted_options *options,
                                struct vt_error *error) {
  *adapted = (struct vt_adapted){.began = vt_clock_seconds()};
  return begin(adapted, options, error);
}

void vt_adapted_release(struct vt_adapted *adapted) {
  vt_run_recorder_undo(adapted->recorder);
  vt_plan_release(&adapted->plan);
  vt_free(adapted->rows);
  vt_free(adapted->start);
  *adapted = (struct vt_adapted){0};
}

/* ---- on the way -------------------------------------------------------------------------------------------------- */

enum vt_status vt_adapted_meta(struct vt_adapted *adapted, const char *key, const char *value, struct vt_error *error) {
  return vt_run_recorder_meta(adapted->recorder, key, value, error);
}

enum vt_status vt_adapted_meta_real(struct vt_adapted *adapted, const char *key, double value, struct vt_error *error) {
  char text[VT_SETTINGS_TEXT_BYTES];
  vt_settings_real_text(value, text);
  return vt_adapted_meta(adapted, key, text, error);
}

enum vt_status vt_adapted_step(struct vt_adapted *adapted, uint64_t step, uint32_t epoch, uint64_t tokens, double rate,
                               const struct vt_adapted_value *values, size_t count, struct vt_error *error) {
  const struct vt_run_step row = {
      .step = step, .epoch = epoch, .tokens = tokens, .seconds = vt_clock_seconds() - adapted->began, .lr = rate};
  VT_TRY(vt_run_recorder_step(adapted->recorder, &row, error));
  VT_TRY(vt_run_recorder_metric(adapted->recorder, step, "lr", rate, error));
  for (size_t k = 0; k < count; k++)
    if (!isnan(values[k].value))
      VT_TRY(vt_run_recorder_metric(adapted->recorder, step, values[k].name, values[k].value, error));
  return VT_OK;
}

static double drift_of(const struct vt_adapted *adapted, size_t word) {
  const float *now = adapted->rows + word * adapted->dim, *start = adapted->start + word * adapted->dim;
  const double length = sqrt(vt_squared_length(start, adapted->dim));
  return length > 0 ? sqrt(vt_squared_distance(now, start, adapted->dim)) / length : (double)NAN;
}

double vt_adapted_drift(const struct vt_adapted *adapted) {
  double sum = 0, count = 0;
  for (size_t word = 0; word < adapted->words; word++) {
    const double drift = drift_of(adapted, word);
    if (isnan(drift)) continue;
    sum += drift;
    count++;
  }
  return count > 0 ? sum / count : (double)NAN;
}

enum vt_status vt_adapted_snapshot(struct vt_adapted *adapted, uint64_t step, bool now, struct vt_error *error) {
  if (!now && !vt_plan_is_snapshot(&adapted->plan, step)) return VT_OK;
  if (adapted->recorded && adapted->recorded_step == step) return VT_OK;
  take_rows(adapted);
  VT_TRY(vt_run_recorder_vectors(adapted->recorder, step, !now && step != adapted->plan.steps, adapted->rows, NULL,
                                 error));
  adapted->recorded = true;
  adapted->recorded_step = step;
  return vt_run_recorder_metric(adapted->recorder, step, "drift", vt_adapted_drift(adapted), error);
}

enum vt_status vt_adapted_note_stop(struct vt_adapted *adapted, uint64_t step, struct vt_error *error) {
  char text[96];
  adapted->stopped = true;
  snprintf(text, sizeof text, "interrupted at step %" PRIu64 " of %" PRIu64 ", where it ended", step,
           adapted->plan.steps);
  return vt_run_recorder_event(adapted->recorder, step, "stopped", "warning", text, error);
}

enum vt_status vt_adapted_stopped(const char *path, uint64_t step, uint64_t steps, struct vt_error *error) {
  if (path == NULL)
    return VT_FAIL(error, VT_ERROR_INTERRUPTED, "interrupted before the first of %" PRIu64 " steps; nothing was left",
                   steps);
  return VT_FAIL_HELP(error, VT_ERROR_INTERRUPTED, "it can be aligned, contrasted or tuned further",
                      "interrupted at step %" PRIu64 " of %" PRIu64 "; %s holds what was trained until then", step,
                      steps, path);
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static enum vt_status copy_file(const char *from, const char *to, struct vt_error *error) {
  struct vt_mapping mapping;
  struct vt_output *output;
  VT_TRY(vt_mapping_open(from, &mapping, error));
  enum vt_status status = vt_output_open(to, &output, error);
  if (status == VT_OK) {
    status = vt_output_write(output, mapping.data, mapping.bytes, error);
    if (status == VT_OK)
      status = vt_output_commit(output, error);
    else
      vt_output_abort(output);
  }
  vt_mapping_release(&mapping);
  return status;
}

static enum vt_status copy_tokenizer(const struct vt_adapted *adapted, const char *folder, struct vt_error *error) {
  struct vt_run *run = adapted->run;
  const char *rule = vt_run_meta(run, "tokens_rule");
  if (rule == NULL || strcmp(rule, "bpe") != 0) return VT_OK;
  char *from = vt_path_join(vt_run_path(run), VT_RUN_TOKENIZER), *to = vt_path_join(folder, VT_RUN_TOKENIZER);
  enum vt_status status = from == NULL || to == NULL ? VT_FAIL_MEMORY(error, strlen(folder)) : VT_OK;
  if (status == VT_OK) status = copy_file(from, to, error);
  vt_free(from);
  vt_free(to);
  return status;
}

static enum vt_status write_tensors(const char *folder, const char *file, const struct vt_tensor *tensors, size_t count,
                                    struct vt_error *error) {
  char *path = vt_path_join(folder, file);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(folder));
  const struct vt_safetensors_meta meta[] = {{"format", "vectrail"}};
  enum vt_status status = vt_safetensors_write(path, meta, 1, tensors, count, NULL, error);
  vt_free(path);
  return status;
}

enum vt_status vt_adapted_end(struct vt_adapted *adapted, const char *file, const struct vt_tensor *tensors,
                              size_t count, struct vt_error *error) {
  const char *folder = vt_run_recorder_folder(adapted->recorder);
  if (adapted->network != NULL)
    VT_TRY(vt_model_save(folder, vt_network_layout(adapted->network), vt_network_values(adapted->network), error));
  VT_TRY(copy_tokenizer(adapted, folder, error));
  if (count > 0) VT_TRY(write_tensors(folder, file, tensors, count, error));
  return vt_run_recorder_close_or_undo(&adapted->recorder, error);
}

/* ---- who moved ----------------------------------------------------------------------------------------------------
 */

size_t vt_adapted_farthest(const struct vt_adapted *adapted, struct vt_adapted_moved *moved, size_t capacity) {
  size_t count = 0;
  for (size_t word = 0; word < adapted->words && capacity > 0; word++) {
    const double drift = drift_of(adapted, word);
    if (isnan(drift) || (count == capacity && drift <= moved[count - 1].drift)) continue;
    size_t at = count < capacity ? count++ : count - 1;
    for (; at > 0 && moved[at - 1].drift < drift; at--) moved[at] = moved[at - 1];
    const float *now = adapted->rows + word * adapted->dim, *start = adapted->start + word * adapted->dim;
    double dot = 0;
    for (size_t k = 0; k < adapted->dim; k++) dot += (double)now[k] * (double)start[k];
    const double lengths = sqrt(vt_squared_length(now, adapted->dim) * vt_squared_length(start, adapted->dim));
    moved[at] = (struct vt_adapted_moved){(uint32_t)word, drift, lengths > 0 ? dot / lengths : 0};
  }
  return count;
}

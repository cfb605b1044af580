/* settings.c: the list, and numbers as text that does not depend on the locale. */
#define _POSIX_C_SOURCE 200809L

#include "run/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/engine_type.h"

enum kind { KIND_U32, KIND_U64, KIND_REAL, KIND_FLAG, KIND_NAME };

/* In the order of the enums. */
static const char *const models[] = {"skipgram", "cbow", "glove", "nnlm", "transformer", NULL};
static const char *const losses[] = {"ns", "hs", "softmax", "squares", "quadratic", NULL};
static const char *const positions[] = {"learned", "sinusoidal", "rotary", NULL};
static const char *const schedules[] = {"linear", "constant", "cosine", NULL};
static const char *const optimizers[] = {"sgd", "adagrad", "adamw", NULL};
_Static_assert(sizeof(enum vt_model) == sizeof(unsigned) && sizeof(enum vt_loss) == sizeof(unsigned) &&
                   sizeof(enum vt_schedule) == sizeof(unsigned) && sizeof(enum vt_optimizer_kind) == sizeof(unsigned),
               "names are stored as numbers of this size");

#define AT(field) offsetof(struct vt_settings, field)
static const struct setting {
  const char *key;
  enum kind kind;
  size_t offset;
  const char *const *names;
} list[] = {
    {"model", KIND_NAME, AT(train.model), models},
    {"loss", KIND_NAME, AT(train.loss), losses},
    {"dim", KIND_U32, AT(train.dim), NULL},
    {"window", KIND_U32, AT(train.window), NULL},
    {"negative", KIND_U32, AT(train.negative), NULL},
    {"noise_exponent", KIND_REAL, AT(train.noise_exponent), NULL},
    {"sample", KIND_REAL, AT(train.sample), NULL},
    {"epochs", KIND_U32, AT(train.epochs), NULL},
    {"lr", KIND_REAL, AT(train.lr), NULL},
    {"schedule", KIND_NAME, AT(train.schedule), schedules},
    {"optimizer", KIND_NAME, AT(train.optimizer), optimizers},
    {"batch", KIND_U32, AT(train.batch), NULL},
    {"l2", KIND_REAL, AT(train.l2), NULL},
    {"x_max", KIND_REAL, AT(train.x_max), NULL},
    {"alpha", KIND_REAL, AT(train.alpha), NULL},
    {"one_sided", KIND_FLAG, AT(train.one_sided), NULL},
    {"memory_bytes", KIND_U64, AT(train.memory_bytes), NULL},
    {"start", KIND_REAL, AT(train.start), NULL},
    {"cbow_classic", KIND_FLAG, AT(train.cbow_classic), NULL},
    {"held_out", KIND_REAL, AT(train.held_out), NULL},
    {"until_converged", KIND_FLAG, AT(train.until_converged), NULL},
    {"seed", KIND_U64, AT(train.seed), NULL},
    {"block_tokens", KIND_U32, AT(train.block_tokens), NULL},
    {"blocks", KIND_U32, AT(train.blocks), NULL},
    {"replicas", KIND_U32, AT(train.replicas), NULL},
    {"sync_every", KIND_U32, AT(train.sync_every), NULL},
    {"context", KIND_U32, AT(train.network.context), NULL},
    {"stride", KIND_U32, AT(train.network.stride), NULL},
    {"hidden", KIND_U32, AT(train.network.hidden), NULL},
    {"layers", KIND_U32, AT(train.network.layers), NULL},
    {"heads", KIND_U32, AT(train.network.heads), NULL},
    {"positions", KIND_NAME, AT(train.network.positions), positions},
    {"rotary_share", KIND_REAL, AT(train.network.rotary_share), NULL},
    {"tied", KIND_FLAG, AT(train.network.tied), NULL},
    {"parallel", KIND_FLAG, AT(train.network.parallel), NULL},
    {"exact_gelu", KIND_FLAG, AT(train.network.exact_gelu), NULL},
    {"dropout", KIND_REAL, AT(train.network.dropout), NULL},
    {"weight_decay", KIND_REAL, AT(train.network.decay), NULL},
    {"beta_2", KIND_REAL, AT(train.network.beta_2), NULL},
    {"clip", KIND_REAL, AT(train.network.clip), NULL},
    {"warmup", KIND_U32, AT(train.network.warmup), NULL},
    {"accumulate", KIND_U32, AT(train.network.accumulate), NULL},
    {"routes", KIND_FLAG, AT(train.network.routes), NULL},
    {"base_words", KIND_U32, AT(train.tuning.words), NULL},
    {"anchor", KIND_REAL, AT(train.tuning.anchor), NULL},
    {"freeze_input", KIND_FLAG, AT(train.tuning.freeze_input), NULL},
    {"freeze_output", KIND_FLAG, AT(train.tuning.freeze_output), NULL},
    {"snapshots", KIND_U32, AT(record.snapshots), NULL},
    {"float32", KIND_FLAG, AT(record.float32), NULL},
    {"save_output", KIND_FLAG, AT(record.output), NULL},
    {"metrics", KIND_U32, AT(record.metrics), NULL},
    {"probes", KIND_U32, AT(record.probes), NULL},
    {"watch_every", KIND_U32, AT(record.watch_every), NULL},
    {"checkpoint_seconds", KIND_REAL, AT(record.checkpoint_seconds), NULL},
    {"ledger_spans", KIND_U32, AT(record.ledger_spans), NULL},
    {"ledger_sources", KIND_U32, AT(record.ledger_sources), NULL},
};
#define LIST_COUNT (sizeof list / sizeof list[0])

/* ---- numbers and names as text ----------------------------------------------------------------------------------- */

#define VALUE_BYTES VT_SETTINGS_TEXT_BYTES

/* The locale of the program may write 0.5 as 0,5; a run is the same everywhere. */
static locale_t plain_numbers(locale_t *before) {
  locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
  *before = plain == (locale_t)0 ? (locale_t)0 : uselocale(plain);
  return plain;
}

static void usual_numbers(locale_t plain, locale_t before) {
  if (plain == (locale_t)0) return;
  uselocale(before);
  freelocale(plain);
}

/* The shorter of two texts that read back as the same number: "0.05", not "0.050000000000000003". */
void vt_settings_real_text(double value, char text[VALUE_BYTES]) {
  locale_t before, plain = plain_numbers(&before);
  snprintf(text, VALUE_BYTES, "%.15g", value);
  if (strtod(text, NULL) != value) snprintf(text, VALUE_BYTES, "%.17g", value);
  usual_numbers(plain, before);
}

bool vt_settings_parse_real(const char *text, double *value) {
  locale_t before, plain = plain_numbers(&before);
  char *end;
  *value = strtod(text, &end);
  usual_numbers(plain, before);
  return end != text && *end == '\0' && isfinite(*value);
}

static bool parse_count(const char *text, uint64_t high, uint64_t *value) {
  if (*text < '0' || *text > '9') return false;
  char *end;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return errno == 0 && *end == '\0' && *value <= high;
}

static bool parse_name(const char *text, const char *const *names, unsigned *value) {
  for (unsigned k = 0; names[k] != NULL; k++) {
    if (strcmp(text, names[k]) != 0) continue;
    *value = k;
    return true;
  }
  return false;
}

/* ---- one setting ------------------------------------------------------------------------------------------------- */

static void value_text(const struct vt_settings *settings, const struct setting *setting, char text[VALUE_BYTES]) {
  const void *place = (const char *)settings + setting->offset;
  switch (setting->kind) {
  case KIND_U32:
    snprintf(text, VALUE_BYTES, "%" PRIu32, *(const uint32_t *)place);
    break;
  case KIND_U64:
    snprintf(text, VALUE_BYTES, "%" PRIu64, *(const uint64_t *)place);
    break;
  case KIND_REAL:
    vt_settings_real_text(*(const double *)place, text);
    break;
  case KIND_FLAG:
    snprintf(text, VALUE_BYTES, "%d", *(const bool *)place);
    break;
  case KIND_NAME: {
    unsigned number;
    memcpy(&number, place, sizeof number);
    snprintf(text, VALUE_BYTES, "%s", setting->names[number]);
    break;
  }
  }
}

static bool parse(const struct setting *setting, const char *text, struct vt_settings *settings) {
  void *place = (char *)settings + setting->offset;
  uint64_t count;
  unsigned name;
  switch (setting->kind) {
  case KIND_U32:
    if (!parse_count(text, UINT32_MAX, &count)) return false;
    *(uint32_t *)place = (uint32_t)count;
    return true;
  case KIND_U64:
    return parse_count(text, UINT64_MAX, place);
  case KIND_REAL:
    return vt_settings_parse_real(text, place);
  case KIND_FLAG:
    if (!parse_count(text, 1, &count)) return false;
    *(bool *)place = count == 1;
    return true;
  case KIND_NAME:
    if (!parse_name(text, setting->names, &name)) return false;
    memcpy(place, &name, sizeof name);
    return true;
  }
  return false;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

size_t vt_settings_count(void) { return LIST_COUNT; }

const char *vt_settings_name(size_t k) { return list[k].key; }

void vt_settings_text(const struct vt_settings *settings, size_t k, char text[VT_SETTINGS_TEXT_BYTES]) {
  value_text(settings, &list[k], text);
}

enum vt_status vt_settings_write(const struct vt_settings *settings, struct vt_recorder *recorder,
                                 struct vt_error *error) {
  for (size_t k = 0; k < LIST_COUNT; k++) {
    char text[VALUE_BYTES];
    value_text(settings, &list[k], text);
    VT_TRY(vt_recorder_meta(recorder, list[k].key, text, error));
  }
  return VT_OK;
}

enum vt_status vt_settings_write_real(const char *key, double value, struct vt_recorder *recorder,
                                      struct vt_error *error) {
  char text[VALUE_BYTES];
  vt_settings_real_text(value, text);
  return vt_recorder_meta(recorder, key, text, error);
}

/* Runs from before there was such a setting have its default. */
static bool is_later(const struct setting *setting) {
  return setting->offset == AT(train.network.beta_2) ||
         (setting->offset >= AT(train.tuning) && setting->offset < AT(train.tuning) + sizeof(struct vt_tuning_options));
}

enum vt_status vt_settings_read(struct vt_settings *settings, const struct vt_run *run, const char *path,
                                struct vt_error *error) {
  vt_train_options_init(&settings->train);
  vt_record_options_init(&settings->record);
  for (size_t k = 0; k < LIST_COUNT; k++) {
    const char *text = vt_run_meta(run, list[k].key);
    if (text == NULL && is_later(&list[k])) continue;
    if (text == NULL) return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the setting \"%s\" is missing", path, list[k].key);
    if (!parse(&list[k], text, settings))
      return VT_FAIL(error, VT_ERROR_CORRUPT, "%s: the setting \"%s\" is \"%.64s\"", path, list[k].key, text);
  }
  return VT_OK;
}

double vt_settings_rate(const struct vt_settings *settings, uint64_t step, uint64_t steps) {
  return vt_engine_rate(&settings->train, (double)(step - 1) / (double)steps);
}

enum vt_status vt_settings_check(const struct vt_settings *settings, struct vt_error *error) {
  const struct vt_record_options *record = &settings->record;
  if (record->snapshots < 2 || record->snapshots > 100000)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "snapshots is %" PRIu32 "; it must lie between 2 and 100000",
                   record->snapshots);
  if (record->ledger_spans < 1 || record->ledger_spans > 100000)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "ledger-spans is %" PRIu32 "; it must lie between 1 and 100000",
                   record->ledger_spans);
  if (!(record->checkpoint_seconds >= 0 && record->checkpoint_seconds <= VT_CHECKPOINT_SECONDS_MAX))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "checkpoint is %g seconds; it must lie between 0 and %g",
                   record->checkpoint_seconds, VT_CHECKPOINT_SECONDS_MAX);
  if (settings->train.model == VT_MODEL_NNLM && record->output)
    return VT_FAIL(error, VT_ERROR_ARGUMENT,
                   "the output vectors of nnlm are as long as its hidden layer, so they make no table of their own");
  return vt_train_options_check(&settings->train, error);
}

/*
 * experiment.c: the three trainings of an experiment, and what is read from them.
 *
 * The main run is skip-gram as people train it. The other two differ from it in two things: their rate stays constant,
 * so that nothing but a penalty can stop them, and one has a penalty.
 */
#define _POSIX_C_SOURCE 200809L

#include "analysis/experiment.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/planted.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/processors.h"
#include "vectrail/train.h"
#include "vectrail/vectors.h"

#define PLANTED_SENTENCES 20000
#define SNAPSHOTS 41
/* Small supersteps: a small text has many of them then. */
#define BLOCK_TOKENS 256
#define BLOCKS 4

void vt_experiment_request_init(struct vt_experiment_request *request) {
  *request =
      (struct vt_experiment_request){.dim = 50, .epochs = 10, .l2 = 0.001, .seed = 1, .threads = vt_processors()};
}

const char *vt_verdict_text(enum vt_verdict verdict) {
  switch (verdict) {
  case VT_VERDICT_HELD:
    return "held";
  case VT_VERDICT_CONDITIONAL:
    return "held with a condition";
  case VT_VERDICT_NOT_HELD:
    return "did not hold";
  case VT_VERDICT_NOT_ASKED:
    return "not asked";
  }
  return "";
}

/* ---- training ---------------------------------------------------------------------------------------------------- */

struct arm {
  const char *name;
  enum vt_schedule schedule;
  double l2;
};

static enum vt_status train(const struct vt_experiment_request *request, const char *const *inputs, size_t input_count,
                            const struct arm *arm, const char *path, struct vt_error *error) {
  struct vt_train_request training = {.inputs = inputs,
                                      .input_count = input_count,
                                      .run_path = path,
                                      .force = request->force,
                                      .interrupt = request->interrupt};
  vt_corpus_options_init(&training.corpus);
  vt_train_options_init(&training.train);
  vt_record_options_init(&training.record);
  training.corpus.threads = request->threads;
  if (request->input_count == 0) training.corpus.tokens = VT_TOKENS_SPACE;
  training.train.dim = request->dim;
  training.train.epochs = request->epochs;
  training.train.seed = request->seed;
  training.train.threads = request->threads;
  training.train.schedule = arm->schedule;
  training.train.l2 = arm->l2;
  training.train.block_tokens = BLOCK_TOKENS;
  training.train.blocks = BLOCKS;
  training.train.sample = 1e-3;
  training.record.snapshots = SNAPSHOTS;
  training.record.float32 = true;
  if (request->training != NULL) request->training(request->context, arm->name);
  return vt_train(&training, NULL, error);
}

/* Opens a run and measures it; the run is closed again where nobody asks for it. */
static enum vt_status read_run(const char *path, const struct vt_measure_options *options, struct vt_run **run,
                               struct vt_measures *measures, struct vt_error *error) {
  struct vt_run *opened;
  VT_TRY(vt_run_open(path, &opened, error));
  enum vt_status status = vt_measure_run(opened, options, measures, error);
  if (status == VT_OK && run != NULL)
    *run = opened;
  else
    vt_run_close(opened);
  return status;
}

static enum vt_status run_arm(const struct vt_experiment_request *request, const char *const *inputs,
                              size_t input_count, const struct arm *arm, struct vt_run **run,
                              struct vt_measures *measures, struct vt_error *error) {
  char *path = vt_path_join(request->folder, arm->name);
  if (path == NULL) return VT_FAIL_MEMORY(error, strlen(request->folder));
  struct vt_measure_options options;
  vt_measure_options_init(&options);
  options.threads = request->threads;
  options.cooccurrence = run != NULL;
  if (run == NULL) options.groups = VT_MEASURE_MOTION;
  enum vt_status status = train(request, inputs, input_count, arm, path, error);
  if (status == VT_OK) status = read_run(path, &options, run, measures, error);
  vt_free(path);
  return status;
}

static enum vt_status gather(struct vt_experiment_evidence *evidence, const char *const *inputs, size_t input_count,
                             struct vt_error *error) {
  const struct vt_experiment_request *request = evidence->request;
  const struct arm main_arm = {"main", VT_SCHEDULE_LINEAR, 0}, free_arm = {"free", VT_SCHEDULE_CONSTANT, 0},
                   bounded_arm = {"bounded", VT_SCHEDULE_CONSTANT, request->l2};
  VT_TRY(run_arm(request, inputs, input_count, &main_arm, &evidence->run, &evidence->measures, error));
  VT_TRY(run_arm(request, inputs, input_count, &free_arm, NULL, &evidence->free, error));
  VT_TRY(run_arm(request, inputs, input_count, &bounded_arm, NULL, &evidence->bounded, error));
  evidence->vocab = vt_run_vocab(evidence->run);
  VT_TRY(vt_run_vectors(evidence->run, 0, &evidence->first, error));
  return vt_run_vectors(evidence->run, VT_STEP_LAST, &evidence->last, error);
}

/* ---- the experiment ---------------------------------------------------------------------------------------------- */

struct planted_questions {
  struct vt_experiment_pair synonyms[VT_PLANTED_SYNONYMS];
  struct vt_experiment_analogy analogies[VT_PLANTED_COUPLES];
};

/* Each couple against the next, so that every word is asked for once in each place. */
static void ask_planted(struct planted_questions *questions, struct vt_experiment_evidence *evidence) {
  for (size_t k = 0; k < VT_PLANTED_SYNONYMS; k++)
    questions->synonyms[k] = (struct vt_experiment_pair){{vt_planted_synonyms[k][0], vt_planted_synonyms[k][1]}};
  for (size_t k = 0; k < VT_PLANTED_COUPLES; k++) {
    const char *const *couple = vt_planted_couples[k], *const *next = vt_planted_couples[(k + 1) % VT_PLANTED_COUPLES];
    questions->analogies[k] = (struct vt_experiment_analogy){{couple[0], couple[1], next[0], next[1]}};
  }
  evidence->synonyms = questions->synonyms;
  evidence->synonym_count = VT_PLANTED_SYNONYMS;
  evidence->analogies = questions->analogies;
  evidence->analogy_count = VT_PLANTED_COUPLES;
}

static enum vt_status run_and_judge(struct vt_experiment_evidence *evidence, struct vt_experiment *experiment,
                                    struct vt_error *error) {
  const struct vt_experiment_request *request = evidence->request;
  struct planted_questions questions;
  char *text = NULL;
  enum vt_status status = VT_OK;
  if (request->input_count == 0) {
    ask_planted(&questions, evidence);
    text = vt_path_join(request->folder, "planted.txt");
    if (text == NULL) return VT_FAIL_MEMORY(error, strlen(request->folder));
    status = vt_planted_write(text, PLANTED_SENTENCES, request->seed, error);
  }
  const char *const planted[] = {text};
  if (status == VT_OK)
    status = gather(evidence, text != NULL ? planted : request->inputs, text != NULL ? 1 : request->input_count, error);
  if (status == VT_OK) status = vt_experiment_judge(evidence, experiment->claims, error);
  vt_free(text);
  return status;
}

static enum vt_status check(const struct vt_experiment_request *request, struct vt_error *error) {
  if (!(request->l2 > 0))
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "l2 is %g; the experiment compares a penalty above 0 with none",
                   request->l2);
  if (mkdir(request->folder, 0777) == 0 || errno == EEXIST) return VT_OK;
  return VT_FAIL_HELP(error, VT_ERROR_IO, "make the folder above it first", "%s: cannot make the folder: %s",
                      request->folder, strerror(errno));
}

enum vt_status vt_experiment_run(const struct vt_experiment_request *request, struct vt_experiment *experiment,
                                 struct vt_error *error) {
  *experiment = (struct vt_experiment){0};
  VT_TRY(check(request, error));
  experiment->claims = vt_alloc_zero(VT_EXPERIMENT_CLAIMS, sizeof *experiment->claims);
  if (experiment->claims == NULL) return VT_FAIL_MEMORY(error, VT_EXPERIMENT_CLAIMS * sizeof *experiment->claims);
  experiment->claim_count = VT_EXPERIMENT_CLAIMS;
  struct vt_experiment_evidence evidence = {.request = request,
                                            .synonyms = request->synonyms,
                                            .synonym_count = request->synonym_count,
                                            .analogies = request->analogies,
                                            .analogy_count = request->analogy_count};
  enum vt_status status = run_and_judge(&evidence, experiment, error);
  vt_vectors_free(evidence.first);
  vt_vectors_free(evidence.last);
  vt_measures_release(&evidence.measures);
  vt_measures_release(&evidence.free);
  vt_measures_release(&evidence.bounded);
  vt_run_close(evidence.run);
  if (status != VT_OK) vt_experiment_release(experiment);
  return status;
}

void vt_experiment_release(struct vt_experiment *experiment) {
  vt_free(experiment->claims);
  *experiment = (struct vt_experiment){0};
}

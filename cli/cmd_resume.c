/* cmd_resume.c: vectrail resume: goes on with a training that was stopped. */
#define _POSIX_C_SOURCE 200809L

#include "cli.h"
#include "interrupt.h"
#include "report.h"
#include "shared_options.h"
#include "team.h"
#include "train_report.h"
#include "vectrail/kernel.h"
#include "vectrail/train.h"

static struct resume_settings {
  struct vt_resume_request request;
  bool json;
} settings;

static void prepare(void) {
  settings.json = false;
  vt_resume_request_init(&settings.request);
}

#define AT(field) .offset = offsetof(struct resume_settings, field)
static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Options"},
    SHARED_THREADS(AT(request.threads)),
    {.kind = OPTION_FLAG,
     .name = "deal-tables",
     AT(request.deal_tables),
     .help = "with ranks on several machines, each holds a part of the tables; they may exceed one machine's memory"},
    {.kind = OPTION_TEXT,
     .name = "kernel",
     .value = "NAME",
     AT(request.kernel),
     .unset = "the fastest that runs here",
     .help = "numeric kernel; 'vectrail info --kernels' lists them"},
    {.kind = OPTION_REAL,
     .name = "checkpoint",
     .value = "SECONDS",
     AT(request.checkpoint_seconds),
     .real_high = VT_CHECKPOINT_SECONDS_MAX,
     .unset = "as before",
     .help = "time from checkpoint to checkpoint; 0: only when interrupted"},
    SHARED_JSON(AT(json)),
};

static enum exit_status run_together(const struct common_settings *common, const struct text_list *operands) {
  static const struct text_list nothing;
  struct vt_resume_request *request = &settings.request;
  struct vt_train_result result = {0};
  struct vt_error error;
  enum exit_status status = EXIT_DONE;
  if (request->kernel != NULL && vt_kernel_resolve(request->kernel, &request->kernel, &error) != VT_OK)
    status = report_error(&error);
  status = team_agree(request->ranks, status);
  if (status != EXIT_DONE) return status;
  bool speaks = team_speaks(request->ranks);
  struct train_report told = {.run = operands->items[0], .watch = &nothing};
  progress_init(&told.progress, common->quiet || !speaks);
  request->run_path = operands->items[0];
  request->progress = train_report_progress;
  request->corpus_ready = train_report_corpus;
  request->progress_context = request->corpus_ready_context = &told;
  request->interrupt = &interrupt_flag;
  interrupt_defer();
  enum vt_status resumed = vt_resume(request, &result, &error);
  progress_clear(&told.progress);
  report_silence(!vt_ranks_reports(request->ranks));
  if (resumed != VT_OK) return train_report_error(&told, &result, &error);
  if (!speaks) return EXIT_DONE;
  if (settings.json)
    train_report_json(&told, &result);
  else if (!common->quiet)
    train_report_result(&told, &result);
  return EXIT_DONE;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  struct vt_ranks **ranks = &settings.request.ranks;
  enum exit_status status = team_join(ranks);
  if (status != EXIT_DONE) return status;
  return team_leave(*ranks, run_together(common, operands));
}

const struct command command_resume = {
    .name = "resume",
    .operands = "DIR [options]",
    .summary = "go on with a training that was stopped",
    .about =
        "Goes on with a run that was interrupted, killed, or ended by an error, from its last checkpoint. The text "
        "is not needed. The finished run is the same, bit for bit, as if it had never been stopped. Of a run that "
        "is finished already it says so, and changes nothing.",
    .example = "vectrail resume runs/first",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .settings = &settings,
    .prepare = prepare,
    .operands_low = 1,
    .operands_high = 1,
    .operands_missing = "resume needs a run folder",
    .run = run,
};

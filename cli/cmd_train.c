/* cmd_train.c: what the options of vectrail train mean together, and the training. */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "counts_option.h"
#include "export_file.h"
#include "interrupt.h"
#include "pairs.h"
#include "progress.h"
#include "report.h"
#include "size.h"
#include "team.h"
#include "train_options.h"
#include "train_report.h"
#include "watch.h"
#include "words.h"
#include "vectrail/kernel.h"
#include "vectrail/train.h"

/* ---- what the options mean together ------------------------------------------------------------------------------ */

static bool parse_batch(const char *text, uint32_t *batch) {
  *batch = VT_BATCH_FULL;
  if (strcmp(text, "full") == 0) return true;
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 5 || text[digits] != '\0') return false;
  *batch = (uint32_t)strtoul(text, NULL, 10);
  return *batch >= 1 && *batch <= VT_BATCH_MAX;
}

/* What belongs to glove alone, or means something else with it. */
static enum exit_status settle_glove(void) {
  const bool glove = train_settings.model == (int)VT_MODEL_GLOVE;
  if (train_settings.symmetric >= 0) train_settings.train.one_sided = train_settings.symmetric == 0;
  if (!glove && (!isnan(train_settings.x_max) || train_settings.train.one_sided || train_settings.memory != NULL))
    return report_usage("train", "--%s is for --model glove alone",
                        !isnan(train_settings.x_max)     ? "x-max"
                        : train_settings.train.one_sided ? "one-sided"
                                                         : "memory");
  if (train_settings.memory != NULL && !size_parse(train_settings.memory, &train_settings.train.memory_bytes))
    return report_usage("train", "--memory is '%.100s'; it must be a size such as 500M or 4G", train_settings.memory);
  if (!glove && !isnan(train_settings.alpha)) {
    if (train_settings.train.lr != 0) return report_usage("train", "--lr and --alpha both give the learning rate");
    train_settings.train.lr = train_settings.alpha;
    train_settings.alpha = NAN;
  }
  if (!glove) return EXIT_DONE;
  if (train_settings.loss >= 0 && train_settings.loss != (int)VT_LOSS_SQUARES)
    return report_usage("train", "--loss is for other models; glove has its own");
  if (train_settings.optimizer >= 0 && train_settings.optimizer != (int)VT_OPTIMIZER_ADAGRAD)
    return report_usage("train", "--optimizer is for other models; glove is trained by adagrad");
  train_settings.loss = (int)VT_LOSS_SQUARES;
  train_settings.optimizer = (int)VT_OPTIMIZER_ADAGRAD;
  if (!isnan(train_settings.x_max)) train_settings.train.x_max = train_settings.x_max;
  if (!isnan(train_settings.alpha)) train_settings.train.alpha = train_settings.alpha;
  train_settings.x_max = train_settings.train.x_max; /* to be shown */
  train_settings.alpha = train_settings.train.alpha;
  return EXIT_DONE;
}

static bool parse_start(const char *text, double *start) {
  if (text[strspn(text, "0123456789.eE-")] != '\0' || text[0] == '-') return false;
  char *end;
  *start = strtod(text, &end);
  return *end == '\0' && *start > 0 && *start <= 10;
}

/* The switches of other trainers say the same as --model and --loss, and win over them; they must not contradict each
 * other. */
static enum exit_status settle_model(void) {
  if (train_settings.cbow >= 0 && train_settings.skipgram >= 0 && train_settings.cbow == train_settings.skipgram)
    return report_usage("train", "-cbow %d and -sg %d ask for different models", train_settings.cbow,
                        train_settings.skipgram);
  if (train_settings.cbow >= 0) train_settings.model = train_settings.cbow == 1 ? VT_MODEL_CBOW : VT_MODEL_SKIPGRAM;
  if (train_settings.skipgram >= 0)
    train_settings.model = train_settings.skipgram == 1 ? VT_MODEL_SKIPGRAM : VT_MODEL_CBOW;
  if (train_settings.hierarchical >= 0)
    train_settings.loss = train_settings.hierarchical == 1 ? VT_LOSS_HIERARCHICAL_SOFTMAX : VT_LOSS_NEGATIVE_SAMPLING;
  enum exit_status status = settle_glove();
  if (status != EXIT_DONE) return status;
  if (train_settings.loss < 0) train_settings.loss = (int)VT_LOSS_NEGATIVE_SAMPLING;
  if (train_settings.optimizer < 0) train_settings.optimizer = (int)VT_OPTIMIZER_SGD;
  if (train_settings.train.epochs == 0)
    train_settings.train.epochs = train_settings.model == (int)VT_MODEL_GLOVE ? 15 : 5;
  if (train_settings.train.negative == 0 && train_settings.loss == VT_LOSS_NEGATIVE_SAMPLING)
    return report_usage("train", "--negative is '0'; negative sampling needs at least 1 noise word");
  train_settings.train.model = (enum vt_model)train_settings.model;
  train_settings.train.loss = (enum vt_loss)train_settings.loss;
  train_settings.train.schedule = (enum vt_schedule)train_settings.schedule;
  train_settings.train.network.positions = (enum vt_positions)train_settings.positions;
  train_settings.train.network.tied = !train_settings.untied;
  if (vt_model_is_network(train_settings.train.model) && train_settings.loss != VT_LOSS_SOFTMAX)
    return report_usage("train", "a network's loss is the exact softmax; leave --loss out");
  if (train_settings.batch != NULL && !parse_batch(train_settings.batch, &train_settings.train.batch))
    return report_usage("train", "--batch is '%.100s'; it must be 'full' or a whole number from 1 to %d",
                        train_settings.batch, VT_BATCH_MAX);
  if (train_settings.batch == NULL && train_settings.train.loss == VT_LOSS_QUADRATIC)
    train_settings.train.batch = VT_BATCH_FULL;
  if (train_settings.start != NULL && !parse_start(train_settings.start, &train_settings.train.start))
    return report_usage("train", "--start is '%.100s'; it must be a number above 0, up to 10", train_settings.start);
  if (train_settings.sync == 0 && train_settings.train.replicas > 0)
    return report_usage("train", "--replicas is for --sync periodic");
  if (train_settings.sync == 1 && train_settings.train.replicas == 0)
    train_settings.train.replicas = (uint32_t)vt_ranks_size(train_settings.train.ranks);
  train_settings.train.optimizer = (enum vt_optimizer_kind)train_settings.optimizer;
  if (train_settings.train.lr == 0) train_settings.train.lr = vt_train_default_lr(&train_settings.train);
  return EXIT_DONE;
}

/* A name that was never compiled in is wrong usage; one that this processor cannot run is not. */
static enum exit_status check_kernel(void) {
  bool known = train_settings.kernel == NULL;
  char names[128] = "";
  size_t at = 0;
  for (size_t k = 0; k < vt_kernel_count(); k++) {
    known = known || strcmp(vt_kernel_name(k), train_settings.kernel) == 0;
    if (at < sizeof names)
      at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", k > 0 ? ", " : "", vt_kernel_name(k));
  }
  if (!known) return report_usage("train", "--kernel is '%.100s'; it must be one of %s", train_settings.kernel, names);
  struct vt_error error;
  return vt_kernel_resolve(train_settings.kernel, &train_settings.kernel, &error) == VT_OK ? EXIT_DONE
                                                                                           : report_error(&error);
}

/* Standard input can be read only once. */
static bool reads_stdin_twice(const struct text_list *operands) {
  int standard_inputs = 0;
  for (size_t i = 0; i < operands->count; i++) standard_inputs += strcmp(operands->items[i], "-") == 0;
  return standard_inputs > 1;
}

static enum exit_status check_settings(const struct text_list *operands) {
  enum exit_status status = counts_option_check(&command_train, train_settings.counts, operands);
  if (status != EXIT_DONE) return status;
  if (train_settings.run == NULL) {
    report("add --run DIR, a folder that will hold the vectors and how they moved",
           "train needs a run folder to write to");
    return EXIT_USAGE;
  }
  if (reads_stdin_twice(operands)) return report_usage("train", "standard input ('-') can be read only once");
  if (train_settings.binary == 1 && train_settings.output == NULL)
    return report_usage("train", "--binary 1 says how to write --output FILE, which is not given");
  if (train_settings.corpus.phrases > 0 && train_settings.vocab != NULL)
    return report_usage("train", "--phrases makes new words, and with --vocab there can be none");
  if (train_settings.tokens == VT_TOKENS_BPE && (train_settings.corpus.phrases > 0 || train_settings.vocab != NULL))
    return report_usage("train", "--%s is of words, and --tokens bpe takes words apart",
                        train_settings.vocab != NULL ? "vocab" : "phrases");
  if (train_settings.tokens == VT_TOKENS_BPE && train_settings.corpus.fold_case)
    return report_usage("train", "--fold-case and --tokens bpe do not go together: its pieces are the text's bytes");
  if (train_settings.tokens != VT_TOKENS_BPE && train_settings.corpus.tokenizer != NULL)
    return report_usage("train", "--tokenizer is for --tokens bpe alone");
  if (train_settings.tokens == VT_TOKENS_BPE) train_settings.corpus.min_count = 1;
  if (train_settings.tokens == VT_TOKENS_LETTERS) train_settings.corpus.fold_case = true;
  status = settle_model();
  if (status == EXIT_DONE) status = check_kernel();
  /* Better now than after the training. */
  if (status == EXIT_DONE && train_settings.output != NULL && !export_folder_is_writable(train_settings.output))
    status = EXIT_FAILED;
  return status;
}

/* ---- the training -------------------------------------------------------------------------------------------------
 */

static enum exit_status write_output(void) {
  enum vt_export_format format = VT_EXPORT_W2V_TEXT;
  if (train_settings.binary == 1)
    format = VT_EXPORT_W2V_BINARY;
  else
    export_format_guess(train_settings.output, &format);
  struct view view;
  enum exit_status status = view_open(&view, train_settings.run, VT_STEP_LAST);
  if (status != EXIT_DONE) return status;
  struct vt_error error;
  if (vt_export(view.vectors, format, train_settings.output, &error) != VT_OK) status = report_error(&error);
  view_close(&view);
  return status;
}

/* The pairs in the spelling that the vocabulary will have. */
static bool read_pairs(bool words_rule, struct text_list *pairs) {
  if (!pair_words_read(&train_settings.pairs, pairs)) return false;
  for (size_t i = 0; i < pairs->count; i++) {
    char *typed = (char *)pairs->items[i]; /* the list owns what pair_words_read put there */
    pairs->items[i] = word_normalised(typed, words_rule, train_settings.corpus.fold_case);
    free(typed);
  }
  return true;
}

static enum exit_status load_inputs(struct text_list *watch, struct text_list *pairs, struct text_list *ledger,
                                    struct vt_vocab **vocab) {
  bool words_rule = train_settings.tokens == (int)VT_TOKENS_WORDS || train_settings.tokens == (int)VT_TOKENS_LETTERS;
  if (!read_pairs(words_rule, pairs)) return EXIT_FAILED;
  bool fold_case = train_settings.corpus.fold_case;
  if (!watch_words_read("--watch", &train_settings.watch, words_rule, fold_case, watch)) return EXIT_FAILED;
  if (!watch_words_read("--ledger", &train_settings.ledger, words_rule, fold_case, ledger)) return EXIT_FAILED;
  struct vt_error error;
  if (train_settings.vocab != NULL && vt_vocab_load(train_settings.vocab, vocab, &error) != VT_OK)
    return report_error(&error);
  return EXIT_DONE;
}

static void fill_request(struct vt_train_request *request, struct train_report *told, const struct text_list *operands,
                         const struct text_list *pairs, const struct vt_vocab *vocab) {
  *request = (struct vt_train_request){
      .inputs = operands->items,
      .input_count = operands->count,
      .counts = train_settings.counts,
      .run_path = train_settings.run,
      .force = train_settings.force,
      .corpus = train_settings.corpus,
      .train = train_settings.train,
      .record = train_settings.record,
      .progress = train_report_progress,
      .progress_context = told,
      .corpus_ready = train_report_corpus,
      .corpus_ready_context = told,
      .interrupt = &interrupt_flag,
  };
  request->corpus.tokens = (enum vt_token_rule)train_settings.tokens;
  request->corpus.threads = train_settings.train.threads;
  request->corpus.vocab = vocab;
  request->corpus.progress = progress_reading;
  request->corpus.progress_context = &told->progress;
  request->train.kernel = train_settings.kernel;
  request->record.watch = told->watch->items;
  request->record.watch_count = told->watch->count;
  request->record.ledger = told->ledger->items;
  request->record.ledger_count = told->ledger->count;
  request->record.pairs = pairs->items;
  request->record.pair_count = pairs->count / 2;
  request->train.until_converged = train_settings.until == 1;
}

static enum exit_status train(const struct common_settings *common, const struct text_list *operands,
                              const struct text_list *watch, const struct text_list *pairs,
                              const struct text_list *ledger, const struct vt_vocab *vocab) {
  struct train_report told = {.command = &command_train, .run = train_settings.run, .watch = watch, .ledger = ledger};
  if (train_settings.counts != NULL) told.without = counts_option_settled;
  bool speaks = team_speaks(train_settings.train.ranks);
  progress_init(&told.progress, common->quiet || !speaks);
  struct vt_train_request request;
  fill_request(&request, &told, operands, pairs, vocab);
  struct vt_train_result result = {0};
  struct vt_error error;
  interrupt_defer();
  enum vt_status trained = vt_train(&request, &result, &error);
  progress_clear(&told.progress);
  report_silence(!vt_ranks_reports(train_settings.train.ranks));
  if (trained != VT_OK) return train_report_error(&told, &result, &error);
  if (!speaks) return EXIT_DONE;
  enum exit_status status = train_settings.output != NULL ? write_output() : EXIT_DONE;
  if (status != EXIT_DONE) return status;
  if (train_settings.json)
    train_report_json(&told, &result);
  else if (!common->quiet)
    train_report_result(&told, &result);
  return EXIT_DONE;
}

static enum exit_status run_together(const struct common_settings *common, const struct text_list *operands) {
  struct text_list watch = {0}, pairs = {0}, ledger = {0};
  struct vt_vocab *vocab = NULL;
  enum exit_status status = check_settings(operands);
  /* What these files hold, rank 0 tells the others. */
  if (status == EXIT_DONE && team_speaks(train_settings.train.ranks))
    status = load_inputs(&watch, &pairs, &ledger, &vocab);
  status = team_agree(train_settings.train.ranks, status);
  if (status == EXIT_DONE) status = train(common, operands, &watch, &pairs, &ledger, vocab);
  watch_words_release(&watch);
  watch_words_release(&pairs);
  watch_words_release(&ledger);
  vt_vocab_free(vocab);
  return status;
}

enum exit_status train_run(const struct common_settings *common, const struct text_list *operands) {
  enum exit_status status = team_join(&train_settings.train.ranks);
  if (status != EXIT_DONE) return status;
  return team_leave(train_settings.train.ranks, run_together(common, operands));
}

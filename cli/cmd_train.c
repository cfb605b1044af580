/*
 * cmd_train.c: vectrail train.
 *
 * The option table writes straight into the request's parts, whose defaults come from the library: what help shows is
 * what trains. The names of word2vec, fastText and gensim are aliases; what they can ask for and this version cannot
 * train is refused by name, never ignored.
 */
#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "export_file.h"
#include "interrupt.h"
#include "pairs.h"
#include "progress.h"
#include "report.h"
#include "size.h"
#include "team.h"
#include "train_report.h"
#include "watch.h"
#include "words.h"
#include "vectrail/kernel.h"
#include "vectrail/train.h"

static struct train_settings {
  const char *run;
  bool force;
  bool json;
  /* Places in the choices, which are the values of the enums. */
  int model, loss, schedule, optimizer, tokens, positions, preset, sync;
  bool untied;
  const char *vocab;
  const char *kernel;
  struct text_list watch, pairs, ledger;
  const char *batch, *start;
  int until;
  const char *output;
  int binary, cbow, skipgram, hierarchical, symmetric;
  double alpha, x_max; /* NaN: not given */
  const char *memory;
  struct vt_corpus_options corpus;
  struct vt_train_options train;
  struct vt_record_options record;
} settings;

/* What the parts of the request say, for the choices. */
static void take_choices(void) {
  settings.model = (int)settings.train.model;
  settings.loss = (int)settings.train.loss;
  settings.schedule = (int)settings.train.schedule;
  settings.optimizer = (int)settings.train.optimizer;
  settings.positions = (int)settings.train.network.positions;
  settings.untied = !settings.train.network.tied;
  settings.tokens = (int)settings.corpus.tokens;
}

static void prepare(void) {
  settings = (struct train_settings){
      .cbow = -1, .skipgram = -1, .hierarchical = -1, .symmetric = -1, .alpha = NAN, .x_max = NAN}; /* not given */
  vt_corpus_options_init(&settings.corpus);
  vt_train_options_init(&settings.train);
  vt_record_options_init(&settings.record);
  take_choices();
  settings.loss = settings.optimizer = -1; /* the model's own, as the next two, unless one is given */
  settings.train.lr = 0;
  settings.train.epochs = 0;
}

/* The last value of an option that is written --name VALUE or --name=VALUE, with one dash or two; or NULL. */
static const char *typed_value(int argc, char **argv, const char *name) {
  const char *value = NULL;
  for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *at = argv[i];
    if (*at != '-') continue;
    at += strspn(at, "-");
    size_t length = strlen(name);
    if (strncmp(at, name, length) != 0) continue;
    if (at[length] == '=') value = at + length + 1;
    if (at[length] == '\0' && i + 1 < argc) value = argv[i + 1];
  }
  return value;
}

/* A network and a preset bring defaults of their own; what is typed wins over them, wherever it stands. */
static enum exit_status prepare_for(int argc, char **argv) {
  const char *model = typed_value(argc, argv, "model"), *preset = typed_value(argc, argv, "preset");
  const enum vt_model before = settings.train.model;
  if (preset != NULL && strcmp(preset, "exercise") == 0) vt_train_preset_exercise(&settings.corpus, &settings.train);
  if (model != NULL && strcmp(model, "nnlm") == 0) vt_train_options_for(&settings.train, VT_MODEL_NNLM);
  if (model != NULL && strcmp(model, "transformer") == 0) vt_train_options_for(&settings.train, VT_MODEL_TRANSFORMER);
  if (settings.train.model != before) take_choices();
  return EXIT_DONE;
}

#define AT(field) .offset = offsetof(struct train_settings, field)
#define WHOLE(from, to) .low = (from), .high = (to)

static const struct option options[] = {
    {.kind = OPTION_HEADING, .help = "Input and output"},
    {.kind = OPTION_OPERAND,
     .name = "corpus",
     .aside = true,
     .aliases = "train input",
     .value = "FILE",
     .help = "one more corpus, as if it stood among the operands"},
    {.kind = OPTION_TEXT,
     .name = "run",
     .aside = true,
     .value = "DIR",
     AT(run),
     .help = "the run folder to make; required"},
    {.kind = OPTION_FLAG, .name = "force", .aside = true, AT(force), .help = "replace the run that is in that folder"},
    {.kind = OPTION_TEXT,
     .name = "output",
     .aside = true,
     .letter = "o",
     .value = "FILE",
     AT(output),
     .help = "at the end, also export the vectors to FILE, in the format of its extension, else as word2vec text"},
    {.kind = OPTION_INT,
     .name = "binary",
     .aside = true,
     .value = "0|1",
     AT(binary),
     WHOLE(0, 1),
     .unset = "",
     .help = "with --output, 1: as word2vec binary whatever the extension"},
    {.kind = OPTION_FLAG, .name = "json", .aside = true, AT(json), .help = "print the result as one JSON object"},

    {.kind = OPTION_HEADING, .help = "Text and vocabulary"},
    {.kind = OPTION_CHOICE,
     .name = "tokens",
     .value = "RULE",
     AT(tokens),
     .choices = {"words", "space", "letters", "bpe"},
     .help = "what a word is: a run of letters and digits; what stands between blanks; a run of two or more ASCII "
             "letters, made small; or a piece of a word, by byte pairs"},
    {.kind = OPTION_U32,
     .name = "vocab-size",
     .value = "N",
     AT(corpus.bpe_tokens),
     WHOLE(256, 1000000),
     .help = "with --tokens bpe, how many pieces to learn from the text"},
    {.kind = OPTION_TEXT,
     .name = "tokenizer",
     .value = "FILE",
     AT(corpus.tokenizer),
     .help = "with --tokens bpe, use the pieces of a tokenizer.json instead of learning them"},
    {.kind = OPTION_FLAG, .name = "fold-case", AT(corpus.fold_case), .help = "fold upper and lower case together"},
    {.kind = OPTION_U64,
     .name = "min-count",
     .aliases = "minCount",
     .value = "N",
     AT(corpus.min_count),
     WHOLE(1, UINT64_MAX),
     .help = "drop words that occur fewer times"},
    {.kind = OPTION_U32,
     .name = "max-vocab",
     .aliases = "max-final-vocab",
     .value = "N",
     AT(corpus.max_vocab),
     WHOLE(0, UINT32_MAX - 1),
     .help = "keep the N most frequent words only; 0: all"},
    {.kind = OPTION_U32,
     .name = "phrases",
     .value = "PASSES",
     AT(corpus.phrases),
     WHOLE(0, VT_PHRASES_MAX),
     .help = "make one word of two that belong together, new york new_york; twice for up to 4 words; 0: never"},
    {.kind = OPTION_REAL,
     .name = "phrase-threshold",
     .value = "X",
     AT(corpus.phrase_threshold),
     .real_high = VT_PHRASE_THRESHOLD_MAX,
     .help = "with --phrases, join words that stand side by side more than X times as often as by chance"},
    {.kind = OPTION_TEXT,
     .name = "vocab",
     .aliases = "read-vocab",
     .value = "FILE",
     AT(vocab),
     .help = "use the words of FILE (a word and a count a line) instead of counting"},

    {.kind = OPTION_HEADING, .help = "Model and training"},
    {.kind = OPTION_CHOICE,
     .name = "model",
     .value = "NAME",
     AT(model),
     .choices = {"skipgram", "cbow", "glove", "nnlm", "transformer"},
     .help =
         "skipgram: each context word predicts the centre word; cbow: their mean does; glove: products of "
         "vectors fit the logarithms of counts; nnlm, transformer: networks that predict the next word (see below)"},
    {.kind = OPTION_CHOICE,
     .name = "preset",
     .aside = true,
     .value = "NAME",
     AT(preset),
     .choices = {"none", "exercise"},
     .help = "settings that belong together; exercise: nnlm as in the course's exercise, 25 epochs on one small text"},
    {.kind = OPTION_CHOICE,
     .name = "loss",
     .value = "NAME",
     AT(loss),
     .choices = {"ns", "hs", "softmax", "squares", "quadratic"},
     .unset = "ns; glove: squares; networks: softmax",
     .help = "the objective; ns: negative sampling; hs: hierarchical softmax; softmax: over all words, exactly; "
             "squares: glove's; quadratic: see theory"},
    {.kind = OPTION_FLAG,
     .name = "cbow-classic",
     AT(train.cbow_classic),
     .help = "with cbow, give each context word the whole gradient of their mean, as word2vec does"},
    {.kind = OPTION_U32,
     .name = "dim",
     .aliases = "size vector-size",
     .value = "N",
     AT(train.dim),
     WHOLE(1, 4096),
     .help = "length of a vector"},
    {.kind = OPTION_U32,
     .name = "window",
     .aliases = "ws window-size",
     .value = "N",
     AT(train.window),
     WHOLE(1, 1000),
     .help = "context words on each side, at most; each centre draws from 1 to N, but glove counts all, those n words "
             "away as 1/n"},
    {.kind = OPTION_U32,
     .name = "negative",
     .aliases = "neg",
     .value = "N",
     AT(train.negative),
     WHOLE(0, 64),
     .help = "noise words for each centre; 0 with hs only, which needs none"},
    {.kind = OPTION_REAL,
     .name = "noise-exponent",
     .aliases = "ns-exponent",
     .value = "X",
     AT(train.noise_exponent),
     .real_high = 1,
     .help = "noise is drawn in proportion to count^X"},
    {.kind = OPTION_REAL,
     .name = "sample",
     .aliases = "t",
     .value = "X",
     AT(train.sample),
     .real_high = 1,
     .help = "leave out words more frequent than this share of the text, at random; 0: never"},
    {.kind = OPTION_U32,
     .name = "epochs",
     .aliases = "epoch iter",
     .value = "N",
     AT(train.epochs),
     WHOLE(1, 1000000),
     .unset = "5; glove: 15",
     .help = "passes over the text, or over its counts"},
    {.kind = OPTION_REAL,
     .name = "lr",
     .aliases = "eta",
     .value = "X",
     AT(train.lr),
     .above_low = true,
     .real_high = 1e12,
     .unset = "0.025; cbow: 0.1, cbow-classic: 0.05; adagrad: 0.15; softmax: 5, adagrad 0.1, adamw 0.005; glove: 0.5; "
              "networks: 0.001, sgd 0.1",
     .help = "learning rate at the start"},
    {.kind = OPTION_CHOICE,
     .name = "schedule",
     .value = "NAME",
     AT(schedule),
     .choices = {"linear", "constant", "cosine"},
     .help = "how the learning rate goes on: linear and cosine fall to nearly 0"},
    {.kind = OPTION_CHOICE,
     .name = "optimizer",
     .value = "NAME",
     AT(optimizer),
     .choices = {"sgd", "adagrad", "adamw"},
     .unset = "sgd; glove: adagrad; networks: adamw",
     .help = "how gradients become steps; adagrad: smaller ones where much has moved already; adamw: with softmax"},
    {.kind = OPTION_TEXT,
     .name = "batch",
     .value = "N|full",
     AT(batch),
     .unset = "512; quadratic: full; nnlm 32, transformer 8",
     .help = "with softmax, pairs in a step; full: all of the text, one step an epoch, with the exact gradient; with a "
             "network, samples in a step"},
    {.kind = OPTION_TEXT,
     .name = "start",
     .value = "X",
     AT(start),
     .unset = "1e-6",
     .help = "with quadratic, vectors start with lengths of about X"},
    {.kind = OPTION_REAL,
     .name = "l2",
     .value = "X",
     AT(train.l2),
     .real_high = 1000,
     .help = "penalty X |v|^2 on every vector, for each word trained; 1e-8 to 1e-6 is much; 0: none"},
    {.kind = OPTION_REAL,
     .name = "x-max",
     .value = "X",
     AT(x_max),
     .above_low = true,
     .real_high = 1e15,
     .unset = "100",
     .help = "with glove, the count from which on a pair has weight 1"},
    {.kind = OPTION_REAL,
     .name = "alpha",
     .value = "X",
     AT(alpha),
     .above_low = true,
     .real_high = 1000,
     .unset = "0.75",
     .help = "with glove, below x-max a count c has weight (c / x-max)^X; with other models the learning rate, as in "
             "word2vec"},
    {.kind = OPTION_FLAG,
     .name = "one-sided",
     AT(train.one_sided),
     .help = "with glove, count only the words that stand before a word"},
    {.kind = OPTION_TEXT,
     .name = "memory",
     .aside = true,
     .value = "SIZE",
     AT(memory),
     .unset = "1G",
     .help = "with glove, what counting may take, such as 500M; the rest waits on disk, and the result is the same"},
    {.kind = OPTION_CHOICE,
     .name = "until",
     .value = "WHEN",
     AT(until),
     .choices = {"end", "converged"},
     .help = "converged: stop as soon as loss, gradient, speed and neighbours are level (docs/metrics.md)"},
    {.kind = OPTION_SHARE,
     .name = "held-out",
     .value = "SHARE",
     AT(train.held_out),
     .real_high = 0.5,
     .help = "sentences that are never trained on, such as 1%, to measure the loss on"},
    {.kind = OPTION_U64,
     .name = "seed",
     .value = "N",
     AT(train.seed),
     WHOLE(0, UINT64_MAX),
     .help = "another number gives another run"},
    {.kind = OPTION_U32,
     .name = "block-tokens",
     .value = "N",
     AT(train.block_tokens),
     WHOLE(16, 65536),
     .help = "words in a block, the unit of work"},
    {.kind = OPTION_U32,
     .name = "blocks",
     .value = "N",
     AT(train.blocks),
     WHOLE(1, 4096),
     .help = "blocks in a step, after which their changes are merged"},
    {.kind = OPTION_CHOICE,
     .name = "sync",
     .value = "WHEN",
     AT(sync),
     .choices = {"exact", "periodic"},
     .help = "how often work is brought together; periodic: replicas train apart and are joined, for slow networks"},
    {.kind = OPTION_U32,
     .name = "sync-every",
     .value = "N",
     AT(train.sync_every),
     WHOLE(1, 1000000),
     .help = "with --sync periodic, supersteps that each replica trains between"},
    {.kind = OPTION_U32,
     .name = "replicas",
     .value = "N",
     AT(train.replicas),
     WHOLE(0, 4096),
     .help =
         "with --sync periodic, how many train apart; ranks share them, and change no result; 0: one for each rank"},
    {.kind = OPTION_TEXT,
     .name = "kernel",
     .value = "NAME",
     AT(kernel),
     .unset = "the fastest that runs here",
     .help = "numeric kernel; 'vectrail info --kernels' lists them"},
    {.kind = OPTION_INT,
     .name = "threads",
     .aliases = "thread workers",
     .value = "N",
     AT(train.threads),
     WHOLE(1, 1024),
     .unset = "the processors there are",
     .help = "threads; the result does not depend on them"},

    {.kind = OPTION_HEADING, .help = "Networks (--model nnlm, --model transformer)"},
    {.kind = OPTION_U32,
     .name = "context",
     .value = "N",
     AT(train.network.context),
     WHOLE(1, 65536),
     .unset = "128; nnlm 6",
     .help = "words that the next one is predicted from"},
    {.kind = OPTION_U32,
     .name = "stride",
     .value = "N",
     AT(train.network.stride),
     WHOLE(1, UINT32_MAX),
     .unset = "3",
     .help = "nnlm: words from sample to sample"},
    {.kind = OPTION_U32,
     .name = "hidden",
     .value = "N",
     AT(train.network.hidden),
     WHOLE(1, 65536),
     .help = "nnlm: length of the hidden layer"},
    {.kind = OPTION_U32,
     .name = "layers",
     .value = "N",
     AT(train.network.layers),
     WHOLE(1, 60),
     .help = "transformer: blocks"},
    {.kind = OPTION_U32,
     .name = "heads",
     .value = "N",
     AT(train.network.heads),
     WHOLE(1, 64),
     .help = "transformer: attention heads of a block; must divide --dim"},
    {.kind = OPTION_CHOICE,
     .name = "positions",
     .value = "KIND",
     AT(positions),
     .choices = {"learned", "sinusoidal", "rotary"},
     .help = "transformer: how the place of a word is told"},
    {.kind = OPTION_REAL,
     .name = "rotary-share",
     .value = "X",
     AT(train.network.rotary_share),
     .above_low = true,
     .real_high = 1,
     .help = "transformer: with rotary positions, the share of a head that is turned"},
    {.kind = OPTION_FLAG,
     .name = "untied",
     AT(untied),
     .help = "transformer: an output matrix of its own, instead of the word vectors"},
    {.kind = OPTION_FLAG,
     .name = "parallel",
     AT(train.network.parallel),
     .help = "transformer: attention and MLP side by side, as in GPT-NeoX"},
    {.kind = OPTION_FLAG,
     .name = "exact-gelu",
     AT(train.network.exact_gelu),
     .help = "transformer: GELU by the error function, not by tanh"},
    {.kind = OPTION_SHARE,
     .name = "dropout",
     .value = "SHARE",
     AT(train.network.dropout),
     .real_high = 0.9,
     .help = "transformer: what is left out at random in each step"},
    {.kind = OPTION_REAL,
     .name = "weight-decay",
     .value = "X",
     AT(train.network.decay),
     .real_high = 10,
     .help = "shrinks the weights by rate x X at each step"},
    {.kind = OPTION_REAL,
     .name = "clip",
     .value = "X",
     AT(train.network.clip),
     .real_high = 1e9,
     .unset = "1; nnlm 0",
     .help = "longest gradient that is taken as it is; 0: any"},
    {.kind = OPTION_U32,
     .name = "warmup",
     .value = "N",
     AT(train.network.warmup),
     WHOLE(0, UINT32_MAX),
     .unset = "100; nnlm 0",
     .help = "steps in which the rate rises"},
    {.kind = OPTION_U32,
     .name = "accumulate",
     .value = "N",
     AT(train.network.accumulate),
     WHOLE(1, 65536),
     .help = "batches whose gradients make one step"},
    {.kind = OPTION_FLAG,
     .name = "routes",
     AT(train.network.routes),
     .help = "measure through which parts of the network the gradient of the word vectors comes"},

    {.kind = OPTION_HEADING, .help = "Recording"},
    {.kind = OPTION_U32,
     .name = "snapshots",
     .value = "N",
     AT(record.snapshots),
     WHOLE(2, 100000),
     .help = "how many times all vectors are kept, start and end included"},
    {.kind = OPTION_FLAG,
     .name = "float32",
     AT(record.float32),
     .help = "keep snapshots in float32; otherwise float16, and the last in float32"},
    {.kind = OPTION_FLAG, .name = "save-output", AT(record.output), .help = "keep the output (context) vectors too"},
    {.kind = OPTION_U32,
     .name = "metrics",
     .value = "N",
     AT(record.metrics),
     WHOLE(1, UINT32_MAX),
     .help = "about how many steps get a row of metrics"},
    {.kind = OPTION_U32,
     .name = "probes",
     .value = "N",
     AT(record.probes),
     WHOLE(1, UINT32_MAX),
     .help = "about how many of those measure loss and gradient on the fixed probe sample"},
    {.kind = OPTION_REAL,
     .name = "checkpoint",
     .value = "SECONDS",
     AT(record.checkpoint_seconds),
     .real_high = VT_CHECKPOINT_SECONDS_MAX,
     .help = "time from checkpoint to checkpoint, from which 'vectrail resume' goes on; 0: only when interrupted"},
    {.kind = OPTION_LIST,
     .name = "watch",
     .value = "WORD,...",
     AT(watch),
     .help = "words whose vectors are kept at every row of metrics; @FILE: the words of a file, one a line"},
    {.kind = OPTION_U32,
     .name = "watch-every",
     .value = "N",
     AT(record.watch_every),
     WHOLE(0, UINT32_MAX),
     .help = "keep them at every Nth step instead; 0: at every row of metrics"},
    {.kind = OPTION_LIST,
     .name = "pairs",
     .value = "A:B,...",
     AT(pairs),
     .help = "pairs of words whose cosine is kept at every row of metrics; @FILE: two words a line"},
    {.kind = OPTION_LIST,
     .name = "ledger",
     .value = "WORD,...",
     AT(ledger),
     .help = "words of which it is kept what moved them, for 'vectrail explain'; @FILE as above"},
    {.kind = OPTION_U32,
     .name = "ledger-spans",
     .value = "N",
     AT(record.ledger_spans),
     WHOLE(1, 100000),
     .help = "spans of the training that a ledger keeps apart"},
    {.kind = OPTION_U32,
     .name = "ledger-sources",
     .value = "N",
     AT(record.ledger_sources),
     WHOLE(0, UINT32_MAX),
     .help = "sources that it keeps apart for each word, role and span; 0: all"},

    {.kind = OPTION_HEADING, .help = "Switches of other trainers"},
    {.kind = OPTION_INT,
     .name = "cbow",
     .aside = true,
     .value = "0|1",
     AT(cbow),
     WHOLE(0, 1),
     .unset = "",
     .help = "0: --model skipgram; 1: --model cbow"},
    {.kind = OPTION_INT,
     .name = "sg",
     .aside = true,
     .value = "0|1",
     AT(skipgram),
     WHOLE(0, 1),
     .unset = "",
     .help = "1: --model skipgram; 0: --model cbow"},
    {.kind = OPTION_INT,
     .name = "hs",
     .aside = true,
     .value = "0|1",
     AT(hierarchical),
     WHOLE(0, 1),
     .unset = "",
     .help = "0: --loss ns; 1: --loss hs"},
    {.kind = OPTION_INT,
     .name = "symmetric",
     .aside = true,
     .value = "0|1",
     AT(symmetric),
     WHOLE(0, 1),
     .unset = "",
     .help = "0: --one-sided; 1: words on both sides"},
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

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
  const bool glove = settings.model == (int)VT_MODEL_GLOVE;
  if (settings.symmetric >= 0) settings.train.one_sided = settings.symmetric == 0;
  if (!glove && (!isnan(settings.x_max) || settings.train.one_sided || settings.memory != NULL))
    return report_usage("train", "--%s is for --model glove alone",
                        !isnan(settings.x_max)     ? "x-max"
                        : settings.train.one_sided ? "one-sided"
                                                   : "memory");
  if (settings.memory != NULL && !size_parse(settings.memory, &settings.train.memory_bytes))
    return report_usage("train", "--memory is '%.100s'; it must be a size such as 500M or 4G", settings.memory);
  if (!glove && !isnan(settings.alpha)) {
    if (settings.train.lr != 0) return report_usage("train", "--lr and --alpha both give the learning rate");
    settings.train.lr = settings.alpha;
    settings.alpha = NAN;
  }
  if (!glove) return EXIT_DONE;
  if (settings.loss >= 0 && settings.loss != (int)VT_LOSS_SQUARES)
    return report_usage("train", "--loss is for other models; glove has its own");
  if (settings.optimizer >= 0 && settings.optimizer != (int)VT_OPTIMIZER_ADAGRAD)
    return report_usage("train", "--optimizer is for other models; glove is trained by adagrad");
  if (settings.train.held_out > 0)
    return report_usage("train", "--held-out is for other models; glove trains on counts, which have no sentences");
  settings.loss = (int)VT_LOSS_SQUARES;
  settings.optimizer = (int)VT_OPTIMIZER_ADAGRAD;
  if (!isnan(settings.x_max)) settings.train.x_max = settings.x_max;
  if (!isnan(settings.alpha)) settings.train.alpha = settings.alpha;
  settings.x_max = settings.train.x_max; /* to be shown */
  settings.alpha = settings.train.alpha;
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
  if (settings.cbow >= 0 && settings.skipgram >= 0 && settings.cbow == settings.skipgram)
    return report_usage("train", "-cbow %d and -sg %d ask for different models", settings.cbow, settings.skipgram);
  if (settings.cbow >= 0) settings.model = settings.cbow == 1 ? VT_MODEL_CBOW : VT_MODEL_SKIPGRAM;
  if (settings.skipgram >= 0) settings.model = settings.skipgram == 1 ? VT_MODEL_SKIPGRAM : VT_MODEL_CBOW;
  if (settings.hierarchical >= 0)
    settings.loss = settings.hierarchical == 1 ? VT_LOSS_HIERARCHICAL_SOFTMAX : VT_LOSS_NEGATIVE_SAMPLING;
  enum exit_status status = settle_glove();
  if (status != EXIT_DONE) return status;
  if (settings.loss < 0) settings.loss = (int)VT_LOSS_NEGATIVE_SAMPLING;
  if (settings.optimizer < 0) settings.optimizer = (int)VT_OPTIMIZER_SGD;
  if (settings.train.epochs == 0) settings.train.epochs = settings.model == (int)VT_MODEL_GLOVE ? 15 : 5;
  if (settings.train.negative == 0 && settings.loss == VT_LOSS_NEGATIVE_SAMPLING)
    return report_usage("train", "--negative is '0'; negative sampling needs at least 1 noise word");
  settings.train.model = (enum vt_model)settings.model;
  settings.train.loss = (enum vt_loss)settings.loss;
  settings.train.schedule = (enum vt_schedule)settings.schedule;
  settings.train.network.positions = (enum vt_positions)settings.positions;
  settings.train.network.tied = !settings.untied;
  if (vt_model_is_network(settings.train.model) && settings.loss != VT_LOSS_SOFTMAX)
    return report_usage("train", "a network's loss is the exact softmax; leave --loss out");
  if (settings.batch != NULL && !parse_batch(settings.batch, &settings.train.batch))
    return report_usage("train", "--batch is '%.100s'; it must be 'full' or a whole number from 1 to %d",
                        settings.batch, VT_BATCH_MAX);
  if (settings.batch == NULL && settings.train.loss == VT_LOSS_QUADRATIC) settings.train.batch = VT_BATCH_FULL;
  if (settings.start != NULL && !parse_start(settings.start, &settings.train.start))
    return report_usage("train", "--start is '%.100s'; it must be a number above 0, up to 10", settings.start);
  if (settings.sync == 0 && settings.train.replicas > 0)
    return report_usage("train", "--replicas is for --sync periodic");
  if (settings.sync == 1 && settings.train.replicas == 0)
    settings.train.replicas = (uint32_t)vt_ranks_size(settings.train.ranks);
  settings.train.optimizer = (enum vt_optimizer_kind)settings.optimizer;
  if (settings.train.lr == 0) settings.train.lr = vt_train_default_lr(&settings.train);
  return EXIT_DONE;
}

/* A name that was never compiled in is wrong usage; one that this processor cannot run is not. */
static enum exit_status check_kernel(void) {
  bool known = settings.kernel == NULL;
  char names[128] = "";
  size_t at = 0;
  for (size_t k = 0; k < vt_kernel_count(); k++) {
    known = known || strcmp(vt_kernel_name(k), settings.kernel) == 0;
    if (at < sizeof names)
      at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", k > 0 ? ", " : "", vt_kernel_name(k));
  }
  if (!known) return report_usage("train", "--kernel is '%.100s'; it must be one of %s", settings.kernel, names);
  struct vt_error error;
  return vt_kernel_resolve(settings.kernel, &settings.kernel, &error) == VT_OK ? EXIT_DONE : report_error(&error);
}

/* Standard input can be read only once. */
static bool reads_stdin_twice(const struct text_list *operands) {
  int standard_inputs = 0;
  for (size_t i = 0; i < operands->count; i++) standard_inputs += strcmp(operands->items[i], "-") == 0;
  return standard_inputs > 1;
}

static enum exit_status check_settings(const struct text_list *operands) {
  if (settings.run == NULL) {
    report("add --run DIR, a folder that will hold the vectors and how they moved",
           "train needs a run folder to write to");
    return EXIT_USAGE;
  }
  if (reads_stdin_twice(operands)) return report_usage("train", "standard input ('-') can be read only once");
  if (settings.binary == 1 && settings.output == NULL)
    return report_usage("train", "--binary 1 says how to write --output FILE, which is not given");
  if (settings.corpus.phrases > 0 && settings.vocab != NULL)
    return report_usage("train", "--phrases makes new words, and with --vocab there can be none");
  if (settings.tokens == VT_TOKENS_BPE && (settings.corpus.phrases > 0 || settings.vocab != NULL))
    return report_usage("train", "--%s is of words, and --tokens bpe takes words apart",
                        settings.vocab != NULL ? "vocab" : "phrases");
  if (settings.tokens == VT_TOKENS_BPE && settings.corpus.fold_case)
    return report_usage("train", "--fold-case and --tokens bpe do not go together: its pieces are the text's bytes");
  if (settings.tokens != VT_TOKENS_BPE && settings.corpus.tokenizer != NULL)
    return report_usage("train", "--tokenizer is for --tokens bpe alone");
  if (settings.tokens == VT_TOKENS_BPE) settings.corpus.min_count = 1;
  if (settings.tokens == VT_TOKENS_LETTERS) settings.corpus.fold_case = true;
  enum exit_status status = settle_model();
  if (status == EXIT_DONE) status = check_kernel();
  /* Better now than after the training. */
  if (status == EXIT_DONE && settings.output != NULL && !export_folder_is_writable(settings.output))
    status = EXIT_FAILED;
  return status;
}

/* ---- the training -------------------------------------------------------------------------------------------------
 */

static enum exit_status write_output(void) {
  enum vt_export_format format = VT_EXPORT_W2V_TEXT;
  if (settings.binary == 1)
    format = VT_EXPORT_W2V_BINARY;
  else
    export_format_guess(settings.output, &format);
  struct view view;
  enum exit_status status = view_open(&view, settings.run, VT_STEP_LAST);
  if (status != EXIT_DONE) return status;
  struct vt_error error;
  if (vt_export(view.vectors, format, settings.output, &error) != VT_OK) status = report_error(&error);
  view_close(&view);
  return status;
}

/* The pairs in the spelling that the vocabulary will have. */
static bool read_pairs(bool words_rule, struct text_list *pairs) {
  if (!pair_words_read(&settings.pairs, pairs)) return false;
  for (size_t i = 0; i < pairs->count; i++) {
    char *typed = (char *)pairs->items[i]; /* the list owns what pair_words_read put there */
    pairs->items[i] = word_normalised(typed, words_rule, settings.corpus.fold_case);
    free(typed);
  }
  return true;
}

static enum exit_status load_inputs(struct text_list *watch, struct text_list *pairs, struct text_list *ledger,
                                    struct vt_vocab **vocab) {
  bool words_rule = settings.tokens == (int)VT_TOKENS_WORDS || settings.tokens == (int)VT_TOKENS_LETTERS;
  if (!read_pairs(words_rule, pairs)) return EXIT_FAILED;
  bool fold_case = settings.corpus.fold_case;
  if (!watch_words_read("--watch", &settings.watch, words_rule, fold_case, watch)) return EXIT_FAILED;
  if (!watch_words_read("--ledger", &settings.ledger, words_rule, fold_case, ledger)) return EXIT_FAILED;
  struct vt_error error;
  if (settings.vocab != NULL && vt_vocab_load(settings.vocab, vocab, &error) != VT_OK) return report_error(&error);
  return EXIT_DONE;
}

static void fill_request(struct vt_train_request *request, struct train_report *told, const struct text_list *operands,
                         const struct text_list *pairs, const struct vt_vocab *vocab) {
  *request = (struct vt_train_request){
      .inputs = operands->items,
      .input_count = operands->count,
      .run_path = settings.run,
      .force = settings.force,
      .corpus = settings.corpus,
      .train = settings.train,
      .record = settings.record,
      .progress = train_report_progress,
      .progress_context = told,
      .corpus_ready = train_report_corpus,
      .corpus_ready_context = told,
      .interrupt = &interrupt_flag,
  };
  request->corpus.tokens = (enum vt_token_rule)settings.tokens;
  request->corpus.threads = settings.train.threads;
  request->corpus.vocab = vocab;
  request->corpus.progress = progress_reading;
  request->corpus.progress_context = &told->progress;
  request->train.kernel = settings.kernel;
  request->record.watch = told->watch->items;
  request->record.watch_count = told->watch->count;
  request->record.ledger = told->ledger->items;
  request->record.ledger_count = told->ledger->count;
  request->record.pairs = pairs->items;
  request->record.pair_count = pairs->count / 2;
  request->train.until_converged = settings.until == 1;
}

static enum exit_status train(const struct common_settings *common, const struct text_list *operands,
                              const struct text_list *watch, const struct text_list *pairs,
                              const struct text_list *ledger, const struct vt_vocab *vocab) {
  struct train_report told = {.command = &command_train, .run = settings.run, .watch = watch, .ledger = ledger};
  bool speaks = team_speaks(settings.train.ranks);
  progress_init(&told.progress, common->quiet || !speaks);
  struct vt_train_request request;
  fill_request(&request, &told, operands, pairs, vocab);
  struct vt_train_result result;
  struct vt_error error;
  interrupt_defer();
  enum vt_status trained = vt_train(&request, &result, &error);
  progress_clear(&told.progress);
  report_silence(!vt_ranks_reports(settings.train.ranks));
  if (trained != VT_OK) return train_report_error(&told, &error);
  if (!speaks) return EXIT_DONE;
  enum exit_status status = settings.output != NULL ? write_output() : EXIT_DONE;
  if (status != EXIT_DONE) return status;
  if (settings.json)
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
  if (status == EXIT_DONE && team_speaks(settings.train.ranks)) status = load_inputs(&watch, &pairs, &ledger, &vocab);
  status = team_agree(settings.train.ranks, status);
  if (status == EXIT_DONE) status = train(common, operands, &watch, &pairs, &ledger, vocab);
  watch_words_release(&watch);
  watch_words_release(&pairs);
  watch_words_release(&ledger);
  vt_vocab_free(vocab);
  return status;
}

static enum exit_status run(const struct common_settings *common, const struct text_list *operands) {
  enum exit_status status = team_join(&settings.train.ranks);
  if (status != EXIT_DONE) return status;
  return team_leave(settings.train.ranks, run_together(common, operands));
}

const struct command command_train = {
    .name = "train",
    .operands = "CORPUS... --run DIR [options]",
    .summary = "train word vectors from text into a run folder",
    .about = "Reads UTF-8 text, a sentence a line, from files or standard input (-), plain or compressed with gzip, "
             "zstd or xz, and trains a vector for each word. The same text, settings and seed give the same bits, "
             "whatever the number of threads.",
    .example = "vectrail train text.txt --run runs/first --epochs 10",
    .options = options,
    .option_count = OPTION_COUNT,
    .settings = &settings,
    .prepare = prepare,
    .prepare_for = prepare_for,
    .operands_low = 1,
    .operands_high = SIZE_MAX,
    .operands_missing = "train needs a corpus: a file of text, or - for standard input",
    .run = run,
};

/*
 * limits.c: things too large to be kept as files: texts that are generated while they are read, and a run of many rows.
 *
 *   limits tokens N TYPES FOLDER    counts and encodes a stream of N words of TYPES kinds, 20 a line
 *   limits line BYTES FOLDER        the same of one line of so many bytes
 *   limits rows BYTES FOLDER        records trails until the database holds so many bytes, opens it and asks it
 *
 * Prints one line "key=value ..."; exit 1 where a count is wrong.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/rng.h"
#include "vectrail/vectrail.h"

#define LINE_WORDS 20
#define DIM 4096

static void require(bool holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "limits: %s\n", what);
  exit(1);
}

/* Word k of the stream: frequent words are small numbers, as in text (the square of a uniform number). */
static uint64_t word_at(struct vt_rng *rng, uint64_t types) {
  double unit = (double)vt_rng_unit(rng);
  return (uint64_t)(unit * unit * unit * (double)types);
}

static void write_stream(uint64_t words, uint64_t types, uint64_t line_words) {
  static char buffer[1 << 20];
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 5, 0, 0);
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  for (uint64_t k = 1; k <= words; k++) {
    char text[24];
    int at = 23;
    uint64_t word = word_at(&rng, types);
    text[at] = k % line_words == 0 || k == words ? '\n' : ' ';
    do text[--at] = (char)('a' + word % 26);
    while ((word /= 26) > 0);
    if (fwrite(text + at, 1, (size_t)(24 - at), stdout) == 0) exit(1);
  }
  exit(fflush(stdout) != 0);
}

static long peak_kib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/* Of this process alone, not of the one that generates the words: what other work on the machine does not change. */
static double processor_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int read_stream(uint64_t words, uint64_t types, uint64_t line_words, const char *folder) {
  int ends[2];
  require(pipe(ends) == 0, "a pipe");
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    write_stream(words, types, line_words);
  }
  close(ends[1]);
  dup2(ends[0], STDIN_FILENO);
  const char *inputs[] = {"-"};
  char path[512];
  snprintf(path, sizeof path, "%s/ids", folder);
  struct vt_corpus_options options;
  struct vt_corpus_report report;
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_error error;
  vt_corpus_options_init(&options);
  options.threads = 2;
  options.min_count = 1;
  options.unsynced = true;
  double begun = vt_clock_seconds();
  if (vt_corpus_encode(inputs, 1, &options, path, &vocab, &corpus, &report, &error) != VT_OK)
    require(false, error.message);
  double seconds = vt_clock_seconds() - begun, processor = processor_seconds();
  int status;
  require(waitpid(child, &status, 0) == child && status == 0, "the text was not read to its end");
  require(report.tokens_read == words && report.tokens == words, "tokens were lost");
  require(vt_vocab_tokens(vocab) == words, "counts do not add up");
  require(report.lines == (words + line_words - 1) / line_words, "lines were lost");
  struct stat info;
  require(stat(path, &info) == 0, "the encoded text");
  printf("tokens=%" PRIu64 " types=%zu text_bytes=%" PRIu64
         " encoded_bytes=%lld seconds=%.1f processor_seconds=%.1f peak_mib=%ld\n",
         words, vt_vocab_size(vocab), report.text_bytes, (long long)info.st_size, seconds, processor,
         peak_kib() / 1024);
  vt_corpus_free(corpus);
  vt_vocab_free(vocab);
  remove(path);
  return 0;
}

static int fill_rows(uint64_t bytes, const char *folder) {
  static float vector[DIM];
  const char *texts[] = {"king", "queen"};
  const uint64_t counts[] = {2, 1};
  char path[512], database[600];
  struct vt_vocab *vocab;
  struct vt_run_recorder *recorder;
  struct vt_run *run;
  struct vt_error error = {0};
  snprintf(path, sizeof path, "%s/rows", folder);
  snprintf(database, sizeof database, "%s/run.db", path);
  require(vt_vocab_create(texts, counts, 2, &vocab, &error) == VT_OK, error.message);
  require(vt_run_recorder_create(path, vocab, DIM, true, &recorder, &error) == VT_OK, error.message);
  uint64_t steps = bytes / (DIM * sizeof(float));
  double begun = vt_clock_seconds();
  for (uint64_t s = 0; s < steps; s++) {
    vector[s % DIM] = (float)s;
    bool good = vt_run_recorder_step(recorder, &(struct vt_run_step){.step = s}, &error) == VT_OK &&
                vt_run_recorder_metric(recorder, s, "loss", (double)s, &error) == VT_OK &&
                vt_run_recorder_trail(recorder, 0, s, vector, &error) == VT_OK;
    require(good, error.message);
  }
  require(vt_run_recorder_close(&recorder, &error) == VT_OK, error.message);
  double written = vt_clock_seconds();
  struct stat info;
  require(stat(database, &info) == 0 && (uint64_t)info.st_size >= bytes, "the database is too small");
  struct vt_run_point *points;
  struct vt_run_step last;
  size_t count;
  require(vt_run_open(path, &run, &error) == VT_OK, error.message);
  double opened = vt_clock_seconds();
  require(vt_run_metric(run, "loss", &points, &count, &error) == VT_OK, error.message);
  require(vt_run_last_step(run, &last, &error) == VT_OK, error.message);
  require(count == steps && points[steps - 1].value == (double)(steps - 1) && last.step == steps - 1, "rows were lost");
  printf("database_bytes=%lld rows=%" PRIu64 " write_seconds=%.1f open_seconds=%.3f series_seconds=%.3f peak_mib=%ld\n",
         (long long)info.st_size, 3 * steps, written - begun, opened - written, vt_clock_seconds() - opened,
         peak_kib() / 1024);
  vt_run_points_free(points);
  vt_run_close(run);
  vt_vocab_free(vocab);
  return 0;
}

int main(int argc, char **argv) {
  uint64_t amount = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
  if (argc == 5 && strcmp(argv[1], "tokens") == 0)
    return read_stream(amount, strtoull(argv[3], NULL, 10), LINE_WORDS, argv[4]);
  if (argc == 4 && strcmp(argv[1], "line") == 0) /* words of about five bytes */
    return read_stream(amount / 5, 1000000, UINT64_MAX / 2, argv[3]);
  if (argc == 4 && strcmp(argv[1], "rows") == 0) return fill_rows(amount, argv[3]);
  fputs("usage: limits tokens N TYPES FOLDER | line BYTES FOLDER | rows BYTES FOLDER\n", stderr);
  return 2;
}

/*
 * progress.c: one line about the present.
 *
 * The line is put together from parts in the order in which they are shown; where the terminal is too narrow, the
 * parts that tell least go first, and what remains of the width is the bar. Everything in it is ASCII, so that bytes
 * are columns; numbers have a fixed width, so that nothing jumps. It is written by one write: no half line is seen.
 */
#define _POSIX_C_SOURCE 200809L

#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "terminal.h"

#define REDRAW_SECONDS 0.1
#define LINE_SECONDS 10.0
#define COLUMNS_MAX 200
#define BAR_MIN 6
#define BAR_MAX 30

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_init(struct progress *progress, bool quiet) {
  *progress = (struct progress){.quiet = quiet, .redraw = terminal_can_redraw()};
  /* Reading and training shorter than the interval have nothing to say between their beginning and their end. */
  if (!progress->redraw) progress->next_print = now_seconds() + LINE_SECONDS;
}

/* True at most once in the interval, or when the moment is worth a line by itself. */
static bool is_due(struct progress *progress, bool always) {
  double now = now_seconds();
  if (now < progress->next_print && !always) return false;
  progress->next_print = now + (progress->redraw ? REDRAW_SECONDS : LINE_SECONDS);
  return true;
}

/* Progress is worth nothing that a failing stderr could stop: what cannot be written is left out. */
static void write_stderr(const char *text, size_t bytes) {
  fflush(stderr);
  if (write(STDERR_FILENO, text, bytes) < 0) return;
}

static void redraw(struct progress *progress, const char *line) {
  char text[COLUMNS_MAX + 16];
  int length = snprintf(text, sizeof text, "\r%s\x1b[K", line);
  write_stderr(text, (size_t)length);
  progress->drawn = true;
}

void progress_clear(struct progress *progress) {
  if (!progress->drawn) return;
  write_stderr("\r\x1b[K", 4);
  progress->drawn = false;
}

/* ---- the line ---------------------------------------------------------------------------------------------------- */

#define PART_BYTES 48

/* Parts with a larger rank are the first to go. The part without text is the bar's place. */
struct part {
  int rank;
  char text[PART_BYTES];
};

static int columns_taken(const struct part *parts, int count, int rank_limit) {
  int columns = 0;
  for (int i = 0; i < count; i++)
    if (parts[i].rank <= rank_limit && parts[i].text[0] != '\0') columns += (int)strlen(parts[i].text) + 2;
  return columns;
}

static void draw_bar(char *text, int columns, double share) {
  int inner = columns - 2, filled = (int)(share * inner);
  if (filled > inner) filled = inner;
  text[0] = '[';
  for (int i = 0; i < inner; i++) text[1 + i] = i < filled ? '#' : '.';
  text[columns - 1] = ']';
  text[columns] = '\0';
}

/* bar: the place of the bar among the parts. */
static void lay_out(char line[COLUMNS_MAX + 1], const struct part *parts, int count, int bar, double share) {
  int width = terminal_columns() - 1; /* a full last column would make some terminals wrap */
  if (width > COLUMNS_MAX) width = COLUMNS_MAX;
  int rank_limit = 9;
  while (rank_limit > 0 && columns_taken(parts, count, rank_limit) + BAR_MIN > width) rank_limit--;
  int bar_columns = width - columns_taken(parts, count, rank_limit);
  if (bar_columns > BAR_MAX) bar_columns = BAR_MAX;
  int at = 0;
  line[0] = '\0';
  for (int i = 0; i < count; i++) {
    char drawn[BAR_MAX + 1] = "";
    if (i == bar && bar_columns >= BAR_MIN) draw_bar(drawn, bar_columns, share);
    const char *text = i == bar ? drawn : parts[i].rank <= rank_limit ? parts[i].text : "";
    if (text[0] == '\0') continue;
    int written = snprintf(line + at, (size_t)(COLUMNS_MAX + 1 - at), "%s%s", at > 0 ? "  " : "", text);
    if (at + written > width) { /* a window of a few columns */
      line[width > 0 ? width : 0] = '\0';
      break;
    }
    at += written;
  }
}

static double share_of(uint64_t part, uint64_t whole) {
  if (whole == 0) return 0;
  double share = (double)part / (double)whole;
  return share < 1 ? share : 1;
}

static void percent_text(char *text, double share) { snprintf(text, PART_BYTES, "%3d%%", (int)(100 * share)); }

void progress_reading(void *context, uint64_t input_bytes, uint64_t input_bytes_total) {
  struct progress *progress = context;
  if (progress->quiet || !is_due(progress, false)) return;
  if (!progress->redraw) {
    fprintf(stderr, "reading input_bytes=%llu input_bytes_total=%llu\n", (unsigned long long)input_bytes,
            (unsigned long long)input_bytes_total);
    return;
  }
  char line[COLUMNS_MAX + 1];
  struct part parts[4] = {{.rank = 0, .text = "reading"}, {.rank = 0}, {.rank = 1}, {.rank = 2}};
  double share = share_of(input_bytes, input_bytes_total);
  if (input_bytes_total > 0) percent_text(parts[2].text, share);
  snprintf(parts[3].text, PART_BYTES, "%.1f MB", (double)input_bytes / 1e6);
  lay_out(line, parts, 4, input_bytes_total > 0 ? 1 : -1, share);
  redraw(progress, line);
}

static double seconds_left(const struct vt_train_progress *state) {
  if (state->tokens == 0 || state->tokens_total < state->tokens) return NAN;
  return state->seconds * (double)(state->tokens_total - state->tokens) / (double)state->tokens;
}

/* A replay measures nothing, so it has nothing to say of that. */
static void print_measured(const char *name, int digits, double value) {
  if (!isnan(value)) fprintf(stderr, " %s=%.*g", name, digits, value);
}

static void print_pairs(const struct vt_train_progress *state) {
  fprintf(stderr, "epoch=%lu/%lu step=%llu/%llu tokens=%llu/%llu words_per_second=%.0f lr=%.6g",
          (unsigned long)state->epoch, (unsigned long)state->epochs, (unsigned long long)state->step,
          (unsigned long long)state->steps, (unsigned long long)state->tokens, (unsigned long long)state->tokens_total,
          state->words_per_second, state->lr);
  print_measured("loss", 6, state->loss);
  print_measured("probe_loss", 6, state->probe_loss);
  print_measured("gradient", 6, state->probe_gradient);
  print_measured("moving", 4, state->moving);
  fprintf(stderr, " eta_seconds=%.1f\n", seconds_left(state));
}

void progress_training(struct progress *progress, const struct vt_train_progress *state) {
  if (progress->quiet || !is_due(progress, !progress->redraw && state->epoch_ended)) return;
  if (!progress->redraw) {
    print_pairs(state);
    return;
  }
  char number[NUMBER_TEXT_BYTES], line[COLUMNS_MAX + 1];
  struct part parts[8] = {{.rank = 0}, {.rank = 0}, {.rank = 0}, {.rank = 3},
                          {.rank = 1}, {.rank = 4}, {.rank = 5}, {.rank = 2}};
  double share = share_of(state->tokens, state->tokens_total);
  snprintf(parts[0].text, PART_BYTES, "epoch %lu/%lu", (unsigned long)state->epoch, (unsigned long)state->epochs);
  percent_text(parts[2].text, share);
  snprintf(parts[3].text, PART_BYTES, "%6s words/s", format_rate(state->words_per_second, number));
  if (!isnan(state->loss)) snprintf(parts[4].text, PART_BYTES, "loss %.4f", state->loss);
  if (!isnan(state->probe_gradient)) snprintf(parts[5].text, PART_BYTES, "|grad| %-7.3g", state->probe_gradient);
  if (!isnan(state->moving)) snprintf(parts[6].text, PART_BYTES, "moving %3.0f%%", 100 * state->moving);
  snprintf(parts[7].text, PART_BYTES, "ETA %-5s", format_seconds(seconds_left(state), number));
  lay_out(line, parts, 8, 1, share);
  redraw(progress, line);
}

/*
 * record.c: a training of one's own, recorded as a run.
 *
 * usage: record RUN
 *
 * Ten words get vectors by plain gradient descent on sum_ij (v_i . v_j - M_ij)^2 / 2, where M_ij is log(1 + how often i
 * and j stand in the same sentence). That is a toy; what matters is what is handed to the recorder: each step, its
 * loss, the trail of one word, all vectors now and then, and what happened. Every command that reads runs works on the
 * result:
 *
 *   cc record.c -o record $(pkg-config --cflags --libs vectrail) -lm
 *   ./record runs/mine
 *   vectrail similarity runs/mine king queen --over-time
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <vectrail/vectrail.h>

#define WORDS 10
#define DIM 4
#define STEPS 400
#define SNAPSHOT_EVERY 20
#define RATE 0.02F

static const char *const words[WORDS] = {"king",  "queen", "crown", "throne", "castle",
                                         "apple", "pear",  "plum",  "tree",   "orchard"};
static const char *const sentences[] = {
    "king queen crown",  "queen throne castle", "king castle throne", "crown throne king queen", "apple pear orchard",
    "plum tree orchard", "apple plum tree",     "pear tree apple",    "king castle tree",
};

static void count_pairs(float target[WORDS][WORDS]) {
  memset(target, 0, WORDS * sizeof target[0]);
  for (size_t s = 0; s < sizeof sentences / sizeof sentences[0]; s++)
    for (int i = 0; i < WORDS; i++)
      for (int j = 0; j < WORDS; j++)
        if (i != j && strstr(sentences[s], words[i]) != NULL && strstr(sentences[s], words[j]) != NULL)
          target[i][j] += 1;
  for (int i = 0; i < WORDS; i++)
    for (int j = 0; j < WORDS; j++) target[i][j] = logf(1 + target[i][j]);
}

/* One step on all pairs of different words; the loss before it. */
static double train(float table[WORDS][DIM], float target[WORDS][WORDS]) {
  float gradient[WORDS][DIM] = {{0}};
  double loss = 0;
  for (int i = 0; i < WORDS; i++)
    for (int j = 0; j < WORDS; j++) {
      float error = -target[i][j];
      if (i == j) continue;
      for (int k = 0; k < DIM; k++) error += table[i][k] * table[j][k];
      for (int k = 0; k < DIM; k++) gradient[i][k] += 2 * error * table[j][k];
      loss += (double)(error * error) / 2;
    }
  for (int i = 0; i < WORDS; i++)
    for (int k = 0; k < DIM; k++) table[i][k] -= RATE * gradient[i][k];
  return loss;
}

static enum vt_status record_step(struct vt_run_recorder *recorder, uint64_t step, double loss, float table[WORDS][DIM],
                                  struct vt_error *error) {
  const struct vt_run_step row = {.step = step, .epoch = 1, .tokens = step * WORDS * WORDS, .lr = (double)RATE};
  enum vt_status status = vt_run_recorder_step(recorder, &row, error);
  if (status == VT_OK) status = vt_run_recorder_metric(recorder, step, "loss", loss, error);
  if (status == VT_OK) status = vt_run_recorder_trail(recorder, 0, step, table[0], error); /* "king", at every step */
  if (status == VT_OK && step % SNAPSHOT_EVERY == 0)
    status = vt_run_recorder_vectors(recorder, step, false, table[0], NULL, error);
  return status;
}

static enum vt_status train_all(struct vt_run_recorder *recorder, struct vt_error *error) {
  float table[WORDS][DIM], target[WORDS][WORDS];
  unsigned state = 1;
  count_pairs(target);
  for (int i = 0; i < WORDS; i++)
    for (int k = 0; k < DIM; k++) {
      state = state * 1664525U + 1013904223U;
      table[i][k] = ((float)(state >> 8) / 16777216.0F - 0.5F) / 4;
    }
  enum vt_status status = vt_run_recorder_meta(recorder, "model", "toy", error);
  for (uint64_t step = 0; step <= STEPS && status == VT_OK; step++) {
    float before[WORDS][DIM];
    memcpy(before, table, sizeof before);
    double loss = train(table, target); /* of the vectors before this step, which are recorded with it */
    status = record_step(recorder, step, loss, before, error);
  }
  if (status == VT_OK)
    status = vt_run_recorder_event(recorder, STEPS, "note", "info", "the toy has learnt what it can", error);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: record RUN\n");
    return 2;
  }
  struct vt_error error;
  struct vt_vocab *vocab = NULL;
  struct vt_run_recorder *recorder = NULL;
  enum vt_status status = vt_vocab_create(words, NULL, WORDS, &vocab, &error);
  if (status == VT_OK) status = vt_run_recorder_create(argv[1], vocab, DIM, false, &recorder, &error);
  if (status == VT_OK) status = train_all(recorder, &error);
  if (status == VT_OK)
    status = vt_run_recorder_close(&recorder, &error);
  else
    vt_run_recorder_free(recorder); /* what was recorded so far can be read, and appended to */
  vt_vocab_free(vocab);
  if (status == VT_OK) return 0;
  fprintf(stderr, "record: %s\n", error.message);
  return 1;
}

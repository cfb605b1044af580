/*
 * kernel_digest.c: runs the kernels named by -DKERNELS=... on the same rows and prints, for each, its name and a digest
 * of all bits that came out. Linked to kernel files alone, so that it is easily built for other processors: the same
 * digest everywhere is the promise that a run's bits do not depend on the instruction set.
 *
 * Rows are made by whole-number arithmetic and exact scaling, lengths go through 1 to 67, and rows of tables begin 32
 * bytes off a cache line.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"

#define ROW_FLOATS 80 /* 67 rounded up to 16 */
#define ROWS (VT_STEP_INPUTS_MAX + VT_STEP_OUTPUTS_MAX)

#define DECLARE(kernel) extern const struct vt_kernel vt_kernel_##kernel;
#define LIST(kernel) &vt_kernel_##kernel,
KERNELS(DECLARE)
static const struct vt_kernel *const kernels[] = {KERNELS(LIST)};

static _Alignas(64) float rows[ROWS][ROW_FLOATS];
static _Alignas(64) float squares[ROW_FLOATS];
static uint64_t digest, state;

/* FNV-1a. Every NaN counts as one: which one it is, is the processor's. */
static void take(const float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    memcpy(&bits, &values[i], sizeof bits);
    if (isnan(values[i])) bits = 0x7fc00000;
    for (int byte = 0; byte < 4; byte++) digest = (digest ^ (bits >> (8 * byte) & 255)) * 0x100000001b3;
  }
}

static float next(float scale) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return ((float)(int32_t)(state >> 40) - 8388608.0F) * 0x1p-23F * scale;
}

static void fill(size_t dim, float scale) {
  memset(rows, 0, sizeof rows);
  for (size_t r = 0; r < ROWS; r++)
    for (size_t k = 0; k < dim; k++) rows[r][k] = next(scale);
}

static void step(const struct vt_kernel *kernel, size_t dim, int inputs, int outputs) {
  static struct vt_step s;
  memset(&s, 0, sizeof s);
  s.input_count = inputs;
  s.output_count = outputs;
  s.width = vt_kernel_width(dim);
  s.rate = 0.05F;
  for (int i = 0; i < inputs; i++) s.inputs[i] = rows[i];
  for (int j = 0; j < outputs; j++) s.outputs[j] = rows[VT_STEP_INPUTS_MAX + j];
  s.labels[0] = s.labels[VT_STEP_SCORE_STRIDE] = 1;
  kernel->step(&s);
  for (int i = 0; i < inputs; i++) take(s.scores + i * VT_STEP_SCORE_STRIDE, (size_t)outputs);
  /* What lies behind a row is nobody's: zeros times NaN there. */
  for (size_t r = 0; r < ROWS; r++) take(rows[r], s.width);
}

static void merge(const struct vt_kernel *kernel, size_t dim, size_t copies, float cap, bool adagrad) {
  const float *moved[VT_STEP_INPUTS_MAX];
  for (size_t b = 0; b < copies; b++) moved[b] = rows[b + 1] + 8;
  struct vt_merge m = {.row = rows[0] + 8,
                       .copies = moved,
                       .copy_count = copies,
                       .width = vt_kernel_width(dim),
                       .squares = adagrad ? squares + 8 : NULL,
                       .rate = 0.05F,
                       .cap = cap,
                       .cap_share = 0.2F};
  kernel->merge(&m);
  float flags[3] = {m.step_squared, (float)m.capped, (float)m.finite};
  take(flags, 3);
  take(rows[0], ROW_FLOATS);
  take(squares, ROW_FLOATS);
}

static void bag(const struct vt_kernel *kernel, size_t dim, size_t count) {
  float *members[ROWS];
  for (size_t i = 0; i < count; i++) members[i] = rows[i] + 8;
  struct vt_bag b = {.rows = members,
                     .count = count,
                     .width = vt_kernel_width(dim),
                     .mean = rows[ROWS - 3] + 8,
                     .moved = rows[ROWS - 2] + 8,
                     .delta = rows[ROWS - 1] + 8};
  kernel->bag_mean(&b);
  for (size_t k = 0; k < dim; k++) b.moved[k] += next(0.5F);
  kernel->bag_take(&b);
  kernel->bag_give(&b, 0.3F);
  for (size_t r = 0; r < ROWS; r++) take(rows[r], ROW_FLOATS);
}

/* Rows shifted by half a cache line, as rows of a table may lie: dim is at most 67, so there is room. */
static void fill_shifted(size_t dim, float scale) {
  memset(rows, 0, sizeof rows);
  for (size_t r = 0; r < ROWS; r++)
    for (size_t k = 0; k < dim; k++) rows[r][8 + k] = next(scale);
}

static void sigmoids(const struct vt_kernel *kernel) {
  _Alignas(64) float values[24];
  static const float special[8] = {0, -0.0F, INFINITY, -INFINITY, NAN, 88, -88, 1e-30F};
  for (int round = 0; round < 500; round++) {
    for (int k = 0; k < 24; k++) values[k] = next(round % 5 == 0 ? 100 : 10);
    if (round == 0) memcpy(values, special, sizeof special);
    kernel->sigmoid(values, 8 + 8 * (size_t)(round % 3));
    take(values, 24);
  }
}

static void softmax_parts(const struct vt_kernel *kernel) {
  _Alignas(64) float values[96];
  for (int round = 0; round < 200; round++) {
    size_t count = 16 + 16 * (size_t)(round % 6);
    for (size_t k = 0; k < count; k++) values[k] = next(round % 3 == 0 ? 60 : 5);
    float largest = kernel->largest(values, count), sum = kernel->exp_sum(values, count, largest);
    take(&largest, 1);
    take(&sum, 1);
    take(values, count);
  }
}

/* Every half to a float and back, and floats of all sizes. */
static void halves(const struct vt_kernel *kernel) {
  enum { COUNT = 37 };
  uint16_t half[COUNT];
  float values[COUNT];
  for (uint32_t first = 0; first < 0x10000; first += COUNT) {
    for (uint32_t k = 0; k < COUNT; k++) half[k] = (uint16_t)(first + k);
    kernel->from_half(half, COUNT, values);
    take(values, COUNT);
    for (int k = 0; k < COUNT; k++) values[k] = values[k] * (1 + next(0x1p-9F)) + next(0x1p-23F);
    kernel->to_half(values, COUNT - first % 9, half);
    for (uint32_t k = 0; k < COUNT - first % 9; k++) {
      float number = isnan(values[k]) ? NAN : (float)half[k];
      take(&number, 1);
    }
  }
}

/* Blocks of GloVe's records on six rows of each table, which meet again and again. */
static void glove(const struct vt_kernel *kernel) {
  enum { SIDE = 6, RECORDS = 40, WIDTH_MAX = 80 };
  static _Alignas(64) float tables[2][SIDE][2 * WIDTH_MAX], l2[WIDTH_MAX];
  struct vt_glove_record records[RECORDS];
  for (size_t width = 16; width <= WIDTH_MAX; width += 16) {
    for (int round = 0; round < 8; round++) {
      for (int t = 0; t < 2; t++) {
        for (int row = 0; row < SIDE; row++) {
          float *x = tables[t][row];
          for (size_t k = 0; k < width; k++) x[k] = next(round == 5 ? 30.0F : 0.5F), x[width + k] = 1;
          x[width - 1 - (size_t)t] = 1;
          x[2 * width - 1 - (size_t)t] = INFINITY;
        }
      }
      for (size_t k = 0; k < width; k++) l2[k] = k + 2 < width ? 0.001F : 0;
      for (int k = 0; k < RECORDS; k++)
        records[k] = (struct vt_glove_record){(uint32_t)(k * 7 % SIDE), (uint32_t)(k * 5 / 3 % SIDE), next(0.5F) + 0.5F,
                                              next(5.0F)};
      if (round == 7) records[RECORDS / 2].log_count = NAN;
      struct vt_glove block = {.input = tables[0][0],
                               .output = tables[1][0],
                               .stride = 2 * WIDTH_MAX,
                               .width = width,
                               .records = records,
                               .count = RECORDS,
                               .rate = 0.05F,
                               .l2 = round % 2 == 1 ? l2 : NULL};
      kernel->glove_loss(&block);
      float losses[2] = {(float)block.loss};
      kernel->glove(&block);
      losses[1] = (float)block.loss;
      take(losses, 2);
      for (int t = 0; t < 2; t++)
        for (int row = 0; row < SIDE; row++) take(tables[t][row], 2 * width);
    }
  }
}

static void run(const struct vt_kernel *kernel) {
  static const float scales[] = {0.005F, 0.5F, 4.0F}, poisons[] = {NAN, INFINITY, -INFINITY, 3e38F};
  digest = 0xcbf29ce484222325;
  state = 1;
  memset(squares, 0, sizeof squares);
  for (size_t dim = 1; dim <= 67; dim++) {
    for (int inputs = 1; inputs <= VT_STEP_INPUTS_MAX; inputs++) {
      for (int outputs = 1; outputs <= VT_STEP_OUTPUTS_MAX; outputs++) {
        fill(dim, scales[(inputs + outputs) % 3]);
        /* One in eleven has something in it that no row should have. */
        if ((inputs * 6 + outputs) % 11 == 0) rows[outputs % inputs][dim / 2] = poisons[dim % 4];
        step(kernel, dim, inputs, outputs);
      }
    }
    for (size_t copies = 1; copies <= 6; copies++) {
      fill_shifted(dim, 0.5F);
      if (copies == 5) rows[3][8 + dim / 2] = poisons[dim % 4];
      float product = kernel->dot(rows[1] + 8, rows[2] + 8, vt_kernel_width(dim));
      take(&product, 1);
      merge(kernel, dim, copies, copies % 2 == 0 ? 0.5F : 100.0F, copies % 3 == 0);
      fill_shifted(dim, 0.5F);
      bag(kernel, dim, copies);
    }
  }
  sigmoids(kernel);
  softmax_parts(kernel);
  halves(kernel);
  glove(kernel);
  printf("%s %016" PRIx64 "\n", kernel->name, digest);
}

int main(void) {
  for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
#ifndef ANY_PROCESSOR /* where the instructions are emulated */
    if (!kernels[k]->runs_here()) continue;
#endif
    run(kernels[k]);
  }
  return 0;
}

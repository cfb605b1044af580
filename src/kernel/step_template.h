/*
 * step_template.h: the kernels themselves, written once over a handful of vector operations.
 *
 * The including file defines, for its instruction set:
 *   R, STEP, KERNEL(name)      the scalar type, the struct of a step, the name of a function
 *   vf, VF_LANES               a vector register; VF_LANES divides 16
 *   vf_zero() vf_load(p) vf_store(p, v) vf_set1(x) vf_add vf_sub vf_mul vf_div vf_fma(a, b, c) = a b + c
 *   vf_exp(v)                  e^v
 *   TILE_INPUTS, TILE_OUTPUTS  how many dot products run side by side: inputs x outputs x 16 / VF_LANES registers
 *   KERNEL(reduce)(sums, n, to)  folds n <= TILE_OUTPUTS sums of 16 lanes by the tree of kernel.h, stores n results
 *                              and may overwrite to[n] .. to[3]
 *
 * Loops over constants are unrolled by the compiler, and arrays of registers disappear with them.
 */

#define PARTS (16 / VF_LANES) /* registers that make up 16 lanes */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Adds the products of `parts` registers' worth of columns, from column c on, to the sums of a tile. */
static inline __attribute__((always_inline)) void KERNEL(tile_columns)(R *const *inputs, R *const *outputs, size_t c,
                                                                       vf sums[TILE_INPUTS][TILE_OUTPUTS][PARTS],
                                                                       const int rows, const int columns,
                                                                       const int parts) {
  UNROLL for (int p = 0; p < parts; p++) {
    vf v[TILE_INPUTS];
    UNROLL for (int i = 0; i < rows; i++) v[i] = vf_load(inputs[i] + c + (size_t)p * VF_LANES);
    UNROLL for (int j = 0; j < columns; j++) {
      vf u = vf_load(outputs[j] + c + (size_t)p * VF_LANES);
      UNROLL for (int i = 0; i < rows; i++) sums[i][j][p] = vf_fma(v[i], u, sums[i][j][p]);
    }
  }
}

/* rows x columns dot products of whole rows, each in 16 lanes. */
static inline __attribute__((always_inline)) void KERNEL(tile)(R *const *inputs, R *const *outputs, size_t width,
                                                               R *scores, const int rows, const int columns) {
  vf sums[TILE_INPUTS][TILE_OUTPUTS][PARTS];
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < columns; j++) {
      UNROLL for (int p = 0; p < PARTS; p++) sums[i][j][p] = vf_zero();
    }
  }
  size_t c = 0;
  for (; c + 16 <= width; c += 16) KERNEL(tile_columns)(inputs, outputs, c, sums, rows, columns, PARTS);
  /* Half a group is left: its upper lanes would only add zeros, so narrow registers leave them out. */
  if (c < width) KERNEL(tile_columns)(inputs, outputs, c, sums, rows, columns, PARTS > 1 ? PARTS / 2 : 1);
  UNROLL for (int i = 0; i < rows; i++) KERNEL(reduce)(sums[i], columns, scores + i * VT_STEP_SCORE_STRIDE);
}

static inline __attribute__((always_inline)) void KERNEL(tile_row)(STEP *step, int i, const int rows, const int n) {
  R *scores = step->scores + i * VT_STEP_SCORE_STRIDE;
  int j = 0;
  for (; j + TILE_OUTPUTS <= n; j += TILE_OUTPUTS)
    KERNEL(tile)(step->inputs + i, step->outputs + j, step->width, scores + j, rows, TILE_OUTPUTS);
  for (; j < n; j++) KERNEL(tile)(step->inputs + i, step->outputs + j, step->width, scores + j, rows, 1);
}

/* sigma(x) = 1 / (1 + e^-x). */
static inline vf KERNEL(sigma)(vf x) {
  vf one = vf_set1(1);
  return vf_div(one, vf_add(one, vf_exp(vf_sub(vf_zero(), x))));
}

/* g_ij = rate (label_j - sigma(s_ij)); the columns past the last output are computed too and never used. */
static inline void KERNEL(coefficients)(const STEP *step, R *g) {
  vf rate = vf_set1(step->rate);
  for (int k = 0; k < step->input_count * VT_STEP_SCORE_STRIDE; k += VF_LANES) {
    vf label = vf_load(step->labels + k % VT_STEP_SCORE_STRIDE);
    vf_store(g + k, vf_mul(rate, vf_sub(label, KERNEL(sigma)(vf_load(step->scores + k)))));
  }
}

/* Both updates, a register of columns at a time: the n output rows and their sums stay in registers while the inputs
 * pass by. */
static inline __attribute__((always_inline)) void KERNEL(update)(STEP *step, const R *g, const int n) {
  for (size_t c = 0; c < step->width; c += VF_LANES) {
    vf u[VT_STEP_OUTPUTS_MAX], moved[VT_STEP_OUTPUTS_MAX];
    UNROLL for (int j = 0; j < n; j++) u[j] = moved[j] = vf_load(step->outputs[j] + c);
    for (int i = 0; i < step->input_count; i++) {
      vf v = vf_load(step->inputs[i] + c), w = v;
      UNROLL for (int j = 0; j < n; j++) {
        vf gij = vf_set1(g[i * VT_STEP_SCORE_STRIDE + j]);
        w = vf_fma(gij, u[j], w);
        moved[j] = vf_fma(gij, v, moved[j]);
      }
      vf_store(step->inputs[i] + c, w);
    }
    UNROLL for (int j = 0; j < n; j++) vf_store(step->outputs[j] + c, moved[j]);
  }
}

static inline __attribute__((always_inline)) void KERNEL(step_of)(STEP *step, const int n) {
  _Alignas(64) R g[(VT_STEP_INPUTS_MAX + 1) * VT_STEP_SCORE_STRIDE];
  int i = 0;
  for (; i + TILE_INPUTS <= step->input_count; i += TILE_INPUTS) KERNEL(tile_row)(step, i, TILE_INPUTS, n);
  for (; i < step->input_count; i++) KERNEL(tile_row)(step, i, 1, n);
  KERNEL(coefficients)(step, g);
  KERNEL(update)(step, g, n);
}

/* The number of outputs is a constant in each branch, so that their rows get registers. */
static void KERNEL(step)(STEP *step) {
  switch (step->output_count) {
  case 1:
    KERNEL(step_of)(step, 1);
    break;
  case 2:
    KERNEL(step_of)(step, 2);
    break;
  case 3:
    KERNEL(step_of)(step, 3);
    break;
  case 4:
    KERNEL(step_of)(step, 4);
    break;
  case 5:
    KERNEL(step_of)(step, 5);
    break;
  default:
    KERNEL(step_of)(step, 6);
    break;
  }
}

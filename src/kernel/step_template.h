/*
 * step_template.h: the kernels themselves, written once over a handful of vector operations.
 *
 * The including file defines, for its instruction set:
 *   R, STEP, KERNEL(name)      the scalar type, the struct of a step, the name of a function
 *   vf, VF_LANES               a vector register; VF_LANES divides 16
 *   vf_zero() vf_load(p) vf_store(p, v) vf_set1(x) vf_sub vf_mul vf_div vf_fma(a, b, c) = a b + c
 *   vf_keep(v)                 v stays in its register: without it GCC 12 loads operands that are used twice twice,
 *                              and the tiles wait for loads instead of multiplying
 *   vf_one_plus_exp_minus(v)   1 + e^-v (exp_template.h)
 *   TILE_INPUTS(n)             how many inputs' dot products with n outputs run side by side, at most TILE_INPUTS_MAX
 *   TILE_OUTPUTS               with how many outputs: inputs x outputs x 16 / VF_LANES registers hold the sums. At
 * least half of VT_STEP_OUTPUTS_MAX; a tile of one input takes all outputs. SLOT, SLOT_OUTPUTS         how scores lie
 * in a register: VF_LANES / SLOT inputs, each with the scores of SLOT_OUTPUTS outputs in a slot of SLOT lanes
 *   vf_slots(p)                the SLOT values from p on, in each slot
 *   KERNEL(scores)(sums, j, rows, columns)  the scores of rows inputs x columns outputs from output j on: their sums of
 *                              16 lanes folded by the tree of kernel.h. Slots and lanes that are too many repeat
 * others. KERNEL(spread)(scores, to, rows)        its slots to `rows` rows of VT_STEP_SCORE_STRIDE values, from `to`
 * on; up to SLOT values in each may be overwritten
 *
 * Loops over constants are unrolled by the compiler, and arrays of registers disappear with them. (clang 14 leaves the
 * sums of a tile in memory where a loop of one turn is around it, so there is none around KERNEL(tile).)
 *
 * Where the time goes at 6 inputs x 6 outputs x 104 columns on an AMD Zen 3: a third to the scores, a tenth to the
 * sigmoids, whose latency nothing hides, the rest to the updates, at nine tenths of what the FMA units can do. What
 * is written and read back in a step is read in the registers it was written in, or the processor could not forward it.
 */

#define PARTS (16 / VF_LANES) /* registers that make up 16 lanes */
/* Where a score, and later its coefficient, lies: by group of outputs, then by input. */
#define SLOT_GROUP (VT_STEP_INPUTS_MAX * SLOT)
#define SLOT_GROUPS ((VT_STEP_OUTPUTS_MAX + SLOT_OUTPUTS - 1) / SLOT_OUTPUTS)
#define SLOT_OF_OUTPUT(j) ((j) / SLOT_OUTPUTS * SLOT_GROUP + (j) % SLOT_OUTPUTS)
#define SLOT_INPUTS (VF_LANES / SLOT)

/* Adds the products of `parts` registers' worth of columns, from column c on, to the sums of a tile. */
ALWAYS_INLINE void KERNEL(tile_columns)(R *const *inputs, R *const *outputs, size_t c,
                                        vf sums[][VT_STEP_OUTPUTS_MAX][PARTS], const int rows, const int columns,
                                        const int parts) {
  UNROLL for (int p = 0; p < parts; p++) {
    vf v[TILE_INPUTS_MAX];
    UNROLL for (int i = 0; i < rows; i++) {
      v[i] = vf_load(inputs[i] + c + (size_t)p * VF_LANES);
      if (columns > 1) vf_keep(v[i]);
    }
    UNROLL for (int j = 0; j < columns; j++) {
      vf u = vf_load(outputs[j] + c + (size_t)p * VF_LANES);
      if (rows > 1) vf_keep(u);
      UNROLL for (int i = 0; i < rows; i++) sums[i][j][p] = vf_fma(v[i], u, sums[i][j][p]);
    }
  }
}

/* One register of scores out of a tile's sums, from its input i and output j on, to its two places. */
ALWAYS_INLINE void KERNEL(tile_scores)(STEP *step, R *slots, const int first, const int from,
                                       vf sums[][VT_STEP_OUTPUTS_MAX][PARTS], const int i, const int j, const int rows,
                                       const int columns) {
  const int many = rows - i < SLOT_INPUTS ? rows - i : SLOT_INPUTS;
  const int wide = columns - j < SLOT_OUTPUTS ? columns - j : SLOT_OUTPUTS;
  vf scores = KERNEL(scores)(sums + i, j, many, wide);
  vf_store(slots + SLOT_OF_OUTPUT(from + j) + (first + i) * SLOT, scores);
  KERNEL(spread)(scores, step->scores + (first + i) * VT_STEP_SCORE_STRIDE + from + j, many);
}

/* The scores of rows x columns pairs, from input `first` and output `from` on. */
ALWAYS_INLINE void KERNEL(tile)(STEP *step, R *slots, const int first, const int from, const int rows,
                                const int columns) {
  vf sums[TILE_INPUTS_MAX][VT_STEP_OUTPUTS_MAX][PARTS];
  UNROLL for (int i = 0; i < rows; i++) {
    UNROLL for (int j = 0; j < columns; j++) { UNROLL for (int p = 0; p < PARTS; p++) sums[i][j][p] = vf_zero(); }
  }
  R *inputs[TILE_INPUTS_MAX], *outputs[VT_STEP_OUTPUTS_MAX];
  UNROLL for (int i = 0; i < rows; i++) inputs[i] = step->inputs[first + i];
  UNROLL for (int j = 0; j < columns; j++) outputs[j] = step->outputs[from + j];
  const size_t width = step->width;
  size_t c = 0;
  for (; c + 16 <= width; c += 16) KERNEL(tile_columns)(inputs, outputs, c, sums, rows, columns, PARTS);
  /* Half a group is left: its upper lanes would only add zeros, so narrow registers leave them out. */
  if (c < width) KERNEL(tile_columns)(inputs, outputs, c, sums, rows, columns, PARTS > 1 ? PARTS / 2 : 1);
  UNROLL for (int i = 0; i < rows; i += SLOT_INPUTS) {
    UNROLL for (int j = 0; j < columns; j += SLOT_OUTPUTS)
        KERNEL(tile_scores)(step, slots, first, from, sums, i, j, rows, columns);
  }
}

/* `rows` inputs from `first` on against all n outputs. */
ALWAYS_INLINE void KERNEL(tiles)(STEP *step, R *slots, const int first, const int rows, const int n) {
  const int columns = rows == 1 || TILE_OUTPUTS > n ? n : TILE_OUTPUTS;
  KERNEL(tile)(step, slots, first, 0, rows, columns);
  if (n > columns) KERNEL(tile)(step, slots, first, columns, rows, n - columns);
}

/* sigma(x) = 1 / (1 + e^-x). */
ALWAYS_INLINE vf KERNEL(sigma)(vf x) {
  vf one = vf_set1(1);
  return vf_div(one, vf_one_plus_exp_minus(x));
}

/* Scores to coefficients, in place: g = rate label - rate / (1 + e^-s). A function of its own, so that its constants do
 * not compete for the registers of the loops around it. */
static __attribute__((noinline)) void KERNEL(coefficients)(R *slots, const R *labels, R rate, int inputs) {
  vf rates = vf_set1(rate), wanted = vf_mul(rates, vf_slots(labels));
  for (R *end = slots + inputs * SLOT; slots < end; slots += VF_LANES)
    vf_store(slots, vf_sub(wanted, vf_div(rates, vf_one_plus_exp_minus(vf_load(slots)))));
}

/* Both updates, a register of columns at a time: the n output rows and their sums stay in registers while the inputs
 * pass by. */
ALWAYS_INLINE void KERNEL(update)(STEP *step, const R *slots, const int n) {
  R *outputs[VT_STEP_OUTPUTS_MAX];
  UNROLL for (int j = 0; j < n; j++) outputs[j] = step->outputs[j];
  const size_t width = step->width;
  R *const *const end = step->inputs + step->input_count;
  for (size_t c = 0; c < width; c += VF_LANES) {
    vf u[VT_STEP_OUTPUTS_MAX], moved[VT_STEP_OUTPUTS_MAX];
    UNROLL for (int j = 0; j < n; j++) u[j] = moved[j] = vf_load(outputs[j] + c);
    const R *g = slots;
    for (R *const *input = step->inputs; input < end; input++, g += SLOT) {
      vf v = vf_load(*input + c), w = v;
      UNROLL for (int j = 0; j < n; j++) {
        vf gij = vf_set1(g[SLOT_OF_OUTPUT(j)]);
        w = vf_fma(gij, u[j], w);
        moved[j] = vf_fma(gij, v, moved[j]);
      }
      vf_store(*input + c, w);
    }
    UNROLL for (int j = 0; j < n; j++) vf_store(outputs[j] + c, moved[j]);
  }
}

ALWAYS_INLINE void KERNEL(step_of)(STEP *step, const int n) {
  _Alignas(64) R slots[SLOT_GROUPS * SLOT_GROUP];
  int i = 0;
  for (; i + TILE_INPUTS(n) <= step->input_count; i += TILE_INPUTS(n)) KERNEL(tiles)(step, slots, i, TILE_INPUTS(n), n);
  switch (step->input_count - i) {
  case 1:
    KERNEL(tiles)(step, slots, i, 1, n);
    break;
  case 2:
    if (TILE_INPUTS(n) > 2) KERNEL(tiles)(step, slots, i, 2, n);
    break;
  case 3:
    if (TILE_INPUTS(n) > 3) KERNEL(tiles)(step, slots, i, 3, n);
    break;
  default:
    break;
  }
  for (int j = 0; j < n; j += SLOT_OUTPUTS)
    KERNEL(coefficients)(slots + SLOT_OF_OUTPUT(j), step->labels + j, step->rate, step->input_count);
  KERNEL(update)(step, slots, n);
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

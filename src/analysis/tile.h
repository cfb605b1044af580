/*
 * tile.h: the small matrix product under everything that asks many words at once.
 *
 * A panel holds VT_TILE columns of `depth` doubles, the columns side by side, so that it stays in the first-level cache
 * while any number of rows are multiplied with it. Each product is one sum over the depth in order, so it does not
 * depend on where a tile begins, on who multiplies, or on the instruction set.
 */
#ifndef VECTRAIL_ANALYSIS_TILE_H
#define VECTRAIL_ANALYSIS_TILE_H

#include "analysis/measure.h"

/* Columns in a panel, a multiple of VT_TILE_COLUMNS: a panel of 100 dimensions then stays in the first-level cache, and
 * the products with a thousand rows in the second. */
#define VT_TILE 32
/* The block of products that one pass over the depth accumulates: eight pairs of doubles, which with their operands fit
 * the sixteen registers that every x86-64 has. */
#define VT_TILE_ROWS 4
#define VT_TILE_COLUMNS 4

static inline size_t vt_tile_padded(size_t rows) { return (rows + VT_TILE_ROWS - 1) / VT_TILE_ROWS * VT_TILE_ROWS; }

/* to[i * stride] = row / |row|; zeros for a zero row. */
static inline void vt_tile_put_unit(const float *row, size_t dim, double *to, size_t stride) {
  double squared = vt_measure_squared(row, dim);
  double scale = squared > 0 ? 1 / sqrt(squared) : 0;
  for (size_t c = 0; c < dim; c++) to[c * stride] = scale * (double)row[c];
}

/* products[VT_TILE_ROWS][VT_TILE_COLUMNS], of a larger array with VT_TILE columns, of rows[VT_TILE_ROWS][depth] with
 * the columns of panel[depth][VT_TILE]. */
static inline void vt_tile_multiply_block(const double *rows, const double *panel, size_t depth, double *products) {
  vt_double2 sums[VT_TILE_ROWS][VT_TILE_COLUMNS / 2] = {{{0}}};
  for (size_t c = 0; c < depth; c++) {
    vt_double2 left = vt_double2_load(panel + c * VT_TILE), right = vt_double2_load(panel + c * VT_TILE + 2);
#pragma GCC unroll 4
    for (size_t w = 0; w < VT_TILE_ROWS; w++) {
      vt_double2 one = {rows[w * depth + c], rows[w * depth + c]};
      sums[w][0] += one * left;
      sums[w][1] += one * right;
    }
  }
  for (size_t w = 0; w < VT_TILE_ROWS; w++) memcpy(products + w * VT_TILE, sums[w], sizeof sums[w]);
}

/* products[count][VT_TILE] of rows[count][depth], count a multiple of VT_TILE_ROWS, with all columns of a panel. */
static inline void vt_tile_multiply(const double *rows, size_t count, const double *panel, size_t depth,
                                    double *products) {
  for (size_t w = 0; w < count; w += VT_TILE_ROWS)
    for (size_t r = 0; r < VT_TILE; r += VT_TILE_COLUMNS)
      vt_tile_multiply_block(rows + w * depth, panel + r, depth, products + w * VT_TILE + r);
}

#endif

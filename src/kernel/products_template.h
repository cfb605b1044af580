/*
 * products_template.h: products of many rows with a panel of columns: what a search among many vectors spends its time
 * on.
 *
 * Written over registers vf of VF_LANES floats (step_template.h); the including file says how many rows go at a time:
 * PRODUCTS_ROWS divides VT_PANEL_ROWS, and PRODUCTS_ROWS x 16 / VF_LANES registers hold the sums. A register of each
 * panel column is loaded once for all of these rows; a row's element is broadcast once for all columns.
 */
#define PANEL_PARTS (VT_PANEL / VF_LANES)

ALWAYS_INLINE void KERNEL(products_block)(const float *rows, const float *panel, size_t depth, float *to) {
  vf sums[PRODUCTS_ROWS][PANEL_PARTS];
  UNROLL for (int i = 0; i < PRODUCTS_ROWS; i++) {
    UNROLL for (int p = 0; p < PANEL_PARTS; p++) sums[i][p] = vf_zero();
  }
  for (size_t c = 0; c < depth; c++) {
    vf columns[PANEL_PARTS];
    UNROLL for (int p = 0; p < PANEL_PARTS; p++) columns[p] = vf_load(panel + c * VT_PANEL + p * VF_LANES);
    UNROLL for (int i = 0; i < PRODUCTS_ROWS; i++) {
      vf element = vf_set1(rows[(size_t)i * depth + c]);
      UNROLL for (int p = 0; p < PANEL_PARTS; p++) sums[i][p] = vf_fma(element, columns[p], sums[i][p]);
    }
  }
  UNROLL for (int i = 0; i < PRODUCTS_ROWS; i++) {
    UNROLL for (int p = 0; p < PANEL_PARTS; p++) vf_store(to + i * VT_PANEL + p * VF_LANES, sums[i][p]);
  }
}

static void KERNEL(products)(const float *rows, size_t count, const float *panel, size_t depth, float *to) {
  for (size_t i = 0; i < count; i += PRODUCTS_ROWS)
    KERNEL(products_block)(rows + i * depth, panel, depth, to + i * VT_PANEL);
}

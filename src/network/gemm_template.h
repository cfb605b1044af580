/*
 * gemm_template.h: matrix products.
 *
 *   C[m, n] = or += sum over k of A(i, k) B(j, k)
 *
 * Both factors are first copied into panels of VT_TILE_ROWS and VT_TILE_COLUMNS rows, then tiles of C are computed,
 * each by one thread over the whole depth: in stretches of DEPTH, so that a panel of B stays in the first-level cache,
 * and groups of TASK_ROWS x TASK_COLUMNS, so that what they need of A and B stays in the second. What is computed in
 * which order depends on the sizes alone: the same bits at any number of threads.
 */
#define DEPTH 256
#define TASK_ROWS (8 * VT_TILE_ROWS)
#define TASK_COLUMNS (4 * VT_TILE_COLUMNS)

struct NET(product) {
  const struct NET(gemm) * space;
  const OPS *ops;
  struct NET(factor) a, b;
  size_t m, n, depth; /* of this part */
  R *c;
  size_t stride;
  bool add;
};

static inline size_t NET(panels)(size_t rows, size_t panel) { return (rows + panel - 1) / panel; }

/* Rows [first, end) of a factor into panels of `width` rows, the last filled up with zeros. Where the factor lies by
 * depth all panels are filled side by side, so that lines of the cache are read whole. */
static void NET(pack)(const OPS *ops, const struct NET(factor) * factor, size_t first, size_t end, size_t width,
                      size_t depth, R *to) {
  const size_t whole = (end - first) / width * width, rest = end - first - whole;
  if (rest > 0) memset(to + whole * depth, 0, width * depth * sizeof *to);
  if (!factor->by_depth) {
    for (size_t row = first; row < end; row += width, to += width * depth)
      ops->transpose(factor->data + row * factor->stride, factor->stride, end - row < width ? end - row : width, depth,
                     to, width);
    return;
  }
  for (size_t k = 0; k < depth; k++) {
    const R *from = factor->data + k * factor->stride + first;
    R *at = to + k * width;
    if (width == VT_TILE_COLUMNS)
      for (size_t row = 0; row < whole; row += VT_TILE_COLUMNS)
        memcpy(at + row * depth, from + row, VT_TILE_COLUMNS * sizeof *to);
    else
      for (size_t row = 0; row < whole; row += VT_TILE_ROWS)
        memcpy(at + row * depth, from + row, VT_TILE_ROWS * sizeof *to);
    if (rest > 0) memcpy(at + whole * depth, from + whole, rest * sizeof *to);
  }
}

/* A group of panels. */
static void NET(pack_task)(void *context, size_t task, int worker) {
  const struct NET(product) *product = context;
  const size_t a_groups = NET(panels)(product->m, TASK_ROWS);
  (void)worker;
  if (task < a_groups) {
    size_t first = task * TASK_ROWS, end = product->m - first < TASK_ROWS ? product->m : first + TASK_ROWS;
    NET(pack)
    (product->ops, &product->a, first, end, VT_TILE_ROWS, product->depth, product->space->a + first * product->depth);
  } else {
    size_t first = (task - a_groups) * TASK_COLUMNS;
    size_t end = product->n - first < TASK_COLUMNS ? product->n : first + TASK_COLUMNS;
    NET(pack)
    (product->ops, &product->b, first, end, VT_TILE_COLUMNS, product->depth,
     product->space->b + first * product->depth);
  }
}

/* One tile; at the edges of C by way of a whole one. */
static void NET(one_tile)(const struct NET(product) * product, size_t row, size_t column, size_t first, size_t depth) {
  const R *a = product->space->a + row * product->depth + first * VT_TILE_ROWS;
  const R *b = product->space->b + column * product->depth + first * VT_TILE_COLUMNS;
  const bool add = product->add || first > 0;
  R *c = product->c + row * product->stride + column;
  size_t rows = product->m - row, columns = product->n - column;
  if (rows >= VT_TILE_ROWS && columns >= VT_TILE_COLUMNS) {
    product->ops->tile(a, b, depth, c, product->stride, add);
    return;
  }
  R whole[VT_TILE_ROWS * VT_TILE_COLUMNS];
  product->ops->tile(a, b, depth, whole, VT_TILE_COLUMNS, false);
  if (rows > VT_TILE_ROWS) rows = VT_TILE_ROWS;
  if (columns > VT_TILE_COLUMNS) columns = VT_TILE_COLUMNS;
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) {
      R sum = whole[i * VT_TILE_COLUMNS + j], *to = c + i * product->stride + j;
      *to = add ? *to + sum : sum;
    }
}

static void NET(tile_task)(void *context, size_t task, int worker) {
  const struct NET(product) *product = context;
  size_t across = NET(panels)(product->n, TASK_COLUMNS);
  size_t top = task / across * TASK_ROWS, left = task % across * TASK_COLUMNS;
  size_t bottom = top + TASK_ROWS < product->m ? top + TASK_ROWS : product->m;
  size_t right = left + TASK_COLUMNS < product->n ? left + TASK_COLUMNS : product->n;
  (void)worker;
  for (size_t first = 0; first < product->depth; first += DEPTH) {
    size_t depth = product->depth - first < DEPTH ? product->depth - first : DEPTH;
    for (size_t column = left; column < right; column += VT_TILE_COLUMNS)
      for (size_t row = top; row < bottom; row += VT_TILE_ROWS) NET(one_tile)(product, row, column, first, depth);
  }
}

static struct NET(factor) NET(part)(struct NET(factor) factor, size_t row, size_t first) {
  factor.data += factor.by_depth ? first * factor.stride + row : row * factor.stride + first;
  return factor;
}

static inline size_t NET(least)(size_t a, size_t b) { return a < b ? a : b; }

void NET(multiply)(const struct NET(gemm) * space, const OPS *ops, struct vt_pool *pool, size_t m, size_t n,
                   size_t depth, struct NET(factor) a, struct NET(factor) b, R *c, size_t stride, bool add) {
  const size_t deep = NET(least)(depth, space->depth_max);
  const size_t high = space->capacity / deep / TASK_ROWS * TASK_ROWS;
  const size_t wide = space->capacity / deep / TASK_COLUMNS * TASK_COLUMNS;
  for (size_t first = 0; first < depth; first += deep)
    for (size_t row = 0; row < m; row += high)
      for (size_t column = 0; column < n; column += wide) {
        struct NET(product) product = {.space = space,
                                       .ops = ops,
                                       .a = NET(part)(a, row, first),
                                       .b = NET(part)(b, column, first),
                                       .m = NET(least)(m - row, high),
                                       .n = NET(least)(n - column, wide),
                                       .depth = NET(least)(depth - first, deep),
                                       .c = c + row * stride + column,
                                       .stride = stride,
                                       .add = add || first > 0};
        size_t panels = NET(panels)(product.m, TASK_ROWS) + NET(panels)(product.n, TASK_COLUMNS);
        vt_tasks_run(pool, panels, NET(pack_task), &product);
        vt_tasks_run(pool, NET(panels)(product.m, TASK_ROWS) * NET(panels)(product.n, TASK_COLUMNS), NET(tile_task),
                     &product);
      }
}

size_t NET(gemm_floats)(size_t rows, size_t depth) {
  const size_t high = NET(panels)(rows, TASK_ROWS) * TASK_ROWS, wide = NET(panels)(rows, TASK_COLUMNS) * TASK_COLUMNS;
  return (high > wide ? high : wide) * depth;
}

enum vt_status NET(gemm_init)(struct NET(gemm) * space, size_t capacity, size_t depth_max, struct vt_error *error) {
  /* A part is at least one group of panels high and wide. */
  if (capacity < depth_max * TASK_COLUMNS) capacity = depth_max * TASK_COLUMNS;
  *space = (struct NET(gemm)){.capacity = capacity, .depth_max = depth_max};
  space->a = vt_alloc_aligned_raw(capacity, sizeof *space->a);
  space->b = vt_alloc_aligned_raw(capacity, sizeof *space->b);
  if (space->a != NULL && space->b != NULL) return VT_OK;
  NET(gemm_release)(space);
  return VT_FAIL_MEMORY(error, 2 * capacity * sizeof *space->a);
}

void NET(gemm_release)(struct NET(gemm) * space) {
  vt_free_aligned(space->a);
  vt_free_aligned(space->b);
  *space = (struct NET(gemm)){0};
}

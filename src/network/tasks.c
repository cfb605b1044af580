/* tasks.c: a counter that workers take tasks from. */
#include "network/tasks.h"

#include <stdatomic.h>

struct tasks {
  atomic_size_t next;
  size_t count;
  vt_task *work;
  void *context;
};

static void take(void *context, int worker) {
  struct tasks *tasks = context;
  for (;;) {
    size_t task = atomic_fetch_add_explicit(&tasks->next, 1, memory_order_relaxed);
    if (task >= tasks->count) return;
    tasks->work(tasks->context, task, worker);
  }
}

void vt_tasks_run(struct vt_pool *pool, size_t count, vt_task *work, void *context) {
  if (pool == NULL || count == 1) {
    for (size_t task = 0; task < count; task++) work(context, task, 0);
    return;
  }
  struct tasks tasks = {.count = count, .work = work, .context = context};
  atomic_init(&tasks.next, 0);
  if (count > 0) vt_pool_run(pool, take, &tasks);
}

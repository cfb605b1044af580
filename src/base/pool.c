/*
 * pool.c: the team. Threads sleep between runs on a condition variable, after a short spin: a training
 * superstep lasts about two milliseconds with three runs in it, and a wake-up through the kernel costs some
 * 50 microseconds, so the spin pays for itself while all cores are ours. Where others use them, too, whoever is
 * awaited has no core, and a spin keeps the one that it could have: small networks took four times as long. So a
 * thread that spun in vain several times in a row sleeps at once for a while before it tries again.
 *
 * Order: the caller fills work and context, then raises generation (release); a worker that sees the new
 * generation (acquire) runs and then counts itself out of running (release); the caller waits for zero
 * (acquire). That is all the synchronisation there is.
 */
#define _POSIX_C_SOURCE 200809L
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/processors.h"
#include "base/relax.h"

#define SPIN_ROUNDS 2000
#define VAIN_SPINS 8 /* in a row, after which it is not worth it */
#define SLEEPS 64    /* without a spin, until one is tried again */

/* Whether a thread still spins: `left` more times in vain, or again after `sleeps` waits. It alone looks at it. */
struct patience {
  int left;
  int sleeps;
};

struct member {
  struct vt_pool *pool;
  pthread_t thread;
  int worker;
  struct patience patience;
};

struct vt_pool {
  int size;
  int started;
  struct member *members;
  pthread_mutex_t mutex;
  pthread_cond_t wake; /* a new generation, or stop */
  pthread_cond_t done; /* running reached zero */
  _Atomic uint64_t generation;
  _Atomic int running;
  _Atomic int stop;
  vt_pool_work *work;
  void *context;
  int spin;                 /* rounds to spin before sleeping; none where threads outnumber processors */
  struct patience patience; /* of the caller */
};

/* How many rounds to spin this time. */
static int rounds_of(const struct vt_pool *pool, struct patience *patience) {
  if (patience->left > 0) return pool->spin;
  if (--patience->sleeps > 0) return 0;
  patience->left = 1;
  return pool->spin;
}

static void spun(struct patience *patience, bool in_vain) {
  if (!in_vain) {
    patience->left = VAIN_SPINS;
  } else if (patience->left > 0 && --patience->left == 0) {
    patience->sleeps = SLEEPS;
  }
}

static void await_generation(struct vt_pool *pool, uint64_t seen, struct patience *patience) {
  for (int i = rounds_of(pool, patience); i > 0; i--) {
    if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen) {
      spun(patience, false);
      return;
    }
    vt_relax();
  }
  spun(patience, true);
  pthread_mutex_lock(&pool->mutex);
  while (atomic_load_explicit(&pool->generation, memory_order_acquire) == seen)
    pthread_cond_wait(&pool->wake, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

static void *member_main(void *argument) {
  struct member *member = argument;
  struct vt_pool *pool = member->pool;
  uint64_t seen = 0;
  for (;;) {
    await_generation(pool, seen, &member->patience);
    seen++;
    if (atomic_load_explicit(&pool->stop, memory_order_acquire)) return NULL;
    pool->work(pool->context, member->worker);
    if (atomic_fetch_sub_explicit(&pool->running, 1, memory_order_acq_rel) == 1) {
      /* Whoever looked before is asleep now; whoever looks later need not sleep. Woken with the lock held, it would
       * wait for that next. */
      pthread_mutex_lock(&pool->mutex);
      pthread_mutex_unlock(&pool->mutex);
      pthread_cond_signal(&pool->done);
    }
  }
}

static void raise_generation(struct vt_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
  pthread_mutex_unlock(&pool->mutex);
  pthread_cond_broadcast(&pool->wake);
}

enum vt_status vt_pool_create(int size, struct vt_pool **out, struct vt_error *error) {
  struct vt_pool *pool = vt_alloc_zero(1, sizeof *pool);
  struct member *members = vt_alloc_zero((size_t)size, sizeof *members);
  if (pool == NULL || members == NULL) {
    vt_free(pool);
    vt_free(members);
    return VT_FAIL_MEMORY(error, (size_t)size * sizeof *members);
  }
  pool->size = size;
  pool->members = members;
  pool->spin = size <= vt_processors() ? SPIN_ROUNDS : 0;
  pool->patience.left = VAIN_SPINS;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pthread_cond_init(&pool->done, NULL);
  for (int i = 1; i < size; i++) {
    members[i] = (struct member){.pool = pool, .worker = i, .patience = {.left = VAIN_SPINS}};
    if (pthread_create(&members[i].thread, NULL, member_main, &members[i]) != 0) {
      vt_pool_free(pool);
      return VT_FAIL_HELP(error, VT_ERROR_THREAD, "use fewer threads", "cannot start thread %d of %d", i + 1, size);
    }
    pool->started++;
  }
  *out = pool;
  return VT_OK;
}

void vt_pool_free(struct vt_pool *pool) {
  if (pool == NULL) return;
  atomic_store_explicit(&pool->stop, 1, memory_order_release);
  raise_generation(pool);
  for (int i = 1; i <= pool->started; i++) pthread_join(pool->members[i].thread, NULL);
  pthread_cond_destroy(&pool->done);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  vt_free(pool->members);
  vt_free(pool);
}

int vt_pool_size(const struct vt_pool *pool) { return pool->size; }

void vt_pool_run(struct vt_pool *pool, vt_pool_work *work, void *context) {
  if (pool->size == 1) {
    work(context, 0);
    return;
  }
  pool->work = work;
  pool->context = context;
  atomic_store_explicit(&pool->running, pool->size - 1, memory_order_relaxed);
  raise_generation(pool);
  work(context, 0);
  for (int i = rounds_of(pool, &pool->patience); i > 0; i--) {
    if (atomic_load_explicit(&pool->running, memory_order_acquire) == 0) {
      spun(&pool->patience, false);
      return;
    }
    vt_relax();
  }
  spun(&pool->patience, true);
  pthread_mutex_lock(&pool->mutex);
  while (atomic_load_explicit(&pool->running, memory_order_acquire) != 0) pthread_cond_wait(&pool->done, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

struct share {
  vt_pool_range *range;
  void *context;
  size_t count;
  size_t piece;
  atomic_size_t next;
};

static void take_pieces(void *context, int worker) {
  struct share *share = context;
  (void)worker;
  for (;;) {
    size_t begin = share->piece * atomic_fetch_add_explicit(&share->next, 1, memory_order_relaxed);
    if (begin >= share->count) return;
    size_t left = share->count - begin;
    share->range(share->context, begin, begin + (left < share->piece ? left : share->piece));
  }
}

void vt_pool_share(struct vt_pool *pool, size_t count, size_t piece, vt_pool_range *range, void *context) {
  struct share share = {.range = range, .context = context, .count = count, .piece = piece};
  if (pool == NULL || count <= piece) /* one piece needs nobody's help */
    take_pieces(&share, 0);
  else
    vt_pool_run(pool, take_pieces, &share);
}

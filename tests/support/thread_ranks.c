/* thread_ranks.c: one queue for each pair of ranks, all under one mutex. */
#define _POSIX_C_SOURCE 200809L

#include "support/thread_ranks.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dist/ranks.h"

struct message {
  struct message *next;
  size_t bytes;
  unsigned char data[];
};

struct queue {
  struct message *first;
  struct message **last;
};

struct network {
  pthread_mutex_t mutex;
  pthread_cond_t arrived;
  int size;
  int machines;
  struct queue *queues; /* from x size + to */
};

struct thread_transport {
  struct vt_transport base;
  struct network *network;
  char machine[16];
};

static bool send_message(struct vt_transport *transport, int to, const void *data, size_t bytes) {
  struct network *network = ((struct thread_transport *)transport)->network;
  struct message *message = malloc(sizeof *message + bytes);
  if (message == NULL) abort();
  message->next = NULL;
  message->bytes = bytes;
  if (bytes > 0) memcpy(message->data, data, bytes);
  pthread_mutex_lock(&network->mutex);
  struct queue *queue = &network->queues[transport->rank * network->size + to];
  *queue->last = message;
  queue->last = &message->next;
  pthread_cond_broadcast(&network->arrived);
  pthread_mutex_unlock(&network->mutex);
  return true;
}

static bool settle(struct vt_transport *transport) {
  (void)transport;
  return true;
}

static bool receive(struct vt_transport *transport, int from, struct vt_box *box) {
  struct network *network = ((struct thread_transport *)transport)->network;
  pthread_mutex_lock(&network->mutex);
  struct queue *queue = &network->queues[from * network->size + transport->rank];
  while (queue->first == NULL) pthread_cond_wait(&network->arrived, &network->mutex);
  struct message *message = queue->first;
  queue->first = message->next;
  if (queue->first == NULL) queue->last = &queue->first;
  pthread_mutex_unlock(&network->mutex);
  box->bytes = 0;
  if (!transport->grow(box, message->bytes)) abort();
  if (message->bytes > 0) memcpy(box->data, message->data, message->bytes);
  box->bytes = message->bytes;
  free(message);
  return true;
}

static void abort_all(struct vt_transport *transport, int status) {
  fprintf(stderr, "rank %d would end all processes with status %d\n", transport->rank, status);
  abort();
}

static void leave(struct vt_transport *transport) { free(transport); }

struct job {
  struct network *network;
  int rank;
  void (*work)(void *context, struct vt_ranks *ranks);
  void *context;
};

static void *run(void *context) {
  struct job *job = context;
  struct thread_transport *transport = calloc(1, sizeof *transport);
  struct vt_ranks *ranks;
  if (transport == NULL) abort();
  *transport = (struct thread_transport){.base = {.rank = job->rank,
                                                  .size = job->network->size,
                                                  .one_process = true,
                                                  .send = send_message,
                                                  .settle = settle,
                                                  .receive = receive,
                                                  .abort = abort_all,
                                                  .leave = leave},
                                         .network = job->network};
  snprintf(transport->machine, sizeof transport->machine, "%d", job->rank % job->network->machines);
  transport->base.machine = transport->machine;
  if (vt_ranks_over(&transport->base, &ranks, NULL) != VT_OK) abort();
  job->work(job->context, ranks);
  vt_ranks_leave(ranks);
  return NULL;
}

void vtt_ranks_run(int size, int machines, void (*work)(void *context, struct vt_ranks *ranks), void *context) {
  struct network network = {
      .mutex = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER, .size = size, .machines = machines};
  struct job *jobs = calloc((size_t)size, sizeof *jobs);
  pthread_t *threads = calloc((size_t)size, sizeof *threads);
  network.queues = calloc((size_t)size * (size_t)size, sizeof *network.queues);
  if (jobs == NULL || threads == NULL || network.queues == NULL) abort();
  for (int q = 0; q < size * size; q++) network.queues[q].last = &network.queues[q].first;
  for (int r = 0; r < size; r++) {
    jobs[r] = (struct job){&network, r, work, context};
    if (pthread_create(&threads[r], NULL, run, &jobs[r]) != 0) abort();
  }
  for (int r = 0; r < size; r++) pthread_join(threads[r], NULL);
  for (int q = 0; q < size * size; q++) {
    for (struct message *m = network.queues[q].first, *next; m != NULL; m = next) {
      next = m->next;
      free(m);
    }
  }
  free(network.queues);
  free(threads);
  free(jobs);
}

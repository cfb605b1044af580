/*
 * link.c: a network cable between two network namespaces, with a rate, a delay and a loss, for kernels without netem.
 *
 *   bench_link [-r RATE] [-d DELAY] [-l LOSS] [-q QUEUE] [-m MTU] [-s SEED] DEVICE NAMESPACE NAMESPACE
 *
 * makes a TUN device of that name in each of the two namespaces (files such as /run/netns/NAME), says "ready", and
 * carries what goes into one out of the other until it is stopped by SIGTERM or SIGINT, when it prints what it carried,
 * one line of JSON for each direction. Numbers may have units: 1gbit, 200mbit, 5ms, 500us, 0.1%, 1mb. Linux, as root.
 *
 * Each direction is a line of its own. A packet waits until the line is free, occupies it for its bytes / RATE, and
 * comes out DELAY later. One that would wait behind more than QUEUE bytes is dropped, as a router drops the tail; of
 * the others LOSS are lost after they had the line, each by itself, by a hash of (SEED, direction, number of the
 * packet): which packets by number is the same in every run, what they hold is not.
 *
 * What waits and what is under way lies in a ring, each packet with the time at which it is due; one line knows one
 * delay, so they are due in the order in which they came. Memory is what the queue and the line hold at most, with room
 * for twice that because small packets bring more heads; without a rate it is UNLIMITED_BYTES. A packet that finds the
 * ring full is dropped.
 *
 * One thread sleeps until a packet comes or is due. A wakeup for each packet would cost more than carrying it, so after
 * one has come the next GRAIN_NS are slept through, and what is due within half of that is due: delays are right to
 * some 50 us. The rate is right whatever the grain, for a packet counts from when it may have come, not from when it
 * was found. It asks for real-time priority, for the ranks beside it never sleep; "late_us" tells how well that went.
 */
#define _GNU_SOURCE /* setns, ppoll */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <math.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"

#define GRAIN_NS INT64_C(100000)
#define BATCH 64 /* packets of one direction before the other has its turn */
#define SECOND_NS INT64_C(1000000000)
#define PACKET_MAX 65535
#define UNLIMITED_BYTES ((size_t)128 << 20)
#define NEVER INT64_MAX

struct settings {
  double rate;  /* bits a second; 0: no limit */
  double delay; /* seconds, each way */
  double loss;  /* a share */
  double queue; /* bytes; below 0: by the rate and the delay */
  double mtu;   /* bytes */
  double seed;
};

/* In the ring, before a packet's bytes. */
struct waiting {
  int64_t due; /* ns */
  uint32_t bytes;
  bool wraps; /* nothing is behind it: the next is at the start */
};

struct line {
  const char *name;
  const struct settings *settings;
  int from, to;
  int64_t free_at; /* when the last packet taken in has left the sender */
  struct vt_rng random;

  unsigned char *ring;
  size_t capacity, head, tail; /* out of head, into tail; both the same: empty */

  uint64_t packets, bytes; /* that came in */
  uint64_t carried, lost, dropped;
  double late_sum, late_most; /* ns, either way */
};

static volatile sig_atomic_t stopped;

static void stop(int number) {
  (void)number;
  stopped = 1;
}

static _Noreturn void die(const char *what) {
  (void)fprintf(stderr, "bench_link: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * SECOND_NS + time.tv_nsec;
}

/* ---- the ring ---------------------------------------------------------------------------------------------------- */

static size_t place_bytes(size_t bytes) {
  const size_t unit = sizeof(struct waiting);
  return unit + (bytes + unit - 1) / unit * unit;
}

/* Room for a packet of PACKET_MAX in one piece, with a head that says "wraps" behind it; NULL: full. */
static struct waiting *ring_room(struct line *line) {
  const size_t most = place_bytes(PACKET_MAX) + sizeof(struct waiting);
  if (line->head == line->tail) line->head = line->tail = 0;
  if (line->tail >= line->head) {
    if (line->capacity - line->tail >= most) return (struct waiting *)(void *)(line->ring + line->tail);
    if (line->head <= most) return NULL;
    ((struct waiting *)(void *)(line->ring + line->tail))->wraps = true;
    line->tail = 0;
  }
  return line->head - line->tail > most ? (struct waiting *)(void *)(line->ring + line->tail) : NULL;
}

static struct waiting *ring_first(struct line *line) {
  if (line->head == line->tail) return NULL;
  struct waiting *first = (struct waiting *)(void *)(line->ring + line->head);
  if (!first->wraps) return first;
  line->head = 0;
  return line->head == line->tail ? NULL : (struct waiting *)(void *)line->ring;
}

/* ---- a line ------------------------------------------------------------------------------------------------------ */

/* Takes in a packet that came after `since`, and lies where ring_room said. */
static void take_in(struct line *line, struct waiting *packet, size_t bytes, int64_t since) {
  const struct settings *settings = line->settings;
  const bool is_lost = (double)(vt_rng_next(&line->random) >> 11) * 0x1p-53 < settings->loss;
  line->packets++;
  line->bytes += bytes;
  const int64_t start = line->free_at > since ? line->free_at : since;
  if (settings->rate > 0) {
    if ((double)(start - since) * 1e-9 * settings->rate / 8 > settings->queue) {
      line->dropped++;
      return;
    }
    line->free_at = start + (int64_t)((double)bytes * 8e9 / settings->rate);
  } else {
    line->free_at = start;
  }
  if (is_lost) {
    line->lost++;
    return;
  }
  *packet = (struct waiting){.due = line->free_at + (int64_t)(settings->delay * 1e9), .bytes = (uint32_t)bytes};
  line->tail += place_bytes(bytes);
}

/* What has come, BATCH packets at most; returns how many. */
static int take_packets(struct line *line, int64_t since) {
  static unsigned char nowhere[PACKET_MAX];
  int count = 0;
  for (; count < BATCH; count++) {
    struct waiting *packet = ring_room(line);
    ssize_t bytes = read(line->from, packet == NULL ? nowhere : (unsigned char *)(packet + 1), PACKET_MAX);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR || errno == EIO)) break; /* EIO: the device is down */
    if (bytes < 0) die("cannot read from the device");
    if (packet != NULL) {
      take_in(line, packet, (size_t)bytes, since);
      continue;
    }
    line->packets++;
    line->bytes += (uint64_t)bytes;
    line->dropped++;
  }
  return count;
}

static void bring_out(struct line *line) {
  const int64_t now = now_ns();
  for (struct waiting *first; (first = ring_first(line)) != NULL && first->due <= now + GRAIN_NS / 2;) {
    if (write(line->to, first + 1, first->bytes) == (ssize_t)first->bytes)
      line->carried++;
    else
      line->dropped++; /* the other side has no memory for it, or is down */
    const double late = fabs((double)(now - first->due));
    line->late_sum += late;
    if (late > line->late_most) line->late_most = late;
    line->head += place_bytes(first->bytes);
  }
}

/* ---- both ways --------------------------------------------------------------------------------------------------- */

static void carry(struct line lines[2], const sigset_t *mask) {
  struct pollfd polled[2] = {{.fd = lines[0].from, .events = POLLIN}, {.fd = lines[1].from, .events = POLLIN}};
  int64_t since = 0; /* when it looked last, if it has slept through a grain since */
  while (!stopped) {
    const int64_t now = now_ns();
    int came[2];
    for (int k = 0; k < 2; k++) came[k] = take_packets(&lines[k], since != 0 ? since : now);
    int64_t next = NEVER;
    for (int k = 0; k < 2; k++) {
      bring_out(&lines[k]);
      const struct waiting *first = ring_first(&lines[k]);
      if (first != NULL && first->due < next) next = first->due;
    }
    since = now;
    const bool rests = came[0] + came[1] > 0;
    int64_t sleep = next == NEVER ? NEVER : next - now_ns();
    if (rests && sleep > GRAIN_NS) sleep = GRAIN_NS;
    if (sleep < 0 || came[0] == BATCH || came[1] == BATCH) sleep = 0; /* but look whether it is to stop */
    const struct timespec time = {.tv_sec = (time_t)(sleep / SECOND_NS), .tv_nsec = (long)(sleep % SECOND_NS)};
    const int found = ppoll(polled, rests ? 0 : 2, sleep == NEVER ? NULL : &time, mask);
    if (found < 0 && errno != EINTR) die("cannot wait");
    if (!rests) since = 0;
  }
}

static void print(const struct line *line) {
  (void)printf("{\"line\":\"%s\",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"carried\":%" PRIu64
               ",\"lost\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"late_us\":{\"mean\":%.1f,\"most\":%.1f}}\n",
               line->name, line->packets, line->bytes, line->carried, line->lost, line->dropped,
               line->carried == 0 ? 0 : line->late_sum / (double)line->carried * 1e-3, line->late_most * 1e-3);
}

/* ---- making it --------------------------------------------------------------------------------------------------- */

/* A device of that name, which lives as long as its descriptor. The process stays in the namespace. */
static int make_device(const char *name, const char *namespace, int mtu) {
  const int net = open(namespace, O_RDONLY | O_CLOEXEC);
  if (net < 0 || setns(net, CLONE_NEWNET) != 0) die(namespace);
  (void)close(net);
  const int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (device < 0) die("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (ioctl(device, TUNSETIFF, &request) != 0) die("cannot make a TUN device");
  const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  request.ifr_mtu = mtu;
  if (any < 0 || ioctl(any, SIOCSIFMTU, &request) != 0) die("cannot set the MTU");
  (void)close(any);
  return device;
}

static void make_line(struct line *line, const char *name, const struct settings *settings, uint64_t number) {
  *line = (struct line){
      .name = name, .settings = settings, .random = vt_rng_make(VT_RNG_TEST, (uint64_t)settings->seed, number, 0)};
  const double held = settings->rate > 0 ? settings->queue + settings->rate / 8 * settings->delay : 0;
  line->capacity = settings->rate > 0 ? (size_t)(2 * held) + 8 * (size_t)PACKET_MAX : UNLIMITED_BYTES;
  line->capacity -= line->capacity % sizeof(struct waiting);
  line->ring = mmap(NULL, line->capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (line->ring == MAP_FAILED) die("cannot allocate a queue");
}

static _Noreturn void usage(void) {
  (void)fprintf(stderr,
                "usage: bench_link [-r RATE] [-d DELAY] [-l LOSS] [-q QUEUE] [-m MTU] [-s SEED] DEVICE NAMESPACE "
                "NAMESPACE\n");
  exit(2);
}

/* A number with one of the units, from 0 to `most`. */
static double number(const char *text, double most) {
  static const struct {
    const char *name;
    double factor;
  } units[] = {{"", 1},      {"bit", 1},   {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {"s", 1},
               {"ms", 1e-3}, {"us", 1e-6}, {"%", 1e-2},   {"b", 1},      {"kb", 1e3},   {"mb", 1e6}};
  char *end;
  const double value = strtod(text, &end);
  for (size_t k = 0; k < sizeof units / sizeof units[0] && end != text; k++)
    if (strcmp(end, units[k].name) == 0 && value >= 0 && value * units[k].factor <= most)
      return value * units[k].factor;
  (void)fprintf(stderr, "bench_link: not a number in range: %s\n", text);
  usage();
}

static struct settings read_settings(int count, char **words) {
  struct settings settings = {.queue = -1, .mtu = 1500, .seed = 1};
  for (int option; (option = getopt(count, words, "r:d:l:q:m:s:")) != -1;) {
    switch (option) {
    case 'r':
      settings.rate = strcmp(optarg, "none") == 0 ? 0 : number(optarg, 1e12);
      break;
    case 'd':
      settings.delay = number(optarg, 10);
      break;
    case 'l':
      settings.loss = number(optarg, 1);
      break;
    case 'q':
      settings.queue = number(optarg, 1e9);
      break;
    case 'm':
      settings.mtu = number(optarg, PACKET_MAX);
      break;
    case 's':
      settings.seed = number(optarg, 1e15);
      break;
    default:
      usage();
    }
  }
  /* What is under way in a round trip, the usual rule for routers; a switch has hardly less than a megabyte. */
  const double under_way = settings.rate / 8 * 2 * settings.delay;
  if (settings.queue < 0) settings.queue = under_way > 1e6 ? under_way : 1e6;
  if (count - optind != 3) usage();
  return settings;
}

int main(int count, char **words) {
  const struct settings settings = read_settings(count, words);
  static struct line lines[2];
  make_line(&lines[0], "a to b", &settings, 0);
  make_line(&lines[1], "b to a", &settings, 1);
  for (int k = 0; k < 2; k++)
    lines[k].from = lines[1 - k].to = make_device(words[optind], words[optind + 1 + k], (int)settings.mtu);

  const struct sched_param first = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &first) != 0) (void)fprintf(stderr, "bench_link: without real-time priority\n");
  (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  struct sigaction action = {.sa_handler = stop};
  sigset_t blocked, before;
  (void)sigemptyset(&blocked);
  (void)sigaddset(&blocked, SIGTERM);
  (void)sigaddset(&blocked, SIGINT);
  if (sigprocmask(SIG_BLOCK, &blocked, &before) != 0 || sigaction(SIGTERM, &action, NULL) != 0 ||
      sigaction(SIGINT, &action, NULL) != 0)
    die("cannot wait for signals");
  if (puts("ready") == EOF || fflush(stdout) != 0) die("cannot write");

  carry(lines, &before);
  for (int k = 0; k < 2; k++) print(&lines[k]);
  struct rusage used;
  (void)getrusage(RUSAGE_SELF, &used);
  (void)printf("{\"processor_seconds\":%.2f}\n", (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                                                     1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
  return fflush(stdout) == 0 ? 0 : 1;
}

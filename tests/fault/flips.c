/*
 * flips.c: one flipped bit anywhere in any kind of file of a run or an export is harmless or refused.
 *
 *   flips [COUNT [SEED]]    so many flips (2,000), shared out among the kinds of files
 *
 * Harmless: everything that can be read, every row of every table and every vector, is as it was; of a training that
 * was stopped, the run that it ends in. Refused: an error that names the file. A crash, or an answer that differs
 * without an error, is a failure, and is printed with the place of the bit.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "fuzz/fuzz.h"
#include "run/store.h"
#include "vectrail/vectrail.h"

#define LEFT_STEP 40 /* of the training that is killed */

enum outcome { HARMLESS, REFUSED };

/* ---- digests: order and content of all there is --------------------------------------------------------------------
 */

struct digest {
  uint64_t hash;
  enum vt_store_table table;
  bool timeless; /* without what differs from sitting to sitting */
};

static void add(struct digest *digest, const void *data, size_t bytes) {
  const unsigned char *at = data;
  for (size_t k = 0; k < bytes; k++) digest->hash = (digest->hash ^ at[k]) * UINT64_C(0x100000001b3);
  digest->hash = vt_mix64(digest->hash + bytes);
}

static bool differs_by_sitting(const struct vt_store_value *key) {
  static const char *const keys[] = {"threads", "checkpoint_seconds", "kernel"};
  for (int k = 0; k < 3; k++)
    if (key->type == VT_STORE_TEXT && strcmp(key->data, keys[k]) == 0) return true;
  return false;
}

static enum vt_status add_row(void *context, const struct vt_store_value *values, struct vt_error *error) {
  static const int columns[VT_STORE_TABLES] = {
      [VT_STORE_META] = 2,  [VT_STORE_WORD] = 3,     [VT_STORE_STEP] = 5,  [VT_STORE_METRIC] = 3, [VT_STORE_PAIR] = 4,
      [VT_STORE_TRAIL] = 3, [VT_STORE_SNAPSHOT] = 4, [VT_STORE_EVENT] = 4, [VT_STORE_LEDGER] = 6};
  struct digest *digest = context;
  (void)error;
  if (digest->timeless && (digest->table == VT_STORE_EVENT || differs_by_sitting(&values[0]))) return VT_OK;
  for (int c = 0; c < columns[digest->table]; c++) {
    if (digest->timeless && digest->table == VT_STORE_STEP && c == 3) continue;
    add(digest, &values[c].type, sizeof values[c].type);
    if (values[c].type == VT_STORE_TEXT || values[c].type == VT_STORE_BLOB)
      add(digest, values[c].data, values[c].bytes);
    else if (values[c].type != VT_STORE_NULL)
      add(digest, values[c].type == VT_STORE_INTEGER ? (const void *)&values[c].integer : (const void *)&values[c].real,
          8);
  }
  return VT_OK;
}

static enum vt_status digest_tables(const char *path, struct digest *digest, struct vt_error *error) {
  char database[512];
  struct vt_store *store;
  snprintf(database, sizeof database, "%s/run.db", path);
  enum vt_status status = vt_store_open(database, &store, error);
  if (status != VT_OK) return status;
  for (int t = 0; t < VT_STORE_TABLES && status == VT_OK; t++) {
    digest->table = (enum vt_store_table)t;
    status = vt_store_read(store, digest->table, add_row, digest, error);
  }
  vt_store_close(store);
  return status;
}

static enum vt_status digest_run(const char *path, bool timeless, uint64_t *hash, struct vt_error *error) {
  struct digest digest = {.timeless = timeless};
  struct vt_run *run;
  enum vt_status status = digest_tables(path, &digest, error);
  if (status == VT_OK) status = vt_run_open(path, &run, error);
  if (status != VT_OK) return status;
  for (size_t k = 0; k < vt_run_snapshot_count(run) && status == VT_OK; k++) {
    struct vt_vectors *vectors;
    status = vt_run_vectors(run, vt_run_snapshot_at(run, k).step, &vectors, error);
    if (status != VT_OK) break;
    add(&digest, vectors->data, vectors->rows * vectors->dim * sizeof *vectors->data);
    vt_vectors_free(vectors);
  }
  vt_run_close(run);
  *hash = digest.hash;
  return status;
}

static enum vt_status digest_export(const char *path, uint64_t *hash, struct vt_error *error) {
  static const struct vt_import_options options = {0};
  struct digest digest = {0};
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
  enum vt_status status = vt_import_vectors(path, &options, &vocab, &vectors, error);
  if (status != VT_OK) return status;
  for (uint32_t w = 0; w < vectors->rows; w++) add(&digest, vt_vocab_text(vocab, w), strlen(vt_vocab_text(vocab, w)));
  add(&digest, vectors->data, vectors->rows * vectors->dim * sizeof *vectors->data);
  vt_vectors_free(vectors);
  vt_vocab_free(vocab);
  *hash = digest.hash;
  return VT_OK;
}

/* ---- files ---------------------------------------------------------------------------------------------------------
 */

struct bytes {
  unsigned char *data;
  size_t bytes;
};

static struct bytes read_whole(const char *path) {
  struct bytes held = {0};
  struct stat info;
  FILE *file = fopen(path, "rb");
  vtz_require(file != NULL && fstat(fileno(file), &info) == 0, path);
  held.bytes = (size_t)info.st_size;
  held.data = malloc(held.bytes + 1);
  vtz_require(held.data != NULL && fread(held.data, 1, held.bytes, file) == held.bytes, path);
  fclose(file);
  return held;
}

static void write_whole(const char *path, const struct bytes *held) {
  FILE *file = fopen(path, "wb");
  vtz_require(file != NULL && fwrite(held->data, 1, held->bytes, file) == held->bytes && fclose(file) == 0, path);
}

static void copy_folder(const char *from, const char *to) {
  char source[512], target[512];
  vtz_require(mkdir(to, 0777) == 0 || errno == EEXIST, to);
  DIR *folder = opendir(from);
  vtz_require(folder != NULL, from);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(source, sizeof source, "%s/%.200s", from, entry->d_name);
    snprintf(target, sizeof target, "%s/%.200s", to, entry->d_name);
    struct stat info;
    vtz_require(stat(source, &info) == 0, source);
    if (S_ISDIR(info.st_mode)) {
      copy_folder(source, target);
    } else {
      struct bytes held = read_whole(source);
      write_whole(target, &held);
      free(held.data);
    }
  }
  closedir(folder);
}

static void remove_folder(const char *path) {
  char name[512];
  DIR *folder = opendir(path);
  if (folder == NULL) return;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(name, sizeof name, "%s/%.200s", path, entry->d_name);
    if (remove(name) != 0) remove_folder(name);
  }
  closedir(folder);
  remove(path);
}

/* ---- what is damaged -----------------------------------------------------------------------------------------------
 */

static char root[256];

static const char *in_root(const char *name) {
  static char paths[4][512];
  static int next;
  next = (next + 1) % 4;
  snprintf(paths[next], sizeof paths[next], "%s/%s", root, name);
  return paths[next];
}

static void kill_at(void *context, const struct vt_train_progress *progress) {
  (void)context;
  if (progress->step < LEFT_STEP) return;
  /* The recorder's thread writes it; a training that waits here has one in the end. */
  while (access(in_root("left/checkpoint.safetensors"), F_OK) != 0)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  raise(SIGKILL);
}

static enum vt_status train(const char *run, void (*progress)(void *, const struct vt_train_progress *),
                            struct vt_error *error) {
  const char *inputs[] = {in_root("text.txt")}, *watch[] = {"king", "apple"}, *ledger[] = {"king"};
  struct vt_train_request request = {.inputs = inputs, .input_count = 1, .run_path = run, .progress = progress};
  vt_corpus_options_init(&request.corpus);
  vt_train_options_init(&request.train);
  vt_record_options_init(&request.record);
  request.corpus.min_count = 1;
  request.train.dim = 4;
  request.train.epochs = 2;
  request.train.sample = 0;
  request.train.block_tokens = 64;
  request.train.blocks = 2;
  request.train.threads = 1;
  request.record.snapshots = 3;
  request.record.probes = 5;
  request.record.metrics = 20;
  request.record.checkpoint_seconds = 1e-6;
  request.record.watch = watch;
  request.record.watch_count = 2;
  request.record.pairs = watch;
  request.record.pair_count = 1;
  request.record.ledger = ledger;
  request.record.ledger_count = 1;
  return vt_train(&request, NULL, error);
}

static void write_text(void) {
  static const char *const topics[2][6] = {{"king", "queen", "castle", "crown", "knight", "throne"},
                                           {"apple", "pear", "orchard", "fruit", "tree", "blossom"}};
  FILE *file = fopen(in_root("text.txt"), "w");
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 2, 3);
  vtz_require(file != NULL, "a text");
  for (int line = 0; line < 500; line++) {
    uint32_t topic = vt_rng_below(&rng, 2);
    for (int k = 0; k < 8; k++) fprintf(file, "%s ", topics[topic][vt_rng_below(&rng, 6)]);
    fputs("the\n", file);
  }
  fclose(file);
}

static void prepare(void) {
  struct vt_error error;
  snprintf(root, sizeof root, "%s", vtz_folder());
  write_text();
  vtz_require(train(in_root("done"), NULL, &error) == VT_OK, error.message);
  pid_t child = fork();
  if (child == 0) {
    train(in_root("left"), kill_at, &error);
    _exit(1);
  }
  int status;
  vtz_require(waitpid(child, &status, 0) == child && WIFSIGNALED(status), "a training that was killed");
  static const char *const exports[] = {"v.txt", "v.bin", "v.npy", "v.safetensors"};
  struct vt_run *run;
  struct vt_vectors *vectors;
  vtz_require(vt_run_open(in_root("done"), &run, &error) == VT_OK, error.message);
  vtz_require(vt_run_vectors(run, VT_STEP_LAST, &vectors, &error) == VT_OK, error.message);
  for (int k = 0; k < 4; k++)
    vtz_require(vt_export(vectors, (enum vt_export_format)k, in_root(exports[k]), &error) == VT_OK, error.message);
  vt_vectors_free(vectors);
  vt_run_close(run);
}

static enum vt_status ask_done(uint64_t *hash, struct vt_error *error) {
  return digest_run(in_root("done"), false, hash, error);
}

/* Going on, in a copy; what it ends in. */
static enum vt_status ask_left(uint64_t *hash, struct vt_error *error) {
  struct vt_resume_request request;
  const char *path = in_root("work");
  vt_resume_request_init(&request);
  request.run_path = path;
  request.threads = 1;
  request.checkpoint_seconds = 0;
  enum vt_status status = vt_resume(&request, NULL, error);
  return status == VT_OK ? digest_run(path, true, hash, error) : status;
}

static enum vt_status ask_txt(uint64_t *hash, struct vt_error *error) {
  return digest_export(in_root("v.txt"), hash, error);
}
static enum vt_status ask_bin(uint64_t *hash, struct vt_error *error) {
  return digest_export(in_root("v.bin"), hash, error);
}
static enum vt_status ask_npy(uint64_t *hash, struct vt_error *error) {
  return digest_export(in_root("v.npy"), hash, error);
}
static enum vt_status ask_safetensors(uint64_t *hash, struct vt_error *error) {
  return digest_export(in_root("v.safetensors"), hash, error);
}

static const struct kind {
  const char *file;
  enum vt_status (*ask)(uint64_t *hash, struct vt_error *error);
  int share; /* of all flips, in parts of 100 */
  bool left; /* of a training that was killed */
} kinds[] = {
    {"done/run.db", ask_done, 30, false},   {"done/snapshots/0.safetensors", ask_done, 8, false},
    {"work/run.db", ask_left, 8, true},     {"work/run.db-wal", ask_left, 12, true},
    {"work/run.db-shm", ask_left, 2, true}, {"work/checkpoint.safetensors", ask_left, 8, true},
    {"work/corpus.ids", ask_left, 4, true}, {"work/run.lock", ask_left, 1, true},
    {"v.txt", ask_txt, 5, false},           {"v.txt.sha256", ask_txt, 2, false},
    {"v.bin", ask_bin, 5, false},           {"v.npy", ask_npy, 5, false},
    {"v.vocab.txt", ask_npy, 5, false},     {"v.safetensors", ask_safetensors, 5, false},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* A folder that holds the file, named in errors about other files of the same run too. */
static bool is_named(const struct kind *kind, const struct vt_error *error) {
  const char *slash = strchr(kind->file, '/');
  size_t bytes = slash != NULL ? (size_t)(slash - kind->file) : strcspn(kind->file, ".");
  return memmem(error->message, strlen(error->message), kind->file, bytes) != NULL;
}

static int try_kind(const struct kind *kind, size_t flips, struct vt_rng *rng, size_t counts[2]) {
  int wrong = 0;
  uint64_t expected;
  struct vt_error error = {0};
  if (kind->left) copy_folder(in_root("left"), in_root("work"));
  struct bytes held = read_whole(in_root(kind->file));
  enum vt_status status = kind->ask(&expected, &error);
  vtz_require(status == VT_OK, error.message);
  for (size_t k = 0; k < flips && held.bytes > 0; k++) {
    uint64_t hash = 0;
    size_t at = (size_t)(vt_rng_next(rng) % held.bytes);
    unsigned char bit = (unsigned char)(1U << vt_rng_below(rng, 8));
    if (kind->left) {
      remove_folder(in_root("work"));
      copy_folder(in_root("left"), in_root("work"));
    }
    held.data[at] ^= bit;
    write_whole(in_root(kind->file), &held);
    error = (struct vt_error){0};
    status = kind->ask(&hash, &error);
    held.data[at] ^= bit;
    counts[status == VT_OK ? HARMLESS : REFUSED]++;
    const char *what = NULL;
    if (status == VT_OK && hash != expected) what = "another answer, and no error";
    if (status != VT_OK && !is_named(kind, &error)) what = error.message;
    if (what == NULL) continue;
    wrong++;
    printf("FAILED: bit %#x of byte %zu of %s: %s\n", bit, at, kind->file, what);
  }
  write_whole(in_root(kind->file), &held);
  free(held.data);
  return wrong;
}

int main(int argc, char **argv) {
  size_t flips = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000, all[2] = {0, 0};
  uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  int wrong = 0;
  prepare();
  for (size_t k = 0; k < KINDS; k++) {
    size_t counts[2] = {0, 0};
    struct vt_rng rng = vt_rng_make(VT_RNG_TEST, seed, k, 0);
    wrong += try_kind(&kinds[k], flips * (size_t)kinds[k].share / 100, &rng, counts);
    printf("%s: %zu flips, %zu harmless, %zu refused\n", kinds[k].file, counts[0] + counts[1], counts[HARMLESS],
           counts[REFUSED]);
    all[0] += counts[0];
    all[1] += counts[1];
  }
  printf("%zu flips: %zu harmless, %zu refused, %d wrong\n", all[0] + all[1], all[0], all[1], wrong);
  return wrong > 0;
}

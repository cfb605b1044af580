/* test_corpus_memory.c: a way through a large corpus does not take memory as large. */
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support/temporary.h"
#include "train/blocks.h"
#include "vectrail/corpus.h"
#include "vectrail/vocab.h"

#define WORDS 16000000 /* 64 MB encoded */
#define MB 1024.0      /* in the kB of /proc */

/* Of this process, pages of files in memory; a test that cannot know is skipped. */
static double file_pages(void) {
  char line[256];
  double found = -1;
  FILE *status = fopen("/proc/self/status", "r");
  while (status != NULL && fgets(line, sizeof line, status) != NULL)
    if (strncmp(line, "RssFile:", 8) == 0) found = strtod(line + 8, NULL);
  if (status != NULL) (void)fclose(status);
  if (found < 0) skip();
  return found / MB;
}

static struct vt_corpus *large_corpus(struct vtt_folder *folder) {
  FILE *text = fopen(vtt_path(folder, "text"), "w");
  assert_non_null(text);
  for (int k = 0; k < WORDS; k++) (void)fputs(k % 20 == 19 ? "a\n" : k % 3 == 0 ? "b " : "c ", text);
  assert_int_equal(fclose(text), 0);
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.threads = 2;
  const char *input = vtt_path(folder, "text");
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_error error;
  if (vt_corpus_encode(&input, 1, &options, vtt_path(folder, "encoded"), &vocab, &corpus, NULL, &error) != VT_OK)
    fail_msg("%s", error.message);
  vt_vocab_free(vocab);
  return corpus;
}

static uint64_t walk(const struct vt_corpus *corpus, const struct vt_corpus *told, double *most) {
  const uint32_t *ids = vt_corpus_ids(corpus);
  uint64_t sum = 0, kept = 0;
  *most = 0;
  for (uint64_t k = 0; k < vt_corpus_entries(corpus); k++) {
    sum += ids[k] == VT_CORPUS_END;
    vt_corpus_passed(told, k, &kept);
    if (k % (1 << 20) == 0) *most = file_pages() > *most ? file_pages() : *most;
  }
  return sum;
}

static void walks_in_little_memory(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_corpus *corpus = large_corpus(folder);
  const double before = file_pages();
  double with, without;
  uint64_t sentences = walk(corpus, corpus, &with);
  assert_true(with - before < 40);
  /* All of it comes into memory unless told otherwise, and what is forgotten can be read again. */
  assert_int_equal(walk(corpus, NULL, &without), sentences);
  assert_int_equal(sentences, vt_corpus_sentences(corpus));
  assert_true(without - before > 50);
  vt_corpus_forget(corpus);
  assert_true(file_pages() - before < 8);
  (void)vt_block_count(vt_corpus_ids(corpus), vt_corpus_entries(corpus), 2048, corpus);
  assert_true(file_pages() - before < 8);
  vt_corpus_free(corpus);
  vt_corpus_forget(NULL);
  vtt_folder_remove(folder);
}

int main(void) {
  /* What lies in memory stays there: a folder on a disk. */
  if (setenv("TMPDIR", "/var/tmp", 1) != 0) return 1;
  const struct CMUnitTest tests[] = {cmocka_unit_test(walks_in_little_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}

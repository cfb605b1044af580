/* test_eval.c: both tests of vectors, on files small enough to work out by hand, and analogies against a plain loop.
 * label: threads */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/temporary.h"
#include "vectrail/eval.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct fixture {
  struct vtt_folder *folder;
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
};

static void fill(struct fixture *f, const char *const *words, const float *data, size_t rows, size_t dim) {
  f->folder = vtt_folder_create();
  assert_int_equal(vt_vocab_create(words, NULL, rows, &f->vocab, NULL), VT_OK);
  float *copy = vt_vectors_data_alloc(rows, dim);
  assert_non_null(copy);
  memcpy(copy, data, rows * dim * sizeof *copy);
  assert_int_equal(vt_vectors_create(f->vocab, copy, dim, 0, &f->vectors, NULL), VT_OK);
}

static void empty(struct fixture *f) {
  vt_vectors_free(f->vectors);
  vt_vocab_free(f->vocab);
  vtt_folder_remove(f->folder);
}

/* "base" points east; the others turn away from it, so their cosines with base fall in this order. */
static const char *const fan[] = {"base", "a",    "b",       "c", "d", "jerusalem", "\xC3\xA9t\xC3\xA9",
                                  "nan",  "zero", "\xC3\x85"};
static const float fan_data[][2] = {{1, 0},  {9, 1},  {8, 4},   {8, 4}, {1, 9},
                                    {-1, 5}, {-3, 1}, {NAN, 1}, {0, 0}, {-5, 1}};

static int setup_fan(void **state) {
  static struct fixture f;
  fill(&f, fan, fan_data[0], COUNT(fan), 2);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  empty(*state);
  return 0;
}

static struct vt_eval_similarity similarity(struct fixture *f, const char *text) {
  struct vt_eval_similarity result = {0};
  struct vt_error error = {.message = ""};
  const char *path = vtt_write_text(f->folder, "pairs", text);
  if (vt_eval_similarity(f->vectors, path, &result, &error) != VT_OK) fail_msg("%s\nin:\n%s", error.message, text);
  return result;
}

static void assert_rho(struct fixture *f, const char *text, double rho, size_t covered, size_t pairs) {
  struct vt_eval_similarity result = similarity(f, text);
  if (isnan(rho) ? !isnan(result.spearman) : !(fabs(result.spearman - rho) < 1e-14))
    fail_msg("rho %.17g is not %.17g in:\n%s", result.spearman, rho, text);
  assert_int_equal(result.covered, covered);
  assert_int_equal(result.pairs, pairs);
}

static void test_spearman_by_hand(void **state) {
  struct fixture *f = *state;
  assert_rho(f, "base a 10\nbase b 8\nbase d 1\n", 1, 3, 3);
  assert_rho(f, "base a 1\nbase b 8\nbase d 10\n", -1, 3, 3);
  /* b and c tie in cosine: ranks of cosines 4, 2.5, 2.5, 1; of scores 4, 3, 2, 1: rho = 4.5 / sqrt(4.5 x 5). */
  assert_rho(f, "base a 4\nbase b 3\nbase c 2\nbase d 1\n", 4.5 / sqrt(4.5 * 5), 4, 4);
  /* Scores tie as well, at the other end: 3.5, 3.5, 2, 1 against 4, 2.5, 2.5, 1. */
  assert_rho(f, "base a 9\nbase b 9\nbase c 2\nbase d 1\n", (1.5 + 0 + 0 + 2.25) / 4.5, 4, 4);
  /* A zero vector has cosine 0 with everything: below d, above jerusalem. */
  assert_rho(f, "base d 3\nbase zero 2\nbase jerusalem 1\n", 1, 3, 3);
  /* Magnitudes do not matter, only order. */
  assert_rho(f, "base a 1e10\nbase b -0.5\nbase d -7E+3\n", 1, 3, 3);
}

static void test_spearman_undefined(void **state) {
  struct fixture *f = *state;
  assert_rho(f, "base unknown 1\nunknown base 2\n", NAN, 0, 2);
  assert_rho(f, "base a 1\nbase unknown 2\n", NAN, 1, 2);
  assert_rho(f, "base a 1\nbase b 1\n", NAN, 2, 2);
  assert_rho(f, "base b 1\nbase c 2\n", NAN, 2, 2);
}

static void test_similarity_formats(void **state) {
  struct fixture *f = *state;
  static const char *const same[] = {
      "base\ta\t10\nbase\tb\t8\nbase\td\t1\n",
      "base a 10\r\nbase  b\t8 \r\n\r\n  base d 1",
      "\xEF\xBB\xBFWord 1,Word 2,Human (mean)\nbase,a,10.0\nbase,b,8.00\nbase,d,1\n",
      "\357\273\277base a 10\nbase b 8\nbase d 1\n",
      "# a comment\nbase;a;10\n# another\nbase; b ;8\nbase;d;.1\n",
      "word1\tword2\tPOS\tSimLex999\tconc\nbase\ta\tN\t10\t1\nbase\tb\tV\t8\t2\nbase\td\tA\t1\t3\n",
      "base-n a-n 10\nbase-n b-v 8\nbase-n d-j 1\n",
      "BASE A 10\nBase B 8\nbASE D 1\n",
  };
  for (size_t i = 0; i < COUNT(same); i++) assert_rho(f, same[i], 1, 3, 3);
  /* Folded where the exact form is absent, composed where it is written in two characters. */
  assert_rho(f, "base Jerusalem 2\nbase e\xCC\x81te\xCC\x81 1\n", 1, 2, 2);
  assert_rho(f, "base JERUSALEM 2\nbase \xC3\x89T\xC3\x89 1\n", 1, 2, 2);
  /* Composed, and not folded: the vocabulary has the capital alone. */
  assert_rho(f, "base a 2\nbase A\xCC\x8A 1\n", 1, 2, 2);
  /* One word without the ending: the endings are part of the words. */
  assert_rho(f, "base-n a-n 10\nbase-n b-n 8\nbase d-n 1\n", NAN, 0, 3);
  /* No UTF-8: a word that no vocabulary has. */
  assert_rho(f, "base \xFF\xFE 1\nbase a 3\nbase d 2\n", 1, 2, 3);
}

static void assert_similarity_fails(struct fixture *f, const char *text, size_t bytes, enum vt_status status,
                                    const char *message) {
  struct vt_eval_similarity result = {.pairs = 77};
  struct vt_error error = {.message = ""};
  const char *path = vtt_write(f->folder, "bad", text, bytes);
  assert_int_equal(vt_eval_similarity(f->vectors, path, &result, &error), status);
  assert_int_equal(error.status, status);
  if (strstr(error.message, message) == NULL || strstr(error.message, path) == NULL)
    fail_msg("\"%s\" does not name \"%s\" and the file", error.message, message);
  assert_true(error.help[0] != '\0');
  assert_int_equal(result.pairs, 77);
}

static void test_similarity_malformed(void **state) {
  struct fixture *f = *state;
  static const struct {
    const char *text;
    enum vt_status status;
    const char *message;
  } bad[] = {
      {"", VT_ERROR_EMPTY, "no word pairs"},
      {"# nothing\n\n", VT_ERROR_EMPTY, "no word pairs"},
      {"word1 word2 score\n", VT_ERROR_EMPTY, "no word pairs"},
      {"base a\n", VT_ERROR_FORMAT, "line 1"},
      {"base a 1\n\nbase b\n", VT_ERROR_FORMAT, "line 3"},
      {"base a 1\nbase b high\n", VT_ERROR_FORMAT, "line 2"},
      {"x y score\nx y score\n", VT_ERROR_FORMAT, "line 2"},
      {"base a 1\nbase b 1.5x\n", VT_ERROR_FORMAT, "line 2"},
      {"base a 1\nbase b nan\n", VT_ERROR_FORMAT, "line 2"},
      {"base a 1\nbase b 1e\n", VT_ERROR_FORMAT, "line 2"},
      {"base a 1\nbase b .\n", VT_ERROR_FORMAT, "line 2"},
      {"base a 1\nbase b 1e999\n", VT_ERROR_FORMAT, "line 2"},
      {"base\ta\t1\n\tb\t2\n", VT_ERROR_FORMAT, "line 2"},
      {"base a 1\nbase nan 2\n", VT_ERROR_CORRUPT, "\"nan\""},
  };
  for (size_t i = 0; i < COUNT(bad); i++)
    assert_similarity_fails(f, bad[i].text, strlen(bad[i].text), bad[i].status, bad[i].message);
  assert_similarity_fails(f, "base a 1\n\0\n", 11, VT_ERROR_FORMAT, "byte 9");
  struct vt_eval_similarity result;
  struct vt_error error;
  assert_int_not_equal(vt_eval_similarity(f->vectors, vtt_path(f->folder, "absent"), &result, &error), VT_OK);
  assert_int_not_equal(vt_eval_similarity(f->vectors, vtt_folder_path(f->folder), &result, &error), VT_OK);
}

/* Capitals and countries, singulars and plurals: each pair differs by nearly the same step. */
static const char *const atlas[] = {"athens", "greece", "oslo", "norway", "bern", "switzerland",
                                    "cat",    "cats",   "dog",  "dogs",   "far",  "nan"};
static const float atlas_data[][4] = {{5, 0, 1, 0}, {5, 0, 0, 1}, {0, 5, 1, 0},     {0, 5, 0, 1},
                                      {3, 3, 1, 0}, {3, 3, 0, 1}, {1, 0, 0, 0},     {1, 0, 1, 0},
                                      {0, 1, 0, 0}, {0, 1, 1, 0}, {-1, -1, -1, -1}, {NAN, 0, 0, 0}};

static int setup_atlas(void **state) {
  static struct fixture f;
  fill(&f, atlas, atlas_data[0], COUNT(atlas), 4);
  *state = &f;
  return 0;
}

static void assert_section(const struct vt_eval_section *section, const char *name, size_t questions, size_t covered,
                           size_t correct) {
  assert_string_equal(section->name, name);
  assert_int_equal(section->questions, questions);
  assert_int_equal(section->covered, covered);
  assert_int_equal(section->correct, correct);
}

static const char questions[] = "// Copyright notice\n"
                                ": capitals\n"
                                "Athens Greece Oslo Norway\r\n"
                                "athens greece bern switzerland\n"
                                "athens greece paris france\n"
                                "\n"
                                "athens greece oslo dog\n"
                                ": gram-plural\n"
                                "cat cats dog dogs\n"
                                ":empty \n"
                                ": gram-same\n"
                                "cat cats dog cats\n";

static void test_analogy_counts(void **state) {
  struct fixture *f = *state;
  const char *path = vtt_write_text(f->folder, "q", questions);
  for (int threads = 1; threads <= 4; threads++) {
    struct vt_eval_analogy result;
    assert_int_equal(vt_eval_analogy(f->vectors, path, 11, threads, &result, NULL), VT_OK);
    assert_int_equal(result.section_count, 4);
    assert_section(&result.sections[0], "capitals", 4, 3, 2);
    assert_section(&result.sections[1], "gram-plural", 1, 1, 1);
    assert_section(&result.sections[2], "empty", 0, 0, 0);
    assert_section(&result.sections[3], "gram-same", 1, 1, 0);
    assert_section(&result.all, "all", 6, 5, 3);
    assert_section(&result.semantic, "semantic", 4, 3, 2);
    assert_section(&result.syntactic, "syntactic", 2, 2, 1);
    vt_eval_analogy_release(&result);
    assert_null(result.sections);
  }
}

static void test_analogy_restriction(void **state) {
  struct fixture *f = *state;
  struct vt_eval_analogy result;
  const char *path = vtt_write_text(f->folder, "q", questions);
  /* Of the first four rows only the first question is made; the answer is the one row left. */
  assert_int_equal(vt_eval_analogy(f->vectors, path, 4, 1, &result, NULL), VT_OK);
  assert_section(&result.all, "all", 6, 1, 1);
  vt_eval_analogy_release(&result);
  /* None: nothing is covered, and that is no error. */
  assert_int_equal(vt_eval_analogy(f->vectors, path, 1, 1, &result, NULL), VT_OK);
  assert_section(&result.all, "all", 6, 0, 0);
  vt_eval_analogy_release(&result);
  /* Questions before any section have one without a name; where no row is left, no answer is right. */
  path = vtt_write_text(f->folder, "q", "athens greece oslo oslo\n");
  assert_int_equal(vt_eval_analogy(f->vectors, path, 3, 2, &result, NULL), VT_OK);
  assert_int_equal(result.section_count, 1);
  assert_section(&result.sections[0], "", 1, 1, 0);
  assert_section(&result.semantic, "semantic", 1, 1, 0);
  vt_eval_analogy_release(&result);
}

static void test_analogy_malformed(void **state) {
  struct fixture *f = *state;
  static const struct {
    const char *text;
    enum vt_status status;
    const char *message;
  } bad[] = {
      {"", VT_ERROR_EMPTY, "no questions"},
      {": one\n: two\n", VT_ERROR_EMPTY, "no questions"},
      {": one\ncat cats dog\n", VT_ERROR_FORMAT, "line 2 has 3 words"},
      {": one\ncat cats dog dogs dogs\n", VT_ERROR_FORMAT, "line 2 has 5 words"},
      {": one\n\ncat\n", VT_ERROR_FORMAT, "line 3 has 1 word "},
      {"cat cats dog dogs\n", VT_ERROR_CORRUPT, "\"nan\""},
  };
  for (size_t i = 0; i < COUNT(bad); i++) {
    struct vt_eval_analogy result;
    struct vt_error error;
    const char *path = vtt_write_text(f->folder, "bad", bad[i].text);
    assert_int_equal(vt_eval_analogy(f->vectors, path, 0, 2, &result, &error), bad[i].status);
    if (strstr(error.message, bad[i].message) == NULL) fail_msg("\"%s\"", error.message);
  }
  struct vt_eval_analogy result;
  const char *path = vtt_write_text(f->folder, "q", questions);
  assert_int_equal(vt_eval_analogy(f->vectors, path, 0, 0, &result, NULL), VT_ERROR_ARGUMENT);
  assert_int_not_equal(vt_eval_analogy(f->vectors, vtt_path(f->folder, "absent"), 0, 1, &result, NULL), VT_OK);
}

/* The definition, one question after the other; ids in the order of the names. */
static uint32_t answer_plainly(const struct vt_vectors *v, size_t limit, const uint32_t *q) {
  struct vt_neighbor found;
  size_t count = 0, dim = v->dim;
  double *query = calloc(dim, sizeof *query), best = -INFINITY;
  assert_non_null(query);
  found.id = UINT32_MAX;
  for (uint32_t d = 0; d < limit; d++) {
    if (d == q[0] || d == q[1] || d == q[2]) continue;
    double score = vt_vectors_cosine(v, d, q[1]) - vt_vectors_cosine(v, d, q[0]) + vt_vectors_cosine(v, d, q[2]);
    count++;
    if (score > best) {
      best = score;
      found.id = d;
    }
  }
  assert_int_equal(count > 0, found.id != UINT32_MAX);
  free(query);
  return found.id;
}

/* Random tables whose sizes leave rests in every tile and block; each question expects the plain loop's answer. */
static void check_random(size_t rows, size_t limit, size_t dim, size_t question_count) {
  char(*names)[24] = malloc(rows * sizeof *names);
  const char **texts = malloc(rows * sizeof *texts);
  float *data = malloc(rows * dim * sizeof *data);
  char *text = malloc(question_count * 64);
  assert_true(names != NULL && texts != NULL && data != NULL && text != NULL);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 5, rows, dim);
  for (size_t i = 0; i < rows; i++) {
    (void)snprintf(names[i], sizeof names[i], "w%zu", i);
    texts[i] = names[i];
    for (size_t c = 0; c < dim; c++) data[i * dim + c] = vt_rng_unit(&rng) - 0.5F;
  }
  struct fixture f;
  fill(&f, texts, data, rows, dim);
  size_t at = 0;
  for (size_t i = 0; i < question_count; i++) {
    uint32_t q[3];
    for (size_t j = 0; j < 3; j++) q[j] = vt_rng_below(&rng, (uint32_t)limit);
    at += (size_t)snprintf(text + at, 64, "w%lu w%lu w%lu w%lu\n", (unsigned long)q[0], (unsigned long)q[1],
                           (unsigned long)q[2], (unsigned long)answer_plainly(f.vectors, limit, q));
  }
  const char *path = vtt_write_text(f.folder, "random", text);
  for (int threads = 1; threads <= 3; threads++) {
    struct vt_eval_analogy result;
    assert_int_equal(vt_eval_analogy(f.vectors, path, limit, threads, &result, NULL), VT_OK);
    assert_section(&result.all, "all", question_count, question_count, question_count);
    vt_eval_analogy_release(&result);
  }
  empty(&f);
  free(text);
  free(data);
  free(texts);
  free(names);
}

static void test_analogy_is_the_definition(void **state) {
  (void)state;
  check_random(5, 5, 3, 40);
  check_random(64, 64, 8, 60);
  check_random(201, 131, 13, 200);
  check_random(97, 97, 1, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_spearman_by_hand, setup_fan, teardown),
      cmocka_unit_test_setup_teardown(test_spearman_undefined, setup_fan, teardown),
      cmocka_unit_test_setup_teardown(test_similarity_formats, setup_fan, teardown),
      cmocka_unit_test_setup_teardown(test_similarity_malformed, setup_fan, teardown),
      cmocka_unit_test_setup_teardown(test_analogy_counts, setup_atlas, teardown),
      cmocka_unit_test_setup_teardown(test_analogy_restriction, setup_atlas, teardown),
      cmocka_unit_test_setup_teardown(test_analogy_malformed, setup_atlas, teardown),
      cmocka_unit_test(test_analogy_is_the_definition),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

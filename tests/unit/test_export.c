/* test_export.c: every format read back here, byte by byte, by code that knows only the format's description. */
#define _POSIX_C_SOURCE 200809L /* setenv, unsetenv, mkdir */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/rng.h"
#include "run/export.h"
#include "support/temporary.h"
#include "vectrail/export.h"
#include "vectrail/import.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ROWS 4
#define DIM 3

static const char *const words[ROWS] = {"the", "na\xC3\xAFve", "don't", "\xE6\xBC\xA2\xE5\xAD\x97"};
static const uint64_t counts[ROWS] = {12345678901, 20, 3, 1};
/* The hard ones for text: shortest forms of 9 digits, subnormals, both ends of the range, minus zero. */
static const float values[ROWS][DIM] = {{0.1F, -2.5F, 16777217.0F},
                                        {1e-45F, 3.40282347e38F, -0.0F},
                                        {1.17549421e-38F, 1.0F / 3, 9.99999996e-5F},
                                        {0, 1, -1}};

struct fixture {
  struct vtt_folder *folder;
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
};

static struct vt_vectors *make_vectors(const char *const *texts, struct vt_vocab **vocab) {
  struct vt_vectors *vectors;
  assert_int_equal(vt_vocab_create(texts, counts, ROWS, vocab, NULL), VT_OK);
  float *data = vt_vectors_data_alloc(ROWS, DIM);
  assert_non_null(data);
  memcpy(data, values, sizeof values);
  assert_int_equal(vt_vectors_create(*vocab, data, DIM, 0, &vectors, NULL), VT_OK);
  return vectors;
}

static int setup(void **state) {
  static struct fixture f;
  f.folder = vtt_folder_create();
  f.vectors = make_vectors(words, &f.vocab);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  struct fixture *f = *state;
  vt_vectors_free(f->vectors);
  vt_vocab_free(f->vocab);
  vtt_folder_remove(f->folder);
  return 0;
}

static char *export_to(struct fixture *f, enum vt_export_format format, const char *name, size_t *bytes) {
  struct vt_error error;
  const char *path = vtt_path(f->folder, name);
  if (vt_export(f->vectors, format, path, &error) != VT_OK) fail_msg("%s", error.message);
  return vtt_read(path, bytes);
}

static void assert_file(struct fixture *f, const char *name, const char *expected) {
  char *text = vtt_read(vtt_path(f->folder, name), NULL);
  assert_string_equal(text, expected);
  free(text);
}

static void assert_same_bits(float value, float expected) { assert_memory_equal(&value, &expected, sizeof value); }

/* Little-endian, whatever this machine is. */
static float read_float(const char *bytes) {
  uint32_t bits = 0;
  for (int b = 3; b >= 0; b--) bits = bits << 8 | (unsigned char)bytes[b];
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void assert_values(const char *bytes) {
  for (size_t i = 0; i < ROWS; i++)
    for (size_t c = 0; c < DIM; c++) assert_same_bits(read_float(bytes + (i * DIM + c) * 4), values[i][c]);
}

static void test_w2v_text(void **state) {
  struct fixture *f = *state;
  char *text = export_to(f, VT_EXPORT_W2V_TEXT, "v.txt", NULL), *at = text;
  assert_int_equal(vtt_folder_entries(f->folder), 2);
  assert_memory_equal(at, "4 3\n", 4);
  at += 4;
  for (size_t i = 0; i < ROWS; i++) {
    assert_memory_equal(at, words[i], strlen(words[i]));
    at += strlen(words[i]);
    for (size_t c = 0; c < DIM; c++) {
      assert_int_equal(*at, ' ');
      assert_same_bits(strtof(at + 1, &at), values[i][c]);
    }
    assert_int_equal(*at++, '\n');
  }
  assert_int_equal(*at, '\0');
  free(text);
}

static void test_w2v_binary(void **state) {
  struct fixture *f = *state;
  size_t bytes;
  char *data = export_to(f, VT_EXPORT_W2V_BINARY, "v.bin", &bytes), *at = data;
  assert_int_equal(vtt_folder_entries(f->folder), 2);
  assert_memory_equal(at, "4 3\n", 4);
  at += 4;
  for (size_t i = 0; i < ROWS; i++) {
    assert_memory_equal(at, words[i], strlen(words[i]));
    at += strlen(words[i]);
    assert_int_equal(*at++, ' ');
    for (size_t c = 0; c < DIM; c++, at += 4) assert_same_bits(read_float(at), values[i][c]);
    assert_int_equal(*at++, '\n');
  }
  assert_int_equal(at - data, bytes);
  free(data);
}

#define WORD_LIST "the\nna\xC3\xAFve\ndon't\n\xE6\xBC\xA2\xE5\xAD\x97\n"

static void test_npy(void **state) {
  struct fixture *f = *state;
  size_t bytes;
  char *data = export_to(f, VT_EXPORT_NPY, "v.npy", &bytes);
  assert_int_equal(vtt_folder_entries(f->folder), 3);
  assert_file(f, "v.vocab.txt", WORD_LIST);
  assert_memory_equal(data, "\x93NUMPY\x01\x00", 8);
  size_t header = 10 + (size_t)(unsigned char)data[8] + 256 * (size_t)(unsigned char)data[9];
  assert_int_equal(header % 64, 0);
  assert_int_equal(bytes, header + sizeof values);
  static const char description[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 3), }";
  assert_memory_equal(data + 10, description, strlen(description));
  for (size_t i = 10 + strlen(description); i < header - 1; i++) assert_int_equal(data[i], ' ');
  assert_int_equal(data[header - 1], '\n');
  assert_values(data + header);
  free(data);
}

static void test_safetensors(void **state) {
  struct fixture *f = *state;
  size_t bytes, header = 0;
  char *data = export_to(f, VT_EXPORT_SAFETENSORS, "v.safetensors", &bytes);
  assert_int_equal(vtt_folder_entries(f->folder), 3);
  assert_file(f, "v.vocab.txt", WORD_LIST);
  for (int b = 7; b >= 0; b--) header = header << 8 | (unsigned char)data[b];
  assert_int_equal(header % 8, 0);
  assert_true(header < bytes - 8);
  json_t *root = json_loadb(data + 8, header, JSON_REJECT_DUPLICATES, NULL), *tensor = json_object_get(root, "input");
  assert_non_null(tensor);
  assert_string_equal(json_string_value(json_object_get(tensor, "dtype")), "F32");
  json_t *shape = json_object_get(tensor, "shape"), *offsets = json_object_get(tensor, "data_offsets");
  assert_int_equal(json_array_size(shape), 2);
  assert_int_equal(json_integer_value(json_array_get(shape, 0)), ROWS);
  assert_int_equal(json_integer_value(json_array_get(shape, 1)), DIM);
  assert_int_equal(json_integer_value(json_array_get(offsets, 0)), 0);
  assert_int_equal(json_integer_value(json_array_get(offsets, 1)), sizeof values);
  json_decref(root);
  assert_int_equal(bytes, 8 + header + sizeof values);
  assert_values(data + 8 + header);
  free(data);
}

static void test_projector(void **state) {
  struct fixture *f = *state;
  char *text = export_to(f, VT_EXPORT_PROJECTOR, "v.tsv", NULL), *at = text;
  assert_int_equal(vtt_folder_entries(f->folder), 3);
  assert_file(f, "v.metadata.tsv",
              "word\tcount\nthe\t12345678901\nna\xC3\xAFve\t20\ndon't\t3\n\xE6\xBC\xA2\xE5\xAD\x97\t1\n");
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t c = 0; c < DIM; c++) {
      assert_same_bits(strtof(at, &at), values[i][c]);
      assert_int_equal(*at++, c + 1 < DIM ? '\t' : '\n');
    }
  }
  assert_int_equal(*at, '\0');
  free(text);
}

static void test_float_text(void **state) {
  (void)state;
  char text[VT_FLOAT_TEXT_BYTES];
  static const struct {
    float value;
    const char *text;
  } cases[] = {{0, "0"},
               {-0.0F, "-0"},
               {1, "1"},
               {0.5F, "0.5"},
               {-0.1F, "-0.100000001"},
               {1e20F, "1.00000002e+20"},
               {1e-45F, "1.40129846e-45"},
               {-3.40282347e38F, "-3.40282347e+38"},
               {NAN, "nan"},
               {INFINITY, "inf"},
               {-INFINITY, "-inf"}};
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_int_equal(vt_float_text(cases[i].value, text), strlen(cases[i].text));
    assert_string_equal(text, cases[i].text);
  }
  /* Any float at all comes back. */
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 1, 2, 3);
  for (int i = 0; i < 100000; i++) {
    uint32_t bits = (uint32_t)vt_rng_next(&rng);
    float value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    assert_true(vt_float_text(value, text) < VT_FLOAT_TEXT_BYTES);
    assert_same_bits(strtof(text, NULL), value);
  }
}

/* A locale that writes a comma for the decimal point: an installed one, or one made here where localedef can. */
static bool set_comma_locale(struct vtt_folder *folder) {
  static const char *const installed[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "de_DE", "es_ES.UTF-8"};
  for (size_t i = 0; i < COUNT(installed); i++)
    if (setlocale(LC_ALL, installed[i]) != NULL) return true;
  char command[4096];
  const char *path = vtt_folder_path(folder);
  /* Of few characters, which is made in a quarter of the time. */
  (void)snprintf(command, sizeof command, "localedef -i de_DE -f ISO-8859-1 --no-archive '%s/de_DE' >'%s/log' 2>&1",
                 path, path);
  (void)!system(command); /* its warnings count as failure; whether the locale is there is what matters */
  (void)setenv("LOCPATH", path, 1);
  return setlocale(LC_ALL, "de_DE") != NULL;
}

static void test_locale_changes_nothing(void **state) {
  struct fixture *f = *state;
  size_t plain_bytes, bytes;
  char *plain = export_to(f, VT_EXPORT_W2V_TEXT, "plain.txt", &plain_bytes);
  struct vtt_folder *folder = vtt_folder_create();
  if (!set_comma_locale(folder)) {
    print_message("no locale with a decimal comma here, and none can be made\n");
    vtt_folder_remove(folder);
    free(plain);
    skip();
  }
  char probe[8];
  (void)snprintf(probe, sizeof probe, "%.1f", 0.5);
  assert_string_equal(probe, "0,5");
  char *text = export_to(f, VT_EXPORT_W2V_TEXT, "comma.txt", &bytes);
  (void)setlocale(LC_ALL, "C");
  (void)unsetenv("LOCPATH");
  vtt_folder_remove(folder);
  assert_int_equal(bytes, plain_bytes);
  assert_memory_equal(text, plain, bytes);
  free(text);
  free(plain);
}

static void test_words_that_do_not_fit(void **state) {
  struct fixture *f = *state;
  static const struct {
    const char *word;
    bool fits[5]; /* in the order of the formats */
  } cases[] = {
      {"New York", {false, false, true, true, true}},
      {"tab\tbed", {false, false, true, true, false}},
      {"two\nlines", {false, false, false, false, false}},
      {"carriage\rreturn", {false, false, false, false, false}},
      {"no\xC2\xA0"
       "break",
       {true, true, true, true, true}},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    const char *const texts[ROWS] = {"the", cases[i].word, "don't", "x"};
    struct vt_vocab *vocab;
    struct vt_vectors *vectors = make_vectors(texts, &vocab);
    for (int format = 0; format < 5; format++) {
      struct vtt_folder *folder = vtt_folder_create();
      struct vt_error error = {.message = ""};
      enum vt_status status = vt_export(vectors, (enum vt_export_format)format, vtt_path(folder, "v.x"), &error);
      assert_int_equal(status, cases[i].fits[format] ? VT_OK : VT_ERROR_FORMAT);
      if (status != VT_OK) {
        assert_non_null(strstr(error.message, cases[i].word));
        assert_non_null(strstr(error.message, "word 1"));
        assert_int_equal(vtt_folder_entries(folder), 0);
      }
      vtt_folder_remove(folder);
    }
    vt_vectors_free(vectors);
    vt_vocab_free(vocab);
  }
  assert_int_equal(vtt_folder_entries(f->folder), 0);
}

/* A folder in a file's place makes the last step, the rename, fail: nothing else may be left. */
static void test_failure_leaves_nothing(void **state) {
  struct fixture *f = *state;
  static const char *const blocked[] = {"v.npy", "v.vocab.txt"};
  struct vt_error error;
  for (size_t i = 0; i < COUNT(blocked); i++) {
    const char *folder = vtt_path(f->folder, blocked[i]);
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_not_equal(vt_export(f->vectors, VT_EXPORT_NPY, vtt_path(f->folder, "v.npy"), &error), VT_OK);
    assert_int_equal(vtt_folder_entries(f->folder), 1);
    assert_int_equal(rmdir(folder), 0);
  }
  assert_int_not_equal(vt_export(f->vectors, VT_EXPORT_NPY, vtt_path(f->folder, "absent/v.npy"), &error), VT_OK);
  assert_int_not_equal(vt_export(f->vectors, VT_EXPORT_W2V_TEXT, vtt_path(f->folder, "absent/v.txt"), &error), VT_OK);
  assert_int_equal(vtt_folder_entries(f->folder), 0);
}

static void test_second_path(void **state) {
  struct fixture *f = *state;
  static const char *const cases[][2] = {{"a.b.npy", "a.b.vocab.txt"},
                                         {"bare", "bare.vocab.txt"},
                                         {".npy", ".npy.vocab.txt"},
                                         {"dot.d/bare", "dot.d/bare.vocab.txt"}};
  assert_int_equal(mkdir(vtt_path(f->folder, "dot.d"), 0777), 0);
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_int_equal(vt_export(f->vectors, VT_EXPORT_NPY, vtt_path(f->folder, cases[i][0]), NULL), VT_OK);
    assert_true(vtt_exists(vtt_path(f->folder, cases[i][0])));
    assert_file(f, cases[i][1], WORD_LIST);
  }
}

static void test_replaces_an_existing_file(void **state) {
  struct fixture *f = *state;
  (void)vtt_write_text(f->folder, "v.tsv", "old");
  (void)vtt_write_text(f->folder, "v.metadata.tsv", "old");
  char *text = export_to(f, VT_EXPORT_PROJECTOR, "v.tsv", NULL);
  assert_int_equal(strncmp(text, "0.100000001\t-2.5\t16777216\n", 26), 0);
  free(text);
  assert_int_equal(vtt_folder_entries(f->folder), 3);
  text = vtt_read(vtt_path(f->folder, "v.metadata.tsv"), NULL);
  assert_int_equal(strncmp(text, "word\tcount\n", 11), 0);
  free(text);
}

/* The checksums beside an export are in the form of sha256sum, of both files where there are two. */
static void test_checksums(void **state) {
  struct fixture *f = *state;
  struct vt_error error;
  (void)vtt_write_text(f->folder, "v.npy.sha256", "old");
  assert_int_equal(vt_export(f->vectors, VT_EXPORT_NPY, vtt_path(f->folder, "v.npy"), &error), VT_OK);
  char *text = vtt_read(vtt_path(f->folder, "v.npy.sha256"), NULL);
  assert_int_equal(strlen(text), 2 * 66 + strlen("v.npy\nv.vocab.txt\n"));
  assert_memory_equal(text + 64, "  v.npy\n", 8);
  const char *second = text + 64 + 8;
  assert_memory_equal(second + 64, "  v.vocab.txt\n", 14);
  /* The SHA-256 of WORD_LIST, by sha256sum. */
  char known[VT_SHA256_TEXT_BYTES];
  struct vt_output *output;
  assert_int_equal(vt_output_open(vtt_path(f->folder, "again"), &output, &error), VT_OK);
  vt_output_hash(output);
  assert_int_equal(vt_output_write(output, WORD_LIST, strlen(WORD_LIST), &error), VT_OK);
  assert_int_equal(vt_output_sha256(output, known, &error), VT_OK);
  vt_output_abort(output);
  assert_memory_equal(second, known, 64);
  free(text);
  /* A bit of the vectors, of the words or of a checksum: refused; without the file of checksums, read as it is. */
  static const char *const damaged[] = {"v.npy", "v.vocab.txt", "v.npy.sha256"};
  for (size_t k = 0; k < COUNT(damaged); k++) {
    size_t bytes;
    char *held = vtt_read(vtt_path(f->folder, damaged[k]), &bytes);
    held[k == 2 ? 3 : bytes - 3] ^= 1;
    (void)vtt_write(f->folder, damaged[k], held, bytes);
    const struct vt_import_options options = {0};
    struct vt_vocab *vocab;
    struct vt_vectors *vectors;
    assert_int_equal(vt_import_vectors(vtt_path(f->folder, "v.npy"), &options, &vocab, &vectors, &error),
                     VT_ERROR_CORRUPT);
    assert_non_null(strstr(error.message, k == 1 ? "v.vocab.txt: damaged" : "v.npy: damaged"));
    held[k == 2 ? 3 : bytes - 3] ^= 1;
    (void)vtt_write(f->folder, damaged[k], held, bytes);
    free(held);
    assert_int_equal(vt_import_vectors(vtt_path(f->folder, "v.npy"), &options, &vocab, &vectors, &error), VT_OK);
    vt_vectors_free(vectors);
    vt_vocab_free(vocab);
  }
}

static void test_format_names(void **state) {
  struct fixture *f = *state;
  static const char *const names[][2] = {{"w2v-text", ""},
                                         {"w2v-binary", ""},
                                         {"npy", ".vocab.txt"},
                                         {"safetensors", ".vocab.txt"},
                                         {"projector", ".metadata.tsv"}};
  enum vt_export_format format;
  for (size_t i = 0; i < COUNT(names); i++) {
    assert_int_equal(vt_export_format_find(names[i][0], &format, NULL), VT_OK);
    assert_int_equal(format, i);
    assert_string_equal(vt_export_second_extension(format), names[i][1]);
  }
  struct vt_error error;
  assert_int_equal(vt_export_format_find("glove", &format, &error), VT_ERROR_ARGUMENT);
  for (size_t i = 0; i < COUNT(names); i++) assert_non_null(strstr(error.message, names[i][0]));
  assert_int_equal(vt_export_format_find("", &format, &error), VT_ERROR_ARGUMENT);
  assert_string_equal(vt_export_second_extension((enum vt_export_format)99), "");
  assert_int_equal(vt_export(f->vectors, (enum vt_export_format)99, vtt_path(f->folder, "x"), &error),
                   VT_ERROR_ARGUMENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      CASE(test_w2v_text),
      CASE(test_w2v_binary),
      CASE(test_npy),
      CASE(test_safetensors),
      CASE(test_projector),
      cmocka_unit_test(test_float_text),
      CASE(test_locale_changes_nothing),
      CASE(test_words_that_do_not_fit),
      CASE(test_failure_leaves_nothing),
      CASE(test_second_path),
      CASE(test_replaces_an_existing_file),
      CASE(test_checksums),
      CASE(test_format_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * label: threads. Reading vectors that others trained: every format gives back the bits that were written, files that
 * lie are refused with the place where they do, and a series that fails leaves nothing.
 */
#define _GNU_SOURCE /* strtof_l */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/half.h"
#include "base/rng.h"
#include "run/safetensors.h"
#include "support/temporary.h"
#include "vectrail/export.h"
#include "vectrail/import.h"
#include "vectrail/recorder.h"
#include "vectrail/run.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define ROWS 4
#define DIM 3

static const char *const words[ROWS] = {"the", "na\xC3\xAFve", "don't", "\xE6\xBC\xA2\xE5\xAD\x97"};
static const float values[ROWS][DIM] = {{0.1F, -2.5F, 16777217.0F},
                                        {1e-45F, 3.40282347e38F, -0.0F},
                                        {1.17549421e-38F, 1.0F / 3, 9.99999996e-5F},
                                        {0, 1, -1}};

static const struct vt_import_options plain = {0};

struct loaded {
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
};

static struct loaded load(const char *path, const struct vt_import_options *options) {
  struct loaded loaded;
  struct vt_error error;
  if (vt_import_vectors(path, options, &loaded.vocab, &loaded.vectors, &error) != VT_OK) fail_msg("%s", error.message);
  return loaded;
}

static void unload(struct loaded *loaded) {
  vt_vectors_free(loaded->vectors);
  vt_vocab_free(loaded->vocab);
}

static void assert_values(const struct loaded *loaded) {
  assert_int_equal(loaded->vectors->rows, ROWS);
  assert_int_equal(loaded->vectors->dim, DIM);
  for (uint32_t id = 0; id < ROWS; id++) assert_string_equal(vt_vocab_text(loaded->vocab, id), words[id]);
  assert_memory_equal(loaded->vectors->data, values, sizeof values);
}

/* Reading must fail with a status, and say what is wrong where. */
static void refuse(const char *path, const struct vt_import_options *options, enum vt_status status, const char *what) {
  struct vt_vocab *vocab = NULL;
  struct vt_vectors *vectors = NULL;
  struct vt_error error = {0};
  enum vt_status got = vt_import_vectors(path, options, &vocab, &vectors, &error);
  if (got != status || strstr(error.message, what) == NULL)
    fail_msg("status %d, \"%s\"; expected %d, \"%s\"", got, error.message, status, what);
  assert_null(vocab);
  assert_null(vectors);
}

/* ---- what was written is read ------------------------------------------------------------------------------------ */

static void exports_come_back(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
  static const uint64_t counts[ROWS] = {9, 7, 7, 1};
  assert_int_equal(vt_vocab_create(words, counts, ROWS, &vocab, NULL), VT_OK);
  float *data = vt_vectors_data_alloc(ROWS, DIM);
  memcpy(data, values, sizeof values);
  assert_int_equal(vt_vectors_create(vocab, data, DIM, 0, &vectors, NULL), VT_OK);
  static const enum vt_export_format formats[] = {VT_EXPORT_W2V_TEXT, VT_EXPORT_W2V_BINARY, VT_EXPORT_NPY,
                                                  VT_EXPORT_SAFETENSORS};
  for (size_t f = 0; f < COUNT(formats); f++) {
    const char *path = vtt_path(folder, "vectors.any");
    assert_int_equal(vt_export(vectors, formats[f], path, NULL), VT_OK);
    struct loaded loaded = load(path, &plain);
    assert_values(&loaded);
    unload(&loaded);
  }
  vt_vectors_free(vectors);
  vt_vocab_free(vocab);
  vtt_folder_remove(folder);
}

static void glove_has_no_header_and_words_with_blanks(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_write_text(folder, "glove", "the 1 2\n. . .5 -2e-1\r\nat x@y.org +3 4.\n5 6 7\n\n");
  struct loaded loaded = load(path, &plain);
  assert_int_equal(loaded.vectors->rows, 4);
  assert_string_equal(vt_vocab_text(loaded.vocab, 1), ". .");
  assert_string_equal(vt_vocab_text(loaded.vocab, 2), "at x@y.org");
  assert_string_equal(vt_vocab_text(loaded.vocab, 3), "5");
  static const float expected[] = {1, 2, 0.5F, -0.2F, 3, 4, 6, 7};
  assert_memory_equal(loaded.vectors->data, expected, sizeof expected);
  unload(&loaded);
  /* Its first line might be a header; then it has to be told. */
  path = vtt_write_text(folder, "numbers", "2 1\n3 1.5\n");
  refuse(path, &plain, VT_ERROR_FORMAT, "ends after 1 of 2 rows");
  loaded = load(path, &(struct vt_import_options){.format = VT_IMPORT_GLOVE});
  assert_int_equal(loaded.vectors->rows, 2);
  unload(&loaded);
  vtt_folder_remove(folder);
}

static void write_gzip(const char *path, const char *text) {
  gzFile file = gzopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(gzwrite(file, text, (unsigned)strlen(text)), (int)strlen(text));
  assert_int_equal(gzclose(file), Z_OK);
}

static void texts_may_be_compressed(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  write_gzip(vtt_path(folder, "t.gz"), "\xEF\xBB\xBF"
                                       "2 2\nthe 1 2\nof 3 4\n");
  struct loaded loaded = load(vtt_path(folder, "t.gz"), &plain);
  static const float expected[] = {1, 2, 3, 4};
  assert_memory_equal(loaded.vectors->data, expected, sizeof expected);
  unload(&loaded);
  vtt_folder_remove(folder);
}

/* Decimals of every length and size against the C library. */
static void numbers_are_read_exactly(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 5, 0, 0);
  enum { LINES = 20000, BYTES = 80 };
  char *text = malloc(LINES * BYTES), (*numbers)[64] = malloc(LINES * sizeof *numbers);
  size_t at = 0;
  for (size_t k = 0; k < LINES; k++) {
    uint32_t bits = (uint32_t)vt_rng_next(&rng);
    float value;
    if ((bits & 0x7F800000) == 0x7F800000) bits &= ~UINT32_C(0x40000000);
    memcpy(&value, &bits, sizeof value);
    snprintf(numbers[k], sizeof numbers[k], "%.*g", (int)(1 + vt_rng_next(&rng) % 20), (double)value);
    /* The middle between two floats, and a hair beside it. */
    if (k % 5 == 0 && fabsf(value) > 1e-30F && fabsf(value) < 1e30F)
      snprintf(numbers[k], sizeof numbers[k], "%.*g", k % 2 == 0 ? 40 : 17,
               ((double)value + (double)nextafterf(value, 2 * value)) / 2);
    if (!isfinite(strtof(numbers[k], NULL))) snprintf(numbers[k], sizeof numbers[k], "0");
    at += (size_t)snprintf(text + at, BYTES, "w%zu %s\n", k, numbers[k]);
  }
  struct loaded loaded = load(vtt_write(folder, "t", text, at), &plain);
  assert_int_equal(loaded.vectors->rows, LINES);
  for (size_t k = 0; k < LINES; k++) {
    float expected = strtof(numbers[k], NULL);
    if (memcmp(&expected, &loaded.vectors->data[k], sizeof expected) != 0)
      fail_msg("%s is %.9g, not %.9g", numbers[k], (double)expected, (double)loaded.vectors->data[k]);
  }
  unload(&loaded);
  free(text);
  free(numbers);
  vtt_folder_remove(folder);
}

/* A byte of a number may be a line feed, and what stands before it look like text. */
static void binary_is_told_from_text(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vtt_folder *folder = vtt_folder_create();
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 9, 0, 0);
  for (unsigned first = 0; first < 256; first++) {
    unsigned char file[600];
    int at = snprintf((char *)file, sizeof file, "10 12\n");
    for (int row = 0; row < 10; row++) {
      at += snprintf((char *)file + at, 8, "w%d ", row);
      for (int k = 0; k < 48; k++) file[at + k] = (unsigned char)(k % 4 == 3 ? 0x3D : vt_rng_next(&rng));
      file[at] = (unsigned char)first;
      at += 48;
    }
    struct loaded loaded = load(vtt_write(folder, "b", file, (size_t)at), &plain);
    assert_int_equal(loaded.vectors->rows, 10);
    assert_int_equal(loaded.vectors->dim, 12);
    unload(&loaded);
  }
  vtt_folder_remove(folder);
}

/* ---- .npy and safetensors ---------------------------------------------------------------------------------------- */

/* An .npy of version 1 with this description. */
static const char *write_npy(struct vtt_folder *folder, const char *name, const char *description, const void *data,
                             size_t bytes) {
  unsigned char file[4096] = "\x93NUMPY\x01\x00";
  size_t length = strlen(description);
  file[8] = (unsigned char)length;
  file[9] = (unsigned char)(length >> 8);
  memcpy(file + 10, description, length);
  memcpy(file + 10 + length, data, bytes);
  return vtt_write(folder, name, file, 10 + length + bytes);
}

static void npy_of_every_width(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *vocab = vtt_write_text(folder, "words", "one\ntwo\n");
  const struct vt_import_options options = {.vocab_path = vocab};
  static const float four[] = {1, -0.5F, 3, 0.25F};
  static const double eight[] = {1, -0.5, 3, 0.25};
  static const uint16_t two[] = {0x3C00, 0xB800, 0x4200, 0x3400};
  const char *const paths[] = {
      write_npy(folder, "4", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }   \n", four, sizeof four),
      write_npy(folder, "8", "{\"shape\":(2,2,),\"fortran_order\": False, 'descr':'<f8'}\n", eight, sizeof eight),
      write_npy(folder, "2", "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 2), }\n", two, sizeof two),
  };
  for (size_t k = 0; k < COUNT(paths); k++) {
    struct loaded loaded = load(paths[k], &options);
    assert_memory_equal(loaded.vectors->data, four, sizeof four);
    assert_string_equal(vt_vocab_text(loaded.vocab, 1), "two");
    unload(&loaded);
  }
  static const struct {
    const char *description, *what;
  } bad[] = {
      {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2), }\n", "no little-endian"},
      {"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }\n", "no little-endian"},
      {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }\n", "columns"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), }\n", "shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2), }\n", "shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n", "has 3 rows, but"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", "after 1 of 2 rows"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }\n", "data go on"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }\n", "length 0"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999), }\n", "length 99999999999999999"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999, 2), }\n", "shape"},
      {"", "its numbers"},
  };
  for (size_t k = 0; k < COUNT(bad); k++)
    refuse(write_npy(folder, "bad", bad[k].description, four, sizeof four), &options, VT_ERROR_FORMAT, bad[k].what);
  refuse(vtt_write(folder, "cut", "\x93NUMPY\x01", 7), &options, VT_ERROR_FORMAT, "cut off");
  refuse(vtt_write(folder, "cut", "\x93NUMPY\x01\x00\xFF\x00{}", 12), &options, VT_ERROR_FORMAT, "cut off");
  refuse(vtt_write(folder, "new", "\x93NUMPY\x09\x00\x02\x00{}", 12), &options, VT_ERROR_FORMAT, "version 9");
  refuse(paths[0], &plain, VT_ERROR_NOT_FOUND, "4.vocab.txt");
  vtt_folder_remove(folder);
}

static const char *write_tensors(struct vtt_folder *folder, const char *name) {
  static const uint16_t brain[6] = {0x3F80, 0xC040, 0, 0x4000, 0x3F00, 0xBF80}; /* 1 -3 0 2 0.5 -1 */
  static const float plain32[6] = {1, -3, 0, 2, 0.5F, -1};
  static const int32_t whole[6] = {0};
  const struct vt_tensor tensors[] = {
      {.name = "embed.bf16", .dtype = VT_DTYPE_BF16, .rank = 2, .shape = {3, 2}, .data = brain},
      {.name = "embed.f32", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {3, 2}, .data = plain32},
      {.name = "bias", .dtype = VT_DTYPE_F32, .rank = 1, .shape = {6}, .data = plain32},
      {.name = "head", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = plain32},
      {.name = "ids", .dtype = VT_DTYPE_I32, .rank = 2, .shape = {3, 2}, .data = whole},
  };
  const char *path = vtt_path(folder, name);
  assert_int_equal(vt_safetensors_write(path, NULL, 0, tensors, COUNT(tensors), NULL, NULL), VT_OK);
  return path;
}

static void tensors_are_chosen(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = write_tensors(folder, "model.safetensors"), *three = vtt_write_text(folder, "3", "a\nb\nc\n"),
             *two = vtt_write_text(folder, "2", "a\r\nb\r\n");
  static const float expected[6] = {1, -3, 0, 2, 0.5F, -1};
  static const char *const names[] = {"embed.bf16", "embed.f32"};
  for (size_t k = 0; k < COUNT(names); k++) {
    struct loaded loaded = load(path, &(struct vt_import_options){.vocab_path = three, .tensor = names[k]});
    assert_memory_equal(loaded.vectors->data, expected, sizeof expected);
    unload(&loaded);
  }
  /* The only table of two rows needs no name. */
  struct loaded loaded = load(path, &(struct vt_import_options){.vocab_path = two});
  assert_int_equal(loaded.vectors->dim, 3);
  unload(&loaded);
  refuse(path, &(struct vt_import_options){.vocab_path = three}, VT_ERROR_NOT_FOUND, "more than one tensor fits");
  refuse(path, &(struct vt_import_options){.vocab_path = three, .tensor = "head"}, VT_ERROR_FORMAT, "2 rows");
  refuse(path, &(struct vt_import_options){.vocab_path = three, .tensor = "bias"}, VT_ERROR_FORMAT, "no table");
  refuse(path, &(struct vt_import_options){.vocab_path = three, .tensor = "ids"}, VT_ERROR_FORMAT, "no table");
  struct vt_vocab *vocab;
  struct vt_vectors *vectors;
  struct vt_error error;
  const struct vt_import_options nope = {.vocab_path = three, .tensor = "nope"};
  assert_int_equal(vt_import_vectors(path, &nope, &vocab, &vectors, &error), VT_ERROR_NOT_FOUND);
  assert_non_null(strstr(error.message, "no tensor \"nope\""));
  assert_string_equal(error.help, "there are embed.bf16 BF16 [3, 2], embed.f32 F32 [3, 2], head F32 [2, 3], "
                                  "bias F32 [6], ids I32 [3, 2]");
  size_t bytes;
  char *data = vtt_read(path, &bytes);
  refuse(vtt_write(folder, "cut", data, bytes - 1), &nope, VT_ERROR_CORRUPT, "cut");
  free(data);
  vtt_folder_remove(folder);
}

static void tokenizers_name_rows(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = write_tensors(folder, "model.safetensors");
  struct vt_import_options options = {.tensor = "embed.f32"};
  options.vocab_path = vtt_write_text(
      folder, "bpe.json",
      "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 0, \"content\": \"<s>\"}, {\"id\": 2, \"content\": \"z\"}],"
      " \"model\": {\"type\": \"BPE\", \"vocab\": {\"<s>\": 0}, \"merges\": []}}");
  struct loaded loaded = load(path, &options);
  /* Row 1 has no token. */
  assert_int_equal(loaded.vectors->rows, 2);
  assert_string_equal(vt_vocab_text(loaded.vocab, 1), "z");
  static const float expected[4] = {1, -3, 0.5F, -1};
  assert_memory_equal(loaded.vectors->data, expected, sizeof expected);
  unload(&loaded);
  options.vocab_path =
      vtt_write_text(folder, "unigram.json", "{\"model\": {\"vocab\": [[\"a\", -1.5], [\"b\", -2], [\"c\", -3]]}}");
  loaded = load(path, &options);
  assert_int_equal(loaded.vectors->rows, 3);
  assert_string_equal(vt_vocab_text(loaded.vocab, 2), "c");
  unload(&loaded);
  options.vocab_path = vtt_write_text(folder, "vocab.json", "{\"b\": 1, \"a\": 0}");
  loaded = load(path, &options);
  assert_string_equal(vt_vocab_text(loaded.vocab, 0), "a");
  unload(&loaded);
  static const struct {
    const char *text;
    enum vt_status status;
    const char *what;
  } bad[] = {
      {"{\"a\": 0, \"b\": 3}", VT_ERROR_FORMAT, "a token with id 3"},
      {"{\"a\": 0, \"b\": 0}", VT_ERROR_FORMAT, "same id 0"},
      {"{\"a\": 0, \"b\": -1}", VT_ERROR_FORMAT, "\"b\" has no sound id"},
      {"{\"a\": 0, \"b\": 4294967295}", VT_ERROR_FORMAT, "\"b\" has no sound id"},
      {"{\"a\": 0, \"b\": \"x\"}", VT_ERROR_FORMAT, "\"b\" has no sound id"},
      {"{\"a\": 0, \"\": 1}", VT_ERROR_FORMAT, "0 bytes"},
      {"{\"a\": 0, \"a\": 1}", VT_ERROR_FORMAT, "duplicate"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"added_tokens\": [{\"id\": 1, \"content\": \"a\"}]}", VT_ERROR_FORMAT,
       "that of id 0"},
      {"{\"model\": {\"vocab\": [[\"a\", 1], [3, 1]]}}", VT_ERROR_FORMAT, "entry 1"},
      {"{\"model\": {\"vocab\": {}}}", VT_ERROR_EMPTY, "no words"},
      {"{\"a\": 0", VT_ERROR_FORMAT, "line 1"},
  };
  for (size_t k = 0; k < COUNT(bad); k++) {
    options.vocab_path = vtt_write_text(folder, "bad.json", bad[k].text);
    refuse(path, &options, bad[k].status, bad[k].what);
  }
  vtt_folder_remove(folder);
}

static void lists_of_words(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = write_tensors(folder, "model.safetensors");
  struct vt_import_options options = {.tensor = "embed.f32"};
  options.vocab_path = vtt_write_text(folder, "counts", "a 7\nnew york 5\n{ 2\n");
  struct loaded loaded = load(path, &options);
  assert_string_equal(vt_vocab_text(loaded.vocab, 1), "new york");
  assert_int_equal(vt_vocab_count(loaded.vocab, 0), 7);
  unload(&loaded);
  options.vocab_path = vtt_write_text(folder, "plain", "a 7\nnew york\nc");
  loaded = load(path, &options);
  assert_string_equal(vt_vocab_text(loaded.vocab, 0), "a 7");
  unload(&loaded);
  static const struct {
    const char *text, *what;
  } bad[] = {{"a\nb\na\n", "line 3"},
             {"a\n\nb\n", "line 2"},
             {"a\nb\n", "has 3 rows, but"},
             {"a\nb\nc\nd\n", "words"},
             {"a\nb\xFF\nc\n", "not UTF-8"}};
  for (size_t k = 0; k < COUNT(bad); k++) {
    options.vocab_path = vtt_write_text(folder, "bad", bad[k].text);
    refuse(path, &options, VT_ERROR_FORMAT, bad[k].what);
  }
  options.vocab_path = vtt_write_text(folder, "empty", "");
  refuse(path, &options, VT_ERROR_EMPTY, "no words");
  options.vocab_path = vtt_path(folder, "missing");
  refuse(path, &options, VT_ERROR_NOT_FOUND, "missing");
  vtt_folder_remove(folder);
}

/* ---- texts that lie ---------------------------------------------------------------------------------------------- */

static void malformed_texts_are_refused(void **state) {
  (void)state;
  VTT_NOT_FOR_TSAN();
  struct vtt_folder *folder = vtt_folder_create();
  static const struct {
    const char *text;
    enum vt_status status;
    const char *what;
  } bad[] = {
      {"", VT_ERROR_EMPTY, "empty"},
      {"2 2\nthe 1 2\n", VT_ERROR_FORMAT, "ends after 1 of 2 rows"},
      {"1 2\nthe 1 2\nof 3 4\n", VT_ERROR_FORMAT, "line 3 comes after the last row"},
      {"99999999999999999 2\nthe 1 2\n", VT_ERROR_FORMAT, "ends after 1 of 99999999999999999 rows"},
      {"1 99999999999\nthe 1 2\n", VT_ERROR_FORMAT, "length 99999999999"},
      {"1 0\nthe\n", VT_ERROR_FORMAT, "length 0"},
      {"0 2\n", VT_ERROR_EMPTY, "no vectors"},
      {"2 2\nthe 1 2\nof 3\n", VT_ERROR_FORMAT, "line 3 has 2 fields: a word and 2 numbers"},
      {"2 2\nthe 1 2\nof 3 4 5\n", VT_ERROR_FORMAT, "line 3 has more than 2 numbers"},
      {"2 2\nthe 1 2\nof 3 x\n", VT_ERROR_FORMAT, "line 3: \"x\" is not a number"},
      {"2 2\nthe 1 2\nof 3 0x4\n", VT_ERROR_FORMAT, "\"0x4\" is not a number"},
      {"2 2\nthe 1 2\nof 3 1e\n", VT_ERROR_FORMAT, "\"1e\" is not a number"},
      {"2 2\nthe 1 2\nof 3 .\n", VT_ERROR_FORMAT, "\".\" is not a number"},
      {"2 2\nthe 1 2\nof 3 NaN\n", VT_ERROR_FORMAT, "line 3: number 2 of the vector of \"of\" is NaN"},
      {"2 2\nthe 1 2\nof -inf 3\n", VT_ERROR_FORMAT, "number 1 of the vector of \"of\" is infinite"},
      {"2 2\nthe 1 2\nof 1e39 3\n", VT_ERROR_FORMAT, "too large for float32"},
      {"2 2\nthe 1 2\nthe 3 4\n", VT_ERROR_FORMAT, "line 3: the word \"the\" stands at line 2 already"},
      {"2 2\nthe 1 2\n 3 4\n", VT_ERROR_FORMAT, "line 3"},
      {"2 2\nthe 1 2\n\nof 3 4\n", VT_ERROR_FORMAT, "line 3 is empty"},
      {"the 1 2\n\nof 3 4\n", VT_ERROR_FORMAT, "line 2 is empty"},
      {"the\n", VT_ERROR_FORMAT, "line 1 has 1 field"},
      {"the 1 2\nof 1\n", VT_ERROR_FORMAT, "line 2 has 2 fields"},
      {"PK\x03\x04zip", VT_ERROR_FORMAT, "zip archive"},
      {"\x80\x02pickle", VT_ERROR_FORMAT, "pickle"},
      {"\x01\x02\x03", VT_ERROR_FORMAT, "no format"},
  };
  for (size_t k = 0; k < COUNT(bad); k++)
    refuse(vtt_write_text(folder, "bad", bad[k].text), &plain, bad[k].status, bad[k].what);
  refuse(vtt_write_text(folder, "latin1", "caf\xE9 1 2\nof 3 4\n"),
         &(struct vt_import_options){.format = VT_IMPORT_GLOVE}, VT_ERROR_FORMAT, "line 1: the word is not UTF-8");
  refuse(vtt_write(folder, "nul", "a\0b 1 2\n", 8), &(struct vt_import_options){.format = VT_IMPORT_GLOVE},
         VT_ERROR_FORMAT, "NUL");
  refuse(vtt_path(folder, "missing"), &plain, VT_ERROR_IO, "missing");
  /* Options that have nothing to say about a file are mistakes. */
  const char *good = vtt_write_text(folder, "good", "1 2\nthe 1 2\n");
  refuse(good, &(struct vt_import_options){.tensor = "x"}, VT_ERROR_ARGUMENT, "not safetensors");
  refuse(good, &(struct vt_import_options){.vocab_path = "x"}, VT_ERROR_ARGUMENT, "hold their own");
  /* A line without end takes no memory without end. */
  size_t bytes = (size_t)6 << 20;
  char *endless = malloc(bytes);
  memset(endless, 'a', bytes);
  refuse(vtt_write(folder, "endless", endless, bytes), &plain, VT_ERROR_FORMAT, "more than 4194304 bytes");
  free(endless);
  vtt_folder_remove(folder);
}

static void malformed_binaries_are_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const struct vt_import_options binary = {.format = VT_IMPORT_W2V_BINARY};
  unsigned char file[6000];
  size_t at = (size_t)snprintf((char *)file, sizeof file, "2 2\nthe ");
  static const float numbers[2] = {1, 2}, wrong[2] = {1, NAN};
  memcpy(file + at, numbers, 8);
  memcpy(file + at + 8, "\nof ", 4);
  memcpy(file + at + 12, numbers, 8);
  size_t whole = at + 20;
  struct loaded loaded = load(vtt_write(folder, "whole", file, whole), &plain);
  assert_int_equal(loaded.vectors->rows, 2);
  unload(&loaded);
  for (size_t cut = 4; cut < whole; cut++)
    refuse(vtt_write(folder, "cut", file, cut), &binary, VT_ERROR_FORMAT, cut < at + 8 ? "0 of 2 rows" : "1 of 2 rows");
  memcpy(file + whole, "\nx", 2);
  refuse(vtt_write(folder, "more", file, whole + 2), &binary, VT_ERROR_FORMAT, "data go on");
  memcpy(file + at + 12, wrong, 8);
  refuse(vtt_write(folder, "nan", file, whole), &binary, VT_ERROR_FORMAT, "number 2 of the vector of \"of\" is NaN");
  memset(file + at, 'a', sizeof file - at);
  refuse(vtt_write(folder, "long", file, sizeof file), &binary, VT_ERROR_FORMAT, "no blank ends the word");
  refuse(vtt_write_text(folder, "huge", "999999999999999999 65536\na "), &binary, VT_ERROR_FORMAT, "0 of 9999");
  refuse(vtt_write_text(folder, "header", "x y\n"), &binary, VT_ERROR_FORMAT, "line 1");
  vtt_folder_remove(folder);
}

/* ---- series ------------------------------------------------------------------------------------------------------ */

static struct vt_import_request request_of(const char *run, const char *const *paths, size_t count) {
  return (struct vt_import_request){.paths = paths, .path_count = count, .run_path = run};
}

static void refuse_series(const struct vt_import_request *request, enum vt_status status, const char *what) {
  struct vt_error error = {0};
  enum vt_status got = vt_import(request, NULL, &error);
  if (got != status || strstr(error.message, what) == NULL)
    fail_msg("status %d, \"%s\"; expected %d, \"%s\"", got, error.message, status, what);
}

static float at(const char *run_path, uint64_t step, const char *word, size_t column) {
  struct vt_run *run;
  struct vt_vectors *vectors;
  uint32_t id;
  assert_int_equal(vt_run_open(run_path, &run, NULL), VT_OK);
  assert_int_equal(vt_run_vectors(run, step, &vectors, NULL), VT_OK);
  assert_int_equal(vectors->step, step);
  assert_true(vt_vocab_find(vt_run_vocab(run), word, &id));
  float value = vt_vectors_row(vectors, id)[column];
  vt_vectors_free(vectors);
  vt_run_close(run);
  return value;
}

static size_t snapshots(const char *run_path) {
  struct vt_run *run;
  assert_int_equal(vt_run_open(run_path, &run, NULL), VT_OK);
  size_t count = vt_run_snapshot_count(run);
  vt_run_close(run);
  return count;
}

static void a_series_becomes_a_run(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  /* Formats may differ, and so may the order of the words. */
  const char *const paths[] = {vtt_write_text(folder, "0", "a 1 2\nb 3 4\n"),
                               vtt_write_text(folder, "1", "2 2\nb 7 8\na 5 6\n")};
  const char *run = vtt_path(folder, "run");
  static const uint64_t steps[] = {10, 25};
  struct vt_import_request request = request_of(run, paths, 2);
  request.steps = steps;
  struct vt_import_result result;
  assert_int_equal(vt_import(&request, &result, NULL), VT_OK);
  assert_int_equal(result.words, 2);
  assert_int_equal(result.dim, 2);
  assert_int_equal(result.first_step, 10);
  assert_int_equal(result.last_step, 25);
  assert_true(at(run, 10, "a", 0) == 1 && at(run, 25, "a", 0) == 5 && at(run, 25, "b", 1) == 8);
  struct vt_run *opened;
  struct vt_run_point *points;
  size_t count;
  assert_int_equal(vt_run_open(run, &opened, NULL), VT_OK);
  assert_string_equal(vt_run_snapshot_at(opened, 1).dtype, "F32");
  assert_string_equal(vt_run_meta(opened, "origin"), "import");
  assert_int_equal(vt_run_metric(opened, "speed", &points, &count, NULL), VT_OK);
  /* Both words went (4, 4) in 15 steps. */
  assert_int_equal(count, 2);
  assert_true(isnan(points[0].value) && fabs(points[1].value - sqrt(32) / 15) < 1e-12);
  vt_run_points_free(points);
  vt_run_close(opened);
  vtt_folder_remove(folder);
}

static void a_series_that_fails_leaves_nothing(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *good = vtt_write_text(folder, "good", "a 1 2\nb 3 4\n");
  static const struct {
    const char *text, *what;
  } bad[] = {
      {"a 1 2\n", "holds 1 words, the steps before it 2; \"b\" is missing"},
      {"a 1 2\nb 3 4\nc 5 6\n", "line 3: the word \"c\" is not among the 2"},
      {"a 1 2\na 3 4\n", "line 2: the word \"a\" stands at line 1 already"},
      {"a 1 2 3\nb 3 4 5\n", "vectors of length 3, the steps before it 2"},
      {"a 1 2\nb 3 nan\n", "number 2 of the vector of \"b\" is NaN"},
      {"a 1 2\nb 3 1e5\n", "too large for float16"},
  };
  const char *run = vtt_path(folder, "run");
  for (size_t k = 0; k < COUNT(bad); k++) {
    const char *const paths[] = {good, vtt_write_text(folder, "bad", bad[k].text)};
    struct vt_import_request request = request_of(run, paths, 2);
    request.float16 = true;
    refuse_series(&request, k == 5 ? VT_ERROR_ARGUMENT : VT_ERROR_FORMAT, bad[k].what);
    refuse_series(&request, k == 5 ? VT_ERROR_ARGUMENT : VT_ERROR_FORMAT, paths[1]);
    assert_int_equal(vtt_folder_entries(folder), 2);
  }
  struct vt_import_request request = request_of(run, &good, 1);
  refuse_series(&(struct vt_import_request){.run_path = run}, VT_ERROR_ARGUMENT, "nothing to import");
  request.steps = (const uint64_t[]){UINT64_MAX};
  refuse_series(&request, VT_ERROR_ARGUMENT, "too large");
  static const volatile sig_atomic_t interrupt = 1;
  request.steps = NULL;
  request.read.interrupt = &interrupt;
  refuse_series(&request, VT_ERROR_INTERRUPTED, "");
  request.read.interrupt = NULL;
  request.append = true;
  refuse_series(&request, VT_ERROR_NOT_FOUND, "no run");
  assert_int_equal(vtt_folder_entries(folder), 2);
  request.append = false;
  assert_int_equal(vt_import(&request, NULL, NULL), VT_OK);
  refuse_series(&request, VT_ERROR_EXISTS, "holds a run already");
  request.run_path = good;
  refuse_series(&request, VT_ERROR_EXISTS, "not a run");
  vtt_folder_remove(folder);
}

static void appending_goes_on_or_changes_nothing(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *first = vtt_write_text(folder, "0", "a 1 2\nb 3 4\n"),
             *second = vtt_write_text(folder, "1", "b 5 6\na 7 8\n"), *bad = vtt_write_text(folder, "bad", "a 1 2\n");
  const char *run = vtt_path(folder, "run");
  struct vt_import_request request = request_of(run, &first, 1);
  assert_int_equal(vt_import(&request, NULL, NULL), VT_OK);
  request = request_of(run, &second, 1);
  request.append = true;
  struct vt_import_result result;
  assert_int_equal(vt_import(&request, &result, NULL), VT_OK);
  assert_true(result.first_step == 1 && result.last_step == 1 && result.words == 2 && result.dim == 2);
  assert_true(at(run, 0, "a", 0) == 1 && at(run, 1, "a", 0) == 7);
  /* One that is good and one that is not: neither stays. */
  const char *const both[] = {second, bad};
  request = request_of(run, both, 2);
  request.append = true;
  refuse_series(&request, VT_ERROR_FORMAT, "missing");
  assert_int_equal(snapshots(run), 2);
  assert_false(vtt_exists(vtt_path(folder, "run/snapshots/2.safetensors")));
  assert_false(vtt_exists(vtt_path(folder, "run/run.lock")));
  request.paths = &second;
  request.path_count = 1;
  request.steps = (const uint64_t[]){1};
  refuse_series(&request, VT_ERROR_ARGUMENT, "has come to step 1 already");
  request.steps = (const uint64_t[]){9};
  assert_int_equal(vt_import(&request, &result, NULL), VT_OK);
  assert_int_equal(snapshots(run), 3);
  assert_true(at(run, 9, "b", 1) == 6);
  /* The speed is taken from the snapshot before, of another sitting. */
  struct vt_run *opened;
  struct vt_run_point *points;
  size_t count;
  assert_int_equal(vt_run_open(run, &opened, NULL), VT_OK);
  assert_int_equal(vt_run_metric(opened, "speed", &points, &count, NULL), VT_OK);
  assert_true(count == 3 && fabs(points[1].value - (sqrt(72) + sqrt(8)) / 2) < 1e-12 && points[2].value == 0);
  vt_run_points_free(points);
  vt_run_close(opened);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exports_come_back),
      cmocka_unit_test(glove_has_no_header_and_words_with_blanks),
      cmocka_unit_test(texts_may_be_compressed),
      cmocka_unit_test(numbers_are_read_exactly),
      cmocka_unit_test(binary_is_told_from_text),
      cmocka_unit_test(npy_of_every_width),
      cmocka_unit_test(tensors_are_chosen),
      cmocka_unit_test(tokenizers_name_rows),
      cmocka_unit_test(lists_of_words),
      cmocka_unit_test(malformed_texts_are_refused),
      cmocka_unit_test(malformed_binaries_are_refused),
      cmocka_unit_test(a_series_becomes_a_run),
      cmocka_unit_test(a_series_that_fails_leaves_nothing),
      cmocka_unit_test(appending_goes_on_or_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tensor files: what is written is read, and what does not hold together is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "run/safetensors.h"
#include "support/temporary.h"

static const float numbers[6] = {1, -2.5F, 0.1F, 65504, 0, -1e-5F};

static void what_is_written_is_read(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "a.safetensors");
  static const double wide[3] = {1.5, -2, 1e300};
  static const uint16_t brain[2] = {0x3f80, 0xc040}; /* 1 and -3 */
  static const uint64_t whole[1] = {7};
  const struct vt_safetensors_meta meta[] = {{"note", "a \"quoted\" one"}, {"step", "12"}};
  const struct vt_tensor tensors[] = {
      {.name = "f32", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = numbers},
      {.name = "bf16", .dtype = VT_DTYPE_BF16, .rank = 1, .shape = {2}, .data = brain},
      {.name = "f64", .dtype = VT_DTYPE_F64, .rank = 1, .shape = {3}, .data = wide},
      {.name = "u64", .dtype = VT_DTYPE_U64, .data = whole},
      {.name = "none", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {0, 5}, .data = numbers},
  };
  char sha256[VT_SHA256_TEXT_BYTES], again[VT_SHA256_TEXT_BYTES];
  assert_int_equal(vt_safetensors_write(path, meta, 2, tensors, 5, sha256, NULL), VT_OK);
  struct vt_safetensors *file;
  assert_int_equal(vt_safetensors_open(path, &file, NULL), VT_OK);
  assert_int_equal(vt_safetensors_count(file), 5);
  assert_string_equal(vt_safetensors_meta(file, "note"), "a \"quoted\" one");
  assert_null(vt_safetensors_meta(file, "other"));
  const struct vt_tensor *f32 = vt_safetensors_find(file, "f32");
  assert_int_equal(f32->shape[1], 3);
  float read[6];
  assert_int_equal(vt_tensor_to_float(f32, read, NULL), VT_OK);
  assert_memory_equal(read, numbers, sizeof read);
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "bf16"), read, NULL), VT_OK);
  assert_true(read[0] == 1 && read[1] == -3);
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "f64"), read, NULL), VT_OK);
  assert_true(read[0] == 1.5F && isinf(read[2]));
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "u64"), read, NULL), VT_ERROR_FORMAT);
  assert_null(vt_safetensors_find(file, "missing"));

  /* The hash, by itself. */
  vt_safetensors_sha256(file, again);
  assert_string_equal(sha256, again);
  size_t bytes;
  char *data = vtt_read(path, &bytes);
  struct sha256_ctx hash;
  uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_init(&hash);
  sha256_update(&hash, bytes, (const uint8_t *)data);
  sha256_digest(&hash, sizeof digest, digest);
  for (size_t k = 0; k < sizeof digest; k++) {
    char two[3];
    snprintf(two, sizeof two, "%02x", digest[k]);
    assert_memory_equal(sha256 + 2 * k, two, 2);
  }
  free(data);
  vt_safetensors_close(file);
  vtt_folder_remove(folder);
}

/* Every type, odd sizes and a rank of 0 among them, and each a whole number of its elements. */
static void every_type_comes_back(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "all.safetensors");
  unsigned char data[15 * 8];
  for (size_t k = 0; k < sizeof data; k++) data[k] = (unsigned char)(k * 37 + 11);
  struct vt_tensor tensors[VT_DTYPES];
  for (int k = 0; k < VT_DTYPES; k++) {
    enum vt_dtype dtype = (enum vt_dtype)k;
    tensors[k] = (struct vt_tensor){.name = vt_dtype_name(dtype), .dtype = dtype, .data = data};
    tensors[k].rank = (size_t)k % 4;
    const uint64_t shape[3] = {3, 5, 1};
    memcpy(tensors[k].shape, shape, sizeof shape);
  }
  assert_int_equal(vt_safetensors_write(path, NULL, 0, tensors, VT_DTYPES, NULL, NULL), VT_OK);
  struct vt_safetensors *file;
  assert_int_equal(vt_safetensors_open(path, &file, NULL), VT_OK);
  assert_int_equal(vt_safetensors_count(file), VT_DTYPES);
  assert_null(vt_safetensors_meta(file, "format"));
  for (int k = 0; k < VT_DTYPES; k++) {
    const struct vt_tensor *tensor = vt_safetensors_find(file, tensors[k].name);
    static const size_t elements[] = {1, 3, 15, 15};
    assert_ptr_equal(tensor, vt_safetensors_at(file, (size_t)k)); /* in the order they were written */
    assert_int_equal(tensor->dtype, tensors[k].dtype);
    assert_int_equal(tensor->rank, tensors[k].rank);
    assert_memory_equal(tensor->shape, tensors[k].shape, tensor->rank * sizeof *tensor->shape);
    assert_int_equal(tensor->bytes, elements[k % 4] * vt_dtype_bytes(tensor->dtype));
    assert_memory_equal(tensor->data, data, tensor->bytes);
  }
  vt_safetensors_close(file);
  vt_safetensors_close(NULL);
  vtt_folder_remove(folder);
}

/* Tables lie in memory with room behind each row; a file has none, and begins its data at a multiple of 8. */
static void rows_are_written_without_what_is_between_them(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *wide = vtt_path(folder, "wide"), *narrow = vtt_path(folder, "narrow");
  static const float padded[2][4] = {{1, -2.5F, 0.1F, NAN}, {65504, 0, -1e-5F, NAN}};
  struct vt_tensor tensor = {.name = "t", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = numbers};
  char sha256[3][VT_SHA256_TEXT_BYTES];
  assert_int_equal(vt_safetensors_write(narrow, NULL, 0, &tensor, 1, sha256[0], NULL), VT_OK);
  vt_tensors_sha256(&tensor, 1, sha256[1]);
  tensor.data = padded;
  tensor.stride_bytes = sizeof padded[0];
  assert_int_equal(vt_safetensors_write(wide, NULL, 0, &tensor, 1, sha256[2], NULL), VT_OK);
  assert_string_equal(sha256[0], sha256[2]);
  vt_tensors_sha256(&tensor, 1, sha256[2]);
  assert_string_equal(sha256[1], sha256[2]);
  size_t bytes[2];
  char *data[2] = {vtt_read(narrow, &bytes[0]), vtt_read(wide, &bytes[1])};
  assert_int_equal(bytes[0], bytes[1]);
  assert_memory_equal(data[0], data[1], bytes[0]);
  assert_int_equal((bytes[0] - sizeof numbers) % 8, 0);
  free(data[0]);
  free(data[1]);
  assert_int_equal(vtt_folder_entries(folder), 2);
  vtt_folder_remove(folder);
}

/* Data of foreign files need not be aligned. */
static void numbers_are_read_wherever_they_lie(void **state) {
  (void)state;
  static const char header[] = "{\"odd\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                               "\"f64\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[1,9]},"
                               "\"f16\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[9,13]},"
                               "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[13,15]},"
                               "\"f32\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[15,19]}}";
  static const double wide = -0.25;
  static const uint16_t halves[] = {0x3555, 0xfc00}, brain = 0x4049;
  static const float single = 0.1F;
  struct vtt_folder *folder = vtt_folder_create();
  char bytes[512];
  uint64_t length = sizeof header - 1;
  char *at = bytes + 8 + length;
  memcpy(bytes, &length, 8);
  memcpy(bytes + 8, header, length);
  at[0] = 7;
  memcpy(at + 1, &wide, 8);
  memcpy(at + 9, halves, 4);
  memcpy(at + 13, &brain, 2);
  memcpy(at + 15, &single, 4);
  struct vt_safetensors *file;
  struct vt_error error;
  assert_int_equal(vt_safetensors_open(vtt_write(folder, "odd", bytes, 8 + length + 19), &file, NULL), VT_OK);
  float read[2];
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "f64"), read, NULL), VT_OK);
  assert_true(read[0] == -0.25F);
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "f16"), read, NULL), VT_OK);
  assert_true(read[0] == 0x1.554p-2F && isinf(read[1]) && read[1] < 0);
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "bf16"), read, NULL), VT_OK);
  assert_true(read[0] == 3.140625F);
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "f32"), read, NULL), VT_OK);
  assert_true(read[0] == 0.1F);
  assert_int_equal(vt_tensor_to_float(vt_safetensors_find(file, "odd"), read, &error), VT_ERROR_FORMAT);
  assert_non_null(strstr(error.message, "odd"));
  vt_safetensors_close(file);
  vtt_folder_remove(folder);
}

/* A file of a header and some bytes of data. */
static enum vt_status open_header(struct vtt_folder *folder, const char *header, size_t data_bytes) {
  char bytes[2048] = {0};
  uint64_t length = strlen(header);
  memcpy(bytes, &length, 8);
  memcpy(bytes + 8, header, length);
  const char *path = vtt_write(folder, "hostile", bytes, 8 + length + data_bytes);
  struct vt_safetensors *file;
  struct vt_error error;
  enum vt_status status = vt_safetensors_open(path, &file, &error);
  if (status == VT_OK)
    vt_safetensors_close(file);
  else
    assert_non_null(strstr(error.message, "hostile"));
  return status;
}

static void hostile_headers_are_refused(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *sound = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  assert_int_equal(open_header(folder, sound, 8), VT_OK);
  assert_int_equal(open_header(folder, sound, 7), VT_ERROR_CORRUPT);
  static const char *const hostile[] = {
      "",
      "{",
      "[]",
      "7",
      "{\"a\":7}",
      "{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387905,4],\"data_offsets\":[0,16]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
      "\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],"
      "\"data_offsets\":[4,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}",
      "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"f32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"2\"],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[null],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1e300],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[18446744073709551617],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":{\"0\":0,\"1\":8}}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[9223372036854775799,9223372036854775807]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}} {}",
      "{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      /* Bytes that belong to nothing: before, between, behind, and all of them. */
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],"
      "\"data_offsets\":[4,8]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{}",
      /* Metadata are texts with names. */
      "{\"__metadata__\":7,\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"__metadata__\":[\"x\"],\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"__metadata__\":{\"x\":7},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
      "{\"__metadata__\":{\"x\":{}},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
  };
  for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++)
    if (open_header(folder, hostile[k], 8) != VT_ERROR_CORRUPT) fail_msg("%s", hostile[k]);
  assert_int_equal(open_header(folder, "{}", 0), VT_OK);
  assert_int_equal(open_header(folder, "{\"__metadata__\":{\"x\":\"\"}}   ", 0), VT_OK);
  assert_int_equal(open_header(folder, "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,9],\"data_offsets\":[0,0]}}", 0), VT_OK);
  /* Lengths that lie, and nesting. */
  struct vt_safetensors *file;
  static const uint64_t lies[] = {1, 100, UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 40};
  for (size_t k = 0; k < sizeof lies / sizeof *lies; k++)
    assert_int_equal(vt_safetensors_open(vtt_write(folder, "short", &lies[k], 8), &file, NULL), VT_ERROR_CORRUPT);
  assert_int_equal(vt_safetensors_open(vtt_write(folder, "short", "abc", 3), &file, NULL), VT_ERROR_CORRUPT);
  char deep[1001];
  memset(deep, '[', 1000);
  deep[1000] = '\0';
  assert_int_equal(open_header(folder, deep, 0), VT_ERROR_CORRUPT);
  vtt_folder_remove(folder);
}

/* Any byte of the header changed: never a crash, and what opens lies within the file. */
static void changed_bytes_never_reach_beyond_the_file(void **state) {
  (void)state;
  struct vtt_folder *folder = vtt_folder_create();
  const char *path = vtt_path(folder, "sound");
  const struct vt_tensor tensor = {.name = "t", .dtype = VT_DTYPE_F32, .rank = 2, .shape = {2, 3}, .data = numbers};
  assert_int_equal(vt_safetensors_write(path, NULL, 0, &tensor, 1, NULL, NULL), VT_OK);
  size_t bytes;
  char *data = vtt_read(path, &bytes);
  struct vt_rng rng = vt_rng_make(VT_RNG_TEST, 2, 0, 0);
  for (int k = 0; k < 3000; k++) {
    size_t at = vt_rng_below(&rng, (uint32_t)bytes);
    char before = data[at];
    data[at] = (char)vt_rng_next(&rng);
    struct vt_safetensors *file;
    if (vt_safetensors_open(vtt_write(folder, "changed", data, bytes), &file, NULL) == VT_OK) {
      for (size_t t = 0; t < vt_safetensors_count(file); t++) {
        float read[64];
        if (vt_safetensors_at(file, t)->bytes <= sizeof numbers)
          vt_tensor_to_float(vt_safetensors_at(file, t), read, NULL);
        assert_true(vt_safetensors_at(file, t)->bytes <= bytes);
      }
      vt_safetensors_close(file);
    }
    data[at] = before;
  }
  free(data);
  vtt_folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_written_is_read),
      cmocka_unit_test(every_type_comes_back),
      cmocka_unit_test(rows_are_written_without_what_is_between_them),
      cmocka_unit_test(numbers_are_read_wherever_they_lie),
      cmocka_unit_test(hostile_headers_are_refused),
      cmocka_unit_test(changed_bytes_never_reach_beyond_the_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

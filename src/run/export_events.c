/*
 * export_events.c: what a run measured, as an event file of TensorBoard.
 *
 * The file is a series of records (TensorFlow's TFRecord: length, a checksum of the length, bytes, a checksum of the
 * bytes), each an `Event` in protocol buffers' encoding: { 1: wall_time double, 2: step varint, 3: file_version or
 * 5: summary { 1: value { 1: tag, 2: simple_value float } } }. The checksum is CRC-32C (Castagnoli, as in RFC 3720,
 * appendix B.4), rotated by 15 bits and shifted by a constant, which TensorFlow calls masked.
 *
 * wall_time is the seconds of training, so that TensorBoard's relative time is true and the file a function of the run.
 * Memory: the times of the steps. Threads: none.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "run/run_internal.h"
#include "run/store.h"
#include "vectrail/export.h"

#define TAG_BYTES_MAX 1024

struct moment {
  uint64_t step;
  double seconds;
};

struct events {
  struct vt_output *output;
  const struct vt_vocab *vocab;
  struct moment *moments; /* of the steps, by step */
  size_t moment_count, moment_capacity;
  uint64_t written;
};

/* ---- records ----------------------------------------------------------------------------------------------------- */

static uint32_t crc32c(const unsigned char *data, size_t bytes) {
  uint32_t crc = UINT32_MAX;
  for (size_t k = 0; k < bytes; k++) {
    crc ^= data[k];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
  }
  return ~crc;
}

static void put_little(unsigned char *to, uint64_t value, int bytes) {
  for (int k = 0; k < bytes; k++) to[k] = (unsigned char)(value >> 8 * k);
}

static uint32_t masked_crc(const unsigned char *data, size_t bytes) {
  uint32_t crc = crc32c(data, bytes);
  return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static enum vt_status put_record(struct events *events, const unsigned char *data, size_t bytes,
                                 struct vt_error *error) {
  unsigned char head[12], tail[4];
  put_little(head, bytes, 8);
  put_little(head + 8, masked_crc(head, 8), 4);
  put_little(tail, masked_crc(data, bytes), 4);
  VT_TRY(vt_output_write(events->output, head, sizeof head, error));
  VT_TRY(vt_output_write(events->output, data, bytes, error));
  return vt_output_write(events->output, tail, sizeof tail, error);
}

/* ---- protocol buffers -------------------------------------------------------------------------------------------- */

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct message {
  unsigned char data[TAG_BYTES_MAX + 128];
  size_t bytes;
};

static void put_varint(struct message *message, uint64_t value) {
  for (; value >= 128; value >>= 7) message->data[message->bytes++] = (unsigned char)(value | 128);
  message->data[message->bytes++] = (unsigned char)value;
}

static void put_key(struct message *message, unsigned field, enum wire wire) {
  put_varint(message, field << 3 | (unsigned)wire);
}

static void put_bytes(struct message *message, unsigned field, const void *data, size_t bytes) {
  put_key(message, field, BYTES);
  put_varint(message, bytes);
  memcpy(message->data + message->bytes, data, bytes);
  message->bytes += bytes;
}

static void put_double(struct message *message, unsigned field, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_key(message, field, FIXED64);
  put_little(message->data + message->bytes, bits, 8);
  message->bytes += 8;
}

static void put_float(struct message *message, unsigned field, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  put_key(message, field, FIXED32);
  put_little(message->data + message->bytes, bits, 4);
  message->bytes += 4;
}

static enum vt_status put_version(struct events *events, struct vt_error *error) {
  static const char version[] = "brain.Event:2";
  struct message event = {.bytes = 0};
  put_double(&event, 1, 0);
  put_bytes(&event, 3, version, sizeof version - 1);
  return put_record(events, event.data, event.bytes, error);
}

static double seconds_of(const struct events *events, uint64_t step) {
  size_t low = 0, high = events->moment_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (events->moments[middle].step < step)
      low = middle + 1;
    else
      high = middle;
  }
  return low < events->moment_count && events->moments[low].step == step ? events->moments[low].seconds : 0;
}

static enum vt_status put_scalar(struct events *events, const char *tag, uint64_t step, double value,
                                 struct vt_error *error) {
  struct message inner = {.bytes = 0}, summary = {.bytes = 0}, event = {.bytes = 0};
  size_t length = strlen(tag);
  put_bytes(&inner, 1, tag, length < TAG_BYTES_MAX ? length : TAG_BYTES_MAX);
  put_float(&inner, 2, (float)value);
  put_bytes(&summary, 1, inner.data, inner.bytes);
  put_double(&event, 1, seconds_of(events, step));
  put_key(&event, 2, VARINT);
  put_varint(&event, step);
  put_bytes(&event, 5, summary.data, summary.bytes);
  events->written++;
  return put_record(events, event.data, event.bytes, error);
}

/* ---- the tables of a run ----------------------------------------------------------------------------------------- */

static enum vt_status take_moment(void *context, const struct vt_store_value *values, struct vt_error *error) {
  struct events *events = context;
  if (events->moment_count == events->moment_capacity) {
    size_t capacity = events->moment_capacity == 0 ? 256 : 2 * events->moment_capacity;
    struct moment *more = vt_realloc(events->moments, capacity, sizeof *more);
    if (more == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *more);
    events->moments = more;
    events->moment_capacity = capacity;
  }
  events->moments[events->moment_count++] =
      (struct moment){.step = (uint64_t)values[0].integer, .seconds = values[3].real};
  return VT_OK;
}

static enum vt_status put_rate(void *context, const struct vt_store_value *values, struct vt_error *error) {
  return put_scalar(context, "lr", (uint64_t)values[0].integer, values[4].real, error);
}

static enum vt_status put_metric(void *context, const struct vt_store_value *values, struct vt_error *error) {
  char tag[TAG_BYTES_MAX + 1];
  size_t bytes = values[1].bytes < TAG_BYTES_MAX ? values[1].bytes : TAG_BYTES_MAX;
  memcpy(tag, values[1].data, bytes);
  tag[bytes] = '\0';
  return put_scalar(context, tag, (uint64_t)values[0].integer, values[2].real, error);
}

static enum vt_status put_pair(void *context, const struct vt_store_value *values, struct vt_error *error) {
  const struct events *events = context;
  uint64_t a = (uint64_t)values[0].integer, b = (uint64_t)values[1].integer, size = vt_vocab_size(events->vocab);
  if (a >= size || b >= size) return VT_FAIL(error, VT_ERROR_CORRUPT, "damaged database: a pair of unknown words");
  const char *words[] = {vt_vocab_text(events->vocab, (uint32_t)a), vt_vocab_text(events->vocab, (uint32_t)b)};
  char tag[TAG_BYTES_MAX + 1];
  snprintf(tag, sizeof tag, "cosine/%.*s %.*s", TAG_BYTES_MAX / 2 - 8, words[0], TAG_BYTES_MAX / 2 - 8, words[1]);
  return put_scalar(context, tag, (uint64_t)values[2].integer, values[3].real, error);
}

static enum vt_status put_all(struct events *events, struct vt_store *store, struct vt_error *error) {
  VT_TRY(vt_store_read(store, VT_STORE_STEP, take_moment, events, error));
  VT_TRY(put_version(events, error));
  VT_TRY(vt_store_read(store, VT_STORE_STEP, put_rate, events, error));
  VT_TRY(vt_store_read(store, VT_STORE_METRIC, put_metric, events, error));
  return vt_store_read(store, VT_STORE_PAIR, put_pair, events, error);
}

enum vt_status vt_export_events(struct vt_run *run, const char *path, uint64_t *written, struct vt_error *error) {
  struct events events = {.vocab = vt_run_vocab(run)};
  VT_TRY(vt_output_open(path, &events.output, error));
  enum vt_status status = put_all(&events, vt_run_store(run), error);
  if (status == VT_OK)
    status = vt_output_commit(events.output, error);
  else
    vt_output_abort(events.output);
  vt_free(events.moments);
  if (status == VT_OK && written != NULL) *written = events.written;
  return status;
}

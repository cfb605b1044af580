/*
 * import.c: files of vectors into memory, and a series of them into a run.
 *
 * A run is staged and takes its place when the last file was read, so what cannot be read leaves nothing; one that is
 * appended to is put back as it was. A snapshot is written by the recorder's thread while the next file is read.
 *
 * Memory: the table of one file, at most two packed ones that wait to be written, and the words. Threads: the
 * recorder's.
 */
#include "vectrail/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "run/checksum_file.h"
#include "run/folder.h"
#include "run/import.h"
#include "run/run_recorder.h"

const char *vt_import_format_name(enum vt_import_format format) {
#define X(id, name, text) name,
  static const char *const names[] = {VT_IMPORT_MAP(X)};
#undef X
  return (size_t)format < sizeof names / sizeof names[0] ? names[format] : "unknown";
}

/* ---- one file ------------------------------------------------------------------------------------------------------
 */

/* What one file gave. vocab is NULL where the words were known. */
struct file {
  enum vt_import_format format;
  struct vt_vocab *vocab;
  float *data;
  size_t dim;
};

static bool has_no_words(enum vt_import_format format) {
  return format == VT_IMPORT_NPY || format == VT_IMPORT_SAFETENSORS;
}

static enum vt_status fill_table(struct vt_stream *stream, const char *path, const struct vt_import_options *options,
                                 enum vt_import_format format, const struct vt_import_names *names,
                                 const struct vt_vocab *known, struct vt_import_table *table, struct vt_error *error) {
  switch (format) {
  case VT_IMPORT_W2V_TEXT:
    return vt_import_text(stream, true, known, table, error);
  case VT_IMPORT_GLOVE:
    return vt_import_text(stream, false, known, table, error);
  case VT_IMPORT_W2V_BINARY:
    return vt_import_w2v_binary(stream, known, table, error);
  case VT_IMPORT_NPY:
    return vt_import_npy(stream, names, known, table, error);
  case VT_IMPORT_SAFETENSORS:
    return vt_import_safetensors(path, options->tensor, names, known, table, error);
  case VT_IMPORT_AUTO:
    break;
  }
  return VT_FAIL(error, VT_ERROR_ARGUMENT, "there is no format %d", (int)format);
}

/* names: those of a file that was read before, all zero for the first; they are kept where a file was named. */
static enum vt_status read_stream(struct vt_stream *stream, const char *path, const struct vt_import_options *options,
                                  struct vt_import_names *names, const struct vt_vocab *known, struct file *file,
                                  struct vt_error *error) {
  file->format = options->format;
  if (file->format == VT_IMPORT_AUTO) VT_TRY(vt_import_guess(stream, &file->format, error));
  if (options->tensor != NULL && file->format != VT_IMPORT_SAFETENSORS)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s: a tensor is named, but the file is %s, not safetensors", path,
                   vt_import_format_name(file->format));
  if (has_no_words(file->format)) {
    if (names->vocab != NULL && options->vocab_path == NULL) vt_import_names_release(names);
    if (names->vocab == NULL) VT_TRY(vt_import_names_load(names, options->vocab_path, path, error));
  } else if (options->vocab_path != NULL) {
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "%s: a file of words is named, but %s files hold their own", path,
                   vt_import_format_name(file->format));
  }
  struct vt_import_table table = {0};
  enum vt_status status = fill_table(stream, path, options, file->format, names, known, &table, error);
  if (status == VT_OK) status = vt_import_table_finish(&table, &file->vocab, &file->data, error);
  file->dim = table.dim;
  vt_import_table_release(&table);
  return status;
}

static enum vt_status read_file(const char *path, const struct vt_import_options *options,
                                struct vt_import_names *names, const struct vt_vocab *known, struct file *file,
                                struct vt_error *error) {
  struct vt_stream stream;
  *file = (struct file){0};
  if (strcmp(path, "-") != 0) VT_TRY(vt_checksum_verify(path, error));
  VT_TRY(vt_stream_open(&stream, path, options->interrupt, error));
  enum vt_status status = read_stream(&stream, path, options, names, known, file, error);
  vt_stream_release(&stream);
  return status;
}

enum vt_status vt_import_vectors(const char *path, const struct vt_import_options *options, struct vt_vocab **vocab,
                                 struct vt_vectors **vectors, struct vt_error *error) {
  struct vt_import_names names = {0};
  struct file file;
  enum vt_status status = read_file(path, options, &names, NULL, &file, error);
  vt_import_names_release(&names);
  if (status == VT_OK) status = vt_vectors_create(file.vocab, file.data, file.dim, 0, vectors, error);
  if (status != VT_OK) {
    vt_vocab_free(file.vocab);
    return status;
  }
  *vocab = file.vocab;
  return VT_OK;
}

/* ---- a series ------------------------------------------------------------------------------------------------------
 */

struct series {
  const struct vt_import_request *request;
  struct vt_run_recorder *recorder; /* NULL until the first file is read, unless it is appended to */
  struct vt_vocab *vocab;           /* of the first file, unless it is appended to */
  const struct vt_vocab *known;
  struct vt_import_names names;
  size_t words; /* of known, which goes with the recorder of a run that is appended to */
  size_t dim;
  uint64_t first_step;
  enum vt_import_format format;
};

static uint64_t step_of(const struct series *series, size_t k) {
  return series->request->steps != NULL ? series->request->steps[k] : series->first_step + k;
}

static enum vt_status check_request(const struct vt_import_request *request, struct vt_error *error) {
  if (request->path_count == 0)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "pass at least one file of vectors", "there is nothing to import");
  if (request->append && request->force)
    return VT_FAIL(error, VT_ERROR_ARGUMENT, "a run is either replaced or appended to, not both");
  for (size_t k = 0; request->steps != NULL && k < request->path_count; k++) {
    if (request->steps[k] >= (uint64_t)INT64_MAX)
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "step %" PRIu64 " is too large: up to 2^63 - 2", request->steps[k]);
    if (k > 0 && request->steps[k] <= request->steps[k - 1])
      return VT_FAIL(error, VT_ERROR_ARGUMENT, "steps ascend, but %" PRIu64 " follows %" PRIu64, request->steps[k],
                     request->steps[k - 1]);
  }
  return VT_OK;
}

static enum vt_status open_run(struct series *series, struct vt_error *error) {
  const struct vt_import_request *request = series->request;
  if (!request->append) {
    bool run;
    if (request->steps != NULL) series->first_step = request->steps[0];
    /* Asked before anything is read. */
    enum vt_status status = vt_run_folder_check(request->run_path, request->force, &run, error);
    if (status != VT_OK && run)
      return VT_FAIL_HELP(error, status, "pass --append to go on with it, or --force to replace it",
                          "%s: holds a run already", request->run_path);
    return status;
  }
  VT_TRY(vt_run_recorder_append(request->run_path, &series->recorder, error));
  series->known = vt_run_recorder_vocab(series->recorder);
  series->dim = vt_run_recorder_dim(series->recorder);
  uint64_t last;
  bool any = vt_run_recorder_last_step(series->recorder, &last);
  series->first_step = request->steps != NULL ? request->steps[0] : any ? last + 1 : 0;
  if (any && series->first_step <= last)
    return VT_FAIL_HELP(error, VT_ERROR_ARGUMENT, "give later steps by --steps, or none: they go on from the last",
                        "%s: step %" PRIu64 " is to be appended, but the run has come to step %" PRIu64 " already",
                        request->run_path, series->first_step, last);
  return VT_OK;
}

/* Takes over the words of the first file, and begins the run; or holds a later one against it. */
static enum vt_status accept(struct series *series, size_t k, struct file *file, struct vt_error *error) {
  const struct vt_import_request *request = series->request;
  series->format = file->format;
  if (series->known != NULL && file->dim != series->dim)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "all files of a series have vectors of the same length",
                        "%s: has vectors of length %zu, the steps before it %zu", request->paths[k], file->dim,
                        series->dim);
  if (series->known != NULL) return VT_OK;
  series->vocab = file->vocab;
  series->known = file->vocab;
  file->vocab = NULL;
  series->dim = file->dim;
  return vt_run_recorder_stage(request->run_path, series->known, series->dim, request->force, VT_ORIGIN_IMPORT,
                               &series->recorder, error);
}

static enum vt_status import_file(struct series *series, size_t k, struct vt_error *error) {
  const struct vt_import_request *request = series->request;
  const char *path = request->paths[k];
  uint64_t step = step_of(series, k);
  struct file file;
  VT_TRY(vt_input_check_interrupt(request->read.interrupt, path, error));
  VT_TRY(read_file(path, &request->read, &series->names, series->known, &file, error));
  enum vt_status status = accept(series, k, &file, error);
  if (status == VT_OK) status = vt_run_recorder_step(series->recorder, &(struct vt_run_step){.step = step}, error);
  if (status == VT_OK) {
    struct vt_error reason;
    status = vt_run_recorder_vectors(series->recorder, step, request->float16, file.data, NULL, &reason);
    if (status != VT_OK) status = VT_FAIL_HELP(error, status, reason.help, "%s: %s", path, reason.message);
  }
  vt_vocab_free(file.vocab);
  vt_free_aligned(file.data);
  if (status == VT_OK && request->progress != NULL) request->progress(request->progress_context, k + 1, step);
  return status;
}

/* Which file gave which step; written last, when all were good. */
static enum vt_status note_files(struct series *series, struct vt_error *error) {
  const struct vt_import_options *read = &series->request->read;
  if (read->tensor != NULL) VT_TRY(vt_run_recorder_meta(series->recorder, "tensor", read->tensor, error));
  if (read->vocab_path != NULL) VT_TRY(vt_run_recorder_meta(series->recorder, "vocab", read->vocab_path, error));
  VT_TRY(vt_run_recorder_meta(series->recorder, "format", vt_import_format_name(series->format), error));
  for (size_t k = 0; k < series->request->path_count; k++)
    VT_TRY(vt_run_recorder_note(series->recorder, step_of(series, k), "imported", series->request->paths[k], error));
  return VT_OK;
}

static enum vt_status import_all(struct series *series, struct vt_error *error) {
  VT_TRY(open_run(series, error));
  for (size_t k = 0; k < series->request->path_count; k++) VT_TRY(import_file(series, k, error));
  VT_TRY(note_files(series, error));
  series->words = vt_vocab_size(series->known);
  return vt_run_recorder_close_or_undo(&series->recorder, error);
}

enum vt_status vt_import(const struct vt_import_request *request, struct vt_import_result *result,
                         struct vt_error *error) {
  struct series series = {.request = request};
  VT_TRY(check_request(request, error));
  enum vt_status status = import_all(&series, error);
  if (status == VT_OK && result != NULL)
    *result = (struct vt_import_result){.words = series.words,
                                        .dim = series.dim,
                                        .first_step = step_of(&series, 0),
                                        .last_step = step_of(&series, request->path_count - 1),
                                        .format = series.format};
  vt_run_recorder_undo(series.recorder);
  vt_import_names_release(&series.names);
  vt_vocab_free(series.vocab);
  return status;
}

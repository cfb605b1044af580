/*
 * eval_analogy.c: word2vec's analogy test: reads the questions, has them answered (analogy.c), counts.
 *
 * Blank lines, '#' lines and "//" lines (the copyright notice of the original set) are passed over. Questions before
 * the first ": name" belong to a section without a name. A question that asks for one of its own three words can never
 * be answered and counts as wrong, as in the original program.
 *
 * Memory: 24 bytes a covered question, besides what answering takes. Threads: those of the answering.
 */
#include "vectrail/eval.h"

#include <string.h>

#include "analysis/analogy.h"
#include "analysis/text_file.h"
#include "base/memory.h"

static char name_all[] = "all", name_semantic[] = "semantic", name_syntactic[] = "syntactic";

struct reading {
  const struct vt_vectors *vectors;
  size_t limit;
  const char *path;
  struct vt_eval_analogy result;
  size_t section_capacity;
  struct vt_question *questions; /* the covered ones */
  uint32_t *expected;            /* the right answer of each */
  size_t *section_ends;          /* per section: how many covered questions precede its end */
  size_t question_count;
  size_t question_capacity;
};

static enum vt_status open_section(struct reading *reading, struct vt_field name, struct vt_error *error) {
  struct vt_eval_analogy *result = &reading->result;
  if (result->section_count == reading->section_capacity) {
    size_t capacity = reading->section_capacity == 0 ? 16 : 2 * reading->section_capacity;
    struct vt_eval_section *sections = vt_realloc(result->sections, capacity, sizeof *sections);
    if (sections == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *sections);
    result->sections = sections;
    size_t *ends = vt_realloc(reading->section_ends, capacity, sizeof *ends);
    if (ends == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *ends);
    reading->section_ends = ends;
    reading->section_capacity = capacity;
  }
  char *copy = vt_copy_bytes(name.text, name.bytes);
  if (copy == NULL) return VT_FAIL_MEMORY(error, name.bytes + 1);
  result->sections[result->section_count] = (struct vt_eval_section){.name = copy};
  reading->section_ends[result->section_count++] = reading->question_count;
  return VT_OK;
}

static enum vt_status keep_question(struct reading *reading, const uint32_t ids[4], struct vt_error *error) {
  if (reading->question_count == reading->question_capacity) {
    size_t capacity = reading->question_capacity == 0 ? 1024 : 2 * reading->question_capacity;
    struct vt_question *questions = vt_realloc(reading->questions, capacity, sizeof *questions);
    if (questions == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *questions);
    reading->questions = questions;
    uint32_t *expected = vt_realloc(reading->expected, capacity, sizeof *expected);
    if (expected == NULL) return VT_FAIL_MEMORY(error, capacity * sizeof *expected);
    reading->expected = expected;
    reading->question_capacity = capacity;
  }
  reading->questions[reading->question_count] = (struct vt_question){.a = ids[0], .b = ids[1], .c = ids[2]};
  reading->expected[reading->question_count++] = ids[3];
  return VT_OK;
}

static enum vt_status read_question(struct reading *reading, struct vt_field line, size_t line_number,
                                    struct vt_error *error) {
  struct vt_field words[4];
  size_t count = vt_field_split(line, ' ', words, 4);
  if (count != 4)
    return VT_FAIL_HELP(error, VT_ERROR_FORMAT, "each line is \": section\" or four words: A B C D",
                        "%s: line %zu has %zu word%s instead of four", reading->path, line_number, count,
                        count == 1 ? "" : "s");
  if (reading->result.section_count == 0) VT_TRY(open_section(reading, (struct vt_field){"", 0}, error));
  size_t section = reading->result.section_count - 1;
  reading->result.sections[section].questions++;
  uint32_t ids[4];
  for (size_t i = 0; i < 4; i++)
    if (!vt_field_find(words[i], reading->vectors->vocab, &ids[i]) || ids[i] >= reading->limit) return VT_OK;
  VT_TRY(keep_question(reading, ids, error));
  reading->result.sections[section].covered++;
  reading->section_ends[section] = reading->question_count;
  return VT_OK;
}

static enum vt_status read_questions(struct reading *reading, struct vt_text_file *file, struct vt_error *error) {
  struct vt_field line;
  size_t questions = 0;
  while (vt_text_file_next(file, &line)) {
    if (line.text[0] == '#' || (line.bytes >= 2 && memcmp(line.text, "//", 2) == 0)) continue;
    if (line.text[0] == ':') {
      struct vt_field name = {line.text + 1, line.bytes - 1};
      while (name.bytes > 0 && (name.text[0] == ' ' || name.text[0] == '\t')) {
        name.text++;
        name.bytes--;
      }
      VT_TRY(open_section(reading, name, error));
    } else {
      VT_TRY(read_question(reading, line, file->line_number, error));
      questions++;
    }
  }
  if (questions == 0)
    return VT_FAIL_HELP(error, VT_ERROR_EMPTY, "each line is \": section\" or four words: A B C D",
                        "%s: holds no questions", reading->path);
  return VT_OK;
}

static void add_section(struct vt_eval_section *to, const struct vt_eval_section *section) {
  to->questions += section->questions;
  to->covered += section->covered;
  to->correct += section->correct;
}

static void count_answers(struct reading *reading) {
  struct vt_eval_analogy *result = &reading->result;
  for (size_t s = 0, q = 0; s < result->section_count; s++) {
    struct vt_eval_section *section = &result->sections[s];
    for (; q < reading->section_ends[s]; q++) section->correct += reading->questions[q].answer == reading->expected[q];
    add_section(&result->all, section);
    add_section(strncmp(section->name, "gram", 4) == 0 ? &result->syntactic : &result->semantic, section);
  }
}

enum vt_status vt_eval_analogy(const struct vt_vectors *vectors, const char *path, size_t restrict_rows, int threads,
                               struct vt_eval_analogy *result, struct vt_error *error) {
  if (threads < 1) return VT_FAIL(error, VT_ERROR_ARGUMENT, "threads is %d; it is at least 1", threads);
  struct vt_text_file file;
  VT_TRY(vt_text_file_open(path, &file, error));
  struct reading reading = {.vectors = vectors, .path = path};
  reading.limit = restrict_rows == 0 || restrict_rows > vectors->rows ? vectors->rows : restrict_rows;
  reading.result.all.name = name_all;
  reading.result.semantic.name = name_semantic;
  reading.result.syntactic.name = name_syntactic;
  enum vt_status status = read_questions(&reading, &file, error);
  if (status == VT_OK && reading.question_count > 0)
    status = vt_answer_questions(vectors, reading.limit, threads, reading.questions, reading.question_count, error);
  if (status == VT_OK) {
    count_answers(&reading);
    *result = reading.result;
  } else {
    vt_eval_analogy_release(&reading.result);
  }
  vt_free(reading.questions);
  vt_free(reading.expected);
  vt_free(reading.section_ends);
  vt_text_file_release(&file);
  return status;
}

void vt_eval_analogy_release(struct vt_eval_analogy *result) {
  for (size_t i = 0; i < result->section_count; i++) vt_free(result->sections[i].name);
  vt_free(result->sections);
  *result = (struct vt_eval_analogy){0};
}

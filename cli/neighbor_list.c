/* neighbor_list.c: one shape for all answers that are lists of words. */
#include "neighbor_list.h"

#include <stdio.h>

#include "terminal.h"

json_t *neighbor_list_json(const struct vt_vocab *vocab, const struct vt_neighbor *neighbors, size_t count) {
  json_t *list = json_new_array();
  for (size_t i = 0; i < count; i++) {
    json_t *entry = json_new_object();
    json_put(entry, "word", json_new_text(vt_vocab_text(vocab, neighbors[i].id)));
    json_put(entry, "cosine", json_new_real(neighbors[i].cosine));
    json_push(list, entry);
  }
  return list;
}

void neighbor_list_print(const struct vt_vocab *vocab, const struct vt_neighbor *neighbors, size_t count) {
  enum { WORD_MIN = 12, WORD_MAX = 40 };
  int width = WORD_MIN;
  for (size_t i = 0; i < count; i++) {
    int columns = display_width(vt_vocab_text(vocab, neighbors[i].id));
    if (columns > width) width = columns;
  }
  if (width > WORD_MAX) width = WORD_MAX;
  fputs(terminal_style(stdout, STYLE_DIM), stdout);
  fputs("  ", stdout);
  print_cell(stdout, "word", width, false);
  /* Imported vectors come without counts, as a rule. */
  bool counted = vt_vocab_tokens(vocab) > 0;
  printf("  %7s", "cosine");
  if (counted) printf("  %10s", "times");
  printf("%s\n", terminal_style(stdout, STYLE_PLAIN));
  for (size_t i = 0; i < count; i++) {
    char times[NUMBER_TEXT_BYTES];
    fputs("  ", stdout);
    print_cell(stdout, vt_vocab_text(vocab, neighbors[i].id), width, false);
    printf("  %7.4f", neighbors[i].cosine);
    if (counted) printf("  %10s", format_count(vt_vocab_count(vocab, neighbors[i].id), times));
    putchar('\n');
  }
}

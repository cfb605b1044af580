/* span.h: a stretch of a corpus. */
#ifndef VECTRAIL_TEXT_SPAN_H
#define VECTRAIL_TEXT_SPAN_H

#include <stdint.h>

struct vt_span {
  uint64_t begin, end; /* places in the corpus: the words of one sentence */
  uint64_t before;     /* words in the spans before it */
};

#endif

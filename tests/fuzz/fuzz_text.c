/*
 * fuzz_text.c: text, compressed or not, to words and ids.
 *
 * Whatever comes in is text: it is counted and encoded or refused with a reason. The result is the same with two
 * threads as with one, every word is UTF-8 that reading it again leaves as it is, and no token is lost.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "text/utf8.h"
#include "vectrail/corpus.h"

struct outcome {
  enum vt_status status;
  struct vt_corpus_report report;
  uint64_t fingerprint;
  size_t words;
};

static void check(const struct vt_vocab *vocab, const struct vt_corpus *corpus, const struct outcome *outcome) {
  const uint32_t *ids = vt_corpus_ids(corpus);
  uint64_t entries = vt_corpus_entries(corpus), tokens = 0;
  for (uint64_t k = 0; k < entries; k++) {
    vtz_require(ids[k] == VT_CORPUS_END || ids[k] < outcome->words, "an id names a word");
    tokens += ids[k] != VT_CORPUS_END;
  }
  vtz_require(tokens == vt_corpus_tokens(corpus) && tokens == outcome->report.tokens,
              "tokens are counted as they stand");
  vtz_require(entries == tokens + vt_corpus_sentences(corpus), "entries are tokens and ends of sentences");
  vtz_require(tokens == vt_vocab_tokens(vocab), "counts add up to the tokens");
  for (uint32_t w = 0; w < outcome->words; w++) {
    size_t bad, bytes = strlen(vt_vocab_text(vocab, w));
    vtz_require(bytes > 0 && vt_utf8_count_bad((const unsigned char *)vt_vocab_text(vocab, w), bytes, &bad) == 0,
                "words are UTF-8");
  }
}

static struct outcome encode(const char *path, unsigned flags, int threads) {
  struct vt_corpus_options options;
  vt_corpus_options_init(&options);
  options.tokens = (flags & 1) != 0 ? VT_TOKENS_SPACE : VT_TOKENS_WORDS;
  options.fold_case = (flags & 2) != 0;
  options.phrases = (flags & 4) != 0 ? 2 : 0;
  options.phrase_threshold = (flags & 8) != 0 ? 0.5 : 5;
  options.min_count = (flags & 16) != 0 ? 2 : 1;
  options.max_vocab = (flags & 32) != 0 ? 3 : 0;
  options.threads = threads;
  options.unsynced = true;
  struct outcome outcome = {0};
  struct vt_vocab *vocab;
  struct vt_corpus *corpus;
  struct vt_error error;
  const char *inputs[] = {path};
  outcome.status = vt_corpus_encode(inputs, 1, &options, vtz_path("ids"), &vocab, &corpus, &outcome.report, &error);
  if (outcome.status != VT_OK) {
    vtz_require(error.message[0] != '\0', "a refusal says why");
    return outcome;
  }
  outcome.words = vt_vocab_size(vocab);
  outcome.fingerprint = vt_corpus_fingerprint(corpus);
  check(vocab, corpus, &outcome);
  vt_corpus_free(corpus);
  vt_vocab_free(vocab);
  return outcome;
}

/* Reading a spelling again changes nothing. */
static void check_canonical(const uint8_t *data, size_t bytes, unsigned flags) {
  static struct vt_canonical *by_flags[4];
  struct vt_error error;
  const unsigned char *once, *twice;
  size_t once_bytes, twice_bytes;
  if (bytes == 0 || bytes > VT_WORD_BYTES_MAX) return;
  if (by_flags[flags & 3] == NULL)
    vtz_require(vt_canonical_create(flags & 3, &by_flags[flags & 3], &error) == VT_OK, "memory");
  if (!vt_canonical_apply(by_flags[flags & 3], data, bytes, &once, &once_bytes) || once_bytes == 0) return;
  unsigned char kept[VT_WORD_BYTES_MAX];
  vtz_require(once_bytes <= sizeof kept, "a spelling is no longer than a word");
  memcpy(kept, once, once_bytes);
  vtz_require(vt_canonical_apply(by_flags[flags & 3], kept, once_bytes, &twice, &twice_bytes) &&
                  twice_bytes == once_bytes && memcmp(kept, twice, once_bytes) == 0,
              "a spelling is its own spelling");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  if (bytes < 1) return 0;
  unsigned flags = data[0];
  check_canonical(data + 1, bytes - 1, flags);
  const char *path = vtz_file(0, data + 1, bytes - 1);
  struct outcome one = encode(path, flags, 1);
  if ((flags & 64) == 0) return 0;
  struct outcome two = encode(path, flags, 2);
  vtz_require(one.status == two.status && one.words == two.words && one.fingerprint == two.fingerprint &&
                  one.report.tokens_read == two.report.tokens_read && one.report.lines == two.report.lines &&
                  one.report.replaced_bytes == two.report.replaced_bytes,
              "threads change nothing");
  return 0;
}

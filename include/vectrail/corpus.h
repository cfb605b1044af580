/*
 * vectrail/corpus.h: from raw text to a mapped file of word ids.
 *
 * Text is UTF-8, one sentence a line. It comes from files, several files one after the other, or standard input
 * ("-"), plain or compressed with gzip, zstd or xz (told by content, not by name), of any size: it is streamed.
 * A byte that is not UTF-8 counts as U+FFFD; a leading byte order mark is skipped. Words are brought to NFC.
 */
#ifndef VECTRAIL_CORPUS_H
#define VECTRAIL_CORPUS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vectrail/status.h"
#include "vectrail/vocab.h"

#ifdef __cplusplus
extern "C" {
#endif

enum vt_token_rule {
  VT_TOKENS_WORDS = 0,   /* runs of Unicode letters, marks and digits, with inner apostrophes (U+2019 becomes ') */
  VT_TOKENS_SPACE = 1,   /* whatever stands between ASCII white space: text that is tokenised already */
  VT_TOKENS_LETTERS = 2, /* runs of two or more ASCII letters, made small: the rule of a course's exercise */
  /* Pieces of words, byte-level byte-pair encoding (Sennrich, Haddow and Birch 2016; on bytes and by the pattern of
   * Radford et al. 2019), with the space before a word as its first character, spelled with one visible character a
   * byte. Any bytes can be encoded. */
  VT_TOKENS_BPE = 3
};

/* "words", ...; static. And back; false: there is none of that name. */
VT_API const char *vt_token_rule_name(enum vt_token_rule rule);
VT_API bool vt_token_rule_find(const char *name, enum vt_token_rule *rule);

/* The longest word, in bytes of UTF-8. A longer run without a break means that this is not text (VT_ERROR_FORMAT). */
#define VT_WORD_BYTES_MAX 4096
#define VT_PHRASES_MAX 100
#define VT_PHRASE_THRESHOLD_MAX 1e12
#define VT_CORPUS_LINE_BITS 40
/* In the id stream: the end of a sentence. */
#define VT_CORPUS_END UINT32_MAX

struct vt_corpus_options {
  enum vt_token_rule tokens;
  bool fold_case;     /* Unicode full case folding (sharp s becomes ss), before counting */
  uint64_t min_count; /* words seen fewer times are dropped; at least 1 */
  uint32_t max_vocab; /* keep only the most frequent; 0: no limit */
  /* With VT_TOKENS_BPE, which holds the text in memory, takes no notice of min_count, max_vocab and fold_case, and does
   * not go together with phrases. All tokens are in the vocabulary, those that the text does not need with count 0. */
  uint32_t bpe_tokens;       /* how many to learn from the text, 256 to 1,000,000; fewer where no pair repeats [8192] */
  const char *tokenizer;     /* where given, this tokenizer.json is used instead */
  const char *tokenizer_out; /* where given, a tokenizer.json is written there */
  /* Passes of phrase learning, 0 to VT_PHRASES_MAX; 0: none. A pass makes one word of two that stand side by side, "new
   * york" new_york, wherever n(new york) - min_count is more than phrase_threshold times what it would be if the words
   * stood at random places:
   *
   *   (n(a b) - min_count) N / (n(a) n(b)) > phrase_threshold      (Mikolov et al. 2013, equation 6, times N)
   *
   * n and N count in the text as the pass before has left it, N being all its words. Pairs are joined from left to
   * right, so k passes make phrases of up to 2^k words, and phrases never reach across a line end or a rare word.
   * min_count and max_vocab choose the vocabulary afterwards, from the counts of what is left. Not together with a
   * given vocabulary. Takes 64 MiB, whatever the text. */
  uint32_t phrases;
  double phrase_threshold; /* 0 to VT_PHRASE_THRESHOLD_MAX */
  int threads;             /* at least 1; changes no result */
  /* The encoded file is a cache, put in place without waiting for the disk, which may take a fifth of the time: after
   * a power cut it may be absent, or hold anything. vt_corpus_open looks at its head only, so whoever goes on with it
   * then must hold the ids against the fingerprint first. */
  bool unsynced;
  /* Where given, this vocabulary is used instead of counting one (its counts are replaced by those of this text,
   * ids unchanged; min_count and max_vocab do not apply). Not owned. */
  const struct vt_vocab *vocab;
  /* Where given, filled with a hash of the text of each input, as long as there are inputs: tells which of them has
   * changed. */
  uint64_t *input_hashes;
  /* Where given, a file is written there too: for each sentence of the stream, in order, where its line stands in the
   * text, as a 64-bit number: the input times 2^VT_CORPUS_LINE_BITS, plus the line in it, both from 0. Not synced. */
  const char *lines_path;
  /* Called from one thread at a time while reading; may be NULL. input_bytes as stored on disk. */
  void (*progress)(void *context, uint64_t input_bytes, uint64_t input_bytes_total);
  void *progress_context;
  /* Set to nonzero (from a signal handler, say) to stop with VT_ERROR_INTERRUPTED, also while waiting for a pipe. May
   * be NULL. */
  const volatile sig_atomic_t *interrupt;
};

/* Defaults: words, no folding, min_count 5, no limit, no phrases (their threshold: 100), 8192 tokens of BPE, 1 thread,
 * synced. */
VT_API void vt_corpus_options_init(struct vt_corpus_options *options);

/* What the reading saw. */
struct vt_corpus_report {
  uint64_t input_bytes;     /* as stored */
  uint64_t text_bytes;      /* after decompression */
  uint64_t lines;           /* sentences that held at least one word of the vocabulary */
  uint64_t tokens_read;     /* words of any frequency */
  uint64_t types_read;      /* distinct words before min_count */
  uint64_t tokens;          /* words of the vocabulary: what one epoch trains on */
  uint64_t phrases;         /* words of the vocabulary that were joined, and are not in the text as such */
  uint64_t replaced_bytes;  /* bytes that were not UTF-8, each read as U+FFFD */
  uint64_t replaced_offset; /* where the first of them stands, and in which input */
  int replaced_input;
  double seconds;
};

/* The encoded corpus: ids in order, VT_CORPUS_END after each sentence, mapped read-only. Safe to read from many
 * threads. */
struct vt_corpus;

/* Counts and encodes the inputs, in the order given, into encoded_path (written beside, synced unless the
 * options say otherwise, renamed; it may live as long as the corpus or longer, and vt_corpus_open finds it again).
 * Words outside the vocabulary are left out, as in word2vec; sentences left empty leave no mark. vocab and corpus are
 * handed over to the caller; report may be NULL. The result depends on the text and the options alone.
 *
 * Errors name the input and the byte: VT_ERROR_IO (missing, unreadable, a directory, damaged compression),
 * VT_ERROR_FORMAT (NUL bytes, a word too long, UTF-16, mostly not UTF-8: binary data), VT_ERROR_EMPTY (no text; no
 * word reaches min_count). Cost: one pass over the text; memory for the distinct words and some buffers a thread. */
VT_API enum vt_status vt_corpus_encode(const char *const *inputs, size_t input_count,
                                       const struct vt_corpus_options *options, const char *encoded_path,
                                       struct vt_vocab **vocab, struct vt_corpus **corpus,
                                       struct vt_corpus_report *report, struct vt_error *error);

/* The same into a file without a name in the folder of temporary files (TMPDIR, else /tmp), gone with the corpus. */
VT_API enum vt_status vt_corpus_encode_unnamed(const char *const *inputs, size_t input_count,
                                               const struct vt_corpus_options *options, struct vt_vocab **vocab,
                                               struct vt_corpus **corpus, struct vt_corpus_report *report,
                                               struct vt_error *error);

/* Maps an encoded file; header, length and checksum of the header are verified (VT_ERROR_CORRUPT). */
VT_API enum vt_status vt_corpus_open(const char *encoded_path, struct vt_corpus **corpus, struct vt_error *error);
/* Accepts NULL. Unmaps; the file stays. */
VT_API void vt_corpus_free(struct vt_corpus *corpus);

/* The stream: entries = tokens + sentences ids and end marks; every id is below vocab_size. */
VT_API const uint32_t *vt_corpus_ids(const struct vt_corpus *corpus);
VT_API uint64_t vt_corpus_entries(const struct vt_corpus *corpus);
VT_API uint64_t vt_corpus_tokens(const struct vt_corpus *corpus);
VT_API uint64_t vt_corpus_sentences(const struct vt_corpus *corpus);
VT_API uint32_t vt_corpus_vocab_size(const struct vt_corpus *corpus);
/* What has been read of the stream no longer counts as this process's memory; the system may keep it in its cache, and
 * reading it again costs page faults. Accepts NULL. */
VT_API void vt_corpus_forget(const struct vt_corpus *corpus);
/* The same by and by, on a way through from front to back: once 16 MB lie between *kept and place they are forgotten,
 * and *kept moves up. A place before *kept begins anew. *kept is 0 at first; corpus may be NULL. */
VT_API void vt_corpus_passed(const struct vt_corpus *corpus, uint64_t place, uint64_t *kept);
/* A 64-bit hash of the id stream, the same for the same stream everywhere: tells whether a corpus has changed. */
VT_API uint64_t vt_corpus_fingerprint(const struct vt_corpus *corpus);

#ifdef __cplusplus
}
#endif

#endif

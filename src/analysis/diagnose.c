/*
 * diagnose.c: from symptoms to sentences. A rule is one function: it says what it found, that it found nothing, or why
 * the run does not tell. Thresholds were set on trainings with one defect each beside sound ones (tests/);
 * docs/metrics.md lists them.
 */
#include "vectrail/diagnose.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "analysis/symptoms.h"

#define LOSS_BLOWN_UP 1.5    /* last loss over the least */
#define NORM_GROWTH 2.0      /* over the last quarter of the snapshots, of vectors longer than ... */
#define NORM_LONG 10.0       /* ... this */
#define CAPPED_HIGH 0.1      /* of the merged rows */
#define TURN_BACK (-0.6)     /* cosine of successive displacements; noise about a resting place has -1/2 */
#define LOSS_FALL_LOW 0.05   /* of the first loss, in the whole run */
#define LOSS_FALL_MID 0.025  /* in the middle of a run whose rate falls */
#define RATE_LEFT 0.1        /* of the first rate: above, words are still being moved about */
#define LOSS_TURNED 1.02     /* last held-out loss over the least; single ones of a noisy training differ by 1% */
#define COSINE_COLLAPSED 0.9 /* mean, of frequent words */
#define RANK_COLLAPSED 0.15  /* of the dimension */
#define UNIFORMITY_COLLAPSED (-0.4) /* of texts: as if all their cosines were 0.9 */
#define UNMOVED_SHARE 0.01          /* of the words */
#define RANK_UNUSED 0.25            /* of the dimension, centred */
#define RANK_WORDS 2                /* judged only where the frequent words are so many times the dimension */
#define CHANCE_CROWDED 0.8          /* cosine of the tenth of the random directions nearest to one */
#define FREQUENCY_SHARE 0.2         /* of the variance of directions */

static const char *const names[VT_AILMENTS] = {
    [VT_AILMENT_DIVERGED] = "diverged",
    [VT_AILMENT_DIVERGING] = "diverging",
    [VT_AILMENT_RATE_TOO_HIGH] = "rate_too_high",
    [VT_AILMENT_RATE_TOO_LOW] = "rate_too_low",
    [VT_AILMENT_STOPPED_EARLY] = "stopped_early",
    [VT_AILMENT_OVERFITTED] = "overfitted",
    [VT_AILMENT_COLLAPSED] = "collapsed",
    [VT_AILMENT_WORDS_UNMOVED] = "words_unmoved",
    [VT_AILMENT_DIM_TOO_LARGE] = "dim_too_large",
    [VT_AILMENT_DIM_TOO_SMALL] = "dim_too_small",
    [VT_AILMENT_RULED_BY_FREQUENCY] = "ruled_by_frequency",
};

const char *vt_ailment_name(enum vt_ailment ailment) { return names[ailment]; }

/* ---- saying it ----------------------------------------------------------------------------------------------------
 */

static struct vt_finding *found(struct vt_diagnosis *d, enum vt_ailment ailment, const char *what) {
  struct vt_finding *finding = &d->findings[d->finding_count++];
  *finding = (struct vt_finding){.ailment = ailment};
  snprintf(finding->what, sizeof finding->what, "%s", what);
  return finding;
}

static void evidence(struct vt_finding *finding, const char *format, ...) VT_PRINTF(2, 3);
static void evidence(struct vt_finding *finding, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(finding->evidence, sizeof finding->evidence, format, arguments);
  va_end(arguments);
}

static void remedy(struct vt_finding *finding, const char *format, ...) VT_PRINTF(2, 3);
static void remedy(struct vt_finding *finding, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(finding->remedy, sizeof finding->remedy, format, arguments);
  va_end(arguments);
}

static void sound(struct vt_diagnosis *d, enum vt_ailment ailment) { d->sound[d->sound_count++] = ailment; }

static void unknown(struct vt_diagnosis *d, enum vt_ailment ailment, const char *why) {
  d->unknown[d->unknown_count].ailment = ailment;
  snprintf(d->unknown[d->unknown_count++].why, sizeof d->unknown[0].why, "%s", why);
}

static bool has(const struct vt_diagnosis *d, enum vt_ailment ailment) {
  for (size_t k = 0; k < d->finding_count; k++)
    if (d->findings[k].ailment == ailment) return true;
  return false;
}

/* ---- the rules, in the order of the enum: later ones may ask for earlier ones
 * ----------------------------------------- */

static void diverged(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  if (s->diverged == NULL && s->snapshots_bad == 0 && !s->loss_bad) {
    sound(d, VT_AILMENT_DIVERGED);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_DIVERGED, "The training diverged: numbers are no longer finite.");
  if (s->diverged != NULL)
    evidence(f, "%s", s->diverged);
  else if (s->snapshots_bad > 0)
    evidence(f, "the last %zu snapshots hold NaN or infinities; the last sound one is of step %" PRIu64,
             s->snapshots_bad, s->step_last);
  else
    evidence(f, "the loss on the probe is not finite at some step");
  if (s->lr > 0)
    remedy(f, "train again with a smaller learning rate: --lr %g", s->lr / 4);
  else
    remedy(f, "train again with a smaller learning rate; the snapshot of step %" PRIu64 " is sound", s->step_last);
}

static void diverging(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  bool loss_up = s->loss_last > LOSS_BLOWN_UP * s->loss_least || s->loss_last > 1.05 * s->loss_first;
  bool norms_up = s->norm_growth > NORM_GROWTH && s->norm_last > NORM_LONG;
  if (has(d, VT_AILMENT_DIVERGED)) return;
  if (!loss_up && !norms_up) {
    sound(d, VT_AILMENT_DIVERGING);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_DIVERGING, "The training is about to diverge.");
  if (loss_up && norms_up)
    evidence(f, "the loss rose from %.3f at step %" PRIu64 " to %.3f, and the vectors grew %.1f times as long, to %.1f",
             s->loss_least, s->loss_least_step, s->loss_last, s->norm_growth, s->norm_last);
  else if (loss_up)
    evidence(f,
             "the loss on the probe rose from %.3f at step %" PRIu64 " to %.3f at step %" PRIu64 " (%.3f at the start)",
             s->loss_least, s->loss_least_step, s->loss_last, s->loss_last_step, s->loss_first);
  else
    evidence(f, "over the last quarter of the snapshots the vectors grew %.1f times as long, to %.1f", s->norm_growth,
             s->norm_last);
  if (s->lr > 0)
    remedy(f, "train again with a smaller learning rate (--lr %g), or a penalty on long vectors (--l2 1e-7)",
           s->lr / 4);
  else
    remedy(f, "take a smaller learning rate, or a penalty on long vectors");
}

static void rate_too_high(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  bool capped = s->capped > CAPPED_HIGH, back = s->turn < TURN_BACK;
  if (isnan(s->capped) && isnan(s->turn)) {
    unknown(d, VT_AILMENT_RATE_TOO_HIGH, "there are too few snapshots");
    return;
  }
  if (!capped && !back) {
    sound(d, VT_AILMENT_RATE_TOO_HIGH);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_RATE_TOO_HIGH, "The learning rate is too high.");
  if (capped)
    evidence(f, "in the middle of the run %.0f%% of the updates of a row were so long that they were shortened",
             100 * s->capped);
  else
    evidence(f, "vectors go back and forth: from snapshot to snapshot the cosine of a word's displacements is %.2f",
             s->turn);
  if (s->lr > 0)
    remedy(f, "train with --lr %g, or with more and smaller steps (--blocks, --block-tokens)", s->lr / 4);
  else
    remedy(f, "take a smaller learning rate");
}

static void rate_too_low(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  double fall = 1 - s->loss_last / s->loss_first;
  if (isnan(fall)) {
    unknown(d, VT_AILMENT_RATE_TOO_LOW, "no loss was recorded");
    return;
  }
  if (has(d, VT_AILMENT_DIVERGED) || has(d, VT_AILMENT_DIVERGING) || has(d, VT_AILMENT_RATE_TOO_HIGH)) return;
  if (!(fall < LOSS_FALL_LOW)) {
    sound(d, VT_AILMENT_RATE_TOO_LOW);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_RATE_TOO_LOW, "Next to nothing was learnt: the learning rate is too low.");
  evidence(f, "the loss on the probe fell by %.1f%% in the whole run, from %.3f to %.3f", 100 * fall, s->loss_first,
           s->loss_last);
  if (s->lr > 0)
    remedy(f, "train with a higher rate, --lr %g, say, or for many more epochs", s->lr < 0.0025 ? 0.025 : 4 * s->lr);
  else
    remedy(f, "train with a higher rate, or for many more epochs");
}

static void stopped_early(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  if (has(d, VT_AILMENT_DIVERGED) || has(d, VT_AILMENT_DIVERGING) || has(d, VT_AILMENT_RATE_TOO_HIGH) ||
      has(d, VT_AILMENT_RATE_TOO_LOW))
    return;
  bool cut = s->lr_last > RATE_LEFT * s->lr && s->convergence.known && !s->convergence.converged;
  bool falling = s->falling_rate && s->finished && s->loss_fall_mid > LOSS_FALL_MID;
  if (!s->convergence.known && isnan(s->loss_fall_mid)) {
    unknown(d, VT_AILMENT_STOPPED_EARLY, "no loss was recorded");
    return;
  }
  if (!cut && !falling) {
    sound(d, VT_AILMENT_STOPPED_EARLY);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_STOPPED_EARLY, "The training ends while there is more to be learnt.");
  if (!cut) {
    evidence(
        f,
        "in the middle of the run, before its rate had fallen far, the loss still fell by %.1f%% within a fifth of it",
        100 * s->loss_fall_mid);
    remedy(f, "train again with more epochs: twice as many, say");
    return;
  }
  evidence(f, "at the last measurement, step %" PRIu64 ", the rate is %.0f%% of its start and %s%s%s",
           s->convergence.last_step, 100 * s->lr_last / s->lr, s->convergence.loss_level ? "" : "the loss falls, ",
           s->convergence.speed_level ? "" : "the words still slow down, ",
           s->convergence.neighbors_level ? "the run has not converged" : "the neighbourhoods are still settling");
  if (s->finished)
    remedy(f, "train again with more epochs, or let the rate fall to the end (--schedule linear)");
  else
    remedy(f, "go on with it: vectrail resume");
}

static void overfitted(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  bool held_out = s->held_out_last > LOSS_TURNED * s->held_out_least;
  bool probe = isnan(s->held_out_last) && s->loss_last > LOSS_TURNED * s->loss_least;
  if (has(d, VT_AILMENT_DIVERGED) || has(d, VT_AILMENT_DIVERGING)) return;
  if (!held_out && !probe) {
    if (isnan(s->held_out_last) && isnan(s->loss_last))
      unknown(d, VT_AILMENT_OVERFITTED, "no loss was recorded; train with --held-out 1%");
    else
      sound(d, VT_AILMENT_OVERFITTED);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_OVERFITTED, "The training overfitted: it learnt the text by heart.");
  evidence(f, "the loss on %s was least, %.3f, at step %" PRIu64 ", and rose to %.3f at step %" PRIu64,
           held_out ? "sentences that are held out" : "the probe, which no step trains on",
           held_out ? s->held_out_least : s->loss_least, held_out ? s->held_out_least_step : s->loss_least_step,
           held_out ? s->held_out_last : s->loss_last, held_out ? s->held_out_last_step : s->loss_last_step);
  remedy(f,
         "take the vectors of step %" PRIu64
         " (--step), or train for fewer epochs, in fewer dimensions, with --l2, or on more text",
         held_out ? s->held_out_least_step : s->loss_least_step);
}

static void texts_collapsed(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  struct vt_finding *f =
      found(d, VT_AILMENT_COLLAPSED, "The vectors of the texts have collapsed: nearly all point the same way.");
  evidence(f,
           "their uniformity went from %.3f to %.3f (0: all are one), and of %zu directions they fill %.2f by the "
           "participation ratio",
           s->uniformity_first, s->uniformity_last, s->dim, s->text_rank);
  remedy(f, "train with the negatives (without --positives-only), at a lower --temperature, or with larger batches");
}

static void collapsed(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  if (s->uniformity_last > UNIFORMITY_COLLAPSED) {
    texts_collapsed(s, d);
    return;
  }
  if (s->frequent < 20) {
    unknown(d, VT_AILMENT_COLLAPSED, "there are fewer than 20 words");
    return;
  }
  if (!(s->cosine_last > COSINE_COLLAPSED && s->rank_last < RANK_COLLAPSED * (double)s->dim)) {
    sound(d, VT_AILMENT_COLLAPSED);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_COLLAPSED, "The vectors have collapsed: nearly all point the same way.");
  evidence(
      f,
      "two of the %zu most frequent words have a mean cosine of %.2f, and their vectors fill %.1f of %zu directions "
      "(%.1f at most since a third of the run)",
      s->frequent, s->cosine_last, s->rank_last, s->dim, s->rank_most);
  remedy(f, has(d, VT_AILMENT_STOPPED_EARLY)
                ? "train for more epochs: words first move together and come apart later"
                : "use more noise words (--negative 10), a smaller penalty (--l2), or train longer");
}

static void words_unmoved(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  if (has(d, VT_AILMENT_RATE_TOO_LOW)) return;
  if (s->from_run) {
    unknown(d, VT_AILMENT_WORDS_UNMOVED, "its vectors began as another run's, which they need not leave");
    return;
  }
  if (!((double)s->unmoved > UNMOVED_SHARE * (double)s->words)) {
    sound(d, VT_AILMENT_WORDS_UNMOVED);
    return;
  }
  bool rare = 10 * s->unmoved_frequent < s->unmoved;
  struct vt_finding *f =
      found(d, VT_AILMENT_WORDS_UNMOVED,
            rare ? "Rare words never left their random start." : "Many words never left their random start.");
  evidence(f,
           "%zu of %zu words ended nearer to their start than the start is to zero; the most frequent of them occurs "
           "%" PRIu64 " times, and %zu belong to the more frequent half",
           s->unmoved, s->words, s->unmoved_count, s->unmoved_frequent);
  if (rare)
    remedy(f, "leave such words out (--min-count %" PRIu64 "), or train for more epochs", s->unmoved_count + 1);
  else
    remedy(f, "train for more epochs, or with a higher rate");
}

static void dim_too_large(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  if (s->frequent < RANK_WORDS * s->dim) {
    unknown(d, VT_AILMENT_DIM_TOO_LARGE, "there are too few words to tell how many directions they need");
    return;
  }
  if (has(d, VT_AILMENT_COLLAPSED) || has(d, VT_AILMENT_RATE_TOO_LOW)) return;
  if (!(s->centred_rank_last < RANK_UNUSED * (double)s->dim)) {
    sound(d, VT_AILMENT_DIM_TOO_LARGE);
    return;
  }
  struct vt_finding *f =
      found(d, VT_AILMENT_DIM_TOO_LARGE, "The dimension is larger than what this much training can fill.");
  evidence(f, "about their mean the vectors of the %zu most frequent words fill %.0f of %zu directions", s->frequent,
           s->centred_rank_last, s->dim);
  remedy(f, "train in fewer dimensions (--dim %.0f), for more epochs, or on more text",
         ceil(2 * s->centred_rank_last / 10) * 10);
}

static void dim_too_small(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  if (!(s->chance_neighbor > CHANCE_CROWDED)) {
    sound(d, VT_AILMENT_DIM_TOO_SMALL);
    return;
  }
  struct vt_finding *f = found(d, VT_AILMENT_DIM_TOO_SMALL, "The dimension is too small for so many words.");
  evidence(f,
           "of %zu random directions in %zu dimensions ten have a cosine above %.2f with any given one: being near "
           "means little",
           s->words < 10000 ? s->words : 10000, s->dim, s->chance_neighbor);
  remedy(f, "train in more dimensions: --dim 50 or more for a vocabulary of %zu words", s->words);
}

static void ruled_by_frequency(const struct vt_symptoms *s, struct vt_diagnosis *d) {
  if (isnan(s->frequency_share)) {
    unknown(d, VT_AILMENT_RULED_BY_FREQUENCY, "the run does not know how often words occur");
    return;
  }
  if (!(s->frequency_share > FREQUENCY_SHARE)) {
    sound(d, VT_AILMENT_RULED_BY_FREQUENCY);
    return;
  }
  struct vt_finding *f =
      found(d, VT_AILMENT_RULED_BY_FREQUENCY, "How often a word occurs rules which way its vector points.");
  evidence(f,
           "%.0f%% of the variance of directions lies between words that occur 1 to 9, 10 to 99, 100 to 999, and 1,000 "
           "times and more",
           100 * s->frequency_share);
  remedy(f, "%sleave rare words out (--min-count), or subsample frequent ones harder (--sample 1e-5)",
         has(d, VT_AILMENT_STOPPED_EARLY) ? "train for more epochs first; " : "train for more epochs, ");
}

enum vt_status vt_diagnose(struct vt_run *run, int threads, struct vt_diagnosis *diagnosis, struct vt_error *error) {
  static void (*const rules[VT_AILMENTS])(const struct vt_symptoms *, struct vt_diagnosis *) = {
      diverged,  diverging,     rate_too_high, rate_too_low,  stopped_early,      overfitted,
      collapsed, words_unmoved, dim_too_large, dim_too_small, ruled_by_frequency,
  };
  struct vt_symptoms symptoms;
  *diagnosis = (struct vt_diagnosis){.finding_count = 0};
  VT_TRY(vt_symptoms_gather(run, threads, &symptoms, error));
  for (size_t r = 0; r < VT_AILMENTS; r++) rules[r](&symptoms, diagnosis);
  return VT_OK;
}

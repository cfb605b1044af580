/*
 * experiment_claims.c: one function a claim. Each takes its figures from the evidence, puts them into a sentence, and
 * says whether the claim held, held only with a condition that it names, or did not hold. The bounds stand beside the
 * verdicts that they decide.
 */
#include <math.h>
#include <stdio.h>

#include "analysis/experiment.h"
#include "base/memory.h"
#include "vectrail/vectors.h"

/* ---- figures ----------------------------------------------------------------------------------------------------- */

/* A series of a run; all NaN where it could not be measured. */
static double value_at(const struct vt_measures *measures, const char *name, size_t snapshot) {
  const struct vt_measure_series *series = vt_measures_find(measures, name);
  return series == NULL || snapshot >= measures->count ? (double)NAN : series->values[snapshot];
}

static double first_of(const struct vt_measures *measures, const char *name) { return value_at(measures, name, 0); }
static double last_of(const struct vt_measures *measures, const char *name) {
  return value_at(measures, name, measures->count - 1);
}

/* The largest value, and where. */
static double peak_of(const struct vt_measures *measures, const char *name, uint64_t *step) {
  double peak = (double)NAN;
  *step = 0;
  for (size_t k = 0; k < measures->count; k++) {
    double value = value_at(measures, name, k);
    if (isnan(value) || value <= peak) continue;
    peak = value;
    *step = measures->steps[k];
  }
  return peak;
}

static void figure(struct vt_claim *claim, const char *name, double value) {
  if (claim->figure_count == VT_CLAIM_FIGURES_MAX) return;
  claim->figures[claim->figure_count].name = name;
  claim->figures[claim->figure_count].value = value;
  claim->figure_count++;
}

#define FINDING(claim, ...) snprintf((claim)->finding, sizeof(claim)->finding, __VA_ARGS__)

/* ---- the claims -------------------------------------------------------------------------------------------------- */

static void judge_random_start(const struct vt_experiment_evidence *evidence, struct vt_claim *claim) {
  double mean = first_of(&evidence->measures, "random_cosine");
  double deviation = first_of(&evidence->measures, "random_deviation");
  double chance = 1 / sqrt((double)evidence->request->dim);
  figure(claim, "mean_cosine", mean);
  figure(claim, "deviation", deviation);
  figure(claim, "deviation_by_chance", chance);
  /* 5,000 pairs: four standard errors of the mean, and some of the deviation, whose pairs share words. */
  bool held = fabs(mean) < 4 * chance / sqrt(5000) + 0.01 && fabs(deviation / chance - 1) < 0.1;
  claim->verdict = held ? VT_VERDICT_HELD : VT_VERDICT_NOT_HELD;
  FINDING(
      claim,
      "At step 0 the cosines of random pairs have mean %.3f and deviation %.3f; chance gives 0 and 1/sqrt(d) = %.3f.",
      mean, deviation, chance);
}

static void judge_pairs(const struct vt_experiment_evidence *evidence, struct vt_claim *claim) {
  const struct vt_measures *measures = &evidence->measures;
  double together0 = first_of(measures, "together_cosine"), together = last_of(measures, "together_cosine");
  double apart0 = first_of(measures, "apart_cosine"), apart = last_of(measures, "apart_cosine");
  if (isnan(together) || isnan(apart)) {
    claim->verdict = VT_VERDICT_NOT_ASKED;
    FINDING(claim, "The text has too few pairs that meet often, or never meet, to tell.");
    return;
  }
  uint64_t step;
  double peak = peak_of(measures, "apart_cosine", &step), band = 1.96 / sqrt((double)evidence->request->dim);
  figure(claim, "together_start", together0);
  figure(claim, "together_end", together);
  figure(claim, "apart_start", apart0);
  figure(claim, "apart_peak", peak);
  figure(claim, "apart_end", apart);
  bool close_up = together > together0 + band && together > apart, open = apart <= apart0 + 0.01;
  claim->verdict = !close_up ? VT_VERDICT_NOT_HELD : open ? VT_VERDICT_HELD : VT_VERDICT_CONDITIONAL;
  FINDING(claim,
          "Pairs that meet most: cosine %.3f to %.3f. Frequent words that never meet: %.3f, at most %.3f (step %llu), "
          "%.3f at the end.%s",
          together0, together, apart0, peak, (unsigned long long)step, apart,
          claim->verdict == VT_VERDICT_CONDITIONAL ? " Condition: they open against the others, not against their "
                                                     "start, since early on all words go the same way."
                                                   : "");
}

static void judge_clusters(const struct vt_experiment_evidence *evidence, struct vt_claim *claim) {
  const struct vt_measures *measures = &evidence->measures;
  double start = first_of(measures, "silhouette"), end = last_of(measures, "silhouette");
  double agreement = first_of(measures, "cluster_agreement"), half = (double)NAN;
  uint64_t step = 0;
  for (size_t k = 0; k < measures->count && isnan(half); k++) {
    if (value_at(measures, "cluster_agreement", k) < 0.5) continue;
    half = value_at(measures, "cluster_agreement", k);
    step = measures->steps[k];
  }
  figure(claim, "silhouette_start", start);
  figure(claim, "silhouette_end", end);
  figure(claim, "agreement_start", agreement);
  figure(claim, "half_agreement_step", (double)step);
  claim->verdict = end > start + 0.05 && agreement < 0.1 ? VT_VERDICT_HELD : VT_VERDICT_NOT_HELD;
  FINDING(claim,
          "Silhouette of %zu clusters: %.3f at the start, %.3f at the end. The final clusters are not there at the "
          "start (adjusted Rand index %.3f) and half agreed upon from step %llu.",
          measures->clusters, start, end, agreement, (unsigned long long)step);
}

static void judge_synonyms(const struct vt_experiment_evidence *evidence, struct vt_claim *claim) {
  double start = 0, end = 0;
  size_t asked = 0;
  for (size_t k = 0; k < evidence->synonym_count; k++) {
    uint32_t a, b;
    const char *const *words = evidence->synonyms[k].words;
    if (!vt_vocab_find(evidence->vocab, words[0], &a) || !vt_vocab_find(evidence->vocab, words[1], &b)) continue;
    start += vt_vectors_cosine(evidence->first, a, b);
    end += vt_vectors_cosine(evidence->last, a, b);
    asked++;
  }
  claim->verdict = VT_VERDICT_NOT_ASKED;
  if (asked == 0) {
    FINDING(claim, evidence->synonym_count == 0 ? "No synonyms were named (--synonyms)."
                                                : "None of the synonyms stand in the text often enough.");
    return;
  }
  start /= (double)asked;
  end /= (double)asked;
  double random = last_of(&evidence->measures, "random_cosine");
  double deviation = last_of(&evidence->measures, "random_deviation");
  figure(claim, "pairs", (double)asked);
  figure(claim, "cosine_start", start);
  figure(claim, "cosine_end", end);
  figure(claim, "random_end", random);
  figure(claim, "random_deviation_end", deviation);
  /* The mean of n pairs stays within 3 standard errors of what random pairs have, unless they are alike. */
  bool held = end > start && end > random + 3 * deviation / sqrt((double)asked);
  claim->verdict = held ? VT_VERDICT_HELD : VT_VERDICT_NOT_HELD;
  FINDING(claim,
          "%zu pairs of synonyms: mean cosine %.3f at the start, %.3f at the end; random pairs at the end: %.3f.",
          asked, start, end, random);
}

/* |gradient| on the probe. It is small at the start, too, where all output vectors are zero: its peak is what counts.
 */
static enum vt_status gradient(const struct vt_experiment_evidence *evidence, double *peak, double *last,
                               struct vt_error *error) {
  struct vt_run_point *points;
  size_t count;
  VT_TRY(vt_run_metric(evidence->run, "probe_gradient", &points, &count, error));
  *peak = *last = (double)NAN;
  for (size_t k = 0; k < count; k++) {
    *last = points[k].value;
    if (!(*peak >= *last)) *peak = *last;
  }
  vt_run_points_free(points);
  return VT_OK;
}

static enum vt_status judge_settling(const struct vt_experiment_evidence *evidence, struct vt_claim *claim,
                                     struct vt_error *error) {
  uint64_t step;
  double peak = peak_of(&evidence->measures, "speed", &step), end = last_of(&evidence->measures, "speed");
  double constant_peak = peak_of(&evidence->free, "speed", &step), constant = last_of(&evidence->free, "speed");
  double highest, gradient_end;
  VT_TRY(gradient(evidence, &highest, &gradient_end, error));
  figure(claim, "speed_share", end / peak);
  figure(claim, "speed_share_constant_rate", constant / constant_peak);
  figure(claim, "gradient_share", gradient_end / highest);
  bool settles = end < 0.1 * peak, constant_settles = constant < 0.1 * constant_peak,
       vanishes = gradient_end < 0.01 * highest;
  claim->verdict = !settles                       ? VT_VERDICT_NOT_HELD
                   : vanishes && constant_settles ? VT_VERDICT_HELD
                                                  : VT_VERDICT_CONDITIONAL;
  FINDING(claim,
          "The speed falls to %.1f%% of its peak, |gradient| on held-out pairs to %.0f%% of its own.%s At a constant "
          "rate the speed falls to %.0f%%.",
          100 * end / peak, 100 * gradient_end / highest,
          claim->verdict == VT_VERDICT_CONDITIONAL
              ? " Condition: the learning rate falls to zero. With sampled gradients it is the step that vanishes, not "
                "the gradient."
              : "",
          100 * constant / constant_peak);
  return VT_OK;
}

static void judge_penalty(const struct vt_experiment_evidence *evidence, struct vt_claim *claim) {
  size_t half = evidence->free.count / 2;
  double free_half = value_at(&evidence->free, "norm", half), free_end = last_of(&evidence->free, "norm");
  double bounded_half = value_at(&evidence->bounded, "norm", half), bounded_end = last_of(&evidence->bounded, "norm");
  figure(claim, "norm_half", free_half);
  figure(claim, "norm_end", free_end);
  figure(claim, "norm_half_l2", bounded_half);
  figure(claim, "norm_end_l2", bounded_end);
  double growth = free_end / free_half - 1, bounded_growth = bounded_end / bounded_half - 1;
  bool bounded = bounded_end < free_end && bounded_growth < 0.01;
  claim->verdict = !bounded ? VT_VERDICT_NOT_HELD : growth > 0.02 ? VT_VERDICT_HELD : VT_VERDICT_CONDITIONAL;
  FINDING(claim,
          "At a constant rate, over the second half of the training, the mean norm goes from %.2f to %.2f (%+.1f%%) "
          "without a penalty and from %.2f to %.2f (%+.1f%%) with lambda = %g.%s",
          free_half, free_end, 100 * growth, bounded_half, bounded_end, 100 * bounded_growth, evidence->request->l2,
          claim->verdict == VT_VERDICT_CONDITIONAL
              ? " Condition: here they stop growing without it, too, only later and "
                "longer; what it bounds is where."
              : "");
}

/* How many of the analogies a table answers right; *asked those whose words it has. */
static enum vt_status count_right(const struct vt_experiment_evidence *evidence, const struct vt_vectors *vectors,
                                  size_t *right, size_t *asked, struct vt_error *error) {
  *right = *asked = 0;
  for (size_t k = 0; k < evidence->analogy_count; k++) {
    uint32_t ids[4];
    bool known = true;
    for (int w = 0; w < 4; w++)
      known = known && vt_vocab_find(evidence->vocab, evidence->analogies[k].words[w], &ids[w]);
    if (!known) continue;
    struct vt_neighbor best;
    size_t count;
    VT_TRY(vt_vectors_analogy(vectors, ids[0], ids[1], ids[2], 1, &best, &count, error));
    ++*asked;
    *right += count == 1 && best.id == ids[3];
  }
  return VT_OK;
}

static enum vt_status judge_analogy(const struct vt_experiment_evidence *evidence, struct vt_claim *claim,
                                    struct vt_error *error) {
  size_t asked, start, end, words = vt_vocab_size(evidence->vocab);
  VT_TRY(count_right(evidence, evidence->first, &start, &asked, error));
  VT_TRY(count_right(evidence, evidence->last, &end, &asked, error));
  claim->verdict = VT_VERDICT_NOT_ASKED;
  if (asked == 0) {
    FINDING(claim, evidence->analogy_count == 0 ? "No analogies were named (--analogies)."
                                                : "None of the analogies has all its words in the text often enough.");
    return VT_OK;
  }
  figure(claim, "asked", (double)asked);
  figure(claim, "right_start", (double)start);
  figure(claim, "right_end", (double)end);
  figure(claim, "right_by_chance", (double)asked / (double)words);
  claim->verdict = 2 * end >= asked ? VT_VERDICT_HELD : end > start ? VT_VERDICT_CONDITIONAL : VT_VERDICT_NOT_HELD;
  FINDING(claim, "Of %zu analogies %zu are answered right at the start and %zu at the end, among %zu words.%s", asked,
          start, end, words,
          claim->verdict == VT_VERDICT_CONDITIONAL ? " Condition: for some pairs of words, not for most." : "");
  return VT_OK;
}

enum vt_status vt_experiment_judge(const struct vt_experiment_evidence *evidence, struct vt_claim *claims,
                                   struct vt_error *error) {
  static const struct {
    const char *id, *claim;
  } said[VT_EXPERIMENT_CLAIMS] = {
      {"random_start", "Vectors start at random: no two words are alike."},
      {"pairs", "Words that occur together close up, unrelated words open."},
      {"clusters", "Clusters form."},
      {"synonyms", "Synonyms close up, though they never meet."},
      {"settles", "The space settles, and |gradient| goes to zero."},
      {"penalty", "L2 bounds the norms."},
      {"analogy", "Differences carry meaning: king - man + woman is near queen."},
  };
  for (size_t k = 0; k < VT_EXPERIMENT_CLAIMS; k++)
    claims[k] = (struct vt_claim){.id = said[k].id, .claim = said[k].claim};
  judge_random_start(evidence, &claims[0]);
  judge_pairs(evidence, &claims[1]);
  judge_clusters(evidence, &claims[2]);
  judge_synonyms(evidence, &claims[3]);
  VT_TRY(judge_settling(evidence, &claims[4], error));
  judge_penalty(evidence, &claims[5]);
  return judge_analogy(evidence, &claims[6], error);
}

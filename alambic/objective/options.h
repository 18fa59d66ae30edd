#pragma once

#include "alambic/objective/divergence_kind.h"
#include "alambic/objective/group_advantage.h"
#include "alambic/objective/hidden_measure.h"
#include "alambic/options/options.h"

namespace alambic {

struct ObjectiveOptions {
  std::string objective = "reverse_kl";
  double beta = 0.5;
  double alpha = 0.1;
  bool normalize_jsd = false;
  double kd_temperature = 1;
  int64_t kd_topk = 0;
  TopKBy kd_topk_by = TopKBy::teacher;
  double ce_weight = 0;
  double hidden_weight = 0;
  HiddenMeasure hidden_distance = HiddenMeasure::mse;
  std::vector<std::string> hidden_layers;
  double clip_ratio = 0.2;
  int64_t num_iterations = 1;
  AdvantageKind advantage = AdvantageKind::grpo;
  double kl_weight = 0;
  double teacher_mix = 0;

  void visit(OptionVisitor& v) {
    v.group("Objective");
    v.text(
        "objective", objective,
#define ALAMBIC_DIVERGENCE(kind, type) #kind ", "
#include "alambic/objective/divergences.def"
#undef ALAMBIC_DIVERGENCE
        "each a divergence between student and teacher, exact over the whole vocabulary; "
        "sampled_reverse_kl: the reverse "
        "KL's policy gradient on the drawn tokens alone; minillm: reverse_kl and, as "
        "long_term_kl, what each token does to the reverse KL of those after it; grpo: completions "
        "that score better than others to the same prompt (--reward or --judge, "
        "--num-generations); cross_entropy: of given completions, the data's or the teacher's "
        "(--completions-by); or a sum of them with weights that add up to 1, as "
        "0.7*reverse_kl+0.3*grpo");
    v.number("beta", beta, "for jsd: 0 is the forward KL, 1 the reverse", {.min = 0, .max = 1});
    v.number("alpha", alpha,
             "for skew_kl and skew_reverse_kl: share of the other distribution in the mixture",
             {.min = 0, .max = 0.999});
    v.flag("normalize-jsd", normalize_jsd,
           "divide jsd by beta (1 - beta), so that every beta has the gradient's size of a KL")
        .formerly("normalise-jsd")
        .not_with("beta 0 or beta 1", {.reason = "at its ends jsd is a whole KL already",
                                       .hint = "a --beta between them"});
    v.number("kd-temperature", kd_temperature,
             "both distributions are softened by it; the loss is multiplied by its square (tvd: "
             "by itself)",
             {.min = 1e-3});
    v.integer("kd-topk", kd_topk,
              "compare this many tokens and one bucket for all others; with --cross-tokenizer "
              "pieces: what this many tokens of a teacher behind an address say of the strings; 0: "
              "every token",
              {.min = 0})
        .not_with("cross-tokenizer span", {.reason = "spans are compared, not tokens"});
    v.choice("kd-topk-by", kd_topk_by,
             {{"teacher", TopKBy::teacher}, {"student", TopKBy::student}, {"both", TopKBy::both}},
             "whose most likely tokens --kd-topk takes")
        .only_with("kd-topk");
    v.number("ce-weight", ce_weight,
             "adds this much cross-entropy on given completions (steps on the student's own "
             "completions have none)",
             {.min = 0});
    v.number("hidden-weight", hidden_weight,
             "adds this much of the distance between hidden states of student and teacher on the "
             "completions' tokens, through learned projections where their widths differ; needs "
             "one live "
             "teacher; 0: none",
             {.min = 0});
    v.choice("hidden-distance", hidden_distance,
             {{"mse", HiddenMeasure::mse}, {"cosine", HiddenMeasure::cosine}},
             "mean square over the width, or 1 - cosine")
        .only_with("hidden-weight");
    v.list("hidden-layers", hidden_layers,
           "STUDENT:TEACHER, decoder layers counted from 1 whose outputs are compared; none: every "
           "layer of the student, spread evenly over the teacher's, last with last")
        .only_with("hidden-weight");
    v.number("clip-ratio", clip_ratio,
             "for objectives over drawn tokens (sampled_reverse_kl, minillm, grpo): a token whose "
             "probability has grown or fallen by this share since it was drawn is not pushed "
             "further; 0: no limit",
             {.min = 0, .max = 0.999});
    v.integer(
        "num-iterations", num_iterations,
        "for objectives over drawn tokens: optimizer steps that learn from the same completions, "
        "weighted by their importance",
        {.min = 1});
    v.choice("advantage", advantage,
             {{"grpo", AdvantageKind::grpo}, {"dr_grpo", AdvantageKind::dr_grpo}},
             "for grpo: (score - mean) / standard deviation within the completions to a prompt; "
             "dr_grpo: score - mean, and the sum over tokens is divided by completions times "
             "--max-completion-length");
    v.number(
        "kl-weight", kl_weight,
        "for objectives over drawn tokens: adds this much of the KL from the student as it was "
        "before the run, which is then held in memory too; 0: none",
        {.min = 0});
    v.number("teacher-mix", teacher_mix,
             "for objectives over drawn tokens: share of the teacher in the distribution that "
             "completions are drawn from; tokens are weighted accordingly (MiniLLM: 0.2)",
             {.min = 0, .max = 0.999});
  }
};

}  // namespace alambic

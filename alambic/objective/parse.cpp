#include "alambic/objective/parse.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

std::vector<std::string> objective_names() {
  std::vector<std::string> names;
  for (const DivergenceInfo& info : divergence_infos()) names.push_back(info.name);
  for (const PolicyInfo& info : policy_infos()) names.push_back(info.name);
  names.emplace_back("minillm");
  names.emplace_back("cross_entropy");
  return names;
}

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

/// One term of the sum as it is written: "0.3*tvd" or, with weight 1, "tvd".
struct NamedTerm {
  std::string name;
  double weight = 1;
};

NamedTerm parse_term(const std::string& text, const std::string& objective) {
  const size_t star = text.find('*');
  if (star == std::string::npos) return {.name = text};
  const std::string number = text.substr(0, star);
  double weight = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (error != std::errc() || end != number.data() + number.size() || !(weight > 0) ||
      !std::isfinite(weight)) {
    throw input_error("--objective {}: the weight '{}' is not a positive number", objective,
                      number);
  }
  return {.name = text.substr(star + 1), .weight = weight};
}

void check_name(const std::string& name, const std::string& objective) {
  const std::vector<std::string> known = objective_names();
  if (std::ranges::find(known, name) != known.end()) return;
  const std::string nearest = nearest_name(name, known);
  throw input_error("--objective {}: there is no objective '{}'", objective, name)
      .with_hint("known are " + join(known) +
                 (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
}

std::vector<NamedTerm> parse_terms(const std::string& objective) {
  std::vector<NamedTerm> terms;
  const std::string text = without_spaces(objective);
  double sum = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('+', begin), text.size());
    const NamedTerm term = parse_term(text.substr(begin, end - begin), objective);
    check_name(term.name, objective);
    if (std::ranges::count(terms, term.name, &NamedTerm::name) > 0) {
      throw input_error("--objective {}: {} is there twice", objective, term.name);
    }
    terms.push_back(term);
    sum += term.weight;
    begin = end + 1;
  }
  if (std::abs(sum - 1) > 1e-6) {
    throw input_error("--objective {}: the weights sum to {:g}, expected 1", objective, sum)
        .with_hint("as 0.7*reverse_kl+0.3*tvd; --learning-rate scales the whole");
  }
  return terms;
}

/// Adds the term to the part that it belongs to; minillm to both: the reverse KL of every position,
/// exact, and what each token does to those after it.
void place(const NamedTerm& term, const std::string& text, Objective& objective) {
  for (const DivergenceInfo& info : divergence_infos()) {
    if (info.name != term.name) continue;
    objective.divergence.terms.push_back({.kind = info.kind, .weight = term.weight});
    return;
  }
  for (const PolicyInfo& info : policy_infos()) {
    if (info.name != term.name) continue;
    objective.policy.terms.push_back({.kind = info.kind, .weight = term.weight});
    return;
  }
  if (term.name == "minillm") {
    place({.name = "reverse_kl", .weight = term.weight}, text, objective);
    place({.name = "long_term_kl", .weight = term.weight}, text, objective);
    return;
  }
  if (term.name == "cross_entropy") {
    objective.cross_entropy = term.weight;
    return;
  }
  throw bug("--objective {}: no room takes {}", text, term.name);
}

void refuse_unused(bool given, bool read, const char* option, const std::string& objective,
                   const std::string& reader) {
  if (!given || read) return;
  throw input_error("{} has no effect with --objective {}", option, objective)
      .with_hint(reader + " takes it");
}

/// Gives the divergences their parameters and refuses those that none reads.
void set_divergence(const ObjectiveOptions& options, Objective& objective) {
  Divergence& divergence = objective.divergence;
  const ObjectiveOptions defaults;
  divergence.kd_temperature = options.kd_temperature;
  divergence.topk = options.kd_topk;
  bool jsd = false, skew = false;
  for (DivergenceTerm& term : divergence.terms) {
    if (term.kind == DivergenceKind::jsd) {
      jsd = true;
      term.parameter = options.beta;
      term.weight *= generalized_jsd(options.beta, 1, options.normalize_jsd).terms[0].weight;
    } else if (info_of(term.kind).parameter.source == DivergenceParameter::alpha) {
      skew = true;
      term.parameter = options.alpha;
    }
  }
  const std::string& name = options.objective;
  refuse_unused(options.beta != defaults.beta, jsd, "--beta", name, "--objective jsd");
  refuse_unused(options.normalize_jsd, jsd, "--normalize-jsd", name, "--objective jsd");
  refuse_unused(options.alpha != defaults.alpha, skew, "--alpha", name, "--objective skew_kl");
  refuse_unused(options.kd_temperature != defaults.kd_temperature, objective.compares_tokens(),
                "--kd-temperature", name, "an objective that compares with a teacher");
  refuse_unused(options.kd_topk > 0, !divergence.terms.empty(), "--kd-topk", name,
                "a divergence over the vocabulary, as --objective reverse_kl,");
  divergence.topk_by = options.kd_topk_by;
}

void set_policy(const ObjectiveOptions& options, Policy& policy) {
  const ObjectiveOptions defaults;
  const bool drawn = !policy.terms.empty();
  const std::string& name = options.objective;
  const std::string reader = "--objective sampled_reverse_kl, grpo or minillm";
  refuse_unused(options.clip_ratio != defaults.clip_ratio, drawn, "--clip-ratio", name, reader);
  refuse_unused(options.num_iterations > 1, drawn, "--num-iterations", name, reader);
  refuse_unused(options.kl_weight > 0, drawn, "--kl-weight", name, reader);
  refuse_unused(options.teacher_mix > 0, drawn, "--teacher-mix", name, reader);
  refuse_unused(options.advantage != defaults.advantage, policy.has(PolicyKind::grpo),
                "--advantage", name, "--objective grpo");
  policy.clip = options.clip_ratio;
  policy.kl_weight = options.kl_weight;
}

}  // namespace

Objective objective_of(const ObjectiveOptions& options) {
  Objective objective{.divergence = {.terms = {}}};
  for (const NamedTerm& term : parse_terms(options.objective)) {
    place(term, options.objective, objective);
  }
  set_divergence(options, objective);
  set_policy(options, objective.policy);
  objective.hidden = options.hidden_weight > 0;
  return objective;
}

}  // namespace alambic

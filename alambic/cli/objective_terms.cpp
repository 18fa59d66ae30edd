#include "alambic/cli/objective_terms.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

std::vector<std::string> divergence_names() {
  std::vector<std::string> names;
  for (const DivergenceInfo& info : divergence_infos()) names.push_back(info.name);
  return names;
}

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

DivergenceKind kind_of(const std::string& name, const std::string& objective) {
  for (const DivergenceInfo& info : divergence_infos()) {
    if (info.name == name) return info.kind;
  }
  throw input_error("--objective {}: no divergence is called '{}'", objective, name)
      .with_hint("known are " + join(divergence_names()));
}

/// "0.3*tvd" or, with weight 1, "tvd".
DivergenceTerm parse_term(const std::string& text, const std::string& objective) {
  const size_t star = text.find('*');
  if (star == std::string::npos) return {.kind = kind_of(text, objective)};
  const std::string number = text.substr(0, star);
  double weight = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
  if (error != std::errc() || end != number.data() + number.size() || !(weight > 0) ||
      !std::isfinite(weight)) {
    throw input_error("--objective {}: the weight '{}' is not a positive number", objective,
                      number);
  }
  return {.kind = kind_of(text.substr(star + 1), objective), .weight = weight};
}

std::vector<DivergenceTerm> parse_terms(const std::string& objective) {
  std::vector<DivergenceTerm> terms;
  const std::string text = without_spaces(objective);
  double sum = 0;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('+', begin), text.size());
    terms.push_back(parse_term(text.substr(begin, end - begin), objective));
    for (size_t i = 0; i + 1 < terms.size(); ++i) {
      if (terms[i].kind == terms.back().kind) {
        throw input_error("--objective {}: {} is there twice", objective,
                          info_of(terms[i].kind).name);
      }
    }
    sum += terms.back().weight;
    begin = end + 1;
  }
  if (std::abs(sum - 1) > 1e-6) {
    throw input_error("--objective {}: the weights sum to {:g}, expected 1", objective, sum)
        .with_hint("as 0.7*reverse_kl+0.3*tvd; --learning-rate scales the whole");
  }
  return terms;
}

void refuse_unused(bool given, bool read, const char* option, const std::string& objective,
                   const std::string& reader) {
  if (!given || read) return;
  throw input_error("{} has no effect with --objective {}", option, objective)
      .with_hint(reader + " takes it");
}

}  // namespace

Divergence divergence_of(const ObjectiveOptions& options) {
  const ObjectiveOptions defaults;
  Divergence divergence{.terms = parse_terms(options.objective),
                        .kd_temperature = options.kd_temperature,
                        .topk = options.kd_topk};
  bool jsd = false, skew = false;
  for (DivergenceTerm& term : divergence.terms) {
    if (term.kind == DivergenceKind::jsd) {
      jsd = true;
      term.parameter = options.beta;
      term.weight *= generalised_jsd(options.beta, 1, options.normalise_jsd).terms[0].weight;
    } else if (term.kind == DivergenceKind::skew_kl ||
               term.kind == DivergenceKind::skew_reverse_kl) {
      skew = true;
      term.parameter = options.alpha;
    }
  }
  const std::string& name = options.objective;
  refuse_unused(options.beta != defaults.beta, jsd, "--beta", name, "--objective jsd");
  refuse_unused(options.normalise_jsd, jsd, "--normalise-jsd", name, "--objective jsd");
  if (options.normalise_jsd && (options.beta == 0 || options.beta == 1)) {
    throw input_error("--normalise-jsd has no effect with --beta {}", options.beta)
        .with_hint("at its ends jsd is a whole KL already");
  }
  refuse_unused(options.alpha != defaults.alpha, skew, "--alpha", name, "--objective skew_kl");
  if (options.kd_topk == 0 && options.kd_topk_by != defaults.kd_topk_by) {
    throw input_error("--kd-topk-by has no effect without --kd-topk");
  }
  divergence.topk_by = options.kd_topk_by == "teacher"   ? TopKBy::teacher
                       : options.kd_topk_by == "student" ? TopKBy::student
                                                         : TopKBy::both;
  return divergence;
}

}  // namespace alambic

#include "alambic/teacher/judge.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/flow/packed.h"
#include "alambic/nn/head_logits.h"

namespace alambic {

std::string defused(const std::string& text, const Tokenizer& tokenizer) {
  std::string safe = text;
  // Breaking one may make another; each round leaves fewer bytes unbroken.
  for (bool changed = true; changed;) {
    changed = false;
    for (const int32_t id : tokenizer.encode(safe, /*add_special=*/false)) {
      if (!tokenizer.is_special(id)) continue;
      const std::string token = tokenizer.token_of(id);
      const size_t place = safe.find(token);
      if (token.size() < 2 || place == safe.npos) continue;  // the id of an unknown word
      safe.insert(place + 1, " ");
      changed = true;
      break;
    }
  }
  return safe;
}

Judge::Judge(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer,
             Rubric rubric, double min_mass)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      rubric_(std::move(rubric)),
      min_mass_(min_mass) {
  for (size_t w = 0; w < rubric_.words.size(); ++w) {
    const size_t before = tokens_.size();
    for (const std::string& spelling : {rubric_.words[w], " " + rubric_.words[w]}) {
      const std::vector<int32_t> ids = tokenizer_->encode(spelling, /*add_special=*/false);
      if (ids.size() != 1 || std::ranges::count(tokens_, ids.front()) > 0) continue;
      if (tokenizer_->special().unk == ids.front()) continue;
      tokens_.push_back(ids.front());
      values_.push_back(rubric_.values[w]);
    }
    if (tokens_.size() == before) {
      throw input_error("the score '{}' is not a token of its own for the judge", rubric_.words[w])
          .with_hint("name scores of one token each, such as single digits");
    }
  }
}

std::vector<int32_t> Judge::question(const Attempt& attempt, bool swapped) const {
  Attempt safe{.prompt = defused(attempt.prompt, *tokenizer_),
               .completion = defused(attempt.completion, *tokenizer_),
               .expected = attempt.expected};
  if (safe.expected) safe.expected = defused(*safe.expected, *tokenizer_);
  return tokenizer_->encode(rubric_.fill(safe, swapped));
}

namespace {

// Softmax over all of the judge's tokens at one position, only the score tokens kept.
Tensor word_probabilities(const Head& head, const Tensor& hidden_SD,
                          const std::vector<int64_t>& tokens) {
  const Tensor logits_SV = head_logits(wide_head(head), hidden_SD.to(at::kFloat));
  const Tensor token_W = at::tensor(tokens, at::kLong).to(logits_SV.device());
  return logits_SV.softmax(1).index_select(1, token_W).to(at::kCPU, at::kDouble).contiguous();
}

}  // namespace

std::vector<Score> Judge::ask(const std::vector<Attempt>& attempts, bool swapped) const {
  constexpr int64_t tokens_per_pass = 8192;
  const at::NoGradGuard no_grad;
  const at::Device device = model_->head().weight_VD.device();
  std::vector<Score> scores(attempts.size());
  std::vector<std::vector<int32_t>> questions;
  std::vector<size_t> asked;
  int64_t tokens = 0;
  const auto completion = [&] {
    if (questions.empty()) return;
    const Packed packed = pack(questions, device);
    std::vector<int64_t> last;
    for (size_t s = 0; s < questions.size(); ++s) last.push_back(packed.offsets[s + 1] - 1);
    const Tensor hidden_SD =
        model_->hidden(Pass(packed)).index_select(0, at::tensor(last, at::kLong).to(device));
    const Tensor probability_SW =
        word_probabilities(model_->head().cut(tokenizer_->size()), hidden_SD, tokens_);
    for (size_t s = 0; s < questions.size(); ++s) {
      const double* probability = probability_SW[s].const_data_ptr<double>();
      double mass = 0, sum = 0;
      for (size_t w = 0; w < tokens_.size(); ++w) {
        mass += probability[w];
        sum += probability[w] * values_[w];
      }
      scores[asked[s]] =
          mass >= min_mass_
              ? Score{.value = static_cast<float>(sum / mass)}
              : dropped_score(fmt::format("the judge gives no score: the words {} have a "
                                          "probability of {:.2g} together",
                                          join(rubric_.words), mass));
    }
    questions.clear();
    asked.clear();
    tokens = 0;
  };
  for (size_t i = 0; i < attempts.size(); ++i) {
    std::vector<int32_t> ids = question(attempts[i], swapped);
    const auto length = static_cast<int64_t>(ids.size());
    if (length > model_->shape().positions) {
      scores[i] =
          dropped_score(fmt::format("the rubric with the completion has {} tokens, but the "
                                    "judge's context is {}",
                                    length, model_->shape().positions));
      continue;
    }
    if (tokens + length > tokens_per_pass) completion();
    questions.push_back(std::move(ids));
    asked.push_back(i);
    tokens += length;
  }
  completion();
  return scores;
}

std::vector<Score> Judge::score(const std::vector<Attempt>& attempts) const {
  return judged_scores(rubric_, attempts, [&](bool swapped) { return ask(attempts, swapped); });
}

}  // namespace alambic

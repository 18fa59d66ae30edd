// A local model that scores whole completions by a rubric.
#pragma once

#include <memory>

#include "alambic/model/model.h"
#include "alambic/teacher/reward.h"
#include "alambic/teacher/rubric.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// The score is the expected value over the rubric's words, Σ value · p(word) / Σ p(word), of the
/// judge's next token after the rubric: one pass, no sampling, finer than the words themselves. A
/// rubric that compares is asked in both orders and the two are averaged, so that a judge that
/// prefers the first completion is worth 0.5.
///
/// A judge that would not answer with a word of the rubric (their probabilities together are below
/// `min_mass`) gives no score: dropped. So does a text longer than the judge's context.
class Judge : public Reward {
 public:
  /// Input errors: a word that is not one token for the judge.
  Judge(std::shared_ptr<const Model> model, std::shared_ptr<const Tokenizer> tokenizer,
        Rubric rubric, double min_mass = 0.05);

  std::vector<Score> score(const std::vector<Attempt>& attempts) const override;
  bool needs_expected() const override { return rubric_.needs_reference(); }

 private:
  std::vector<int32_t> question(const Attempt& attempt, bool swapped) const;
  std::vector<Score> ask(const std::vector<Attempt>& attempts, bool swapped) const;

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Rubric rubric_;
  double min_mass_;
  std::vector<int64_t> tokens_;  // the words'; a word may have two, with and without a space
  std::vector<double> values_;   // values of the tokens
};

/// The text with every special token of the tokenizer that it spells out broken by a space, so that
/// a completion cannot end its turn and speak in the judge's name.
std::string defused(const std::string& text, const Tokenizer& tokenizer);

}  // namespace alambic

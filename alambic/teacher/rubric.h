// Question to a judge: a text with places for the prompt and the completion, ending where the
// judge's next token is the score.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/base/files.h"
#include "alambic/teacher/reward.h"

namespace alambic {

/// Places: {prompt} and {answer}, and {reference} for the row's known answer. A rubric with {first}
/// and {second} in place of {answer} compares the completion with the reference, asked in both
/// orders.
struct Rubric {
  std::string text;
  std::vector<std::string> words;  ///< each one token for the judge
  std::vector<double> values;      ///< values of the words; of a pair: the first is better

  bool compares() const { return text.find("{first}") != text.npos; }
  bool needs_reference() const { return compares() || text.find("{reference}") != text.npos; }
  /// The places filled in, once: what stands in a completion is never a place. `swapped`: the
  /// reference comes first.
  std::string fill(const Attempt& attempt, bool swapped = false) const;
};

/// Scores of a judge that `ask` asks, in either order: those of a rubric that compares are the mean
/// of both, and a row without the answer that the rubric needs has none.
std::vector<Score> judged_scores(const Rubric& rubric, const std::vector<Attempt>& attempts,
                                 const std::function<std::vector<Score>(bool swapped)>& ask);

/// Grades 1 to 5, as 0 to 1.
Rubric default_rubric();
/// Rubric that asks which of two completions is better, A or B.
Rubric default_pair_rubric();

/// A rubric of one's own: a text file, with the words of the chosen default unless `words` names
/// others, which must then be numbers; their values are stretched to 0 … 1. Input errors: no place
/// for the completion, both kinds of places, fewer than two words, words that are not numbers.
Rubric read_rubric(const fs::path& file, const std::vector<std::string>& words = {});

}  // namespace alambic

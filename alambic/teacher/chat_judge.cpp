#include "alambic/teacher/chat_judge.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"

namespace alambic {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n*";
  const size_t begin = text.find_first_not_of(blank);
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(blank) + 1 - begin);
}

// The rubric's word that a text begins with; words.size(): none. "10" does not begin with "1".
size_t word_of(std::string_view text, const std::vector<std::string>& words) {
  const std::string_view begin = trimmed(text);
  for (size_t w = 0; w < words.size(); ++w) {
    if (!begin.starts_with(words[w])) continue;
    const auto next =
        static_cast<unsigned char>(begin.size() > words[w].size() ? begin[words[w].size()] : ' ');
    if (std::isalnum(next) == 0) return w;
  }
  return words.size();
}

}  // namespace

ChatJudge::ChatJudge(std::unique_ptr<RemoteWriter> writer, Rubric rubric, double min_mass)
    : writer_(std::move(writer)), rubric_(std::move(rubric)), min_mass_(min_mass) {}

Score ChatJudge::score_of(const WrittenText& written) const {
  const size_t none = rubric_.words.size();
  if (written.first.empty()) {
    const size_t word = word_of(written.text, rubric_.words);
    if (word < none) return {.value = static_cast<float>(rubric_.values[word])};
    return dropped_score(fmt::format("the judge answers \"{}\", which is none of {}",
                                     printable(written.text.substr(0, 60)), join(rubric_.words)));
  }
  double mass = 0, sum = 0;
  for (const auto& [token, logp] : written.first) {
    const auto word = std::ranges::find(rubric_.words, trimmed(token));
    if (word == rubric_.words.end()) continue;
    const double probability = std::exp(logp);
    mass += probability;
    sum += probability * rubric_.values[static_cast<size_t>(word - rubric_.words.begin())];
  }
  if (mass >= min_mass_) return {.value = static_cast<float>(sum / mass)};
  return dropped_score(
      fmt::format("the judge gives no score: the words {} have a probability of {:.2g} together",
                  join(rubric_.words), mass));
}

std::vector<Score> ChatJudge::ask(const std::vector<Attempt>& attempts, bool swapped) const {
  std::vector<WriteRequest> requests;
  for (const Attempt& attempt : attempts) {
    requests.push_back({.messages = {{"user", rubric_.fill(attempt, swapped)}}, .tokens = {}});
  }
  std::vector<Score> scores(attempts.size());
  const auto done = [&](size_t i, const WrittenText& written) { scores[i] = score_of(written); };
  WriteSettings settings{.temperature = 0, .max_tokens = 4, .top_logprobs = 20};
  try {
    writer_->write(requests, settings, done);
  } catch (const Error& error) {
    const std::string words = error.what();
    if (error.exit() != Exit::input || words.find("logprobs") == words.npos) throw;
    // Some models give none and refuse to be asked.
    settings.top_logprobs = 0;
    writer_->write(requests, settings, done);
  }
  return scores;
}

std::vector<Score> ChatJudge::score(const std::vector<Attempt>& attempts) const {
  return judged_scores(rubric_, attempts, [&](bool swapped) { return ask(attempts, swapped); });
}

}  // namespace alambic

#include "alambic/teacher/chat_judge.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/base/trimmed.h"

namespace alambic {
namespace {

// A word may stand in asterisks.
constexpr std::string_view blanks = " \t\r\n*";

// The rubric's word that a text begins with; words.size(): none. "10" does not begin with "1".
size_t word_of(std::string_view text, const std::vector<std::string>& words) {
  const std::string_view begin = trimmed(text, blanks);
  for (size_t w = 0; w < words.size(); ++w) {
    if (!begin.starts_with(words[w])) continue;
    const auto next =
        static_cast<unsigned char>(begin.size() > words[w].size() ? begin[words[w].size()] : ' ');
    if (std::isalnum(next) == 0) return w;
  }
  return words.size();
}

// Of several draws of one verdict.
Score mean_score(std::span<const Score> draws) {
  double sum = 0;
  int64_t scored = 0;
  for (const Score& draw : draws) {
    if (!draw.dropped.empty()) continue;
    sum += draw.value;
    ++scored;
  }
  if (2 * scored >= std::ssize(draws)) {
    return {.value = static_cast<float>(sum / static_cast<double>(scored))};
  }
  const auto first = std::ranges::find_if(draws, [](const Score& s) { return !s.dropped.empty(); });
  return *first;
}

}  // namespace

ChatJudge::ChatJudge(std::unique_ptr<RemoteWriter> writer, Rubric rubric, int64_t samples,
                     double min_mass)
    : writer_(std::move(writer)),
      rubric_(std::move(rubric)),
      samples_(samples),
      min_mass_(min_mass) {}

Score ChatJudge::score_of(const WrittenText& written) const {
  const size_t none = rubric_.words.size();
  if (written.too_long) {
    return dropped_score(
        fmt::format("what is to be judged is longer than the judge's context{}",
                    written.context > 0 ? fmt::format(" of {} tokens", written.context) : ""));
  }
  if (written.first.empty()) {
    const size_t word = word_of(written.text, rubric_.words);
    if (word < none) return {.value = static_cast<float>(rubric_.values[word])};
    return dropped_score(fmt::format("the judge answers \"{}\", which is none of {}",
                                     printable(written.text.substr(0, 60)), join(rubric_.words)));
  }
  double mass = 0, sum = 0;
  for (const auto& [token, logp] : written.first) {
    const auto word = std::ranges::find(rubric_.words, trimmed(token, blanks));
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

std::vector<WrittenText> ChatJudge::write(const std::vector<WriteRequest>& requests) const {
  std::vector<WrittenText> all(requests.size());
  const auto done = [&](size_t i, const WrittenText& written) { all[i] = written; };
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
  return all;
}

std::vector<Score> ChatJudge::draw(const std::vector<WriteRequest>& requests) const {
  std::vector<WriteRequest> draws;
  for (const WriteRequest& request : requests) {
    for (int64_t sample = 1; sample <= samples_; ++sample) {
      draws.push_back(request);
      draws.back().sample = sample;
    }
  }
  std::vector<Score> drawn(draws.size());
  writer_->write(draws, {.temperature = 1, .max_tokens = 4},
                 [&](size_t i, const WrittenText& written) { drawn[i] = score_of(written); });
  std::vector<Score> scores;
  for (size_t r = 0; r < requests.size(); ++r) {
    scores.push_back(mean_score(
        {drawn.data() + r * static_cast<size_t>(samples_), static_cast<size_t>(samples_)}));
  }
  return scores;
}

std::vector<Score> ChatJudge::ask(const std::vector<Attempt>& attempts, bool swapped) const {
  std::vector<WriteRequest> requests, without;
  for (const Attempt& attempt : attempts) {
    requests.push_back({.messages = {{"user", rubric_.fill(attempt, swapped)}}, .tokens = {}});
  }
  const std::vector<WrittenText> written = write(requests);
  std::vector<Score> scores;
  std::vector<size_t> drawn;
  for (size_t i = 0; i < written.size(); ++i) {
    scores.push_back(score_of(written[i]));
    if (samples_ == 1 || written[i].too_long || !written[i].first.empty()) continue;
    drawn.push_back(i);
    without.push_back(requests[i]);
  }
  const std::vector<Score> means = draw(without);
  for (size_t i = 0; i < drawn.size(); ++i) scores[drawn[i]] = means[i];
  return scores;
}

std::vector<Score> ChatJudge::score(const std::vector<Attempt>& attempts) const {
  return judged_scores(rubric_, attempts, [&](bool swapped) { return ask(attempts, swapped); });
}

}  // namespace alambic

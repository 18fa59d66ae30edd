#include "alambic/train/turn_counts.h"

#include <fmt/format.h>

namespace alambic {

void TurnCounts::add(const Example& example) {
  if (!example.chat) return;
  const std::vector<LearnedText>& written = example.chat->written.texts;
  ++conversations;
  if (written.size() > 1) {
    ++split;
    texts += static_cast<int64_t>(written.size());
  }
  for (const LearnedText& text : written) {
    reopened += static_cast<int64_t>(text.reopened.size());
    without_thinking += text.without_thinking;
  }
}

std::string TurnCounts::sentences(const std::string& data) const {
  std::string said;
  if (split > 0) {
    said += fmt::format(
        "{}: the chat template writes earlier completions otherwise than they are generated, so {} "
        "of {} conversations became {} examples, one for each of the assistant's turns as it is "
        "asked for (--split-turns never refuses them)",
        data, split, conversations, texts);
  }
  if (reopened > 0) {
    said += fmt::format(
        "{}{}: the chat template opens the thinking in its request for a completion and does not "
        "write it again: {} completions are learned from there on, with the thinking of their "
        "messages",
        said.empty() ? "" : "\n", data, reopened);
  }
  if (without_thinking > 0) {
    said += fmt::format("; {} have none and learn to close it at once", without_thinking);
  }
  return said;
}

}  // namespace alambic

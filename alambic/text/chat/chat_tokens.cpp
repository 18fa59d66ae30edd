#include "alambic/text/chat/chat_tokens.h"

#include <algorithm>
#include <optional>

#include "alambic/text/tokenizer/stream_decoder.h"

namespace alambic {
namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == text.npos; }

size_t begin_of(const Stretch& stretch, std::string_view text) {
  return stretch.text.data() - text.data();
}

// Byte offsets at which the text up to each token of a stretch ends; nothing when the tokens do not
// make up the text (a normalizer changed it).
std::optional<std::vector<size_t>> ends_of(const Tokenizer& tokenizer, const Stretch& stretch) {
  if (stretch.added) return std::vector{stretch.text.size()};
  StreamDecoder decoder(tokenizer, /*skip_special=*/false);
  std::string made;
  std::vector<size_t> ends;
  for (const int32_t id : stretch.ids) {
    made += decoder.push(id);
    ends.push_back(made.size());
  }
  made += decoder.finish();
  if (ends.empty()) return ends;
  ends.back() = made.size();
  if (made == stretch.text) return ends;
  // A decoder that strips the space before the first word.
  if (!stretch.text.starts_with(' ') || made != stretch.text.substr(1)) return std::nullopt;
  for (size_t& end : ends) ++end;
  return ends;
}

// The tokens [first, last) of a stretch with bytes [begin, end) of it in them.
struct TokenRange {
  size_t first = 0, last = 0;
};

TokenRange by_ends(const std::vector<size_t>& ends, size_t begin, size_t end) {
  const auto start_of = [&](size_t token) { return token == 0 ? 0 : ends[token - 1]; };
  size_t first = std::ranges::upper_bound(ends, begin) - ends.begin();
  // The last token of a character in several tokens alone moves the end.
  while (first > 0 && start_of(first) == begin && start_of(first - 1) == begin) --first;
  const size_t last = std::ranges::lower_bound(ends, end) - ends.begin();
  return {first, std::min(last + 1, ends.size())};
}

// The tokens that the text before byte `at` has in common with the whole: tokenizing does not look
// further ahead than a word. `clean`: the next token begins there.
size_t tokens_before(const Tokenizer& tokenizer, const Stretch& stretch, bool at_start, size_t at,
                     bool& clean) {
  std::vector<int32_t> left;
  for (const Stretch& part : tokenizer.encode_stretches(stretch.text.substr(0, at), at_start)) {
    left.insert(left.end(), part.ids.begin(), part.ids.end());
  }
  const auto [a, b] = std::ranges::mismatch(left, stretch.ids);
  clean = a == left.end();
  return a - left.begin();
}

TokenRange tokens_of(const Tokenizer& tokenizer, const Stretch& stretch, bool at_start,
                     size_t begin, size_t end) {
  if (begin == 0 && end == stretch.text.size()) return {0, stretch.ids.size()};
  if (const auto ends = ends_of(tokenizer, stretch)) return by_ends(*ends, begin, end);
  bool clean = true;
  const size_t first = tokens_before(tokenizer, stretch, at_start, begin, clean);
  const size_t last = tokens_before(tokenizer, stretch, at_start, end, clean) + (clean ? 0 : 1);
  return {first, std::min(last, stretch.ids.size())};
}

}  // namespace

std::vector<int32_t> prompt_ids(const Tokenizer& tokenizer, const Example& example) {
  return tokenizer.encode(example.prompt, example.chat == nullptr);
}

std::vector<int32_t> teacher_prompt_ids(const Tokenizer& tokenizer, const Example& example) {
  if (!example.teacher_prompt) return {};
  return tokenizer.encode(*example.teacher_prompt, !example.teacher_chat);
}

MaskedTokens mask_spans(const Tokenizer& tokenizer, std::string_view text,
                        std::span<const jinja::Span> spans, bool at_start) {
  MaskedTokens tokens;
  for (const Stretch& stretch : tokenizer.encode_stretches(text, at_start)) {
    const size_t first = tokens.ids.size(), begin = begin_of(stretch, text);
    const size_t end = begin + stretch.text.size();
    tokens.ids.insert(tokens.ids.end(), stretch.ids.begin(), stretch.ids.end());
    tokens.learned.resize(tokens.ids.size(), false);
    for (const jinja::Span& span : spans) {
      if (span.begin >= end || span.end <= begin) continue;
      const size_t from = std::max(span.begin, begin) - begin;
      const size_t to = std::min(span.end, end) - begin;
      const TokenRange range = tokens_of(tokenizer, stretch, at_start && begin == 0, from, to);
      for (size_t i = range.first; i < range.last; ++i) {
        tokens.learned[first + i] = true;
      }
    }
  }
  return tokens;
}

namespace {

// The span without the white space after the last special token in it.
jinja::Span up_to_the_end(const Tokenizer& tokenizer, std::string_view text, jinja::Span span) {
  const std::string_view part = text.substr(span.begin, span.end - span.begin);
  const std::vector<Stretch> stretches = tokenizer.encode_stretches(part);
  for (auto stretch = stretches.rbegin(); stretch != stretches.rend(); ++stretch) {
    const size_t end = begin_of(*stretch, part) + stretch->text.size();
    if (stretch->added && tokenizer.is_special(stretch->ids.front())) {
      return {span.begin, span.begin + end};
    }
    if (!is_blank(stretch->text)) break;
  }
  return span;
}

}  // namespace

MaskedTokens learned_ids(const Tokenizer& tokenizer, const LearnedText& written) {
  std::vector<jinja::Span> spans = written.learned;
  if (!written.marked) {
    for (jinja::Span& span : spans) span = up_to_the_end(tokenizer, written.text, span);
  }
  MaskedTokens whole;
  size_t from = 0;
  for (size_t i = 0; i <= written.reopened.size(); ++i) {
    const size_t to = i < written.reopened.size() ? written.reopened[i] : written.text.size();
    std::vector<jinja::Span> within;
    for (const jinja::Span& span : spans) {
      const size_t begin = std::max(span.begin, from), end = std::min(span.end, to);
      if (begin < end) within.push_back({begin - from, end - from});
    }
    const std::string_view part = std::string_view(written.text).substr(from, to - from);
    const MaskedTokens tokens = mask_spans(tokenizer, part, within, from == 0);
    whole.ids.insert(whole.ids.end(), tokens.ids.begin(), tokens.ids.end());
    whole.learned.insert(whole.learned.end(), tokens.learned.begin(), tokens.learned.end());
    from = to;
  }
  return whole;
}

std::vector<int32_t> completion_ids(const Tokenizer& tokenizer, const Example& example) {
  if (example.chat == nullptr) {
    if (!example.completion) return {};
    std::vector<int32_t> ids = tokenizer.encode(*example.completion, /*add_special=*/false);
    if (tokenizer.eos()) ids.push_back(*tokenizer.eos());
    return ids;
  }
  const ChatText& written = example.chat->written;
  if (written.completion.empty()) return {};
  std::string text = written.prompt + written.completion;
  const auto [begin, end] = up_to_the_end(tokenizer, text, {written.prompt.size(), text.size()});
  text.resize(end);
  // A part of the whole, where the prompt's tokens stay the same; a prompt is always completed as
  // it is.
  const std::vector<int32_t> prompt = prompt_ids(tokenizer, example);
  const std::vector<int32_t> whole = tokenizer.encode(text, /*add_special=*/false);
  const auto [a, b] = std::ranges::mismatch(prompt, whole);
  if (a == prompt.end()) return {b, whole.end()};
  return tokenizer.encode(std::string_view(text).substr(begin), /*add_special=*/false);
}

}  // namespace alambic

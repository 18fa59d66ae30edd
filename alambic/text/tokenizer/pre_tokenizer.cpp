#include "alambic/text/tokenizer/pre_tokenizer.h"

#include <functional>
#include <limits>

#include "alambic/base/json_view.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/byte_level.h"
#include "alambic/text/tokenizer/metaspace.h"
#include "alambic/text/tokenizer/pattern.h"
#include "alambic/text/tokenizer/split_behavior.h"

namespace alambic {
namespace {

// Cuts each piece at what `find` returns for it.
template <class Find>
void cut(Pieces& pieces, SplitBehavior behavior, bool invert, const Find& find) {
  std::vector<Range> ranges;
  ranges.reserve(pieces.ranges.size());
  for (const Range& range : pieces.ranges) {
    const std::string_view piece = pieces.piece(range);
    for (const Range& part : split(piece.size(), find(piece), behavior, invert)) {
      ranges.push_back({range.begin + part.begin, range.begin + part.end});
    }
  }
  pieces.ranges = std::move(ranges);
}

struct SequencePreTokenizer : PreTokenizer {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  void apply(Pieces& pieces) const override {
    for (const auto& step : steps) step->apply(pieces);
  }
};

struct SplitPreTokenizer : PreTokenizer {
  SplitPreTokenizer(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern(std::move(pattern)), behavior(behavior), invert(invert) {}
  Pattern pattern;
  SplitBehavior behavior;
  bool invert;
  void apply(Pieces& pieces) const override {
    cut(pieces, behavior, invert,
        [this](std::string_view piece) { return pattern.find_all(piece); });
  }
};

// Cuts at single characters: digits, punctuation, a delimiter.
struct CharacterPreTokenizer : PreTokenizer {
  CharacterPreTokenizer(std::function<bool(char32_t)> wanted, SplitBehavior behavior)
      : wanted(std::move(wanted)), behavior(behavior) {}
  std::function<bool(char32_t)> wanted;
  SplitBehavior behavior;
  void apply(Pieces& pieces) const override {
    cut(pieces, behavior, false, [this](std::string_view piece) {
      std::vector<Range> found;
      for (size_t i = 0; i < piece.size();) {
        const size_t begin = i;
        if (wanted(next_code_point(piece, i))) found.push_back({begin, i});
      }
      return found;
    });
  }
};

// So many characters a piece.
struct FixedLengthPreTokenizer : PreTokenizer {
  int64_t length = 5;
  void apply(Pieces& pieces) const override {
    cut(pieces, SplitBehavior::isolated, false, [this](std::string_view piece) {
      std::vector<Range> chunks;
      int64_t characters = 0;
      for (size_t i = 0; i < piece.size(); ++characters) {
        if (characters % length == 0) chunks.push_back({i, i});
        next_code_point(piece, i);
        chunks.back().end = i;
      }
      return chunks;
    });
  }
};

struct ByteLevelPreTokenizer : PreTokenizer {
  bool add_prefix_space = true;
  std::optional<Regex> regex;

  void apply(Pieces& pieces) const override {
    if (add_prefix_space) prepend(pieces, " ", ' ');
    if (regex) {
      cut(pieces, SplitBehavior::isolated, false,
          [this](std::string_view piece) { return regex->find_all(piece); });
    }
    std::string bytes;
    bytes.reserve(pieces.text.size() + pieces.text.size() / 4);
    for (Range& range : pieces.ranges) {
      const size_t begin = bytes.size();
      for (const char c : pieces.piece(range)) {
        bytes += byte_to_character(static_cast<unsigned char>(c));
      }
      range = {begin, bytes.size()};
    }
    pieces.text = std::move(bytes);
  }

  static void prepend(Pieces& pieces, std::string_view prefix, char unless) {
    std::string text;
    for (Range& range : pieces.ranges) {
      const size_t begin = text.size();
      const bool goes_on = pieces.continued && range.begin == 0;
      if (pieces.text[range.begin] != unless && !goes_on) text += prefix;
      text += pieces.piece(range);
      range = {begin, text.size()};
    }
    pieces.text = std::move(text);
  }
};

struct MetaspacePreTokenizer : PreTokenizer {
  explicit MetaspacePreTokenizer(const JsonView& json)
      : options(read_metaspace(json)), spaces(std::string(" ")), marks(options.replacement) {}
  Metaspace options;
  Pattern spaces;
  Pattern marks;

  void apply(Pieces& pieces) const override {
    std::string text;
    for (Range& range : pieces.ranges) {
      std::string piece = spaces.replace_all(pieces.piece(range), options.replacement);
      const bool first = pieces.at_start && range.begin == 0;
      const bool wanted = options.prepend == Metaspace::Prepend::always ||
                          (options.prepend == Metaspace::Prepend::first && first);
      const size_t begin = text.size();
      const bool goes_on = pieces.continued && range.begin == 0;
      if (wanted && !goes_on && !piece.starts_with(options.replacement)) {
        text += options.replacement;
      }
      text += piece;
      range = {begin, text.size()};
    }
    pieces.text = std::move(text);
    if (options.split) {
      cut(pieces, SplitBehavior::merged_with_next, false,
          [this](std::string_view piece) { return marks.find_all(piece); });
    }
  }
};

std::unique_ptr<PreTokenizer> read_byte_level(const JsonView& json) {
  auto step = std::make_unique<ByteLevelPreTokenizer>();
  step->add_prefix_space = json.boolean_or("add_prefix_space", true);
  if (json.boolean_or("use_regex", true)) step->regex = Regex(gpt2_pattern);
  return step;
}

// `\w+|[^\w\s]+` as Rust's regex reads it: joiners belong to words.
constexpr std::string_view rust_words = R"([\w\x{200C}\x{200D}]+|[^\w\x{200C}\x{200D}\s]+)";

std::unique_ptr<PreTokenizer> by_regex(std::string_view pattern, bool keep_matches) {
  return std::make_unique<SplitPreTokenizer>(Pattern(Regex(pattern)), SplitBehavior::removed,
                                             keep_matches);
}

std::unique_ptr<PreTokenizer> at(std::function<bool(char32_t)> wanted, SplitBehavior behavior) {
  return std::make_unique<CharacterPreTokenizer>(std::move(wanted), behavior);
}

std::unique_ptr<PreTokenizer> read_punctuation(const JsonView& json) {
  const auto behavior = json.find("behavior");
  return at(is_punctuation, behavior ? read_split_behavior(*behavior) : SplitBehavior::isolated);
}

std::unique_ptr<PreTokenizer> bert() {
  auto sequence = std::make_unique<SequencePreTokenizer>();
  sequence->steps.push_back(at(is_space, SplitBehavior::removed));
  sequence->steps.push_back(at(is_punctuation, SplitBehavior::isolated));
  return sequence;
}

std::unique_ptr<PreTokenizer> read_delimiter(const JsonView& json) {
  const JsonView delimiter = json.at("delimiter");
  const std::string_view text = delimiter.string();
  size_t end = 0;
  const char32_t wanted = text.empty() ? 0 : next_code_point(text, end);
  if (text.empty() || end != text.size()) throw delimiter.wrong("expected one character");
  return at([wanted](char32_t c) { return c == wanted; }, SplitBehavior::removed);
}

std::unique_ptr<PreTokenizer> read_fixed_length(const JsonView& json) {
  auto step = std::make_unique<FixedLengthPreTokenizer>();
  if (const auto length = json.find("length")) {
    step->length = length->integer(1, std::numeric_limits<int64_t>::max());
  }
  return step;
}

}  // namespace

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const JsonView& json) {
  const JsonView type = json.at("type");
  const std::string_view name = type.string();
  if (name == "Sequence") {
    auto sequence = std::make_unique<SequencePreTokenizer>();
    for (const JsonView& step : json.at("pretokenizers").items()) {
      sequence->steps.push_back(read_pre_tokenizer(step));
    }
    return sequence;
  }
  if (name == "ByteLevel") return read_byte_level(json);
  if (name == "Split") {
    return std::make_unique<SplitPreTokenizer>(Pattern::read(json.at("pattern")),
                                               read_split_behavior(json.at("behavior")),
                                               json.boolean_or("invert", false));
  }
  if (name == "Digits") {
    const bool individual = json.boolean_or("individual_digits", false);
    return at(is_numeric, individual ? SplitBehavior::isolated : SplitBehavior::contiguous);
  }
  if (name == "Punctuation") return read_punctuation(json);
  if (name == "BertPreTokenizer") return bert();
  if (name == "CharDelimiterSplit") return read_delimiter(json);
  if (name == "FixedLength") return read_fixed_length(json);
  if (name == "Metaspace") return std::make_unique<MetaspacePreTokenizer>(json);
  if (name == "Whitespace") return by_regex(rust_words, true);
  if (name == "WhitespaceSplit") return by_regex(R"(\s+)", false);
  throw type.unknown({"Sequence", "ByteLevel", "Split", "Digits", "Metaspace", "Whitespace",
                      "WhitespaceSplit", "Punctuation", "BertPreTokenizer", "CharDelimiterSplit",
                      "FixedLength"});
}

}  // namespace alambic

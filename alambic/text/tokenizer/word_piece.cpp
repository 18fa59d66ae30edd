#include "alambic/text/tokenizer/word_piece.h"

#include <algorithm>
#include <limits>

#include "alambic/base/json_view.h"

namespace alambic {
namespace {

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

class WordPiece : public TokenModel {
 public:
  explicit WordPiece(const JsonView& json)
      : vocabulary_(Vocabulary::read(json.at("vocab"))),
        unknown_(vocabulary_.find(json.string_or("unk_token", "[UNK]"))),
        prefix_(json.string_or("continuing_subword_prefix", "##")) {
    if (const auto max = json.find("max_input_chars_per_word")) {
      max_characters_ = max->integer(0, std::numeric_limits<int64_t>::max());
    }
    for (int32_t id = 0; id < vocabulary_.limit(); ++id) {
      if (const std::string* token = vocabulary_.token(id)) {
        longest_ = std::max(longest_, token->size());
      }
    }
  }

  void tokenize(const Pieces& pieces, std::vector<int32_t>& ids) const override {
    for (const Range& range : pieces.ranges) {
      const std::string_view word = pieces.piece(range);
      const size_t start = ids.size();
      if (std::ranges::count_if(word, begins_character) <= max_characters_ &&
          tokenize_word(word, ids)) {
        continue;
      }
      if (!unknown_) {
        throw input_error("the word \"{}\" has no tokens, and the vocabulary no unknown token",
                          word);
      }
      ids.resize(start);
      ids.push_back(*unknown_);
    }
  }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  // False where some part begins no token.
  bool tokenize_word(std::string_view word, std::vector<int32_t>& ids) const {
    std::string part;
    for (size_t begin = 0; begin < word.size();) {
      part = begin > 0 ? prefix_ : "";
      const size_t decorated = part.size();
      part += word.substr(begin, longest_);
      while (part.size() > decorated) {
        const size_t end = begin + part.size() - decorated;
        if (end == word.size() || begins_character(word[end])) {
          if (const auto id = vocabulary_.find(part)) {
            ids.push_back(*id);
            break;
          }
        }
        part.pop_back();
      }
      if (part.size() == decorated) return false;
      begin += part.size() - decorated;
    }
    return true;
  }

  Vocabulary vocabulary_;
  std::optional<int32_t> unknown_;
  std::string prefix_;
  int64_t max_characters_ = 100;
  size_t longest_ = 0;  // bytes of the longest token
};

}  // namespace

std::unique_ptr<TokenModel> read_word_piece(const JsonView& json) {
  return std::make_unique<WordPiece>(json);
}

}  // namespace alambic

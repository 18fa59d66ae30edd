#include "alambic/text/tokenizer/word_level.h"

#include "alambic/base/json_view.h"

namespace alambic {
namespace {

class WordLevel : public TokenModel {
 public:
  explicit WordLevel(const JsonView& json)
      : vocabulary_(Vocabulary::read(json.at("vocab"))),
        unknown_(vocabulary_.find(json.string_or("unk_token", "<unk>"))) {}

  void tokenize(const Pieces& pieces, std::vector<int32_t>& ids) const override {
    for (const Range& range : pieces.ranges) {
      const std::string_view word = pieces.piece(range);
      const std::optional<int32_t> id = vocabulary_.find(word);
      if (!id && !unknown_) {
        throw input_error("the word \"{}\" is not in the vocabulary, which has no unknown token",
                          word);
      }
      ids.push_back(id ? *id : *unknown_);
    }
  }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
  std::optional<int32_t> unknown_;
};

}  // namespace

std::unique_ptr<TokenModel> read_word_level(const JsonView& json) {
  return std::make_unique<WordLevel>(json);
}

}  // namespace alambic

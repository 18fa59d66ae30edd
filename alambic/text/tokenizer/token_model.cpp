#include "alambic/text/tokenizer/token_model.h"

#include "alambic/base/json_view.h"
#include "alambic/text/tokenizer/bpe.h"
#include "alambic/text/tokenizer/unigram.h"
#include "alambic/text/tokenizer/word_level.h"
#include "alambic/text/tokenizer/word_piece.h"

namespace alambic {

std::unique_ptr<TokenModel> read_token_model(const JsonView& json) {
  const auto type = json.find("type");
  if (!type && json.find("merges")) return read_bpe(json);
  if (!type && json.find("unk_id")) return read_unigram(json);
  const JsonView name = json.at("type");
  if (name.string() == "BPE") return read_bpe(json);
  if (name.string() == "Unigram") return read_unigram(json);
  if (name.string() == "WordPiece") return read_word_piece(json);
  if (name.string() == "WordLevel") return read_word_level(json);
  throw name.unknown({"BPE", "Unigram", "WordPiece", "WordLevel"});
}

}  // namespace alambic

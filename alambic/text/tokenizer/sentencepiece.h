// tokenizer.model: SentencePiece's protobuf file, read as the tokenizer.json that does the same.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// The fields of ModelProto (sentencepiece_model.proto) that decide about ids.
struct SentencePieceModel {
  enum Type { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  struct Piece {
    std::string_view text;
    float score = 0;
    int64_t type = normal;
  };
  std::vector<Piece> pieces;
  int64_t kind = 1;  ///< TrainerSpec.model_type: 1 unigram, 2 BPE, 3 words, 4 characters
  bool byte_fallback = false;
  bool space_is_suffix = false;
  std::string_view charsmap;  ///< NormalizerSpec.precompiled_charsmap
  bool adds_space_before = true;
  bool removes_extra_spaces = true;
  bool escapes_spaces = true;
};

/// Points into `bytes`. `name` is what errors call the file. Errors: not such a file, cut short,
/// lengths that do not fit, no pieces.
SentencePieceModel read_sentencepiece(const std::string& name, std::string_view bytes);

/// The same as a tokenizer.json, in the form transformers' converters give it. `tokenizer_class`
/// (tokenizer_config.json; "" when it is silent) tells which tokens are put around a text: BOS
/// before it for Llama and Gemma (and BPE without a class), EOS after it for T5.
/// Errors: a class whose ids are not the file's, words or characters as pieces, spaces as suffixes
/// or as they are, a piece that is there twice.
std::string tokenizer_json_of_sentencepiece(const std::string& name, std::string_view bytes,
                                            const std::string& tokenizer_class);

}  // namespace alambic

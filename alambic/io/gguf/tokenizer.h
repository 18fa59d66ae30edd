// The vocabulary inside a GGUF file as a Hugging Face folder's tokenizer files, and the reverse.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "alambic/io/gguf/gguf.h"

namespace alambic {

/// Names in a model folder ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja") and
/// their bytes. tokenizer.json is `tokenizer.huggingface.json` where the file has it, else built
/// from the tokens: kind "gpt2" (byte-level BPE with merges; tokenizer.ggml.pre says how text is
/// cut), "llama" (SentencePiece BPE: merges follow from the scores) or "gemma4" (the same with
/// merges). Input errors name the key: another kind, an unknown tokenizer.ggml.pre, lists of
/// different lengths, a token that is there twice, an id outside the vocabulary.
std::map<std::string, std::string> tokenizer_of_gguf(const GgufMetadata& metadata);

/// Special tokens, which a tokenizer's files do not name plainly.
struct GgufSpecialTokens {
  std::optional<int32_t> bos, eos, unk, pad;
  std::optional<int32_t> eot, eom;  ///< further ends of sequence of generation_config.json
  /// Whether BOS and EOS go around a text; nothing where the tokenizer adds something else.
  std::optional<bool> adds_bos, adds_eos;
};

/// Metadata of a tokenizer with these files, for an embedding of `rows` rows. tokenizer.json goes
/// in whole, beside the tokens as llama.cpp reads them; a tokenizer that llama.cpp has no kind for
/// is marked "no_vocab", which `note` says ("" otherwise). Input errors name `where`.
GgufMetadata gguf_tokenizer(const std::map<std::string, std::string>& files,
                            const GgufSpecialTokens& special, int64_t rows,
                            const std::string& where, std::string& note);

}  // namespace alambic

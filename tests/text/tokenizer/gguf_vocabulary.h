// The tokens and scores in a vocabulary-only GGUF, as a tokenizer.json: what lets llama.cpp's own
// expectations for SentencePiece-style text grade our BPE.
#pragma once

#include <string>

#include "alambic/base/files.h"

namespace alambic {

/// A tokenizer.json of Llama 2's shape. Its merges are all splits of a token into two tokens, those
/// of the highest score first, as transformers' converter makes them.
std::string tokenizer_json_of_gguf(const fs::path& path);

}  // namespace alambic

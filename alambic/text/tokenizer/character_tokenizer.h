#pragma once

#include <string>
#include <string_view>

namespace alambic {

/// A tokenizer.json whose tokens are the single bytes that occur in `text`, in their order: for
/// plain English, its characters. The form is byte-level BPE without merges, so every tool reads
/// it.
std::string character_tokenizer_json(std::string_view text);

}  // namespace alambic

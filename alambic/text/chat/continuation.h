#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// The text that `completion` adds to `prompt`, special tokens left out. Decoding the completion
/// alone would lose its first space where a decoder strips the one that begins a text (Llama 2).
std::string continuation(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
                         std::span<const int32_t> completion);

}  // namespace alambic

#pragma once

#include <string>
#include <vector>

#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

/// The tokens of all texts of a file, one after another; rows of a jsonl end with the end-of-text
/// token each, a .txt file is one text without it.
std::vector<int32_t> read_tokens(const std::string& file, const Tokenizer& tokenizer);

}  // namespace alambic

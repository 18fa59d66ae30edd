// Model folders older than tokenizer.json: their vocabulary files, read as the tokenizer.json that
// transformers' converters make of them.
#pragma once

#include <string>
#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

/// tiktoken's rank file: a line "base64 rank" a token. `name` is what errors call it, `pattern`
/// what cuts the text. Every split of a token into two tokens is a merge, in the order of the
/// ranks. Errors: lines of another shape, ranks or tokens that are there twice.
std::string tokenizer_json_of_tiktoken(const std::string& name, std::string_view lines,
                                       std::string_view pattern);

/// GPT-2's vocab.json and merges.txt. `tokenizer_class` (vocabulary_class; "": GPT-2's) tells what
/// else belongs to it, `prefix_space` whether a space goes before a text. Errors: a class that is
/// not built.
std::string tokenizer_json_of_merges(const fs::path& vocabulary, const fs::path& merges,
                                     const std::string& tokenizer_class, bool prefix_space = false);

/// tokenizer.json made of the vocabulary files that the folder has; "" when we read none of them.
std::string convert_vocabulary_files(const fs::path& folder);

}  // namespace alambic

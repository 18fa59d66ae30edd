// The space before a text, where tokenizer_config.json has a word in it.
#pragma once

#include <string>
#include <string_view>

#include "alambic/text/tokenizer/token_facts.h"

namespace alambic {

/// tokenizer.json as transformers 5.23's classes make it of the file and of `add_prefix_space`: a
/// class of byte-level BPE (GPT2Tokenizer, Qwen2Tokenizer, GPTNeoXTokenizer, …) has the space only
/// where tokenizer_config.json asks for it, LlamaTokenizer and CodeLlamaTokenizer unless it forbids
/// it; every other class leaves the file as it is. "": the file says the same.
std::string with_prefix_space(std::string_view tokenizer_json, const TokenFacts& facts);

}  // namespace alambic

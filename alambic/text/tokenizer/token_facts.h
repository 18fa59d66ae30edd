// What a model folder's files beside the vocabulary say of its tokens, put together as
// AutoTokenizer does: a token is what the last of them says it is, flags included.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/text/tokenizer/added_tokens.h"
#include "alambic/text/tokenizer/token_roles.h"
#include "alambic/text/tokenizer/tokenizer_class.h"

namespace alambic {

struct TokenFacts {
  TokenizerClass type;
  TokenRoles roles;
  /// Tokens in the order in which they are added, without ids: one that the tokenizer has keeps its
  /// id, the next gets the next free one.
  std::vector<AddedToken> added;
  bool forgets = false;  ///< tokenizer.json's added tokens do not count
  bool adds_bos = false, adds_eos = false;
  bool says_around = false;  ///< the config has add_bos_token or add_eos_token
  std::optional<bool> add_prefix_space;
  bool splits_special = false;  ///< special tokens that are written out in a text are text
};

/// Whether a tokenizer.json cuts text into bytes.
bool is_byte_level(std::string_view tokenizer_json);

/// Files by their names in a folder, config.json among them; those that are missing say nothing.
/// `place` is what errors call the folder, `in_file` are tokenizer.json's added tokens by id.
TokenFacts read_token_facts(const std::string& place,
                            const std::map<std::string, std::string>& files,
                            const std::map<int32_t, AddedToken>& in_file, bool byte_level);

}  // namespace alambic

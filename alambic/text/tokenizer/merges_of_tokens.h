#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace alambic {

/// All ways to cut a token into two tokens, those of the lower ids first: the merges by which BPE
/// makes it. None for tokens of more than 512 bytes: no real one is so long, and a runaway one
/// costs its square.
std::vector<std::pair<std::string_view, std::string_view>> splits_into_tokens(
    const std::unordered_map<std::string_view, int64_t>& id_of, std::string_view token);

}  // namespace alambic

#include "alambic/text/tokenizer/merges_of_tokens.h"

#include <algorithm>
#include <tuple>

namespace alambic {

std::vector<std::pair<std::string_view, std::string_view>> splits_into_tokens(
    const std::unordered_map<std::string_view, int64_t>& id_of, std::string_view token) {
  constexpr size_t longest = 512;
  std::vector<std::tuple<int64_t, int64_t, size_t>> cuts;
  for (size_t i = 1; i < token.size() && token.size() <= longest; ++i) {
    const auto left = id_of.find(token.substr(0, i));
    if (left == id_of.end()) continue;
    const auto right = id_of.find(token.substr(i));
    if (right != id_of.end()) cuts.emplace_back(left->second, right->second, i);
  }
  std::ranges::sort(cuts);
  std::vector<std::pair<std::string_view, std::string_view>> splits;
  for (const auto& [left, right, at] : cuts) {
    splits.emplace_back(token.substr(0, at), token.substr(at));
  }
  return splits;
}

}  // namespace alambic

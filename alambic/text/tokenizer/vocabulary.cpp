#include "alambic/text/tokenizer/vocabulary.h"

#include <charconv>

#include "alambic/base/json_view.h"

namespace alambic {

int fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with(">")) return -1;
  int byte = -1;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
  return error == std::errc() && end == token.data() + 5 ? byte : -1;
}

int64_t largest_id_allowed(int64_t tokens) { return 4 * tokens + 100'000; }

Vocabulary Vocabulary::read(const JsonView& json) {
  const simdjson::dom::object object = json.object();
  Entries entries;
  int64_t largest = -1;
  for (const auto [token, value] : object) {
    int64_t id = 0;
    if (value.get(id)) throw json.wrong(token, "expected a whole number as the token's id");
    if (id < 0) throw json.wrong(token, fmt::format("the id {} is negative", id));
    largest = std::max(largest, id);
    entries.emplace_back(token, id);
  }
  const auto count = static_cast<int64_t>(entries.size());
  if (largest > largest_id_allowed(count)) {
    throw json.wrong(
        fmt::format("the largest id is {}, but there are only {} tokens", largest, count));
  }
  return of_entries(json, entries, static_cast<size_t>(largest + 1));
}

Vocabulary Vocabulary::of_list(const JsonView& json, const std::vector<std::string_view>& tokens) {
  Entries entries;
  for (const std::string_view token : tokens) {
    entries.emplace_back(token, static_cast<int64_t>(entries.size()));
  }
  return of_entries(json, entries, tokens.size());
}

Vocabulary Vocabulary::of_entries(const JsonView& json, const Entries& entries, size_t limit) {
  Vocabulary vocabulary;
  vocabulary.tokens_.resize(limit);
  vocabulary.ids_.reserve(entries.size());
  std::vector<bool> taken(vocabulary.tokens_.size());
  for (const auto& [token, id] : entries) {
    std::string& slot = vocabulary.tokens_[static_cast<size_t>(id)];
    if (taken[static_cast<size_t>(id)]) {
      throw json.wrong(token, fmt::format("has id {}, as has \"{}\"", id, slot));
    }
    taken[static_cast<size_t>(id)] = true;
    slot = token;
    if (!vocabulary.ids_.emplace(slot, static_cast<int32_t>(id)).second) {
      throw json.wrong(token, "this token is there twice");
    }
  }
  return vocabulary;
}

std::vector<int32_t> Vocabulary::byte_tokens() const {
  std::vector<int32_t> ids;
  for (int byte = 0; byte < 256; ++byte) {
    ids.push_back(find(fmt::format("<0x{:02X}>", byte)).value_or(-1));
  }
  return ids;
}

std::optional<int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* Vocabulary::token(int32_t id) const {
  if (id < 0 || id >= limit()) return nullptr;
  const std::string& token = tokens_[static_cast<size_t>(id)];
  return token.empty() && find(token) != id ? nullptr : &token;
}

}  // namespace alambic

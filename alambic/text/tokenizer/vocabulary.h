// Tokens and their ids, both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace alambic {

class JsonView;

class Vocabulary {
 public:
  /// Vocabulary of {"token": id, …}. Errors: two tokens with one id, two ids for one token, a
  /// negative id or one far beyond the number of tokens.
  static Vocabulary read(const JsonView& json);
  /// A token's place is its id; `json` is what errors point at. Errors: a token that is there
  /// twice.
  static Vocabulary of_list(const JsonView& json, const std::vector<std::string_view>& tokens);

  std::optional<int32_t> find(std::string_view token) const;
  /// Nothing when no token has this id.
  const std::string* token(int32_t id) const;
  /// The ids of "<0x00>" to "<0xFF>", for byte fallback; -1 where there is none.
  std::vector<int32_t> byte_tokens() const;
  /// Largest id + 1.
  int64_t limit() const { return static_cast<int64_t>(tokens_.size()); }
  int64_t count() const { return static_cast<int64_t>(ids_.size()); }

 private:
  using Entries = std::vector<std::pair<std::string_view, int64_t>>;
  static Vocabulary of_entries(const JsonView& json, const Entries& entries, size_t limit);

  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, int32_t> ids_;  // views into tokens_, which stays put
};

/// 0–255 for "<0x41>", -1 for anything else.
int fallback_byte(std::string_view token);

/// Ids may leave gaps, but not so many that a small file asks for gigabytes.
int64_t largest_id_allowed(int64_t tokens);

}  // namespace alambic

// Metadata of a GGUF file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace alambic {

/// An alternative's index is the type's number in the file; `monostate` stands at 9, because the
/// items of a list may not be lists.
using GgufArray =
    std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>,
                 std::vector<int16_t>, std::vector<uint32_t>, std::vector<int32_t>,
                 std::vector<float>, std::vector<bool>, std::vector<std::string>, std::monostate,
                 std::vector<uint64_t>, std::vector<int64_t>, std::vector<double>>;
using GgufValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool,
                               std::string, GgufArray, uint64_t, int64_t, double>;

/// Keys and values in the order of the file, with typed look-ups: nothing when there is no such
/// key, an input error naming file and key when the value is of another kind or out of range.
class GgufMetadata {
 public:
  GgufMetadata() = default;
  explicit GgufMetadata(std::string where,
                        std::vector<std::pair<std::string, GgufValue>> items = {})
      : where_(std::move(where)), items_(std::move(items)) {}

  /// False when the key is there already, and nothing changes.
  bool add(std::string key, GgufValue value);
  const std::vector<std::pair<std::string, GgufValue>>& items() const { return items_; }
  const GgufValue* find(std::string_view key) const;

  /// A value of any integer type, or the entry of a list whose entries are all the same (as
  /// per-layer sizes are).
  std::optional<int64_t> integer(std::string_view key) const;
  /// A value of any number type.
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  /// Null when there is no such key.
  const std::vector<std::string>* texts(std::string_view key) const;
  /// Lists of any number type; empty when there is no such key.
  std::vector<double> numbers(std::string_view key) const;

  /// Name of the file in errors.
  const std::string& where() const { return where_; }

 private:
  [[noreturn]] void wrong(std::string_view key, std::string_view expected) const;
  std::string where_;
  std::vector<std::pair<std::string, GgufValue>> items_;
};

/// The shortest decimal that is this float32: 1e-05, not 9.99999974737875e-06.
double shortest(double stored);

/// "a list of 3 strings", "an unsigned 32-bit integer": for messages.
std::string kind_of(const GgufValue& value);

}  // namespace alambic

// Fields of a JSON object of a person's file, each read as the type that it should have.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace alambic {

/// A JSON object whose fields are read strictly: an input error names the file, the field, what was
/// expected and what was found. Nothing of nlohmann's may be asked of a file's values but through
/// this: its conversions throw, and its messages are for programmers. The json must outlive it.
struct JsonFields {
  const nlohmann::ordered_json& json;
  std::string where;  ///< "folder/config.json"

  bool has(const std::string& key) const;  ///< present and not null
  /// The value; null where the key is absent or this is no object.
  const nlohmann::ordered_json& value(const std::string& key) const;

  /// An integer between −2^31 and 2^31.
  int64_t integer(const std::string& key) const;
  int64_t integer(const std::string& key, int64_t otherwise) const;
  double number(const std::string& key) const;
  double number(const std::string& key, double otherwise) const;
  bool flag(const std::string& key) const;
  bool flag(const std::string& key, bool otherwise) const;
  /// As Python's `if` asks: null is false. Where the key is absent, `otherwise`.
  bool truth(const std::string& key, bool otherwise) const;
  std::string text(const std::string& key) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  std::vector<std::string> texts(const std::string& key) const;
  std::vector<int64_t> integers(const std::string& key) const;
  std::vector<double> numbers(const std::string& key) const;
  /// The object under `key`, or an empty one where there is none.
  JsonFields object(const std::string& key) const;

  /// "cannot read `where`: "key" should be `expected`, found …", or … "which is missing".
  [[noreturn]] void wrong(const std::string& key, const std::string& expected) const;
  void expect(bool holds, const std::string& key, const std::string& expected) const {
    if (!holds) wrong(key, expected);
  }
};

/// JSON text of a value for an error message, shortened.
std::string json_excerpt(const nlohmann::ordered_json& value);

}  // namespace alambic

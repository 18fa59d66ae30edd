// A JSON file read strictly: every wrong type or missing field is an error that names the file, the
// field and what was found there.
#pragma once

#include <simdjson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/base/error.h"

namespace alambic {

class JsonFile;

/// One value inside a JsonFile, which must outlive it.
class JsonView {
 public:
  JsonView(const std::string& file, std::string path, simdjson::dom::element element)
      : file_(&file), path_(std::move(path)), element_(element) {}

  /// The field, which must be there.
  JsonView at(std::string_view name) const;
  /// The field; nothing when it is absent or null.
  std::optional<JsonView> find(std::string_view name) const;
  std::vector<JsonView> items() const;

  std::string_view string() const;
  bool boolean() const;
  /// A whole number in [low, high].
  int64_t integer(int64_t low, int64_t high) const;
  double number() const;
  bool is_string() const { return element_.is_string(); }
  bool is_object() const { return element_.is_object(); }
  bool is_array() const { return element_.is_array(); }

  std::string string_or(std::string_view name, std::string_view otherwise) const;
  bool boolean_or(std::string_view name, bool otherwise) const;

  simdjson::dom::object object() const;
  simdjson::dom::array array() const;
  simdjson::dom::element element() const { return element_; }

  const std::string& file() const { return *file_; }
  const std::string& path() const { return path_; }
  /// "file: field path: reason, found value"
  Error wrong(std::string_view reason) const;
  /// The same for the `key`-th entry of this object or array.
  Error wrong(std::string_view key, std::string_view reason) const;
  /// An error about a "type" that we do not know: lists the known ones, and the nearest as a hint.
  Error unknown(const std::vector<std::string>& known) const;

 private:
  const std::string* file_;
  std::string path_;
  simdjson::dom::element element_;
};

class JsonFile {
 public:
  /// Objects nest at most this deep in any file we read.
  static constexpr size_t max_depth = 64;

  /// `name` is what errors call it. Errors: not JSON (with line and column), nested too deeply.
  static JsonFile parse(std::string name, std::string_view bytes);
  JsonView root() const { return {*name_, "", root_}; }

 private:
  JsonFile() = default;
  std::unique_ptr<std::string> name_;
  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
};

}  // namespace alambic

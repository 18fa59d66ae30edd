#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/base/json_view.h"
#include "alambic/serve/api_error.h"

namespace alambic {

/// Fields of a request's JSON object. One of a wrong type or out of its bounds is an ApiError 400
/// that names it as its param; null reads as absent.
class RequestFields {
 public:
  explicit RequestFields(const JsonView& json) : json_(json) {}

  std::optional<JsonView> find(std::string_view name) const { return json_.find(name); }
  const JsonView& json() const { return json_; }
  int64_t integer(std::string_view name, int64_t otherwise, int64_t low, int64_t high) const;
  double number(std::string_view name, double otherwise, double low, double high) const;
  bool flag(std::string_view name, bool otherwise) const;
  std::string text(std::string_view name, const std::string& otherwise) const;
  /// Token ids in [0, vocabulary).
  std::vector<int32_t> ids(std::string_view name, int64_t vocabulary) const;
  /// Refuses a field that would change the answer and is not known here, unless it says nothing:
  /// absent, null, false, 0, "", [] or {}.
  void refuse(std::string_view name, std::string_view what) const;

  /// What `read` makes of the field's value; its input errors become the ApiError.
  template <class Read>
  auto read(std::string_view name, const Read& read) const {
    try {
      return read(json_.at(name));
    } catch (const Error& error) {
      throw ApiError(400, with_hint(error), std::string(name));
    }
  }

  /// "message; hint"
  static std::string with_hint(const Error& error);

 private:
  JsonView json_;
};

/// The ApiError 400 of a field that has no effect here.
[[noreturn]] void refuse_field(std::string_view name, std::string_view what);

/// Token ids of a list, in [0, vocabulary).
std::vector<int32_t> read_ids(const JsonView& list, int64_t vocabulary);

/// What a client's body says: an ApiError 400 where it is no JSON object.
JsonFile parse_request(std::string_view body);

}  // namespace alambic

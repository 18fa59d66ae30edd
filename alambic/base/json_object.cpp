#include "alambic/base/json_object.h"

#include <limits>
#include <type_traits>
#include <unordered_set>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/json_nan.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

using AnyJson = nlohmann::json;

// Reads without keeping anything, so that a hostile text is refused before it costs memory.
class Inspector : public nlohmann::json_sax<AnyJson> {
 public:
  Inspector(const std::string& where, size_t max_names) : where_(where), max_(max_names) {}

  bool start_object(size_t) override { return enter(); }
  bool start_array(size_t) override {
    value();
    return enter();
  }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(std::string& name) override {
    auto& names = names_.back();
    if (!names.insert(name).second) {
      throw input_error("cannot read {}: \"{}\" stands twice in one object", where_,
                        printable(name));
    }
    if (names.size() > max_) {
      throw input_error("cannot read {}: an object has more than {} names", where_, max_);
    }
    return true;
  }
  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(int64_t) override { return value(); }
  bool number_unsigned(uint64_t) override { return value(); }
  bool number_float(double, const std::string&) override { return value(); }
  bool string(std::string&) override { return value(); }
  bool binary(AnyJson::binary_t&) override { return value(); }
  bool parse_error(size_t byte, const std::string&, const AnyJson::exception&) override {
    throw input_error("cannot read {}: it is not valid JSON at byte {}", where_, byte)
        .with_hint("an incomplete download?");
  }

 private:
  bool enter() {
    constexpr size_t max_levels = 64;
    if (names_.size() == max_levels) {
      throw input_error("cannot read {}: it nests deeper than {} levels", where_, max_levels);
    }
    names_.emplace_back();
    return true;
  }
  bool leave() {
    names_.pop_back();
    return true;
  }
  bool value() {
    if (!names_.empty()) return true;
    throw input_error("cannot read {}: it should be a JSON object", where_);
  }

  const std::string& where_;
  const size_t max_;
  std::vector<std::unordered_set<std::string>> names_;  // keys of the objects that are open
};

}  // namespace

template <class Json>
Json parse_json_object(std::string_view text, const std::string& where) {
  // ordered_json looks names up one by one: a million of them would take it hours.
  const bool sorts = std::is_same_v<Json, nlohmann::json>;
  Inspector inspector(where, sorts ? std::numeric_limits<size_t>::max() : 20'000);
  AnyJson::sax_parse(text, &inspector);
  return Json::parse(text);
}

template nlohmann::json parse_json_object(std::string_view, const std::string&);
template nlohmann::ordered_json parse_json_object(std::string_view, const std::string&);

nlohmann::ordered_json read_json_object(const fs::path& path) {
  const std::string text = read_file(path, 64 << 20);
  if (!has_json_nan(text)) return parse_json_object<nlohmann::ordered_json>(text, path.string());
  auto object = parse_json_object<nlohmann::ordered_json>(json_nan_as_strings(text), path.string());
  nan_of_strings(object);
  return object;
}

}  // namespace alambic

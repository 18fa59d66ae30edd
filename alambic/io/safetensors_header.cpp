#include "alambic/io/safetensors_header.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

using SortedJson = nlohmann::json;

// Events of the parser, instead of a document: a document takes ten times the header's bytes, and
// would hide names that stand twice.
class Reader : public nlohmann::json_sax<SortedJson> {
 public:
  explicit Reader(const std::string& where) : where_(where) {}

  HeaderEntries take() { return std::move(entries_); }

  bool start_object(size_t) override {
    if (place_ == Place::outside) {
      place_ = Place::header;
    } else if (place_ == Place::header) {
      place_ = name_ == "__metadata__" ? Place::metadata : Place::tensor;
      if (place_ == Place::tensor) entries_.tensors.push_back({.name = name_});
      seen_ = {};
    } else {
      unexpected("an object");
    }
    return true;
  }

  bool key(std::string& name) override {
    bool fresh = true;
    if (place_ == Place::header) {
      fresh = names_.insert(name).second;
      name_ = name;
    } else if (place_ == Place::metadata) {
      fresh = entries_.metadata.emplace(name, "").second;
      field_name_ = name;
    } else {
      fresh = start_field(name);
    }
    if (!fresh) refuse("{}\"{}\" stands twice", place(), printable(name));
    return true;
  }

  bool end_object() override {
    if (place_ == Place::tensor) {
      for (size_t i = 0; i < fields.size(); ++i) {
        if (!seen_[i]) refuse("{}it has no \"{}\"", place(), fields[i]);
      }
    }
    place_ = place_ == Place::header ? Place::outside : Place::header;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::tensor || field_ == dtype) unexpected("a list");
    place_ = field_ == shape ? Place::shape : Place::offsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_ != 2) unexpected(fmt::format("{} of them", offsets_));
    place_ = Place::tensor;
    return true;
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      entries_.metadata[field_name_] = text;
      return true;
    }
    const auto known = dtype_named(text);
    if (place_ != Place::tensor || field_ != dtype || !known) {
      unexpected("\"" + printable(text) + "\"");
    }
    tensor().dtype = *known;
    return true;
  }

  bool number_unsigned(uint64_t number) override {
    constexpr size_t max_sizes = 64;
    constexpr uint64_t max = std::numeric_limits<int64_t>::max();
    if (place_ == Place::shape && number <= max) {
      if (tensor().shape.size() == max_sizes) unexpected("more");
      tensor().shape.push_back(static_cast<int64_t>(number));
    } else if (place_ == Place::offsets && offsets_ < 2) {
      (offsets_++ == 0 ? tensor().begin : tensor().end) = number;
    } else {
      unexpected(std::to_string(number));
    }
    return true;
  }

  bool number_integer(int64_t number) override { return unexpected(std::to_string(number)); }
  bool number_float(double, const std::string& text) override {
    return unexpected(printable(text));
  }
  bool boolean(bool value) override { return unexpected(value ? "true" : "false"); }
  bool null() override { return unexpected("null"); }
  bool binary(SortedJson::binary_t&) override { return unexpected("bytes"); }
  bool parse_error(size_t byte, const std::string&, const SortedJson::exception&) override {
    throw input_error("cannot read {}: the header is not valid JSON at its byte {}", where_, byte)
        .with_hint("is it a safetensors file? an incomplete download?");
  }

 private:
  enum class Place { outside, header, metadata, tensor, shape, offsets };
  enum Field : size_t { dtype, shape, data_offsets };
  static constexpr std::array fields = {"dtype", "shape", "data_offsets"};
  static constexpr std::array expectations = {"a known number format", "a list of at most 64 sizes",
                                              "two byte positions"};

  HeaderEntry& tensor() { return entries_.tensors.back(); }

  // False when the tensor has had the field.
  bool start_field(const std::string& name) {
    for (size_t i = 0; i < fields.size(); ++i) {
      if (name == fields[i]) {
        field_ = static_cast<Field>(i);
        return !std::exchange(seen_[i], true);
      }
    }
    refuse("{}unknown field \"{}\"", place(), printable(name));
  }

  // Start of a message about the current place.
  std::string place() const {
    if (place_ == Place::outside) return "the header ";
    if (place_ == Place::header) return "in the header ";
    if (place_ == Place::metadata) return "__metadata__: ";
    return fmt::format("tensor {}: ", printable(name_));
  }

  [[noreturn]] bool unexpected(const std::string& found) const {
    if (place_ == Place::outside) refuse("the header should be a JSON object, found {}", found);
    if (place_ == Place::header) {
      refuse("\"{}\" should be an object, found {}", printable(name_), found);
    }
    if (place_ == Place::metadata) {
      refuse("{}\"{}\" should be a string, found {}", place(), printable(field_name_), found);
    }
    refuse("{}\"{}\" should be {}, found {}", place(), fields[field_], expectations[field_], found);
  }

  template <class... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw input_error("cannot read {}: {}", where_,
                      fmt::format(format, std::forward<Args>(args)...));
  }

  const std::string& where_;
  HeaderEntries entries_;
  std::unordered_set<std::string> names_;
  Place place_ = Place::outside;
  std::string name_;        // name of the tensor
  std::string field_name_;  // in the metadata
  Field field_ = dtype;
  std::array<bool, 3> seen_ = {};
  int offsets_ = 0;
};

}  // namespace

HeaderEntries read_header_entries(std::string_view json, const std::string& where) {
  Reader reader(where);
  SortedJson::sax_parse(json, &reader);
  return reader.take();
}

}  // namespace alambic

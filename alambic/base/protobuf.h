#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace alambic {

/// Walks through the fields of one protobuf message.
class ProtobufReader {
 public:
  /// `name` is what errors call the file; both must outlive the reader.
  ProtobufReader(const std::string& name, std::string_view bytes)
      : name_(&name), begin_(bytes.data()), rest_(bytes) {}

  /// Goes to the next field; false at the end. Errors: bytes that are no protobuf, a length beyond
  /// the end.
  bool next();

  int field() const { return field_; }
  // The value, which must have been written as this type.
  int64_t integer() const;
  float number() const;
  std::string_view bytes() const;

 private:
  enum Wire { varint = 0, eight = 1, length = 2, four = 5 };
  uint64_t read_varint();
  std::string_view take(uint64_t count);
  void expect(Wire wire, const char* what) const;
  [[noreturn]] void fail(const std::string& reason) const;

  const std::string* name_;
  const char* begin_;
  std::string_view rest_;
  int field_ = 0;
  int wire_ = 0;
  uint64_t integer_ = 0;
  std::string_view bytes_;
};

}  // namespace alambic

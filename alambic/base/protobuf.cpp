#include "alambic/base/protobuf.h"

#include <bit>
#include <cstring>

#include "alambic/base/error.h"

namespace alambic {

void ProtobufReader::fail(const std::string& reason) const {
  throw input_error("{}: at byte {}: {}", *name_, rest_.data() - begin_, reason);
}

uint64_t ProtobufReader::read_varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) fail("the file ends within a number");
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  fail("a number has more than ten bytes");
}

std::string_view ProtobufReader::take(uint64_t count) {
  if (count > rest_.size()) {
    fail(fmt::format("a field of {} bytes, but only {} are left", count, rest_.size()));
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

bool ProtobufReader::next() {
  if (rest_.empty()) return false;
  const uint64_t tag = read_varint();
  wire_ = static_cast<int>(tag & 7);
  if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) fail("this is no protobuf field");
  field_ = static_cast<int>(tag >> 3);
  switch (wire_) {
    case varint:
      integer_ = read_varint();
      return true;
    case eight:
      bytes_ = take(8);
      return true;
    case length:
      bytes_ = take(read_varint());
      return true;
    case four:
      bytes_ = take(4);
      return true;
    default:
      fail(fmt::format("this is no protobuf field (kind {})", wire_));
  }
}

void ProtobufReader::expect(Wire wire, const char* what) const {
  if (wire_ != wire) fail(fmt::format("field {}: expected {}", field_, what));
}

int64_t ProtobufReader::integer() const {
  expect(varint, "a whole number");
  return static_cast<int64_t>(integer_);
}

float ProtobufReader::number() const {
  expect(four, "a number of four bytes");
  static_assert(std::endian::native == std::endian::little);
  float value = 0;
  std::memcpy(&value, bytes_.data(), sizeof value);
  return value;
}

std::string_view ProtobufReader::bytes() const {
  expect(length, "bytes");
  return bytes_;
}

}  // namespace alambic

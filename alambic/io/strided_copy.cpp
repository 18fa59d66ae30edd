#include "alambic/io/strided_copy.h"

#include <cstring>

namespace alambic {

std::optional<uint64_t> last_index(const Strided& strided) {
  int64_t last = strided.offset;
  for (size_t i = 0; i < strided.sizes.size(); ++i) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(strided.sizes[i] - 1, strided.strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return {};
    }
  }
  return last;
}

bool is_contiguous(const Strided& strided) {
  int64_t expected = 1;
  for (size_t i = strided.sizes.size(); i > 0; --i) {
    if (strided.sizes[i - 1] == 1) continue;  // its stride is never used
    if (strided.strides[i - 1] != expected) return false;
    expected *= strided.sizes[i - 1];
  }
  return true;
}

namespace {

// Calls visit(number, position) for every number, in the order of the rows.
template <class F>
void walk(const Strided& strided, const F& visit) {
  const std::vector<int64_t>& sizes = strided.sizes;
  std::vector<int64_t> strides = strided.strides;
  int64_t count = 1;
  for (size_t i = 0; i < sizes.size(); ++i) {
    count *= sizes[i];
    if (sizes[i] == 1) strides[i] = 0;  // may be any number: it is never used
  }
  std::vector<int64_t> index(sizes.size());
  int64_t position = strided.offset;
  for (int64_t i = 0; i < count; ++i) {
    visit(static_cast<uint64_t>(i), static_cast<uint64_t>(position));
    for (size_t axis = sizes.size(); axis > 0; --axis) {
      position += strides[axis - 1];
      if (++index[axis - 1] < sizes[axis - 1]) break;
      position -= sizes[axis - 1] * strides[axis - 1];
      index[axis - 1] = 0;
    }
  }
}

}  // namespace

std::vector<std::byte> copy_in_order(const Strided& strided, std::span<const std::byte> storage,
                                     uint64_t number_bytes) {
  uint64_t count = 1;
  for (const int64_t size : strided.sizes) count *= static_cast<uint64_t>(size);
  std::vector<std::byte> copy(count * number_bytes);
  walk(strided, [&](uint64_t number, uint64_t position) {
    std::memcpy(copy.data() + number * number_bytes, storage.data() + position * number_bytes,
                number_bytes);
  });
  return copy;
}

void put_in_places(const Strided& strided, std::span<const std::byte> numbers,
                   std::span<std::byte> storage, uint64_t number_bytes) {
  walk(strided, [&](uint64_t number, uint64_t position) {
    std::memcpy(storage.data() + position * number_bytes, numbers.data() + number * number_bytes,
                number_bytes);
  });
}

}  // namespace alambic

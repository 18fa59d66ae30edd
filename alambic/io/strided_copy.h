#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace alambic {

/// Places of a tensor's numbers in a storage, counted in numbers: offset + Σ index · stride.
struct Strided {
  int64_t offset = 0;
  std::vector<int64_t> sizes, strides;  ///< equally many, none negative
};

/// The highest position, for a tensor that has a number; nothing when it overflows.
std::optional<uint64_t> last_index(const Strided& strided);

/// True when the numbers stand one after another, row by row.
bool is_contiguous(const Strided& strided);

/// The numbers of `number_bytes` bytes each in the order of the rows. Every position lies in
/// `storage`.
std::vector<std::byte> copy_in_order(const Strided& strided, std::span<const std::byte> storage,
                                     uint64_t number_bytes);

/// The reverse: `numbers`, in the order of the rows, go to their positions in `storage`.
void put_in_places(const Strided& strided, std::span<const std::byte> numbers,
                   std::span<std::byte> storage, uint64_t number_bytes);

}  // namespace alambic

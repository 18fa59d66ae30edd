#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace alambic {

/// Bytes of a tensor, a range of them: in memory that another object owns, or made when they are
/// first asked for, so that whoever wants sizes alone pays for nothing. Copies share what was made.
class TensorBytes {
 public:
  TensorBytes() = default;
  TensorBytes(const std::byte* data, size_t size) : data_(data), size_(size) {}
  /// Memory that must outlive this: a span, a vector.
  template <class Range>
  requires(std::convertible_to<const Range&, std::span<const std::byte>> &&
           !std::same_as<std::remove_cvref_t<Range>, TensorBytes>) TensorBytes(const Range& bytes)
      : TensorBytes(std::data(bytes), std::size(bytes)) {}
  /// `make` gives `size` bytes, once, in whichever thread asks first; what it throws, that thread
  /// gets. What it reads must outlive this.
  TensorBytes(size_t size, std::function<std::vector<std::byte>()> make);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::byte* data() const { return made_ ? made() : data_; }
  auto begin() const { return span().begin(); }
  auto end() const { return span().end(); }
  std::span<const std::byte> span() const { return {data(), size_}; }
  std::span<const std::byte> subspan(size_t begin, size_t count) const {
    return span().subspan(begin, count);
  }

 private:
  struct Made {
    std::once_flag once;
    std::function<std::vector<std::byte>()> make;
    std::vector<std::byte> bytes;
  };
  const std::byte* made() const;

  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  std::shared_ptr<Made> made_;  // null: the bytes are at data_
};

}  // namespace alambic

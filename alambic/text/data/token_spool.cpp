#include "alambic/text/data/token_spool.h"

#include <algorithm>

#include "alambic/base/error.h"

namespace alambic {

void TokenSpool::add(std::span<const int32_t> numbers) {
  constexpr size_t kept = size_t{1} << 20;
  newest_.insert(newest_.end(), numbers.begin(), numbers.end());
  if (newest_.size() <= kept) return;
  if (!spool_) spool_ = std::make_shared<Spool>();
  spool_->write({reinterpret_cast<const char*>(newest_.data()), newest_.size() * sizeof(int32_t)});
  written_ += std::ssize(newest_);
  newest_.clear();
}

std::vector<int32_t> TokenSpool::read(int64_t first, int64_t count) const {
  check(first >= 0 && count >= 0 && first + count <= size(), "tokens {} to {} of {}", first,
        first + count, size());
  std::vector<int32_t> numbers(static_cast<size_t>(count));
  const int64_t from_file = std::clamp<int64_t>(written_ - first, 0, count);
  if (from_file > 0) {
    spool_->read(static_cast<uint64_t>(first) * sizeof(int32_t),
                 reinterpret_cast<char*>(numbers.data()),
                 static_cast<size_t>(from_file) * sizeof(int32_t));
  }
  const auto begin = newest_.begin() + std::max<int64_t>(first - written_, 0);
  std::copy(begin, begin + (count - from_file), numbers.begin() + from_file);
  return numbers;
}

}  // namespace alambic

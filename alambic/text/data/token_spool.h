#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "alambic/text/data/spool.h"

namespace alambic {

/// Numbers of 32 bits one after another, as token ids: the newest in memory (4 MiB), all others in
/// a nameless file in $TMPDIR. Environment errors: a full disk.
class TokenSpool {
 public:
  TokenSpool() = default;
  explicit TokenSpool(std::span<const int32_t> numbers) { add(numbers); }

  void add(std::span<const int32_t> numbers);
  int64_t size() const { return written_ + static_cast<int64_t>(newest_.size()); }
  /// `count` numbers from the `first` on; they must be there.
  std::vector<int32_t> read(int64_t first, int64_t count) const;

 private:
  std::shared_ptr<Spool> spool_;  // copies share what was written
  int64_t written_ = 0;
  std::vector<int32_t> newest_;
};

}  // namespace alambic

// Words seen before and their ids: text repeats itself, merging is the slow part.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace alambic {

/// One slot per hash value; a newcomer takes the slot. Bounded, for one thread at a time.
class WordCache {
 public:
  static constexpr size_t longest_word = 64;

  /// Null when the word is not there. `slot` is then where `store` puts it.
  const std::vector<int32_t>* find(std::string_view word, size_t& slot) const {
    slot = std::hash<std::string_view>()(word) & (slots_.size() - 1);
    return slots_[slot].word == word ? &slots_[slot].ids : nullptr;
  }
  void store(std::string_view word, size_t slot, std::span<const int32_t> ids) {
    slots_[slot].word = word;
    slots_[slot].ids.assign(ids.begin(), ids.end());
  }

 private:
  struct Slot {
    std::string word;
    std::vector<int32_t> ids;
  };
  std::vector<Slot> slots_ = std::vector<Slot>(size_t{1} << 13);
};

/// Caches at rest. A caller takes one for the length of a call, so that words need no lock.
class WordCachePool {
 public:
  std::unique_ptr<WordCache> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<WordCache>();
    auto cache = std::move(idle_.back());
    idle_.pop_back();
    return cache;
  }
  void give_back(std::unique_ptr<WordCache> cache) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(cache));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<WordCache>> idle_;
};

}  // namespace alambic

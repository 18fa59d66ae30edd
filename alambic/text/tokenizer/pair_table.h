// A flat hash table from a pair of numbers to a small value: the merges of BPE, the edges of a
// trie.
#pragma once

#include <cstdint>
#include <vector>

namespace alambic {

template <class Value>
class PairTable {
 public:
  explicit PairTable(size_t expected = 8) { resize(expected); }

  /// Overwrites an earlier value.
  void insert(int32_t first, int32_t second, Value value) {
    if (2 * (count_ + 1) > slots_.size()) {
      std::vector<Slot> old = std::move(slots_);
      resize(2 * count_ + 2);
      for (const Slot& slot : old) {
        if (slot.key != empty) slots_[place(slot.key)] = slot;
      }
    }
    Slot& slot = slots_[place(key(first, second))];
    count_ += slot.key == empty;
    slot = {key(first, second), value};
  }

  /// Null when the pair is not there; both numbers must be ≥ 0.
  const Value* find(int32_t first, int32_t second) const {
    const Slot& slot = slots_[place(key(first, second))];
    return slot.key == empty ? nullptr : &slot.value;
  }

 private:
  struct Slot {
    uint64_t key = empty;
    Value value{};
  };
  static constexpr uint64_t empty = ~uint64_t{0};

  static uint64_t key(int32_t first, int32_t second) {
    return uint64_t{static_cast<uint32_t>(first)} << 32 | static_cast<uint32_t>(second);
  }
  size_t place(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    uint64_t mixed = key * 0x9E3779B97F4A7C15u;
    size_t at = (mixed ^ mixed >> 32) & mask;
    while (slots_[at].key != key && slots_[at].key != empty) at = (at + 1) & mask;
    return at;
  }
  void resize(size_t expected) {
    size_t size = 16;
    while (size < 2 * expected + 2) size *= 2;
    slots_.assign(size, {});
  }

  std::vector<Slot> slots_;
  size_t count_ = 0;
};

}  // namespace alambic

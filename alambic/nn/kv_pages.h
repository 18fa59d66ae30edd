// Pages of a key/value cache (Kwon et al., 2023: arXiv 2309.06180), on the host: whose each one is.
#pragma once

#include <cstdint>
#include <vector>

namespace alambic {

/// A slot's entry e lies in row e % size() of page of(slot)[e / size()]. Slots that begin alike
/// share pages; what one of them writes to it owns.
class KvPages {
 public:
  /// Never given to a slot: rows of a pass that belong to no sequence are written there.
  static constexpr int64_t nobodys = 0;

  /// Without any page. `size`: entries of one.
  KvPages(int64_t slots, int64_t size) : size_(size), of_(static_cast<size_t>(slots)) {}

  int64_t size() const { return size_; }
  /// All pages, nobody's among them.
  int64_t count() const { return static_cast<int64_t>(users_.size()); }
  int64_t free() const { return static_cast<int64_t>(free_.size()); }
  /// Pages that hold so many entries.
  int64_t pages_for(int64_t entries) const { return (entries + size_ - 1) / size_; }
  const std::vector<int64_t>& of(int64_t slot) const { return of_[static_cast<size_t>(slot)]; }

  /// From now on there are `count` pages.
  void grow(int64_t count);
  /// Entries [begin, end) that a slot will write, behind those that it has.
  struct Entries {
    int64_t slot, begin, end;
  };
  /// Free pages that own() will take.
  int64_t missing(const std::vector<Entries>& entries) const;
  /// A page whose entries go to another one too, before anything else is written.
  struct Move {
    int64_t from, to;
  };
  /// Makes the pages of these entries, of a slot each, the slots' own; there are as many free ones
  /// as are missing. What others see of a page that was shared stays theirs: the moves copy it.
  std::vector<Move> own(const std::vector<Entries>& entries);
  /// Lets `to`, which has nothing, begin with the first entries of `from`.
  void share(int64_t from, int64_t to, int64_t entries);
  /// The slot has nothing any more; pages that nobody else has are free.
  void release(int64_t slot);

 private:
  int64_t take();

  int64_t size_;
  std::vector<std::vector<int64_t>> of_;  // per slot
  std::vector<int64_t> users_;            // per page
  std::vector<int64_t> free_;             // the next one last
};

}  // namespace alambic

#include "alambic/nn/kv_pages.h"

#include <algorithm>
#include <map>

#include "alambic/base/error.h"

namespace alambic {

void KvPages::grow(int64_t count) {
  const int64_t before = this->count();
  check(count >= before, "{} pages become {}", before, count);
  users_.resize(static_cast<size_t>(count), 0);
  // Lower ones are taken first.
  for (int64_t page = count; page-- > std::max(before, nobodys + 1);) free_.push_back(page);
}

int64_t KvPages::missing(const std::vector<Entries>& entries) const {
  int64_t count = 0;
  std::map<int64_t, int64_t> writers;  // of shared pages
  for (const Entries& some : entries) {
    const std::vector<int64_t>& pages = of(some.slot);
    for (int64_t i = some.begin / size_; i < pages_for(some.end); ++i) {
      if (i >= std::ssize(pages)) {
        ++count;
      } else if (users_[pages[i]] > 1) {
        ++writers[pages[i]];
      }
    }
  }
  // The last one that has it writes where it is.
  for (const auto& [page, all] : writers) count += std::min(all, users_[page] - 1);
  return count;
}

std::vector<KvPages::Move> KvPages::own(const std::vector<Entries>& entries) {
  std::vector<Move> moves;
  for (const Entries& some : entries) {
    std::vector<int64_t>& pages = of_[static_cast<size_t>(some.slot)];
    check(some.begin <= std::ssize(pages) * size_, "slot {} has {} pages of {} entries, not {}",
          some.slot, pages.size(), size_, some.begin);
    for (int64_t i = some.begin / size_; i < pages_for(some.end); ++i) {
      if (i == std::ssize(pages)) {
        pages.push_back(take());
      } else if (users_[pages[i]] > 1) {
        moves.push_back({pages[i], take()});
        --users_[pages[i]];
        pages[i] = moves.back().to;
      }
    }
  }
  return moves;
}

void KvPages::share(int64_t from, int64_t to, int64_t entries) {
  const std::vector<int64_t>& source = of(from);
  std::vector<int64_t>& pages = of_[static_cast<size_t>(to)];
  const int64_t count = pages_for(entries);
  check(pages.empty() && count <= std::ssize(source), "slot {} shares {} pages of slot {}", to,
        count, from);
  pages.assign(source.begin(), source.begin() + count);
  for (const int64_t page : pages) ++users_[page];
}

void KvPages::release(int64_t slot) {
  std::vector<int64_t>& pages = of_[static_cast<size_t>(slot)];
  for (const int64_t page : pages) {
    if (--users_[page] == 0) free_.push_back(page);
  }
  pages.clear();
}

int64_t KvPages::take() {
  check(!free_.empty(), "all {} pages are taken", count());
  const int64_t page = free_.back();
  free_.pop_back();
  users_[page] = 1;
  return page;
}

}  // namespace alambic

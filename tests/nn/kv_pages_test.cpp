// Pages of a cache: what slots have written stays theirs, whoever shares, writes and goes.
#include "alambic/nn/kv_pages.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace alambic::kv_pages_test {
namespace {

constexpr int64_t kSlots = 5, kSize = 4, kLongest = 23;

// A cache whose entries are numbers, and beside it what each slot has written.
struct Written {
  KvPages pages{kSlots, kSize};
  std::vector<std::vector<int>> memory;  // per page
  std::vector<std::vector<int>> of = std::vector<std::vector<int>>(kSlots);
  int next = 1;

  void grow(int64_t count) {
    pages.grow(count);
    memory.resize(static_cast<size_t>(count), std::vector<int>(kSize, 0));
  }
  int& entry(int64_t slot, int64_t e) {
    return memory.at(static_cast<size_t>(pages.of(slot).at(static_cast<size_t>(e / kSize))))
        .at(static_cast<size_t>(e % kSize));
  }
  // Makes room for `room` more entries and writes `count` of them.
  void write(int64_t slot, int64_t count, int64_t room) {
    const int64_t begin = std::ssize(of[slot]);
    const int64_t missing = pages.missing({{slot, begin, begin + room}}), free = pages.free();
    if (missing > free) grow(pages.count() + missing - free);
    const int64_t before = pages.free();
    const std::vector<KvPages::Move> moves = pages.own({{slot, begin, begin + room}});
    EXPECT_EQ(before - pages.free(), missing);
    for (const KvPages::Move& move : moves) memory.at(move.to) = memory.at(move.from);
    for (int64_t i = 0; i < count; ++i) {
      of[slot].push_back(next);
      entry(slot, begin + i) = next++;
    }
  }
  void share(int64_t from, int64_t to) {
    pages.share(from, to, std::ssize(of[from]));
    of[to] = of[from];
  }
  void release(int64_t slot) {
    pages.release(slot);
    of[slot].clear();
  }

  void expect_kept() {
    std::set<int64_t> used;
    for (int64_t slot = 0; slot < kSlots; ++slot) {
      used.insert(pages.of(slot).begin(), pages.of(slot).end());
      for (int64_t e = 0; e < std::ssize(of[slot]); ++e) {
        EXPECT_EQ(entry(slot, e), of[slot][e]) << "slot " << slot << ", entry " << e;
      }
    }
    EXPECT_FALSE(used.contains(KvPages::nobodys));
    EXPECT_EQ(pages.free() + std::ssize(used) + 1, pages.count());
  }
};

// A page given twice, written where others read it, freed while another has it, or lost.
TEST(KvPages, SlotsKeepWhatTheyWrote) {
  std::mt19937 random(5);
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % n); };
  Written written;
  written.grow(3);
  for (int step = 0; step < 3000 && !testing::Test::HasFailure(); ++step) {
    const int64_t slot = below(kSlots), other = below(kSlots);
    const int64_t left = kLongest - std::ssize(written.of[slot]);
    const int64_t what = below(8);
    if (what == 0 || left == 0) {
      written.release(slot);
    } else if (what == 1 && written.pages.of(slot).empty() && other != slot) {
      written.share(other, slot);
    } else {
      const int64_t room = 1 + below(left);
      written.write(slot, below(room + 1), room);
    }
    written.expect_kept();
  }
}

// Prevents memory that is asked for and not taken: of those that share a page, the last keeps it.
TEST(KvPages, MissingOnesAreThoseThatAreTaken) {
  for (const int64_t writers : {2, 3}) {
    KvPages pages(3, kSize);
    pages.grow(10);
    pages.own({{0, 0, 6}});
    for (const int64_t slot : {1, 2}) pages.share(0, slot, 6);
    std::vector<KvPages::Entries> entries;
    for (int64_t slot = 0; slot < writers; ++slot) entries.push_back({slot, 6, 7});
    const int64_t missing = pages.missing(entries), free = pages.free();
    EXPECT_EQ(pages.own(entries).size(), 2u);
    EXPECT_EQ(free - pages.free(), missing);
  }
}

// A prompt of several pages that every completion has a copy of.
TEST(KvPages, AlikePromptsHaveTheirWholePagesOnce) {
  Written written;
  written.grow(20);
  written.write(0, 10, 10);  // two pages and a half
  for (int64_t slot = 1; slot < kSlots; ++slot) written.share(0, slot);
  EXPECT_EQ(written.pages.free(), 19 - 3);
  for (int64_t slot = 0; slot < kSlots; ++slot) written.write(slot, 1, 1);
  EXPECT_EQ(written.pages.free(), 19 - 2 - kSlots);
  written.expect_kept();
}

}  // namespace
}  // namespace alambic::kv_pages_test

#include "alambic/rollout/page_room.h"

#include <algorithm>
#include <limits>

#include "alambic/scale/cache_pages.h"
#include "alambic/tensor/device.h"

namespace alambic {

namespace {

/// Part of the device's memory that is left to the passes.
constexpr double kLeftToPasses = 1.0 / 16;

}  // namespace

PageRoom::PageRoom(std::shared_ptr<KvPages> pages, std::vector<KvCache*> caches, int64_t most,
                   at::Device device)
    : pages_(std::move(pages)), caches_(std::move(caches)), most_(most), device_(device) {}

bool PageRoom::provide(int64_t count) {
  const int64_t missing = count - pages_->free();
  if (missing <= 0) return true;
  // Nobody's page comes with the first ones.
  const int64_t least = std::max(pages_->count(), KvPages::nobodys + 1) + missing;
  const int64_t step = std::min(most_, pages_->count() + most_ / cache_steps);
  const int64_t made = std::min(std::max(least, step), pages_that_fit());
  if (made < least) return false;
  try {
    for (KvCache* cache : caches_) cache->grow(made);
  } catch (const c10::OutOfMemoryError&) {
    return false;
  }
  pages_->grow(made);
  return true;
}

// All pages that there may be; while they move, one tensor is there twice.
int64_t PageRoom::pages_that_fit() const {
  const double left = free_device_memory(device_) - kLeftToPasses * whole_device_memory(device_);
  double twice = 0, of_page = 0;
  for (const KvCache* cache : caches_) {
    of_page += static_cast<double>(cache->page_bytes());
    for (const KvCache::Layer& layer : cache->layers) {
      twice = std::max(twice, static_cast<double>(layer.keys.nbytes()));
      twice = std::max(twice, static_cast<double>(layer.values.nbytes()));
    }
  }
  if (of_page == 0) return std::numeric_limits<int64_t>::max();
  return pages_->count() + static_cast<int64_t>(std::max(left - twice, 0.0) / of_page);
}

std::optional<int64_t> PageRoom::own(const std::vector<KvPages::Entries>& entries) {
  const int64_t missing = pages_->missing(entries);
  if (!provide(missing)) return std::nullopt;
  const std::vector<KvPages::Move> moves = pages_->own(entries);
  if (!moves.empty()) copy_pages(moves);
  return missing;
}

void PageRoom::copy_pages(const std::vector<KvPages::Move>& moves) {
  std::vector<int64_t> numbers;
  for (const KvPages::Move& move : moves) numbers.push_back(move.from);
  for (const KvPages::Move& move : moves) numbers.push_back(move.to);
  const Tensor both_2M = at::tensor(numbers, at::kLong).view({2, -1}).to(device_);
  for (const KvCache* cache : caches_) {
    for (const KvCache::Layer& layer : cache->layers) {
      for (Tensor entries : {layer.keys, layer.values}) {
        if (entries.numel() == 0) continue;
        entries.index_copy_(0, both_2M[1], entries.index_select(0, both_2M[0]));
      }
    }
  }
}

}  // namespace alambic

// Memory for the keys and values of running sequences on a device: pages come as they are written,
// as long as the device has room.
#pragma once

#include <optional>
#include <vector>

#include "alambic/nn/kv_cache.h"

namespace alambic {

class PageRoom {
 public:
  /// `caches` are in these pages and outlive it; `most`: that all their slots can have.
  PageRoom(std::shared_ptr<KvPages> pages, std::vector<KvCache*> caches, int64_t most,
           at::Device device);

  /// Whether so many pages are free; makes them where it can.
  bool provide(int64_t count);

  /// Makes entries the slots' own (KvPages::own), on the device too. Returns how many pages changed
  /// hands; nothing: there is no room, and nothing has changed.
  std::optional<int64_t> own(const std::vector<KvPages::Entries>& entries);

 private:
  int64_t pages_that_fit() const;
  void copy_pages(const std::vector<KvPages::Move>& moves);

  std::shared_ptr<KvPages> pages_;
  std::vector<KvCache*> caches_;
  int64_t most_;
  at::Device device_;
};

}  // namespace alambic

#include "tests/device/simulated_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "tests/device/simulated_device.h"

namespace alambic::simulated {

namespace {

constexpr size_t kMapped = size_t{16} << 30;  // of addresses: pages come when they are written
constexpr size_t kLargestFilled = size_t{1} << 20;

}  // namespace

Memory& Memory::of_device() {
  static auto* memory = new Memory;
  return *memory;
}

void Memory::open() {
  const int file = ::memfd_create("simulated-device", 0);
  TORCH_CHECK(file >= 0 && ::ftruncate(file, static_cast<off_t>(kMapped)) == 0, "memfd_create");
  const auto map = [&](int rights) {
    void* place = ::mmap(nullptr, kMapped, rights, MAP_SHARED | MAP_NORESERVE, file, 0);
    TORCH_CHECK(place != MAP_FAILED, "mmap");
    return static_cast<char*>(place);
  };
  device_ = map(PROT_NONE);
  shift_ = map(PROT_READ | PROT_WRITE) - device_;
  ::close(file);
  limit_ = kMapped;
}

void Memory::set_limit(size_t bytes) {
  const std::scoped_lock lock(mutex_);
  limit_ = bytes == 0 ? kMapped : std::min(bytes, kMapped);
}

c10::DataPtr Memory::allocate(size_t bytes) {
  const int order = std::max(8, static_cast<int>(std::bit_width(std::max<size_t>(bytes, 1) - 1)));
  const size_t whole = size_t{1} << order;
  void* block = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    if (pool_ && !pool_->free[order].empty()) {
      block = pool_->free[order].back();
      pool_->free[order].pop_back();
      of_pool_[block] = pool_;
    }
    const bool fits = block != nullptr || (live_ + whole <= limit_ &&
                                           (!free_[order].empty() || top_ + whole <= kMapped));
    TORCH_CHECK_WITH(OutOfMemoryError, fits, "the simulated device is out of memory: ", bytes,
                     " bytes asked for, ", live_, " of ", limit_, " in use");
    if (block == nullptr) {
      if (free_[order].empty()) {
        block = device_ + top_;
        top_ += whole;
      } else {
        block = free_[order].back();
        free_[order].pop_back();
      }
      order_[block] = order;
      live_ += whole;
      peak_ = std::max(peak_, live_);
      if (pool_) {
        pool_->order[block] = order;
        of_pool_[block] = pool_;
      }
    }
  }
  // NaN, −1, true: what was there before is no zero on a GPU either.
  std::memset(static_cast<char*>(block) + shift_, 0xff, std::min(bytes, kLargestFilled));
  return {block, block, &give_back, kDevice};
}

void Memory::give_back(void* block) {
  Memory& memory = of_device();
  const std::scoped_lock lock(memory.mutex_);
  const auto found = memory.order_.find(block);
  if (found == memory.order_.end()) return;
  if (const auto own = memory.of_pool_.extract(block)) {
    if (const std::shared_ptr<Pool> pool = own.mapped().lock()) {
      pool->free[found->second].push_back(block);
      return;
    }
  }
  memory.free_[found->second].push_back(block);
  memory.live_ -= size_t{1} << found->second;
  memory.order_.erase(found);
}

// Blocks that no tensor holds go back.
Memory::Pool::~Pool() {
  Memory& memory = of_device();
  const std::scoped_lock lock(memory.mutex_);
  for (const auto& blocks : free) {
    for (void* block : blocks) {
      memory.free_[order.at(block)].push_back(block);
      memory.live_ -= size_t{1} << order.at(block);
      memory.order_.erase(block);
    }
  }
}

void Memory::take_from(std::shared_ptr<Pool> pool) {
  const std::scoped_lock lock(mutex_);
  pool_ = std::move(pool);
}

Memory::Contents Memory::contents() {
  const std::scoped_lock lock(mutex_);
  Contents contents;
  for (const auto& [block, order] : order_) {
    const char* numbers = static_cast<const char*>(block) + shift_;
    contents[block] = {numbers, numbers + (size_t{1} << order)};
  }
  return contents;
}

void Memory::restore(const Contents& contents) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [block, order] : order_) {
    char* numbers = static_cast<char*>(block) + shift_;
    const auto found = contents.find(block);
    if (found == contents.end()) {
      std::memset(numbers, 0xff, size_t{1} << order);
    } else {
      std::memcpy(numbers, found->second.data(), found->second.size());
    }
  }
}

c10::CachingDeviceAllocator::DeviceStats Memory::getDeviceStats(c10::DeviceIndex /*device*/) {
  const std::scoped_lock lock(mutex_);
  c10::CachingDeviceAllocator::DeviceStats stats;
  stats.allocated_bytes[0].current = static_cast<int64_t>(live_);
  stats.allocated_bytes[0].peak = static_cast<int64_t>(peak_);
  return stats;
}

void Memory::resetPeakStats(c10::DeviceIndex /*device*/) {
  const std::scoped_lock lock(mutex_);
  peak_ = live_;
}

std::pair<size_t, size_t> Memory::getMemoryInfo(c10::DeviceIndex /*device*/) {
  const std::scoped_lock lock(mutex_);
  return {limit_ - std::min(live_, limit_), limit_};
}

void Memory::copy_data(void* to, const void* from, size_t bytes) const {
  std::memcpy(static_cast<char*>(to) + shift_, static_cast<const char*>(from) + shift_, bytes);
}

}  // namespace alambic::simulated

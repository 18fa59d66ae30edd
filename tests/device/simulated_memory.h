// Memory of the simulated device: an allocator with statistics over a file that is mapped twice.
#pragma once

#include <c10/core/CachingDeviceAllocator.h>

#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace alambic::simulated {

class Memory : public c10::DeviceAllocator {
 public:
  /// The device's; outlives every tensor.
  static Memory& of_device();

  /// Maps the file.
  void open();
  void set_limit(size_t bytes);
  /// Distance from where a tensor points to where a kernel reads.
  ptrdiff_t shift() const { return shift_; }

  c10::DataPtr allocate(size_t bytes) override;
  bool initialized() override { return device_ != nullptr; }
  void emptyCache(c10::MempoolId_t /*pool*/) override {}
  void recordStream(const c10::DataPtr& /*data*/, c10::Stream /*stream*/) override {}
  c10::CachingDeviceAllocator::DeviceStats getDeviceStats(c10::DeviceIndex device) override;
  void resetAccumulatedStats(c10::DeviceIndex /*device*/) override {}
  void resetPeakStats(c10::DeviceIndex device) override;
  std::pair<size_t, size_t> getMemoryInfo(c10::DeviceIndex device) override;
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, size_t bytes) const override;

  /// Memory of a graph: blocks that tensors give back stay its own.
  struct Pool {
    Pool() = default;
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    std::vector<void*> free[48] = {};
    std::map<void*, int> order;  // of all its blocks
  };
  /// What is allocated from now on is of that pool; null: of none.
  void take_from(std::shared_ptr<Pool> pool);

  /// The numbers of all blocks in use, and those blocks with their numbers again: what others hold
  /// is NaN.
  using Contents = std::map<void*, std::vector<char>>;
  Contents contents();
  void restore(const Contents& contents);

 private:
  static void give_back(void* block);

  char* device_ = nullptr;
  ptrdiff_t shift_ = 0;
  size_t limit_ = 0, top_ = 0;
  std::mutex mutex_;
  std::vector<void*> free_[48];                   // by the power of two of their size
  std::map<void*, int> order_;                    // of the blocks that are in use, or a pool's
  std::shared_ptr<Pool> pool_;                    // of what is allocated now
  std::map<void*, std::weak_ptr<Pool>> of_pool_;  // of a pool's blocks that tensors hold
  size_t live_ = 0, peak_ = 0;
};

}  // namespace alambic::simulated

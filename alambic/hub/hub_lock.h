#pragma once

#include "alambic/base/files.h"

namespace alambic {

/// Lock held while this process fetches into a folder of the cache; the next process waits for it
/// and finds the work done. An environment error where it cannot be had.
class HubLock {
 public:
  explicit HubLock(const fs::path& path);
  ~HubLock();
  HubLock(const HubLock&) = delete;
  HubLock& operator=(const HubLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace alambic

#include "alambic/hub/hub_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "alambic/base/file_system.h"

namespace alambic {

HubLock::HubLock(const fs::path& path) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX) == 0) return;
  const std::error_code reason(errno, std::system_category());
  if (descriptor_ >= 0) ::close(descriptor_);  // no destructor runs
  throw path_error("lock", path, reason);
}

HubLock::~HubLock() { ::close(descriptor_); }

}  // namespace alambic

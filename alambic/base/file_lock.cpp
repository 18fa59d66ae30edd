#include "alambic/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "alambic/base/error.h"

namespace alambic {

namespace {

// The holder before may have removed the file between our opening and locking it.
bool still_there(const fs::path& path, int descriptor) {
  struct stat named {
  }, opened{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(descriptor, &opened) == 0 &&
         named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

// Only for people: that it cannot be written takes nothing from the lock.
void write_holder(int descriptor) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const std::string text = fmt::format("process {} on {}\n", ::getpid(), host.data());
  if (::ftruncate(descriptor, 0) != 0) return;
  [[maybe_unused]] const ssize_t written = ::pwrite(descriptor, text.data(), text.size(), 0);
}

}  // namespace

std::optional<FileLock> FileLock::try_acquire(const fs::path& path) {
  for (;;) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      throw environment_error("cannot open {} for locking: {}", path.string(),
                              std::strerror(errno));
    }
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int reason = errno;
      ::close(descriptor);
      if (reason == EWOULDBLOCK) return {};
      if (reason == EINTR) continue;
      throw environment_error("cannot lock {}: {}", path.string(), std::strerror(reason));
    }
    if (!still_there(path, descriptor)) {
      ::close(descriptor);
      continue;
    }
    write_holder(descriptor);
    return FileLock(path, descriptor);
  }
}

std::string FileLock::holder_of(const fs::path& path) {
  std::error_code gone;
  const std::string text = fs::exists(path, gone) ? read_file(path, 4096) : "";
  return text.starts_with("process ") ? text.substr(0, text.find('\n')) : "another process";
}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  ::unlink(path_.c_str());
  ::close(descriptor_);
}

}  // namespace alambic

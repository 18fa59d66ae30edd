#include "alambic/base/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "alambic/base/write_all.h"

namespace alambic {
namespace {

constexpr size_t max_name_bytes = 255;  // of the usual file systems

// "NAME.tmp-PID" beside the file; a long name is cut, lest the ending make it too long.
fs::path temporary_beside(const fs::path& path) {
  const std::string ending = fmt::format(".tmp-{}", ::getpid());
  const std::string name = path.filename().string().substr(0, max_name_bytes - ending.size());
  return path.parent_path() / (name + ending);
}

int open_place(const OutputPlace& place, const fs::path& temporary) {
  switch (place.kind) {
    case OutputPlace::Kind::file:
      return ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    case OutputPlace::Kind::stream:
      return ::open(place.path.c_str(), O_WRONLY | O_CLOEXEC);
    case OutputPlace::Kind::descriptor:
      return ::fcntl(place.descriptor, F_DUPFD_CLOEXEC, 0);
  }
  throw bug("a place of no kind");
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path) : named_(path), place_(output_place(path)) {
  if (is_file()) temporary_ = temporary_beside(place_.path);
  descriptor_ = open_place(place_, temporary_);
  if (descriptor_ < 0) fail();
  if (place_.mode) ::fchmod(descriptor_, *place_.mode);  // one may write and not own it
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (is_file()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  if (const int reason = write_all(descriptor_, bytes); reason != 0) {
    throw write_error(named_, reason);
  }
}

void AtomicFile::commit() {
  if (is_file()) {
    if (::fsync(descriptor_) != 0) fail();
    if (::rename(temporary_.c_str(), place_.path.c_str()) != 0) fail();
  }
  ::close(descriptor_);
  descriptor_ = -1;
}

void AtomicFile::fail() const { throw write_error(named_, errno); }

}  // namespace alambic

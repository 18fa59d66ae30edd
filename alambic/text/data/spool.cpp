#include "alambic/text/data/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"

namespace alambic {

Spool::Spool() {
  folder_ = environment_variable("TMPDIR").value_or("/tmp");
  std::string name = folder_ + "/alambic_XXXXXX";
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ >= 0 && ::unlink(name.c_str()) == 0) return;
  const int reason = errno;
  if (descriptor_ >= 0) ::close(descriptor_);  // no destructor runs
  throw environment_error("cannot make a temporary file in {}: {}", folder_, std::strerror(reason))
      .with_hint("TMPDIR names another place");
}

Spool::~Spool() { ::close(descriptor_); }

void Spool::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw environment_error("cannot write unpacked data to {}: {}", folder_, std::strerror(errno))
          .with_hint("TMPDIR names another place");
    }
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void Spool::read(uint64_t at, char* bytes, size_t count) const {
  while (count > 0) {
    const ssize_t got = ::pread(descriptor_, bytes, count, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      throw environment_error("cannot read a temporary file in {}: {}", folder_,
                              got == 0 ? "it is too short" : std::strerror(errno));
    }
    at += static_cast<uint64_t>(got);
    bytes += got;
    count -= static_cast<size_t>(got);
  }
}

fs::path Spool::path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

}  // namespace alambic

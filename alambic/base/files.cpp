#include "alambic/base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "alambic/base/error.h"

namespace alambic {

std::string read_file(const fs::path& path, uint64_t limit) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) throw input_error("cannot read {}: there is no such file", path.string());
  if (!fs::is_regular_file(status)) {
    throw input_error("cannot read {}: it is not a regular file", path.string());
  }
  const uint64_t size = fs::file_size(path);
  if (size > limit) {
    throw input_error("cannot read {}: it is {} bytes long, more than the {} allowed here",
                      path.string(), size, limit);
  }
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(size, '\0');
  if (!stream.read(bytes.data(), static_cast<std::streamsize>(size))) {
    throw environment_error("cannot read {}: {}", path.string(), std::strerror(errno));
  }
  return bytes;
}

namespace {

// Closes the descriptor and removes the temporary file unless the rename succeeded.
struct Temporary {
  fs::path path;
  int descriptor = -1;
  bool kept = false;
  ~Temporary() {
    if (descriptor >= 0) ::close(descriptor);
    if (!kept) ::unlink(path.c_str());
  }
};

[[noreturn]] void fail_write(const fs::path& path) {
  throw environment_error("cannot write {}: {}", path.string(), std::strerror(errno));
}

}  // namespace

void write_file(const fs::path& path, std::string_view bytes) {
  Temporary temporary{.path = fs::path(path) += fmt::format(".tmp-{}", ::getpid())};
  temporary.descriptor = ::open(temporary.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (temporary.descriptor < 0) fail_write(path);
  while (!bytes.empty()) {
    const ssize_t written = ::write(temporary.descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_write(path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (::fsync(temporary.descriptor) != 0) fail_write(path);
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) fail_write(path);
  temporary.kept = true;
}

}  // namespace alambic

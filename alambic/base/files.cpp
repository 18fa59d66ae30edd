#include "alambic/base/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "alambic/base/atomic_file.h"
#include "alambic/base/file_system.h"

namespace alambic {

std::string read_file(const fs::path& path, uint64_t limit) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error == std::errc::permission_denied) throw path_error("read", path, error);
  if (!fs::exists(status))
    throw input_error("cannot read {}: there is no such file", path.string());
  if (!fs::is_regular_file(status)) {
    throw input_error("cannot read {}: it is not a regular file", path.string());
  }
  const uint64_t size = file_bytes(path);
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

void write_file(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) {
    throw environment_error("cannot write {}: {}", folder.string(), std::strerror(reason));
  }
}

}  // namespace alambic

#include "alambic/report/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "alambic/base/error.h"
#include "alambic/base/output_place.h"
#include "alambic/base/write_all.h"

namespace alambic {

AppendFile::AppendFile(const fs::path& path)
    : path_(path),
      descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (descriptor_ < 0) throw write_error(path, errno);
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::string_view bytes) {
  if (const int reason = write_all(descriptor_, bytes); reason != 0) {
    throw write_error(path_, reason);
  }
}

}  // namespace alambic

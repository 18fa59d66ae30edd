#include "alambic/base/temporary_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "alambic/base/error.h"

namespace alambic {

TemporaryFolder::TemporaryFolder() {
  const char* chosen = std::getenv("TMPDIR");
  const std::string parent = chosen == nullptr || *chosen == 0 ? "/tmp" : chosen;
  std::string name = parent + "/alambic_XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw environment_error("cannot make a folder for temporary files in {}: {}", parent,
                            std::strerror(errno))
        .with_hint("TMPDIR names another place");
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace alambic

#include "alambic/base/temporary_folder.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"

namespace alambic {

TemporaryFolder::TemporaryFolder() {
  const std::string parent = environment_variable("TMPDIR").value_or("/tmp");
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

// Keys of servers: read from the environment or a file, shown to nobody but the one who sends them.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "alambic/base/files.h"

namespace alambic {

/// A key. It has no form that could be printed, its bytes are wiped with it, and redacted() takes
/// them out of every text. While a process holds one, it leaves no core and cannot be traced by
/// others of its user (PR_SET_DUMPABLE 0).
class Secret {
 public:
  /// Registers the bytes with redacted().
  explicit Secret(std::string_view key);
  ~Secret();
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  /// The key's bytes, for the one who sends it.
  std::string_view reveal() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::string bytes_;
};

/// The key in an environment variable; null where there is none. Its bytes are overwritten where
/// they stand and the variable is removed, so that neither children nor /proc/PID/environ show
/// them; who asks again gets the same key.
std::shared_ptr<const Secret> secret_of_environment(const std::string& variable);

/// The key in a file, without white space around it. Input errors: a file that others of the
/// machine can read, one that is empty, one of more than 64 kB.
std::shared_ptr<const Secret> secret_of_file(const fs::path& path);

/// The text without the keys that this process holds, as they are, in base64 or with %XX, and
/// without whatever follows "Bearer ".
std::string redacted(std::string_view text);

}  // namespace alambic

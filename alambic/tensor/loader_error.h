#pragma once

#include <dlfcn.h>

#include <string>

namespace alambic {

/// Why the last dlopen of this thread failed.
inline std::string loader_error() {
  const char* reason = ::dlerror();
  return reason == nullptr ? "the loader gives no reason" : reason;
}

}  // namespace alambic

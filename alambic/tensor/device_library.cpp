#include "alambic/tensor/device_library.h"

#include <dlfcn.h>

#include "alambic/tensor/loader_error.h"

namespace alambic {

namespace {

std::string beside_this_library(const std::string& name) {
  static const char mark = 0;
  Dl_info found;
  if (::dladdr(&mark, &found) == 0 || found.dli_fname == nullptr) return name;
  const std::string own = found.dli_fname;
  return own.substr(0, own.rfind('/') + 1) + name;
}

}  // namespace

DeviceLibrary::DeviceLibrary(const std::string& path)
    : path_(path.starts_with('/') ? path : beside_this_library(path)),
      handle_(::dlopen(path_.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  if (handle_ == nullptr) problem_ = loader_error();
}

void* DeviceLibrary::symbol(const char* name) const { return ::dlsym(handle_, name); }

}  // namespace alambic

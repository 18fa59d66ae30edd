#include "alambic/hub/curl_library.h"

#include <dlfcn.h>

#include "alambic/base/error.h"

namespace alambic {

namespace {

constexpr const char* file_name = "libcurl.so.4";

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) throw environment_error("{} has no {}", file_name, name);
}

CurlLibrary load() {
  void* library = ::dlopen(file_name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    throw environment_error("cannot load libcurl, which fetches models: {}",
                            reason == nullptr ? file_name : reason)
        .with_hint("apt-get install libcurl4");
  }
  CurlLibrary curl;
  find(library, "curl_global_init", curl.global_init);
  find(library, "curl_easy_init", curl.init);
  find(library, "curl_easy_cleanup", curl.cleanup);
  find(library, "curl_easy_setopt", curl.setopt);
  find(library, "curl_easy_getinfo", curl.getinfo);
  find(library, "curl_easy_perform", curl.perform);
  find(library, "curl_easy_strerror", curl.strerror);
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    throw environment_error("libcurl cannot start");
  }
  return curl;
}

}  // namespace

const CurlLibrary& curl_library() {
  static const CurlLibrary curl = load();
  return curl;
}

}  // namespace alambic

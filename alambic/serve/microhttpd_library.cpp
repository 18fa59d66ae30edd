#include "alambic/serve/microhttpd_library.h"

#include <dlfcn.h>

#include "alambic/base/error.h"

namespace alambic {

namespace {

constexpr const char* file_name = "libmicrohttpd.so.12";

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) throw environment_error("{} has no {}", file_name, name);
}

MicrohttpdLibrary load() {
  void* library = ::dlopen(file_name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = ::dlerror();
    throw environment_error("cannot load libmicrohttpd, which `alambic serve` listens with: {}",
                            reason == nullptr ? file_name : reason)
        .with_hint("apt-get install libmicrohttpd12");
  }
  MicrohttpdLibrary http;
  find(library, "MHD_start_daemon", http.start_daemon);
  find(library, "MHD_stop_daemon", http.stop_daemon);
  find(library, "MHD_quiesce_daemon", http.quiesce_daemon);
  find(library, "MHD_get_daemon_info", http.get_daemon_info);
  find(library, "MHD_get_connection_info", http.get_connection_info);
  find(library, "MHD_lookup_connection_value", http.lookup_connection_value);
  find(library, "MHD_suspend_connection", http.suspend_connection);
  find(library, "MHD_resume_connection", http.resume_connection);
  find(library, "MHD_create_response_from_buffer", http.create_response_from_buffer);
  find(library, "MHD_create_response_from_callback", http.create_response_from_callback);
  find(library, "MHD_add_response_header", http.add_response_header);
  find(library, "MHD_destroy_response", http.destroy_response);
  find(library, "MHD_queue_response", http.queue_response);
  return http;
}

}  // namespace

const MicrohttpdLibrary& microhttpd_library() {
  static const MicrohttpdLibrary http = load();
  return http;
}

}  // namespace alambic

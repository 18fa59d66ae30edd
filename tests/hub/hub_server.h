// A server of the Hugging Face hub's routes for the time of a test (io/hub_server.py).
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "alambic/hub/http.h"

namespace alambic {

class HubServer {
 public:
  HubServer() {
    const std::string script = std::string(ALAMBIC_SOURCE_DIR) + "/tests/hub/hub_server.py";
    process_ = ::popen(("exec python3 " + script).c_str(), "r");
    int port = 0;
    if (process_ == nullptr || std::fscanf(process_, "%d", &port) != 1) std::abort();
    endpoint = fmt::format("http://127.0.0.1:{}", port);
  }
  ~HubServer() {
    http_get({.url = endpoint + "/stop"}, [](long, std::string_view) {});
    ::pclose(process_);
  }
  HubServer(const HubServer&) = delete;
  HubServer& operator=(const HubServer&) = delete;

  std::string endpoint;

 private:
  FILE* process_ = nullptr;
};

}  // namespace alambic

// Declarations that c10d's ProcessGroupGloo.hpp needs to be read: the wheel ships that header, but
// not Gloo's own. Names only: objects of these types are made and used inside libtorch_cpu.so, and
// who calls ProcessGroupGloo holds pointers to them.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace gloo {

namespace transport {
class Device;
class UnboundBuffer {
 public:
  virtual ~UnboundBuffer();
};
}  // namespace transport

namespace rendezvous {
class Store {
 public:
  virtual ~Store();
  virtual void set(const std::string&, const std::vector<char>&) = 0;
  virtual std::vector<char> get(const std::string&) = 0;
  virtual void wait(const std::vector<std::string>&) = 0;
  virtual void wait(const std::vector<std::string>&, const std::chrono::milliseconds&) = 0;
};
}  // namespace rendezvous

struct Context {
  void setTimeout(std::chrono::milliseconds);
};

}  // namespace gloo

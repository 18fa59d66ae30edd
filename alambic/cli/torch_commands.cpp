// The shared library's two entries: what build it is of, and a torch command by name.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/cli/all_options.h"
#include "alambic/cli/build.h"
#include "alambic/cli/run.h"
#include "alambic/options/option_table.h"

namespace alambic {
namespace {

bool has_nvidia_driver() {
  if (::access("/dev/nvidiactl", F_OK) != 0 && ::access("/dev/nvidia0", F_OK) != 0) return false;
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver != nullptr) ::dlclose(driver);
  return driver != nullptr;
}

// libtorch registers its CUDA half when libtorch_cuda.so is loaded, which must come before the
// first libtorch call. We don't link it: it needs gigabytes of libraries that a CPU has no use for.
// Called from this library so that its rpath finds the file.
void load_cuda() {
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) return;
  const char* reason = ::dlerror();
  warn("an NVIDIA driver is here, but libtorch's CUDA half cannot be loaded ({}); using the CPU",
       reason == nullptr ? "no reason given" : reason);
}

bool wants_cuda(const Options& options) {
  OptionTable table(options);
  const OptionEntry* device = table.find("device");
  return device != nullptr && device->toml() != "\"cpu\"";
}

int dispatch(const std::string& command, [[maybe_unused]] const Options& options) {
#define COMMAND_GROUP(title)
#define CORE_COMMAND(name, type, summary)
#define TORCH_COMMAND(name, type, summary) \
  if (command == with_dashes(#name)) return run(static_cast<const type&>(options));
#define HIDDEN_TORCH_COMMAND(name, type) TORCH_COMMAND(name, type, "")
#include "alambic/cli/commands.def"
#undef COMMAND_GROUP
#undef CORE_COMMAND
#undef TORCH_COMMAND
#undef HIDDEN_TORCH_COMMAND
  throw bug("'{}' is not a torch command", command);
}

}  // namespace
}  // namespace alambic

extern "C" const char* alambic_torch_version() { return alambic::kBuild; }

extern "C" int alambic_torch_run(const char* command, const alambic::Options& options) {
  using namespace alambic;
  if (wants_cuda(options) && has_nvidia_driver()) load_cuda();
  return dispatch(command, options);
}

// The shared library's two entries: what build it is of, and a torch command by name.
#include <string>

#include "alambic/base/error.h"
#include "alambic/cli/all_options.h"
#include "alambic/cli/build.h"
#include "alambic/cli/run.h"
#include "alambic/kernels/device.h"
#include "alambic/options/option_table.h"
#include "alambic/tensor/cuda_library.h"

namespace alambic {
namespace {

bool wants_cuda(const Options& options) {
  OptionTable table(options);
  const OptionEntry* device = table.find("device");
  return device != nullptr && device->toml() != "\"cpu\"" && device->toml() != "\"simulated\"";
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

// Why CUDA cannot be used on this machine; empty: it can be tried.
extern "C" void alambic_torch_cuda_problem(std::string& problem) {
  problem = alambic::load_cuda_library();
}

// Why GPU 0 has no kernels of ours; empty: it has.
extern "C" void alambic_torch_kernels_problem(std::string& problem) {
  const auto found = alambic::kernels::load_device_table("libalambic_cuda.so", 0);
  const auto* reason = std::get_if<std::string>(&found);
  problem = reason == nullptr ? "" : *reason;
}

extern "C" int alambic_torch_run(const char* command, const alambic::Options& options) {
  using namespace alambic;
  // Before the first libtorch call; where it fails, choose_device says why.
  if (wants_cuda(options)) load_cuda_library();
  return dispatch(command, options);
}

#include "alambic/cli/torch_library.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <system_error>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/cli/build.h"

namespace alambic {
namespace {

using Version = const char*();
using Run = int(const char* command, const Options& options);
using CudaProblem = void(std::string& problem);

fs::path library_path() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) throw path_error("find the program by", "/proc/self/exe", error);
  const fs::path folder = program.parent_path();
  const fs::path beside = folder / "libalambic_torch.so";
  const fs::path installed = folder.parent_path() / "lib/alambic/libalambic_torch.so";
  for (const fs::path& path : {beside, installed}) {
    if (path_exists(path)) return path;
  }
  throw environment_error("this command needs libalambic_torch.so, found neither as {} nor as {}",
                          beside.string(), installed.string())
      .with_hint("build with libtorch: `make build`, not -DALAMBIC_TORCH=OFF");
}

// A thread that waits for the others spins for milliseconds by default. Beside any other work on
// the machine the spinning takes the cores from those it waits for: decoding was 20 to 30 times as
// slow (docs/LOG.md, 2026-11-25). libgomp reads this when it is loaded, with libtorch.
void spin_briefly() {
  if (!environment_variable("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", "5000", 0);
}

// Options and errors pass between program and library as C++ objects: both must have been compiled
// from the same headers.
void check_version(void* library, const fs::path& path) {
  void* symbol = ::dlsym(library, "alambic_torch_version");
  const std::string found = symbol == nullptr ? "no version" : reinterpret_cast<Version*>(symbol)();
  if (found == kBuild) return;
  throw environment_error("cannot use {}: it is of another build: expected {}, found {}",
                          path.string(), kBuild, found)
      .with_hint("the program and its library come from one build: `make build` or install again");
}

// The function of that name in the torch library, which is loaded.
void* torch_function(const char* name) {
  const fs::path path = library_path();
  spin_briefly();
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    throw environment_error("cannot load {}: {}", path.string(), ::dlerror())
        .with_hint("the libtorch it was built with is gone or incomplete; `make build` again");
  }
  check_version(library, path);
  void* symbol = ::dlsym(library, name);
  check(symbol != nullptr, "{} has no {}", path.string(), name);
  return symbol;
}

}  // namespace

int run_torch_command(const std::string& command, const Options& options) {
  return reinterpret_cast<Run*>(torch_function("alambic_torch_run"))(command.c_str(), options);
}

namespace {

std::string problem_told_by(const char* function) {
  std::string problem;
  reinterpret_cast<CudaProblem*>(torch_function(function))(problem);
  return problem;
}

}  // namespace

std::string cuda_problem() {
  if (!path_exists("/dev/nvidiactl") && !path_exists("/dev/nvidia0")) {
    return "there is no NVIDIA driver";
  }
  return problem_told_by("alambic_torch_cuda_problem");
}

std::string cuda_kernels_problem() { return problem_told_by("alambic_torch_kernels_problem"); }

}  // namespace alambic

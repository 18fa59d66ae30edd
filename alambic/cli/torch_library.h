// The shared library with the torch rooms, loaded only when a command needs it: libtorch takes
// 0.4 to 1 s to load.
#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

/// Runs a torch command and returns its exit code. Looks for libalambic_torch.so beside the
/// executable (build tree), then in ../lib/alambic (installed). Throws an environment error when it
/// cannot be loaded or is of another build; lets the command's own errors through.
int run_torch_command(const std::string& command, const Options& options);

/// Why CUDA cannot be used on this machine, as far as files tell; empty: it can be tried. Loads
/// libtorch where there is a driver, and nothing else.
std::string cuda_problem();

/// Why a GPU has no kernels of ours, where cuda_problem() is empty; empty: they are used.
std::string cuda_kernels_problem();

}  // namespace alambic

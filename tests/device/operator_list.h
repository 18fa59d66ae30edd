// tests/device/operators.txt: the operators that models, losses and commands run on a device.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

namespace alambic {

/// ALAMBIC_UPDATE_GOLDENS=1 build/release/tests/device_test writes the goldens of this folder anew.
bool updates_goldens();

std::filesystem::path device_golden(const std::string& name);

std::set<std::string> listed_operators();

/// After all tests: an operator that ran and is not listed is a failure, or is added.
testing::Environment* operator_list_check();

/// Prints the listed operators for which libtorch_cuda.so has no kernel; the exit code is 1 where
/// there are some, 2 with the loader's words where the library cannot be loaded. No driver needed.
int print_missing_cuda_kernels();

}  // namespace alambic

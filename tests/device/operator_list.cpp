#include "tests/device/operator_list.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <dlfcn.h>
#include <fmt/core.h>

#include <cstdlib>
#include <fstream>

#include "tests/device/simulated_device.h"

namespace alambic {

namespace {

struct OperatorListCheck : testing::Environment {
  void TearDown() override {
    std::set<std::string> all = listed_operators();
    const size_t before = all.size();
    for (const auto& [name, count] : simulated::operators_run()) {
      const bool is_new = all.insert(name).second;
      EXPECT_TRUE(!is_new || updates_goldens())
          << name << " ran " << count << " times and is not in tests/device/operators.txt: has it "
          << "a CUDA kernel? ALAMBIC_UPDATE_GOLDENS=1 device_test adds it";
    }
    if (!updates_goldens() || all.size() == before) return;
    std::ofstream file(device_golden("operators.txt"));
    for (const std::string& name : all) file << name << "\n";
  }
};

bool has_cuda_kernel(const std::string& name) {
  const size_t dot = name.find('.');
  const c10::OperatorName asked(name.substr(0, dot),
                                dot == std::string::npos ? "" : name.substr(dot + 1));
  const auto found = c10::Dispatcher::singleton().findSchema(asked);
  if (!found) return false;
  using c10::DispatchKey;
  return found->hasKernelForDispatchKey(DispatchKey::CUDA) ||
         found->hasKernelForDispatchKey(DispatchKey::CompositeExplicitAutograd) ||
         found->hasKernelForDispatchKey(DispatchKey::CompositeImplicitAutograd);
}

}  // namespace

bool updates_goldens() { return std::getenv("ALAMBIC_UPDATE_GOLDENS") != nullptr; }

std::filesystem::path device_golden(const std::string& name) {
  return std::filesystem::path(ALAMBIC_SOURCE_DIR) / "tests/device" / name;
}

std::set<std::string> listed_operators() {
  std::ifstream file(device_golden("operators.txt"));
  std::set<std::string> names;
  for (std::string name; std::getline(file, name);) names.insert(name);
  return names;
}

testing::Environment* operator_list_check() { return new OperatorListCheck; }

int print_missing_cuda_kernels() {
  if (::dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    fmt::print("{}\n", ::dlerror());
    return 2;
  }
  int missing = 0;
  for (const std::string& name : listed_operators()) {
    if (has_cuda_kernel(name)) continue;
    ++missing;
    fmt::print("{}\n", name);
  }
  return missing > 0 ? 1 : 0;
}

}  // namespace alambic

// The golden models: every folder of tests/golden that has one. A new family is tested by its
// folder alone.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/golden.h"

namespace alambic {

inline std::vector<std::string> golden_models() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder(""))) {
    if (std::filesystem::exists(entry.path() / "golden.safetensors")) {
      names.push_back(entry.path().filename().string());
    }
  }
  std::ranges::sort(names);
  return names;
}

inline std::string golden_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace alambic

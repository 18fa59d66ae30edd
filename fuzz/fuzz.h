// A fuzz target: LLVMFuzzerTestOneInput, as libFuzzer calls it, and small valid inputs to start
// from. With clang it is linked with libFuzzer (`cmake --preset fuzz`), else with driver.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace alambic {

/// Valid inputs, or nearly so, made in code.
std::vector<std::string> fuzz_seeds();

/// How many inputs parsers have taken so far.
inline int64_t accepted = 0;

/// Runs a parser, which may refuse its input with an input error. Anything else that it throws ends
/// the program.
template <class Action>
void parse_or_refuse(const Action& action) {
  try {
    action();
    ++accepted;
  } catch (const Error& error) {
    if (error.exit() == Exit::input) return;
    say("not an input error: {}", error.what());
    std::abort();
  }
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace alambic

#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/io/safetensors.h"

namespace alambic {

/// An empty folder of this test's own.
inline fs::path fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const fs::path folder =
      fs::path(testing::TempDir()) /
      fmt::format("alambic_{}_{}_{}", test->test_suite_name(), test->name(), ::getpid());
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

/// `action` throws an input error whose message and hint hold every one of `words`.
template <class Action>
void expect_refused(const Action& action, const std::vector<std::string>& words) {
  try {
    action();
    ADD_FAILURE() << "accepted; expected an error about: " << words.front();
  } catch (const Error& error) {
    const std::string text = std::string(error.what()) + " | " + error.hint();
    EXPECT_EQ(error.exit(), Exit::input) << text;
    for (const std::string& word : words) {
      EXPECT_NE(text.find(word), std::string::npos) << "no \"" << word << "\" in: " << text;
    }
    EXPECT_LT(text.size(), 1000u) << text;
    for (const unsigned char c : text) EXPECT_GE(c, 0x20) << "control character in: " << text;
  }
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The bytes of a safetensors file with this header and data.
inline std::string file_of(const std::string& header, const std::string& data = "") {
  const uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + data;
}

/// A float32 view of `numbers`.
inline TensorView view_of(const std::string& name, const std::vector<float>& numbers) {
  return {.name = name,
          .dtype = Dtype::F32,
          .shape = {static_cast<int64_t>(numbers.size())},
          .bytes = std::as_bytes(std::span(numbers))};
}

}  // namespace alambic

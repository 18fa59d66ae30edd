// A small folder that is signed, and an attacker's or a mishap's hands on it.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "alambic/base/error.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/provenance/sign_folder.h"

namespace alambic {

/// What became of a check: whether it passed, the exit code that the program would end with, and
/// all that it says.
struct CheckOutcome {
  bool passed = false;
  Exit exit = Exit::done;
  std::string text;
};

struct SignedFixture : testing::Test {
  TemporaryFolder scratch;
  fs::path folder = scratch.path() / "model";
  KeyHandle key = new_key(Curve::p256);

  void SetUp() override {
    fs::create_directories(folder / "provenance");
    write_file(folder / "config.json", "{\"model_type\": \"llama\"}\n");
    write_file(folder / "model-00001-of-00002.safetensors", std::string(5000, 'a'));
    write_file(folder / "model-00002-of-00002.safetensors", std::string(5000, 'b'));
    write_file(folder / "empty.txt", "");
    write_file(folder / "größe 😀.txt", "name\n");
    write_file(folder / "provenance/record.json", "{\"format\":1}");
    sign();
  }

  void sign() const { sign_folder(folder, {.key = key}, {}); }
  fs::path signature() const { return folder / signature_name; }

  CheckOutcome outcome(const TrustedSigner& trusted) const {
    CheckOutcome outcome;
    try {
      const CheckedFolder checked = check_folder(folder, trusted, {});
      for (const FolderFault& fault : checked.faults) {
        outcome.text += kind_name(fault.kind) + ": " + fault.where + ": " + fault.what + "\n";
      }
      outcome.passed = checked.faults.empty();
      if (!outcome.passed) outcome.exit = Exit::refused;
    } catch (const Error& error) {
      outcome.exit = error.exit();
      outcome.text = std::string(error.what()) + "\n" + error.hint();
    }
    return outcome;
  }
  CheckOutcome outcome() const { return outcome({.key = key}); }
};

}  // namespace alambic

// Options that `convert --adapter` passes to the library with the torch rooms; no command has them.
#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

inline constexpr const char* kMergeAdapter = "merge-adapter";

struct MergeOptions : Options {
  std::string model, adapter, out;

  void visit(OptionVisitor& v) override {
    v.text("model", model, "model folder or GGUF file that the adapter belongs to");
    v.text("adapter", adapter, "folder of a LoRA adapter, as PEFT writes it");
    v.text("out", out, "folder for config and weights in float32");
  }
};

/// Writes the model with the adapter in its weights: W + s·B·A, for DoRA with every row at its
/// learned norm (nn/lora.h). Input errors: those of load_model and load_adapter.
int run(const MergeOptions& options);

}  // namespace alambic

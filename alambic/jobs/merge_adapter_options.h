#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

/// Options of what `convert --adapter` asks of the torch library; no command of the user has them.
struct MergeAdapterOptions : Options {
  std::string model, adapter, out;

  void visit(OptionVisitor& v) override {
    v.text("model", model, "model folder or GGUF file that the adapter belongs to");
    v.text("adapter", adapter, "folder of a LoRA adapter, as PEFT writes it");
    v.text("out", out, "folder for config and weights in float32");
  }
};

}  // namespace alambic

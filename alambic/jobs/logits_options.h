#pragma once

#include "alambic/tensor/machine_options.h"

namespace alambic {

struct LogitsOptions : Options {
  std::string model, adapter, tokens, out;
  bool hidden = false;
  bool overwrite = false;
  MachineOptions machine;

  void visit(OptionVisitor& v) override {
    v.text("model", model, "model folder").required().model();
    v.text("adapter", adapter, "folder of a LoRA adapter for the model, as PEFT writes it").path();
    v.text("tokens", tokens, "JSON file with sequences of token ids: [[1, 2, 3], [4, 5]]")
        .required()
        .path();
    v.text("out", out, "safetensors file: float32 logits.0, logits.1, … of shape [T, V]")
        .required()
        .path();
    v.flag("hidden", hidden, "also hidden.0, hidden.1, …: final hidden states, [T, D]");
    v.flag("overwrite", overwrite, "replace the file of --out");
    machine.visit(v);
  }
};

}  // namespace alambic

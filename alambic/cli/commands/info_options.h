#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

struct InfoOptions : Options {
  std::string model;
  bool json = false;

  void visit(OptionVisitor& visitor) override {
    visitor
        .text("model", model, "model folder or GGUF file to describe; this machine when not given")
        .model();
    visitor.flag("json", json, "print one JSON object instead of a table");
  }
};

}  // namespace alambic

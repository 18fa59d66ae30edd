#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

struct TokenizeOptions : Options {
  std::string model;
  std::string file;
  bool lines = false;
  bool no_special = false;
  bool decode = false;

  void visit(OptionVisitor& visitor) override {
    visitor.text("model", model, "folder with tokenizer.json, or GGUF file")
        .required()
        .model(/*weights=*/false);
    visitor.text("file", file, "read this file instead of standard input").path();
    visitor.flag("lines", lines, "each line is a text of its own; without it the whole input is");
    visitor.flag("no-special", no_special, "leave out BOS, EOS and the like");
    visitor.flag("decode", decode, "the reverse: lines of JSON arrays of ids to texts");
  }
};

}  // namespace alambic

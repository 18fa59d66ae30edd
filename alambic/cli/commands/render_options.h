#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

struct RenderOptions : Options {
  std::string model;
  std::string template_file;
  std::string context;
  std::string name;
  std::string date;
  bool spans = false;

  void visit(OptionVisitor& visitor) override {
    visitor
        .text("context", context,
              "JSON file with the template's variables: messages, tools, add_generation_prompt…")
        .required()
        .path();
    visitor.text("template", template_file, "a Jinja file")
        .path()
        .not_with("model")
        .required_without("model");
    visitor
        .text("model", model,
              "or a model folder or GGUF file with a chat template; its special tokens are set")
        .model(/*weights=*/false);
    visitor
        .text("template-name", name,
              "which one, where the model has several templates; without it: the one that "
              "transformers takes, `tool_use` with tools, else `default`")
        .only_with("model");
    visitor.text("date", date, "the day that templates print, as 2025-07-10; today without it");
    visitor.flag("spans", spans,
                 "print JSON instead: the text, and the bytes of it that the assistant wrote");
  }
};

}  // namespace alambic

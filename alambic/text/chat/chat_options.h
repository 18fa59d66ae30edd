#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

struct ChatOptions {
  std::string file;

  void visit(OptionVisitor& v) {
    v.text("chat-template", file,
           "Jinja file that writes the rows with `messages`, in place of the model's own template; "
           "or the name of one of the model's templates. Without it: the one that transformers "
           "takes, `tool_use` for rows with tools where the model has it")
        .path();
  }
};

}  // namespace alambic

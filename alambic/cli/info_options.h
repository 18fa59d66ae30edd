#pragma once

#include "alambic/base/options.h"

namespace alambic {

struct InfoOptions : Options {
  bool json = false;

  void visit(OptionVisitor& visitor) override {
    visitor.flag("json", json, "print one JSON object instead of a table");
  }
};

int run(const InfoOptions& options);

}  // namespace alambic

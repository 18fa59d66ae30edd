#pragma once

#include "alambic/jobs/distill_options.h"

namespace alambic {

/// Options of the distillation that is to be checked; --out may be left out.
struct CheckOptions : DistillOptions {
  bool json = false;

  CheckOptions() { run.out_required = false; }

  void visit(OptionVisitor& v) override {
    DistillOptions::visit(v);
    v.group("Check");
    v.flag("json", json, "print the findings as JSON");
  }
};

}  // namespace alambic

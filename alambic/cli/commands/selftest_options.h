#pragma once

#include "alambic/options/options.h"

namespace alambic {

struct SelftestOptions : Options {
  std::string only;
  int64_t threads = 0;
  bool json = false;

  void visit(OptionVisitor& v) override {
    v.text("only", only,
           "run the properties whose line has this in it, or the one with this id (--json shows "
           "ids); all when not given");
    v.integer("threads", threads,
              "CPU threads; 0: OMP_NUM_THREADS, else all cores that the process may use",
              {.min = 0});
    v.flag("json", json, "print one JSON object instead of lines");
  }
};

}  // namespace alambic

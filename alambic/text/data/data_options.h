#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

/// How the fields of the data are called.
struct DataOptions {
  std::vector<std::string> columns;

  void visit(OptionVisitor& v) {
    v.list("columns", columns,
           "OURS=THEIRS, several with commas between: fields of the data that have other names, as "
           "prompt=question,completion=answer");
  }
};

}  // namespace alambic

// Where a run is written.
#pragma once

#include "alambic/options/options.h"

namespace alambic {

struct RunOptions {
  std::string out;
  std::string save_dtype = "auto";
  bool resume = false;
  bool overwrite = false;
  bool out_required = true;  ///< false for commands that only look at a run to be

  void visit(OptionVisitor& v) {
    v.group("Run");
    v.text("out", out, "run folder: figures, samples, checkpoints, the trained model");
    if (out_required) v.required("out");
    v.choice("save-dtype", save_dtype, {"auto", "float32", "bfloat16"},
             "type of the trained model's weights on disk; auto: as in memory");
    v.flag("resume", resume, "continue the run in --out from its newest checkpoint");
    v.flag("overwrite", overwrite, "replace the run in --out");
  }
};

}  // namespace alambic

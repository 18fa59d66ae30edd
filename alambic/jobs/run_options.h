// Options of the run folder.
#pragma once

#include "alambic/tensor/machine_options.h"

namespace alambic {

struct RunOptions {
  std::string out;
  std::vector<std::string> parent_keys, parent_trust_roots;
  DtypeChoice save_dtype = DtypeChoice::automatic;
  bool resume = false;
  bool overwrite = false;
  bool allow_change = false;
  bool out_required = true;  ///< false for commands that only look at a run to be

  void visit(OptionVisitor& v) {
    v.group("Run");
    OptionFacts& facts =
        v.text("out", out, "run folder: figures, samples, checkpoints, the trained model").path();
    if (out_required) facts.required();
    v.choice("save-dtype", save_dtype, dtype_choices(),
             "type of the trained model's weights on disk; auto: as in memory");
    v.list("parent-key", parent_keys,
           "public key in PEM whose signature (`alambic sign`) on the student or a teacher is "
           "believed: the record that lies in that model is then a verified parent of the run's")
        .path();
    v.list("parent-trust-root", parent_trust_roots,
           "the same by certificates in PEM that stand behind the signer's own")
        .path();
    v.flag("resume", resume, "continue the run in --out from its newest checkpoint")
        .not_with("overwrite");
    v.flag("overwrite", overwrite, "replace the run in --out");
    v.flag("allow-change", allow_change,
           "resume although --max-steps, --max-seconds, --epochs or --valid-every are others than "
           "before, or bytes of the data, or the model behind a teacher's address, and the rest of "
           "the "
           "run is too")
        .only_with("resume");
  }
};

}  // namespace alambic

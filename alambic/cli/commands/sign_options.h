#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

struct SignOptions : Options {
  std::string folder, key, out;
  std::vector<std::string> certificates;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.text("folder", folder,
           "folder of a model or of a run, all files in it are covered; or a single file")
        .required()
        .path();
    v.text("key", key, "private key in PEM (P-256, P-384 or P-521) of `alambic keygen`")
        .required()
        .path();
    v.list("certificate", certificates,
           "certificates in PEM that go with the key, its own first, then those that signed it; "
           "one who verifies then trusts a root and not the key")
        .path();
    v.text("out", out, "file of the signature; default: model.sig in the folder").path();
    v.flag("overwrite", overwrite, "replace a signature that is there");
  }
};

}  // namespace alambic

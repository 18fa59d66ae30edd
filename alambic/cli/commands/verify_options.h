#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

struct VerifyOptions : Options {
  std::string folder, key, trust_root, signature, valid_at, html;
  bool json = false, without_record = false, policy = false;

  void visit(OptionVisitor& v) override {
    v.text("folder", folder, "folder of a model or of a run, or a single file").required().path();
    v.text("key", key, "public key in PEM of the one who should have signed it")
        .path()
        .not_with("trust-root")
        .required_without("trust-root");
    v.text("trust-root", trust_root,
           "certificates in PEM, one of which should stand behind the signer's own")
        .path();
    v.text("valid-at", valid_at,
           "day as 2026-11-24 as of which certificates should be valid; default: now")
        .only_with("trust-root");
    v.text("signature", signature,
           "file of the signature; default: model.sig in the folder, FILE.sig beside a file")
        .path();
    v.flag("without-record", without_record,
           "accept a folder without a record of what made it, as other tools write them");
    v.flag("policy", policy,
           "fail too where the policy was not asked before the run, refused it or was overridden, "
           "and where a rule of this program would have asked and the run's table did not");
    v.text("html", html, "a new file for a page that says the same").path();
    v.flag("json", json, "print one JSON object");
  }
};

}  // namespace alambic

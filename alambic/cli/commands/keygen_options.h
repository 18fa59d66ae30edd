#pragma once

#include <string>

#include "alambic/options/options.h"
#include "alambic/provenance/keys.h"

namespace alambic {

struct KeygenOptions : Options {
  std::string out;
  Curve curve = Curve::p256;

  void visit(OptionVisitor& v) override {
    v.text("out", out,
           "file of the private key, which only its owner may read; the public one, to be passed "
           "on, goes beside it with .pub behind the name; neither is ever replaced")
        .required()
        .path();
    v.choice("curve", curve, {{"p256", Curve::p256}, {"p384", Curve::p384}, {"p521", Curve::p521}},
             "elliptic curve of the key");
  }
};

}  // namespace alambic

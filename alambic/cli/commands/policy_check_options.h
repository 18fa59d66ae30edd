#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"
#include "alambic/provenance/policy/policy_options.h"
#include "alambic/provenance/policy/rules.h"

namespace alambic {

struct PolicyCheckOptions : Options {
  std::string student, out;
  std::vector<std::string> teachers, hosts, data;
  Teaching teaching = Teaching::logits;
  bool gpu = false, json = false;
  PolicyOptions policy;

  void visit(OptionVisitor& v) override {
    v.text("student", student, "model folder to be trained").required().model(/*weights=*/false);
    v.list("teacher", teachers, "model folder that teaches").model(/*weights=*/false);
    v.list("teacher-host", hosts, "host of an endpoint that teaches, as api.openai.com");
    v.choice("teaching", teaching,
             {{"text", Teaching::text}, {"logits", Teaching::logits}, {"states", Teaching::states}},
             "what the student learns from: texts that the teachers write, their probabilities of "
             "tokens, their hidden states");
    v.list("data", data, "data to be learned, a file or a folder").path();
    v.text("product", out, "name of the model that is made, for terms that ask for one");
    v.flag("gpu", gpu, "the run will use the GPUs of this machine");
    policy.visit(v);
    v.flag("json", json, "print one JSON object");
  }
};

}  // namespace alambic

#pragma once

#include "alambic/teacher/reward_options.h"
#include "alambic/tensor/machine_options.h"
#include "alambic/text/data/data_options.h"

namespace alambic {

struct JudgeCheckOptions : Options {
  std::string data;
  DataOptions data_form;
  RewardOptions reward;
  int64_t limit = 100;
  double threshold = 0.1;
  bool json = false;
  MachineOptions machine;

  void visit(OptionVisitor& v) override {
    v.group("What is checked");
    v.text("data", data,
           "jsonl with `prompt` and a good `completion`, and `answer` where the reward compares")
        .required()
        .path();
    data_form.visit(v);
    v.integer("limit", limit, "rows of --data that are used; 0: all", {.min = 0});
    v.number(
        "threshold", threshold,
        "largest share of prompts at which a worthless completion may score as high as the good "
        "one; above it the exit code is 4",
        {.min = 0, .max = 1});
    v.flag("json", json, "print the result as JSON");
    reward.visit(v);
    machine.visit(v);
  }
};

}  // namespace alambic

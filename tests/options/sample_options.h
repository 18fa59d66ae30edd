// One option of every kind, for the tests of the machinery.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alambic/options/options.h"

namespace alambic {

struct SampleOptions : Options {
  enum class Device { automatic, cpu, cuda };

  std::string student;
  Device device = Device::automatic;
  std::vector<std::string> data;
  double learning_rate = 1e-5;
  double beta = 0.5;
  int64_t max_steps = 100;
  bool overwrite = false;
  bool shuffle = true;

  void visit(OptionVisitor& visitor) override {
    visitor.group("Models");
    visitor.text("student", student, "folder of the model to train").required();
    visitor.choice("device", device,
                   {{"auto", Device::automatic}, {"cpu", Device::cpu}, {"cuda", Device::cuda}},
                   "where to compute");
    visitor.group("Training");
    visitor.list("data", data, "jsonl file of prompts");
    visitor.number("learning-rate", learning_rate, "step size", {.min = 0});
    visitor.number("beta", beta, "0 forward KL, 1 reverse KL", {.min = 0, .max = 1});
    visitor.integer("max-steps", max_steps, "optimizer steps", {.min = 1});
    visitor.flag("overwrite", overwrite, "replace an earlier run");
    visitor.flag("shuffle", shuffle, "draw prompts in random order");
  }
};

}  // namespace alambic

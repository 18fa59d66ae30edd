// Where a command's models are and in which type.
#pragma once

#include "alambic/options/options.h"

namespace alambic {

struct MachineOptions {
  std::string device = "auto";
  std::string dtype = "auto";
  int64_t threads = 0;

  void visit(OptionVisitor& v) {
    v.group("Machine");
    v.choice("device", device, {"auto", "cpu", "cuda"}, "where the models are; auto: a GPU if any");
    v.choice("dtype", dtype, {"auto", "float32", "bfloat16"},
             "type of the weights in memory; auto: float32 on a CPU, bfloat16 on a GPU");
    v.integer("threads", threads, "CPU threads; 0: all cores", {.min = 0});
  }
};

}  // namespace alambic

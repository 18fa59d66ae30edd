// Options of the device and the type of a command's models.
#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

/// Type of weights; what automatic means is said where it is asked for.
enum class DtypeChoice { automatic, float32, bfloat16 };

inline std::vector<std::pair<std::string, DtypeChoice>> dtype_choices() {
  return {{"auto", DtypeChoice::automatic},
          {"float32", DtypeChoice::float32},
          {"bfloat16", DtypeChoice::bfloat16}};
}

struct MachineOptions {
  std::string device = "auto";
  DtypeChoice dtype = DtypeChoice::automatic;
  int64_t threads = 0;

  void visit(OptionVisitor& v) {
    v.group("Machine");
    v.text("device", device,
           "where the models are: cpu, cuda, cuda:N (the N-th GPU from 0), auto (a GPU if any)");
    v.choice("dtype", dtype, dtype_choices(),
             "type of the weights in memory; auto: float32 on a CPU, bfloat16 on a GPU");
    v.integer("threads", threads,
              "CPU threads; 0: OMP_NUM_THREADS, else all cores that the process may use",
              {.min = 0});
  }
};

}  // namespace alambic

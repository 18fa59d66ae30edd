// Options of the device and the type of a command's models.
#pragma once

#include "alambic/options/options.h"

namespace alambic {

/// automatic: a GPU when one can be used.
enum class DeviceChoice { automatic, cpu, cuda };
/// Type of weights; what automatic means is said where it is asked for.
enum class DtypeChoice { automatic, float32, bfloat16 };

inline std::vector<std::pair<std::string, DtypeChoice>> dtype_choices() {
  return {{"auto", DtypeChoice::automatic},
          {"float32", DtypeChoice::float32},
          {"bfloat16", DtypeChoice::bfloat16}};
}

struct MachineOptions {
  DeviceChoice device = DeviceChoice::automatic;
  DtypeChoice dtype = DtypeChoice::automatic;
  int64_t threads = 0;

  void visit(OptionVisitor& v) {
    v.group("Machine");
    v.choice("device", device,
             {{"auto", DeviceChoice::automatic},
              {"cpu", DeviceChoice::cpu},
              {"cuda", DeviceChoice::cuda}},
             "where the models are; auto: a GPU if any");
    v.choice("dtype", dtype, dtype_choices(),
             "type of the weights in memory; auto: float32 on a CPU, bfloat16 on a GPU");
    v.integer("threads", threads,
              "CPU threads; 0: OMP_NUM_THREADS, else all cores that the process may use",
              {.min = 0});
  }
};

}  // namespace alambic

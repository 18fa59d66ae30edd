#pragma once

#include "alambic/jobs/preflight/machine_plan.h"

namespace alambic {

/// Options of the distillation that is to be checked; --out may be left out.
struct CheckOptions : DistillOptions {
  bool json = false, scale = false;
  std::string scale_report;
  PlannedMachine plan;

  CheckOptions() { run.out_required = data_required = false; }

  void visit(OptionVisitor& v) override {
    DistillOptions::visit(v);
    v.group("Check");
    v.option("data").required_without("world-size");
    v.integer("world-size", plan.world_size,
              "plan for so many devices, by the models' config.json alone: nothing is loaded, and "
              "this machine is not looked at; 0: check the run itself",
              {.min = 0});
    v.integer("nodes", plan.nodes, "machines that hold them; 0: eight devices each", {.min = 0})
        .only_with("world-size");
    v.text("accelerator", plan.accelerator, "kind of the devices: a100, h100, h200 or b200")
        .only_with("world-size");
    v.text("device-memory", plan.device_memory,
           "memory of a device, as 141GB or 80GiB; without it the accelerator's")
        .only_with("world-size");
    v.integer("prompt-length", plan.prompt_length, "tokens of a prompt, for the plan", {.min = 1})
        .only_with("world-size");
    v.flag("scale", scale,
           "also plan for 8 to 10,000 devices, with as many completions for each device")
        .only_with("world-size");
    v.text("scale-report", scale_report, "page to write with the charts of --scale")
        .path()
        .only_with("scale");
    v.flag("json", json, "print the findings as JSON");
  }
};

}  // namespace alambic

// A distillation planned for a machine that this process is not on.
#pragma once

#include "alambic/jobs/distill_options.h"
#include "alambic/jobs/preflight/findings.h"
#include "alambic/scale/scale_curve.h"

namespace alambic {

struct PlannedMachine {
  int64_t world_size = 0;  ///< devices; 0: no plan is asked for
  int64_t nodes = 0;       ///< 0: of eight devices each
  std::string accelerator = "h200";
  std::string device_memory;  ///< "141GB"; "": the accelerator's
  int64_t prompt_length = 512;
};

/// Bytes of a text as "141GB", "80GiB" or "141e9"; input errors call it `where`.
double bytes_of_text(const std::string& text, const std::string& where);

/// The job that options and the models' config.json files describe; no weights, tokenizers or rows
/// are read. Of several teachers the largest is planned for. Input errors: those of the models.
ScaleJob scale_job(const DistillOptions& options, const PlannedMachine& machine);

/// What --zero-stage, --shard-size, --teacher-weights, --tensor-parallel-size and
/// --expert-parallel-size fix.
LayoutChoice layout_choice(const DistillOptions& options);

/// Memory of a device, its layout, time of a step and what it goes into, what to change; refused
/// where no layout fits.
Findings findings_of(const ScalePlan& plan);

}  // namespace alambic

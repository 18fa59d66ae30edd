// A plan and its curve for people and programs.
#pragma once

#include <nlohmann/json.hpp>

#include "alambic/report/report.h"
#include "alambic/scale/published.h"
#include "alambic/scale/scale_curve.h"

namespace alambic {

/// {"devices", "per_node", "zero_stage", "shard_size", "tensor_parallel_size",
/// "expert_parallel_size", "teacher_weights", "micro_passes", "fits",
///  "memory": {part: bytes}, "phases": {phase: {"compute", "traffic", "seconds"}},
///  "traffic": {message: bytes}, "step_seconds", "tokens_per_second"}
nlohmann::ordered_json json_of(const ScalePlan& plan);

/// The points, each a plan with "received_bytes", "checkpoint_seconds" and "lost_share", and
/// "published": [{"name", "source", "measured", "predicted", "bound"}, …].
nlohmann::ordered_json json_of(const std::vector<CurvePoint>& curve);

/// A row for every point: devices, layout, memory, seconds, tokens/s, bytes.
std::string table_of(const std::vector<CurvePoint>& curve);

/// "name  measured  predicted  off by", a line for each.
std::string table_of(const std::vector<PublishedRun>& runs);

/// A page with both tables, and charts of seconds, tokens and bytes over the devices.
ReportInput page_of(const std::string& title, const std::vector<CurvePoint>& curve);

}  // namespace alambic

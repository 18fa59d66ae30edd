#include "alambic/scale/scale_page.h"

#include <fmt/core.h>

#include <functional>

#include "alambic/base/units.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

std::string layout_of(const ScalePlan& plan) {
  const ScaleLayout& layout = plan.job.layout;
  std::string text = fmt::format("ZeRO-{} by {}", layout.zero_stage, layout.shard);
  if (layout.tensor_parallel > 1) text += fmt::format(", TP-{}", layout.tensor_parallel);
  if (layout.expert_parallel > 1) text += fmt::format(", EP-{}", layout.expert_parallel);
  if (layout.teacher != TeacherWeights::none) {
    text += ", teacher " + name_of(layout.teacher);
  }
  if (layout.teacher_devices > 0) text += fmt::format(" on {}", layout.teacher_devices);
  return text;
}

double off_by(const PublishedRun& run) { return predicted(run) / run.measured - 1; }

using Figure = std::function<double(const CurvePoint&)>;

Chart chart_of(const std::string& title, const std::string& unit, MetricKind kind,
               const std::vector<std::pair<std::string, Figure>>& lines,
               const std::vector<CurvePoint>& curve) {
  Chart chart{.title = title,
              .unit = unit,
              .x_name = "devices",
              .x_may_be_logarithmic = true,
              .y_kind = kind,
              .may_be_logarithmic = true};
  for (const auto& [name, figure] : lines) {
    ChartSeries series{.name = name,
                       .style = ChartSeries::Style::marks,
                       .color = static_cast<int>(chart.series.size())};
    for (const CurvePoint& point : curve) {
      series.points.push_back({static_cast<double>(point.plan.job.layout.devices), figure(point)});
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

ResultsTable results_of(const std::vector<CurvePoint>& curve) {
  ResultsTable table{.columns = {"layout", "memory of a device", "seconds of a step",
                                 "tokens a second", "received a step", "lost to failures"},
                     .note =
                         "Arithmetic by the figures of docs/scale.md, for completions of full "
                         "length; published runs are met within 15 %."};
  for (const CurvePoint& point : curve) {
    const ScalePlan& plan = point.plan;
    const auto text = [](const std::string& words) {
      return ResultsCell{.value = {}, .text = words};
    };
    table.rows.push_back({.name = fmt::format("{} devices", plan.job.layout.devices),
                          .cells = {text(layout_of(plan) + (plan.fits ? "" : ": does not fit")),
                                    text(human_bytes(total(plan.memory))),
                                    text(fmt::format("{:.1f}", plan.time.seconds)),
                                    text(human_count(plan.time.tokens_per_second)),
                                    text(human_bytes(point.received)),
                                    text(fmt::format("{:.1f} %", 100 * point.lost))}});
  }
  return table;
}

}  // namespace

Json json_of(const ScalePlan& plan) {
  const ScaleLayout& layout = plan.job.layout;
  Json json = {{"devices", layout.devices},
               {"per_node", layout.per_node},
               {"zero_stage", layout.zero_stage},
               {"shard_size", layout.shard},
               {"tensor_parallel_size", layout.tensor_parallel},
               {"expert_parallel_size", layout.expert_parallel},
               {"teacher_weights", name_of(layout.teacher)},
               {"teacher_devices", layout.teacher_devices},
               {"micro_passes", plan.job.work.micro_passes},
               {"fits", plan.fits},
               {"memory", Json::object()},
               {"phases", Json::object()},
               {"traffic", Json::object()}};
  for (const RankBytes& part : plan.memory) json["memory"][part.name] = part.bytes;
  for (const RankBytes& part : plan.teacher_memory) json["teacher_memory"][part.name] = part.bytes;
  for (const PhaseSeconds& phase : plan.time.phases) {
    json["phases"][phase.name] = {
        {"compute", phase.compute}, {"traffic", phase.traffic}, {"seconds", phase.all}};
  }
  for (const Traffic& message : traffic_of(plan.job)) json["traffic"][message.name] = message.bytes;
  json["step_seconds"] = plan.time.seconds;
  json["tokens_per_second"] = plan.time.tokens_per_second;
  return json;
}

Json json_of(const std::vector<CurvePoint>& curve) {
  Json json = {{"points", Json::array()}, {"published", Json::array()}};
  for (const CurvePoint& point : curve) {
    Json row = json_of(point.plan);
    row["received_bytes"] = point.received;
    row["checkpoint_seconds"] = point.checkpoint_every;
    row["lost_share"] = point.lost;
    json["points"].push_back(std::move(row));
  }
  for (const PublishedRun& run : published_runs()) {
    json["published"].push_back({{"name", run.name},
                                 {"source", run.source},
                                 {"measured", run.measured},
                                 {"predicted", predicted(run)},
                                 {"bound", run.bound}});
  }
  return json;
}

std::string table_of(const std::vector<CurvePoint>& curve) {
  std::string text = fmt::format("{:>7}  {:32} {:>10} {:>8} {:>9} {:>10} {:>6}\n", "devices",
                                 "layout", "memory", "step", "tokens/s", "received", "lost");
  for (const CurvePoint& point : curve) {
    const ScalePlan& plan = point.plan;
    text += fmt::format("{:>7}  {:32} {:>10} {:>6.1f} s {:>9} {:>10} {:>4.1f} %{}\n",
                        plan.job.layout.devices, layout_of(plan), human_bytes(total(plan.memory)),
                        plan.time.seconds, human_count(plan.time.tokens_per_second),
                        human_bytes(point.received), 100 * point.lost,
                        plan.fits ? "" : "  does not fit");
  }
  return text;
}

std::string table_of(const std::vector<PublishedRun>& runs) {
  std::string text =
      fmt::format("{:46} {:>9} {:>9} {:>7}\n", "TFLOP/s of a device", "measured", "here", "off by");
  for (const PublishedRun& run : runs) {
    text += fmt::format("{:46} {:>9.0f} {:>9.0f} {:>+5.0f} %\n", run.name, run.measured,
                        predicted(run), 100 * off_by(run));
  }
  return text;
}

ReportInput page_of(const std::string& title, const std::vector<CurvePoint>& curve) {
  const auto phase = [](size_t i) {
    return [i](const CurvePoint& point) { return point.plan.time.phases[i].all; };
  };
  const auto message = [](Beside beside) {
    return [beside](const CurvePoint& point) {
      double bytes = 0;
      for (const Traffic& traffic : traffic_of(point.plan.job)) {
        if (traffic.beside == beside) bytes += traffic.bytes;
      }
      return bytes;
    };
  };
  const auto memory = [](const CurvePoint& point) { return total(point.plan.memory); };
  return {
      .title = title,
      .summary =
          "What each step costs on 8 to 10,000 devices, with as many completions for "
          "each device.",
      .results = results_of(curve),
      .charts = {chart_of("Seconds of a step", "", MetricKind::number,
                          {{"step", [](const CurvePoint& p) { return p.plan.time.seconds; }},
                           {"generate", phase(0)},
                           {"grade", phase(1)},
                           {"learn", phase(2)},
                           {"update", phase(3)}},
                          curve),
                 chart_of("Tokens a second", "", MetricKind::count,
                          {{"", [](const CurvePoint& p) { return p.plan.time.tokens_per_second; }}},
                          curve),
                 chart_of("Received by a rank in a step", "", MetricKind::bytes,
                          {{"grading", message(Beside::grade)},
                           {"learning", message(Beside::learn)},
                           {"updating", message(Beside::update)}},
                          curve),
                 chart_of("Memory of a device", "", MetricKind::bytes, {{"", memory}}, curve),
                 chart_of("Lost to saving and failures", "", MetricKind::share,
                          {{"", [](const CurvePoint& p) { return p.lost; }}}, curve)}};
}

}  // namespace alambic

#include "alambic/provenance/record_lines.h"

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"

namespace alambic {
namespace {

using Json = nlohmann::json;
using Lines = std::vector<std::pair<std::string, std::string>>;

std::string shown(const Json& value) {
  if (value.is_object() && value.contains("unknown")) return "unknown";
  if (value.is_string()) return printable(value.get<std::string>());
  return printable(value.dump());
}

std::string license_text(const Json& model) {
  const Json& license = model.at("license");
  return fmt::format("license {} ({})", shown(license.at("id")), shown(license.at("told_by")));
}

std::string model_text(const Json& model) {
  return fmt::format("{}, {}, root {}", shown(model.at("name")), license_text(model),
                     shown(model.at("root")).substr(0, 16));
}

std::string chips(const Json& hardware) {
  std::vector<std::string> parts;
  for (const Json& rank : hardware.at("ranks")) {
    const Json& gpus = rank.at("gpus");
    if (gpus.is_array() && !gpus.empty()) {
      for (const Json& gpu : gpus) parts.push_back(shown(gpu.at("name")));
    } else {
      parts.push_back(shown(rank.at("cpu")));
    }
  }
  return join(parts) + " (self-reported)";
}

// Paths of the facts that are said to be unknown.
void find_unknown(const Json& value, const std::string& path, std::vector<std::string>& found) {
  if (value.is_object() && value.contains("unknown")) {
    found.push_back(path);
  } else if (value.is_structured()) {
    for (auto entry = value.begin(); entry != value.end(); ++entry) {
      const std::string name = value.is_object() ? entry.key() : "";
      find_unknown(*entry,
                   path.empty() || name.empty() ? path + name : fmt::format("{}.{}", path, name),
                   found);
    }
  }
}

void add_policy(const Json& policy, Lines& lines) {
  if (!policy.contains("verdict")) return lines.emplace_back("policy", "was not asked"), void();
  lines.emplace_back("policy", shown(policy.at("verdict")));
  for (const Json& one : policy.value("overrides", Json::array())) {
    lines.emplace_back("overridden",
                       fmt::format("{}: {}", shown(one.at("rule")), shown(one.at("reason"))));
  }
}

Lines lines_of(const Json& record) {
  Lines lines;
  const Json &tool = record.at("tool"), &counters = record.at("counters");
  lines.emplace_back(
      "made by", fmt::format("{} {}, {} ({})", shown(tool.at("name")), shown(tool.at("version")),
                             shown(record.at("command").at("name")), shown(record.at("state"))));
  lines.emplace_back("chips", chips(record.at("hardware")));
  lines.emplace_back("student", model_text(record.at("student")));
  for (const Json& teacher : record.at("teachers"))
    lines.emplace_back("teacher", model_text(teacher));
  for (const Json& data : record.at("data")) {
    lines.emplace_back("data",
                       fmt::format("{}, {} rows, license {}, SHA-256 {}", shown(data.at("name")),
                                   shown(data.at("rows")), shown(data.at("license")),
                                   shown(data.at("sha256")).substr(0, 16)));
  }
  lines.emplace_back("steps", fmt::format("{}, {} graded tokens", shown(counters.at("steps")),
                                          shown(counters.at("graded_tokens"))));
  for (const Json& event : record.at("events")) {
    lines.emplace_back("event", shown(event.at("kind")));
  }
  for (const Json& parent : record.at("parents")) {
    lines.emplace_back("parent",
                       fmt::format("record {}, {}", shown(parent.at("sha256")).substr(0, 16),
                                   parent.at("verified") == true ? "verified" : "not verified"));
  }
  add_policy(record.at("policy"), lines);
  std::vector<std::string> unknown;
  find_unknown(record, "", unknown);
  if (!unknown.empty()) lines.emplace_back("unknown", join(unknown));
  return lines;
}

}  // namespace

Lines record_lines(const Json& record) {
  try {
    return lines_of(record);
  } catch (const Json::exception&) {
    throw input_error("cannot read the record: a field is missing or has another type");
  }
}

}  // namespace alambic

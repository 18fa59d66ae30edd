#include "alambic/provenance/record_lines.h"

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/provenance/parents.h"

namespace alambic {
namespace {

using SortedJson = nlohmann::json;
using Lines = std::vector<std::pair<std::string, std::string>>;

std::string shown(const SortedJson& value) {
  if (value.is_object() && value.contains("unknown")) return "unknown";
  if (value.is_string()) return printable(value.get<std::string>());
  return printable(value.dump());
}

std::string license_text(const SortedJson& model) {
  const SortedJson& license = model.at("license");
  return fmt::format("license {} ({})", shown(license.at("id")), shown(license.at("told_by")));
}

std::string model_text(const SortedJson& model) {
  if (model.contains("host")) {
    std::string text = fmt::format("{}, on {}", shown(model.at("name")), shown(model.at("host")));
    for (const SortedJson& term : model.value("terms", SortedJson::array())) {
      text += fmt::format(", terms {} as of {}", shown(term.at("rule")), shown(term.at("as_of")));
    }
    if (!model.contains("spent")) return text;
    return text + fmt::format(", {} replies", shown(model["spent"].at("replies")));
  }
  return fmt::format("{}, {}, root {}", shown(model.at("name")), license_text(model),
                     shown(model.at("root")).substr(0, 16));
}

std::string score_text(const SortedJson& score) {
  if (score.at("kind") == "judge") return "judge " + model_text(score);
  return "rule " + shown(score.at("name"));
}

// A model of a parent's record, of which a field may be missing.
std::string name_of(const SortedJson& model) {
  if (!model.is_object() || !model.contains("name")) return "unknown";
  const SortedJson license = model.value("license", SortedJson::object());
  return fmt::format("{} ({})", shown(model["name"]),
                     shown(license.value("id", SortedJson("unknown"))));
}

std::string parent_text(const SortedJson& parent) {
  std::vector<std::string> teachers;
  for (const SortedJson& one : parent.value("teachers", SortedJson::array()))
    teachers.push_back(name_of(one));
  const bool verified = parent.at("verified") == true;
  return fmt::format(
      "{}, record {}, from {}{}: {}", shown(parent.value("name", SortedJson("a model"))),
      shown(parent.at("sha256")).substr(0, 16), name_of(parent.value("student", SortedJson())),
      teachers.empty() ? "" : " taught by " + join(teachers),
      verified ? "verified, signed by " + shown(parent.value("signer", SortedJson("unknown")))
               : "not verified, " + shown(parent.value("why", SortedJson("nobody looked"))));
}

std::string chips(const SortedJson& hardware) {
  std::vector<std::string> parts;
  for (const SortedJson& rank : hardware.at("ranks")) {
    const std::string role = rank.contains("role") ? shown(rank["role"]) + " " : "";
    const SortedJson& gpus = rank.at("gpus");
    if (gpus.is_array() && !gpus.empty()) {
      for (const SortedJson& gpu : gpus) parts.push_back(role + shown(gpu.at("name")));
    } else {
      parts.push_back(role + shown(rank.at("cpu")));
    }
  }
  return join(parts) + " (self-reported)";
}

// Paths of the facts that are said to be unknown.
void find_unknown(const SortedJson& value, const std::string& path,
                  std::vector<std::string>& found) {
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

void add_policy(const SortedJson& policy, Lines& lines) {
  if (!policy.contains("verdict")) return lines.emplace_back("policy", "was not asked"), void();
  lines.emplace_back("policy", shown(policy.at("verdict")));
  for (const SortedJson& one : policy.value("attested", SortedJson::array())) {
    lines.emplace_back("attested", fmt::format("{}: {}, by {}", shown(one.at("rule")),
                                               shown(one.at("text")), shown(one.at("by"))));
  }
  for (const SortedJson& one : policy.value("overrides", SortedJson::array())) {
    lines.emplace_back("overridden",
                       fmt::format("{}: {}", shown(one.at("rule")), shown(one.at("reason"))));
  }
  for (const SortedJson& one : policy.value("obligations", SortedJson::array())) {
    lines.emplace_back("duty", shown(one));
  }
}

Lines lines_of(const SortedJson& record) {
  Lines lines;
  const SortedJson &tool = record.at("tool"), &counters = record.at("counters");
  lines.emplace_back(
      "made by", fmt::format("{} {}, {} ({})", shown(tool.at("name")), shown(tool.at("version")),
                             shown(record.at("command").at("name")), shown(record.at("state"))));
  lines.emplace_back("chips", chips(record.at("hardware")));
  lines.emplace_back("student", model_text(record.at("student")));
  for (const SortedJson& teacher : record.at("teachers"))
    lines.emplace_back("teacher", model_text(teacher));
  for (const SortedJson& score : record.value("scores", SortedJson::array()))
    lines.emplace_back("scores", score_text(score));
  for (const SortedJson& data : record.at("data")) {
    lines.emplace_back("data",
                       fmt::format("{}, {} rows, license {}, SHA-256 {}", shown(data.at("name")),
                                   shown(data.at("rows")), shown(data.at("license")),
                                   shown(data.at("sha256")).substr(0, 16)));
  }
  lines.emplace_back(
      "steps",
      fmt::format("{}; tokens: {} learned, {} graded, {} generated", shown(counters.at("steps")),
                  shown(counters.at("learned_tokens")), shown(counters.at("graded_tokens")),
                  shown(counters.at("generated_tokens"))));
  for (const SortedJson& event : record.at("events")) {
    lines.emplace_back("event", shown(event.at("kind")));
  }
  for_each_parent(record, [&](const SortedJson& parent, int generation) {
    std::string name = "parent";
    for (int i = 1; i < generation; ++i) name += "'s parent";
    lines.emplace_back(name, parent_text(parent));
  });
  add_policy(record.at("policy"), lines);
  std::vector<std::string> unknown;
  find_unknown(record, "", unknown);
  if (!unknown.empty()) lines.emplace_back("unknown", join(unknown));
  return lines;
}

}  // namespace

Lines record_lines(const SortedJson& record) {
  try {
    return lines_of(record);
  } catch (const SortedJson::exception&) {
    throw input_error("cannot read the record: a field is missing or has another type");
  }
}

}  // namespace alambic

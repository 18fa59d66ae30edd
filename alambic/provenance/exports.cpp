#include "alambic/provenance/exports.h"

#include "alambic/base/error.h"
#include "alambic/provenance/record_lines.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;
using Record = nlohmann::json;

std::string text_of(const Record& value) {
  if (value.is_object() && value.contains("unknown")) {
    return "unknown: " + value.at("unknown").get<std::string>();
  }
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// The digest of a model or of data; "" where it is not known.
std::string digest_of(const Record& of) {
  const Record& digest = of.contains("root") ? of.at("root") : of.at("sha256");
  return digest.is_string() ? digest.get<std::string>() : "";
}

std::string license_of_part(const Record& of) {
  const Record& license = of.at("license");
  return text_of(license.contains("id") ? license.at("id") : license);
}

// Stable names within one document: they follow from what they stand for.
std::string spdx_id(const std::string& part) { return "urn:alambic:record:" + part; }

Json spdx_element(const char* type, const std::string& part, const std::string& name) {
  return {
      {"type", type}, {"spdxId", spdx_id(part)}, {"creationInfo", "_:creation"}, {"name", name}};
}

Json spdx_hash(const std::string& digest) {
  return {{"type", "Hash"}, {"algorithm", "sha256"}, {"hashValue", digest}};
}

Json spdx_model(const std::string& part, const Record& of, const std::string& time) {
  Json element = spdx_element("ai_AIPackage", part, text_of(of.at("name")));
  element["suppliedBy"] = spdx_id("maker");
  element["releaseTime"] = time;
  element["software_packageVersion"] = digest_of(of).substr(0, 16);
  element["software_downloadLocation"] = "urn:alambic:model:" + digest_of(of);
  element["software_primaryPurpose"] = "model";
  element["comment"] = "license: " + license_of_part(of);
  if (const std::string digest = digest_of(of); !digest.empty()) {
    element["verifiedUsing"] = Json::array({spdx_hash(digest)});
  }
  return element;
}

Json spdx_data(const std::string& part, const Record& of, const std::string& time) {
  Json element = spdx_element("dataset_DatasetPackage", part, text_of(of.at("name")));
  element["originatedBy"] = Json::array({spdx_id("maker")});
  element["builtTime"] = element["releaseTime"] = time;
  element["software_downloadLocation"] = "urn:alambic:data:" + digest_of(of);
  element["software_primaryPurpose"] = "data";
  element["dataset_datasetType"] = Json::array({"text"});
  if (of.at("rows").is_number_integer()) element["dataset_datasetSize"] = of.at("rows");
  element["comment"] = "license: " + license_of_part(of);
  if (const std::string digest = digest_of(of); !digest.empty()) {
    element["verifiedUsing"] = Json::array({spdx_hash(digest)});
  }
  return element;
}

Json spdx_relation(const std::string& part, const char* kind, const std::string& to) {
  return {{"type", "Relationship"},       {"spdxId", spdx_id(part)},
          {"creationInfo", "_:creation"}, {"from", spdx_id("model")},
          {"relationshipType", kind},     {"to", Json::array({spdx_id(to)})}};
}

Record product_of(const Record& record) {
  Record product = record.at("student");
  product["name"] = "model";
  return product;
}

Json spdx_graph(const Record& record) {
  const std::string time = text_of(record.at("clock").at("updated"));
  Json graph = Json::array();
  graph.push_back({{"type", "CreationInfo"},
                   {"@id", "_:creation"},
                   {"specVersion", "3.0.1"},
                   {"created", time},
                   {"createdBy", Json::array({spdx_id("maker")})}});
  graph.push_back(spdx_element("SoftwareAgent", "maker", "alambic"));
  Json model = spdx_model("model", product_of(record), time);
  model["ai_informationAboutTraining"] = fmt::format(
      "alambic {}: {} steps, {} learned tokens", text_of(record.at("command").at("name")),
      text_of(record.at("counters").at("steps")),
      text_of(record.at("counters").at("learned_tokens")));
  model["ai_hyperparameter"] = Json::array();
  for (const auto& [name, value] : record.at("command").at("config").items()) {
    model["ai_hyperparameter"].push_back(
        {{"type", "DictionaryEntry"}, {"key", name}, {"value", text_of(value)}});
  }
  const Record joules = record.at("clock").value("energy_joules", Record());
  if (joules.is_number()) {
    Json spent = {{"type", "ai_EnergyConsumptionDescription"},
                  {"ai_energyQuantity", joules.get<double>() * 1e-6},
                  {"ai_energyUnit", "megajoule"}};
    model["ai_energyConsumption"] = {{"type", "ai_EnergyConsumption"},
                                     {"ai_trainingEnergyConsumption", Json::array({spent})}};
  }
  graph.push_back(std::move(model));
  graph.push_back(spdx_model("student", record.at("student"), time));
  graph.push_back(spdx_relation("from-student", "descendantOf", "student"));
  int64_t number = 0;
  for (const Record& teacher : record.at("teachers")) {
    const std::string part = fmt::format("teacher-{}", ++number);
    graph.push_back(spdx_model(part, teacher, time));
    graph.push_back(spdx_relation("from-" + part, "dependsOn", part));
  }
  for (const Record& data : record.at("data")) {
    const std::string part = fmt::format("data-{}", ++number);
    graph.push_back(spdx_data(part, data, time));
    const bool trains = data.at("use") == "training";
    graph.push_back(spdx_relation("from-" + part, trains ? "trainedOn" : "testedOn", part));
  }
  return graph;
}

Json cyclonedx_component(const char* type, const std::string& reference, const Record& of) {
  Json component = {{"type", type}, {"bom-ref", reference}, {"name", text_of(of.at("name"))}};
  if (const std::string digest = digest_of(of); !digest.empty()) {
    Json hash = {{"alg", "SHA-256"}, {"content", digest}};
    component["hashes"] = Json::array({hash});
  }
  Json license;
  license["license"] = {{"name", license_of_part(of)}};
  component["licenses"] = Json::array({license});
  return component;
}

Json properties_of(const Record& record) {
  Json properties = Json::array();
  for (const auto& [name, value] : record.at("counters").items()) {
    properties.push_back({{"name", "alambic:" + name}, {"value", text_of(value)}});
  }
  return properties;
}

Json cyclonedx_document(const Record& record) {
  Json model = cyclonedx_component("machine-learning-model", "model", product_of(record));
  Json datasets = Json::array(), components = Json::array(), depends = Json::array();
  components.push_back(
      cyclonedx_component("machine-learning-model", "student", record.at("student")));
  depends.push_back("student");
  int64_t number = 0;
  for (const Record& teacher : record.at("teachers")) {
    depends.push_back(fmt::format("teacher-{}", ++number));
    components.push_back(cyclonedx_component("machine-learning-model", depends.back(), teacher));
  }
  for (const Record& data : record.at("data")) {
    depends.push_back(fmt::format("data-{}", ++number));
    components.push_back(cyclonedx_component("data", depends.back(), data));
    Json reference;
    reference["ref"] = depends.back();
    datasets.push_back(std::move(reference));
  }
  model["modelCard"] = {{"modelParameters", {{"task", "text-generation"}, {"datasets", datasets}}}};
  model["modelCard"]["modelParameters"]["approach"] = {{"type", "supervised"}};
  model["properties"] = properties_of(record);
  Json tool = {{"type", "application"},
               {"name", "alambic"},
               {"version", text_of(record.at("tool").at("version"))}};
  Json dependency = {{"ref", "model"}, {"dependsOn", depends}};
  return {{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
          {"bomFormat", "CycloneDX"},
          {"specVersion", "1.6"},
          {"version", 1},
          {"metadata",
           {{"timestamp", text_of(record.at("clock").at("updated"))},
            {"tools", {{"components", Json::array({tool})}}},
            {"component", model}}},
          {"components", components},
          {"dependencies", Json::array({dependency})}};
}

std::string annex_text(const Record& record) {
  const Record &counters = record.at("counters"), &clock = record.at("clock");
  std::string text = "# Annex XI, as far as the run can tell\n\n| | |\n|---|---|\n";
  const auto row = [&](const std::string& name, const std::string& value) {
    text += fmt::format("| {} | {} |\n", name, value);
  };
  row("parameters", text_of(record.at("student").value("parameters", Record("unknown"))));
  row("license", license_of_part(record.at("student")));
  row("training",
      fmt::format("alambic {}, options in the record", text_of(record.at("command").at("name"))));
  for (const Record& data : record.at("data")) {
    row("data (" + text_of(data.at("use")) + ")",
        fmt::format("{}: {} points, license {}, curation unknown", text_of(data.at("name")),
                    text_of(data.at("rows")), license_of_part(data)));
  }
  row("compute (FLOP)", fmt::format("{} ({})", text_of(counters.at("flop").at("value")),
                                    text_of(counters.at("flop").at("formula"))));
  row("training time (s)", text_of(clock.at("training_seconds")));
  row("energy (J)", text_of(clock.at("energy_joules")));
  row("hardware", "self-reported: " + record.at("hardware").at("ranks").dump());
  return text;
}

std::string card_text(const Record& record) {
  std::string text = "## What made this model\n\n| | |\n|---|---|\n";
  for (const auto& [name, line] : record_lines(record))
    text += fmt::format("| {} | {} |\n", name, line);
  if (record.at("policy").contains("obligations")) {
    text += "\n### Duties\n\n";
    for (const Record& duty : record.at("policy").at("obligations"))
      text += "- " + text_of(duty) + "\n";
  }
  return text;
}

template <class Make>
auto made(const Record& record, Make make) {
  try {
    return make(record);
  } catch (const Record::exception&) {
    throw input_error("the record lacks a field, or has one of another type");
  }
}

Json spdx_document(const Record& record) {
  Json graph = spdx_graph(record);
  Json document = spdx_element("SpdxDocument", "document", "model");
  document["profileConformance"] = {"core", "software", "ai", "dataset"};
  document["rootElement"] = Json::array({spdx_id("model")});
  document["element"] = Json::array();
  for (const Json& one : graph) {
    if (one.contains("spdxId")) document["element"].push_back(one["spdxId"]);
  }
  graph.push_back(std::move(document));
  return {{"@context", "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}, {"@graph", graph}};
}

}  // namespace

Json spdx_of(const Record& record) { return made(record, spdx_document); }
Json cyclonedx_of(const Record& record) { return made(record, cyclonedx_document); }
std::string card_section_of(const Record& record) { return made(record, card_text); }
std::string annex_xi_of(const Record& record) { return made(record, annex_text); }

}  // namespace alambic

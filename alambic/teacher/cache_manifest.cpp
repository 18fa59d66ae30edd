#include "alambic/teacher/cache_manifest.h"

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/json_object.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "alambic teacher cache 1";

std::string name_of(CacheForm form) { return form == CacheForm::hidden ? "hidden" : "topk"; }

// Fields of one JSON object; what is missing or of another type is an error naming it.
struct Fields {
  const Json& json;
  std::string place;

  const Json& field(const char* name) const {
    if (!json.is_object() || !json.contains(name)) {
      throw input_error("cannot read {}: no field \"{}\"", place, name);
    }
    return json[name];
  }
  std::string text(const char* name) const {
    const Json& value = field(name);
    if (!value.is_string()) {
      throw input_error("cannot read {}: \"{}\" is not a string", place, name);
    }
    return value;
  }
  int64_t count(const char* name) const {
    const Json& value = field(name);
    const bool whole = value.is_number_integer();
    if (!whole || value.get<int64_t>() < 0 || value.get<int64_t>() > (int64_t{1} << 48)) {
      throw input_error("cannot read {}: \"{}\" is not a count", place, name);
    }
    return value;
  }
  double number(const char* name) const {
    const Json& value = field(name);
    if (!value.is_number()) {
      throw input_error("cannot read {}: \"{}\" is not a number", place, name);
    }
    return value;
  }
};

CacheManifest::Part read_part(const Fields& fields) {
  CacheManifest::Part part{.file = fields.text("file"),
                           .sha256 = fields.text("sha256"),
                           .sequences = fields.count("sequences"),
                           .positions = fields.count("positions")};
  if (part.file != fs::path(part.file).filename() || !part.file.ends_with(".safetensors")) {
    throw input_error("cannot read {}: '{}' is not the name of a part", fields.place, part.file);
  }
  return part;
}

}  // namespace

int64_t CacheManifest::positions() const {
  int64_t positions = 0;
  for (const Part& part : parts) positions += part.positions;
  return positions;
}

int64_t CacheManifest::bytes_per_position() const {
  if (form == CacheForm::topk) return topk * static_cast<int64_t>(sizeof(float) + sizeof(int32_t));
  return width * (dtype == "float32" ? 4 : 2);
}

std::string CacheManifest::json() const {
  Json json = {{"format", kFormat},
               {"form", name_of(form)},
               {"dtype", dtype},
               {"width", width},
               {"topk", topk},
               {"temperature", temperature},
               {"teacher", teacher},
               {"teacher_digest", teacher_digest},
               {"tokenizer_digest", tokenizer_digest},
               {"template_digest", template_digest},
               {"vocabulary", vocabulary},
               {"computed_in", computed_in},
               {"positions", positions()},
               {"parts", Json::array()}};
  for (const Part& part : parts) {
    json["parts"].push_back({{"file", part.file},
                             {"sha256", part.sha256},
                             {"sequences", part.sequences},
                             {"positions", part.positions}});
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

CacheManifest CacheManifest::read(const fs::path& file) {
  const Json json = parse_json_object<Json>(read_file(file, uint64_t{1} << 26), file.string());
  const Fields fields{json, file.string()};
  if (fields.text("format") != kFormat) {
    throw input_error("cannot read {}: its format is '{}', expected '{}'", file.string(),
                      fields.text("format"), kFormat);
  }
  CacheManifest manifest{.dtype = fields.text("dtype"),
                         .width = fields.count("width"),
                         .topk = fields.count("topk"),
                         .temperature = fields.number("temperature"),
                         .teacher = fields.text("teacher"),
                         .teacher_digest = fields.text("teacher_digest"),
                         .tokenizer_digest = fields.text("tokenizer_digest"),
                         .template_digest = fields.text("template_digest"),
                         .vocabulary = fields.count("vocabulary"),
                         .computed_in = fields.text("computed_in")};
  const std::string form = fields.text("form");
  if (form != "hidden" && form != "topk") {
    throw input_error("cannot read {}: \"form\" is '{}', expected hidden or topk", file.string(),
                      form);
  }
  manifest.form = form == "hidden" ? CacheForm::hidden : CacheForm::topk;
  const Json& parts = fields.field("parts");
  if (!parts.is_array())
    throw input_error("cannot read {}: \"parts\" is not a list", file.string());
  for (const Json& part : parts) manifest.parts.push_back(read_part({part, file.string()}));
  return manifest;
}

std::string describe_difference(const CacheManifest& stored, const CacheManifest& needed) {
  std::vector<std::string> differences;
  const auto compare = [&](const char* what, const auto& here, const auto& there) {
    if (here != there) {
      differences.push_back(fmt::format("{} is {} there, {} in this run", what, here, there));
    }
  };
  const auto compare_digest = [&](const char* what, const std::string& here,
                                  const std::string& there) {
    compare(what, here.substr(0, 12), there.substr(0, 12));
  };
  compare_digest("the teacher's digest", stored.teacher_digest, needed.teacher_digest);
  compare_digest("the tokenizer's digest", stored.tokenizer_digest, needed.tokenizer_digest);
  compare_digest("the chat template's digest", stored.template_digest, needed.template_digest);
  compare("the vocabulary's size", stored.vocabulary, needed.vocabulary);
  compare("the stored form", name_of(stored.form), name_of(needed.form));
  if (stored.form == needed.form) {
    if (stored.form == CacheForm::hidden) {
      compare("the stored dtype", stored.dtype, needed.dtype);
      compare("the hidden width", stored.width, needed.width);
    } else {
      compare("K", stored.topk, needed.topk);
      compare("the temperature", stored.temperature, needed.temperature);
    }
  }
  return join(differences, "; ");
}

}  // namespace alambic

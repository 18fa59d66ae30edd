// The parts of config.json that describe rotary positions and layer types.
#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/model/config.h"

namespace alambic {

namespace {

const std::vector<std::string> rope_types = {"default", "linear",   "dynamic",     "llama3",
                                             "yarn",    "longrope", "proportional"};

std::vector<double> numbers(const Config& config, const std::string& key) {
  const auto& list = config.json[key];
  const bool fits = list.is_array() && std::ranges::all_of(list, [](const auto& value) {
                      return value.is_number() && value != 0;
                    });
  config.require(fits, key, "a list of numbers other than 0");
  return list;
}

// Settings of one type in `rope`; `whole` has the context's sizes.
RopeSettings scaled(const Config& rope, const Config& whole, RopeSettings settings) {
  // "type" is the spelling before "rope_type".
  settings.type = rope.text("rope_type", rope.text("type", "default"));
  if (settings.type == "su") settings.type = "longrope";
  rope.require(std::ranges::find(rope_types, settings.type) != rope_types.end(),
               rope.has("rope_type") ? "rope_type" : "type", "one of " + join(rope_types));
  const int64_t positions = whole.length("max_position_embeddings", 2048);
  settings.theta = rope.number("rope_theta", settings.theta);
  settings.rotary = rope.number("partial_rotary_factor", settings.rotary);
  settings.original_positions =
      rope.length("original_max_position_embeddings",
                  whole.length("original_max_position_embeddings", positions));
  const double stretch =
      static_cast<double>(positions) / static_cast<double>(settings.original_positions);
  settings.factor =
      rope.number("factor", settings.type == "yarn" || settings.type == "longrope" ? stretch : 1);
  settings.low_freq_factor = rope.number("low_freq_factor", settings.low_freq_factor);
  settings.high_freq_factor = rope.number("high_freq_factor", settings.high_freq_factor);
  settings.beta_fast = rope.number("beta_fast", settings.beta_fast);
  settings.beta_slow = rope.number("beta_slow", settings.beta_slow);
  settings.mscale = rope.number("mscale", 0);
  settings.mscale_all_dim = rope.number("mscale_all_dim", 0);
  settings.truncate = rope.flag("truncate", true);
  if (rope.has("attention_factor")) settings.attention_factor = rope.number("attention_factor", 1);
  if (settings.type == "longrope") settings.short_factor = numbers(rope, "short_factor");
  return settings;
}

}  // namespace

RopeSettings Config::rope(double default_theta, const std::string& layer_type) const {
  RopeSettings settings;
  settings.theta = number("rope_theta", default_theta);
  settings.rotary = number("partial_rotary_factor", 1);
  const char* key = has("rope_parameters") ? "rope_parameters" : "rope_scaling";
  if (has(key)) {
    require(json[key].is_object(), key, "an object");
    const Config all = part(key);
    if (!layer_type.empty() && all.has(layer_type)) {
      settings = scaled(all.part(layer_type), *this, settings);
    } else {
      settings = scaled(all, *this, settings);
    }
  }
  require(settings.theta > 1 && settings.factor > 0, key,
          "rope_theta above 1 and a factor above 0");
  require(settings.rotary > 0 && settings.rotary <= 1, key, "partial_rotary_factor in (0, 1]");
  return settings;
}

std::vector<bool> Config::sliding(int64_t layers,
                                  const std::function<bool(int64_t)>& otherwise) const {
  std::vector<bool> result;
  if (!has("layer_types")) {
    for (int64_t i = 0; i < layers; ++i) result.push_back(otherwise(i));
    return result;
  }
  const auto& types = json["layer_types"];
  require(types.is_array() && std::ssize(types) == layers, "layer_types",
          "one type for each layer");
  for (const auto& type : types) {
    const bool slides = type == "sliding_attention";
    require(slides || type == "full_attention", "layer_types",
            "a list of \"full_attention\" and \"sliding_attention\"");
    result.push_back(slides);
  }
  return result;
}

}  // namespace alambic

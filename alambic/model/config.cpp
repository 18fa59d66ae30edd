#include "alambic/model/config.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/error.h"

namespace alambic {

int64_t Config::length(const std::string& key) const {
  const int64_t value = integer(key);
  expect(value >= 1, key, "a positive size below 2^31");
  return value;
}

int64_t Config::length(const std::string& key, int64_t otherwise) const {
  return has(key) ? length(key) : otherwise;
}

int64_t Config::count(const std::string& key, CountKind kind) const {
  const int64_t value = length(key);
  check_count(limits, kind, value, fmt::format("\"{}\"", key), where);
  return value;
}

int64_t Config::size(const std::string& key) const { return count(key, CountKind::size); }

int64_t Config::size(const std::string& key, int64_t otherwise) const {
  return has(key) ? size(key) : otherwise;
}

int64_t Config::layers(const std::string& key) const { return count(key, CountKind::layers); }

int64_t Config::experts(const std::string& key) const { return count(key, CountKind::experts); }

void Config::require(bool holds, const std::string& key, const std::string& expected) const {
  if (holds) return;
  throw input_error("cannot build the model of {}: \"{}\" is {}, but only {} is supported", where,
                    key, json.contains(key) ? json_excerpt(json[key]) : "missing", expected);
}

RopeSettings Config::rope(const std::string& layer_type) const {
  const JsonFields all = object("rope_parameters");
  const JsonFields rope = layer_type.empty() ? all : all.object(layer_type);
  RopeSettings settings;
  settings.type = rope.text("rope_type");
  settings.theta = rope.number("rope_theta");
  settings.rotary = rope.number("partial_rotary_factor", settings.rotary);
  settings.factor = rope.number("factor", settings.factor);
  settings.original_positions = rope.integer("original_max_position_embeddings", 0);
  settings.low_freq_factor = rope.number("low_freq_factor", settings.low_freq_factor);
  settings.high_freq_factor = rope.number("high_freq_factor", settings.high_freq_factor);
  settings.beta_fast = rope.number("beta_fast", settings.beta_fast);
  settings.beta_slow = rope.number("beta_slow", settings.beta_slow);
  settings.mscale = rope.number("mscale", 0);
  settings.mscale_all_dim = rope.number("mscale_all_dim", 0);
  settings.truncate = rope.flag("truncate", true);
  if (rope.has("attention_factor")) settings.attention_factor = rope.number("attention_factor");
  if (rope.has("short_factor")) settings.short_factor = rope.numbers("short_factor");
  return settings;
}

int64_t Config::positions() const {
  int64_t most = length("max_position_embeddings");
  const auto end_at = [&](const RopeSettings& settings) {
    if (settings.type == "longrope") most = std::min(most, settings.original_positions);
  };
  const JsonFields ropes = object("rope_parameters");
  if (ropes.has("rope_type")) {
    end_at(rope());
  } else {
    for (const auto& entry : ropes.json.items()) end_at(rope(entry.key()));
  }
  return most;
}

std::vector<bool> Config::sliding() const {
  std::vector<bool> result;
  for (const std::string& type : texts("layer_types")) {
    const bool slides = type == "sliding_attention";
    require(slides || type == "full_attention", "layer_types",
            "a list of \"full_attention\" and \"sliding_attention\"");
    result.push_back(slides);
  }
  return result;
}

}  // namespace alambic

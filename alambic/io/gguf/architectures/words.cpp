#include "alambic/io/gguf/architectures/words.h"

#include <limits>

namespace alambic::gguf {

namespace {

template <class Value>
Value value_or(const Json& config, const char* key, Value otherwise) {
  const auto found = config.find(key);
  return found == config.end() ? otherwise : found->get<Value>();
}

}  // namespace

bool has(const Json& config, std::string_view key) { return !value_of(config, key).is_null(); }

const Json& value_of(const Json& config, std::string_view key) {
  static const Json null;
  const auto found = config.find(key);
  return found == config.end() ? null : *found;
}

double number_or(const Json& config, const char* key, double otherwise) {
  return value_or(config, key, otherwise);
}

int64_t integer_or(const Json& config, const char* key, int64_t otherwise) {
  return value_or(config, key, otherwise);
}

bool flag_or(const Json& config, const char* key, bool otherwise) {
  return value_or(config, key, otherwise);
}

std::string text_or(const Json& config, const char* key, const std::string& otherwise) {
  return value_or(config, key, otherwise);
}

uint32_t size_of(const Json& config, const std::string& key, const std::string& where) {
  const Json& value = value_of(config, key);
  const int64_t found = value.is_number_integer() ? value.get<int64_t>() : 0;
  if (found >= 1 && found <= std::numeric_limits<int32_t>::max()) {
    return static_cast<uint32_t>(found);
  }
  throw input_error("cannot read {}: \"{}\" should be a positive size, found {}", where, key,
                    value.dump());
}

Error refusal(const std::string& where, const std::string& key, const Json& found,
              const std::string& expected) {
  return input_error("cannot convert {} to GGUF: \"{}\" is {}, but llama.cpp has only {}", where,
                     key, found.dump(), expected);
}

void name_model(Json& config, const char* architecture, const char* model_type) {
  config["architectures"] = Json::array();
  config["architectures"].push_back(architecture);
  config["model_type"] = model_type;
}

Json alternating_types(int64_t count, int64_t period) {
  Json types = Json::array();
  for (int64_t i = 0; i < count; ++i) {
    types.push_back((i + 1) % period == 0 ? "full_attention" : "sliding_attention");
  }
  return types;
}

Json read_layer_types(const GgufReading& from, int64_t count, int64_t period) {
  const std::string key = from.prefix() + "attention.sliding_window_pattern";
  const GgufValue* pattern = from.metadata.find(key);
  if (pattern == nullptr) return alternating_types(count, period);
  if (!std::holds_alternative<GgufArray>(*pattern)) {
    const int64_t found = *from.metadata.integer(key);
    if (found < 0 || found > std::numeric_limits<int32_t>::max()) {
      throw input_error("cannot read {}: metadata {} should be a number of layers, found {}",
                        from.metadata.where(), key, found);
    }
    return alternating_types(count, found == 0 ? count + 1 : found);  // 0: all slide
  }
  const std::vector<double> slides = from.metadata.numbers(key);
  if (std::ssize(slides) < count) {  // more with layers for multi-token prediction
    throw input_error(
        "cannot read {}: metadata {} should have an entry for each of {} layers, found {}",
        from.metadata.where(), key, count, slides.size());
  }
  Json types = Json::array();
  for (int64_t i = 0; i < count; ++i) {
    types.push_back(slides[static_cast<size_t>(i)] != 0 ? "sliding_attention" : "full_attention");
  }
  return types;
}

void add_layer_types(const GgufWriting& to, const Json& config, int64_t period) {
  const Json& types = value_of(config, "layer_types");
  const int64_t count = integer_or(config, "num_hidden_layers", 0);
  if (types.is_null() || types == alternating_types(count, period)) return;
  std::vector<bool> slides;
  for (const Json& type : types) {
    slides.push_back(type == "sliding_attention");
    if (slides.back() || type == "full_attention") continue;
    throw refusal(to.where, "layer_types", type, "\"sliding_attention\" and \"full_attention\"");
  }
  if (std::ssize(slides) != count) {
    throw input_error("cannot read {}: \"layer_types\" should have a type for each of {} layers",
                      to.where, count);
  }
  to.metadata.add(to.prefix() + "attention.sliding_window_pattern", GgufArray(std::move(slides)));
}

void tell_rotary_share(Json& rope) {
  if (!rope.contains("partial_rotary_factor")) rope["partial_rotary_factor"] = 1.0;
}

}  // namespace alambic::gguf

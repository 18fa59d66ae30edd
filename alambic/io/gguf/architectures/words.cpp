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

void check_layer_types(const GgufWriting& to, const Json& config, const Json& expected) {
  const Json& types = value_of(config, "layer_types");
  if (expected.empty() || types.is_null() || types == expected) return;
  throw refusal(to.where, "layer_types", types, expected.dump());
}

void tell_rotary_share(Json& rope) {
  if (!rope.contains("partial_rotary_factor")) rope["partial_rotary_factor"] = 1.0;
}

}  // namespace alambic::gguf

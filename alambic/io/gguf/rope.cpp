#include "alambic/io/gguf/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "alambic/base/error.h"
#include "alambic/io/quant/decode.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

struct Llama3 {
  double factor = 8, low = 1, high = 4, original = 8192;
};

// Divisors of frequencies (Llama 3.1: `factor` for long waves, 1 for short ones, a ramp between).
std::vector<float> llama3_factors(const Llama3& s, double theta, int64_t head_dim) {
  std::vector<float> factors;
  for (int64_t i = 0; i < head_dim; i += 2) {
    const double exponent = static_cast<double>(i) / static_cast<double>(head_dim);
    const double turns = s.original / (2 * std::numbers::pi * std::pow(theta, exponent));
    const double smooth = std::clamp((turns - s.low) / (s.high - s.low), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / ((1 - smooth) / s.factor + smooth)));
  }
  return factors;
}

// A key of ours beside the tensor, from which the settings could only be guessed.
std::string own_key(const char* name) { return std::string("alambic.rope.") + name; }

// The settings behind rope_freqs: those that we wrote, or the published ones that give the tensor.
Json llama3_of_gguf(const GgufMetadata& metadata, const TensorView& tensor, double theta) {
  std::vector<float> found(static_cast<size_t>(count_of(tensor.shape)));
  if (!is_decodable(tensor.dtype) || found.empty()) {
    throw input_error("cannot read {}: tensor rope_freqs.weight should hold floating numbers",
                      metadata.where());
  }
  decode(tensor.dtype, tensor.bytes, found);
  Llama3 s{.factor = *std::ranges::max_element(found)};
  s.factor = metadata.number(own_key("factor")).value_or(s.factor);
  s.low = metadata.number(own_key("low_freq_factor")).value_or(s.low);
  s.high = metadata.number(own_key("high_freq_factor")).value_or(s.high);
  s.original = metadata.number(own_key("original_context_length")).value_or(s.original);
  const auto expected = llama3_factors(s, theta, 2 * std::ssize(found));
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::fabs(found[i] - expected[i]) <= 1e-3F * expected[i]) continue;
    throw input_error(
        "cannot read {}: rope_freqs.weight is not llama3's scaling by {}: entry {} is "
        "{}, expected {}",
        metadata.where(), s.factor, i, found[i], expected[i]);
  }
  return {{"rope_type", "llama3"},
          {"rope_theta", theta},
          {"factor", s.factor},
          {"low_freq_factor", s.low},
          {"high_freq_factor", s.high},
          {"original_max_position_embeddings", static_cast<int64_t>(s.original)}};
}

double number_of(const Json& rope, const char* key, double otherwise, const std::string& where) {
  if (!rope.contains(key) || rope[key].is_null()) return otherwise;
  if (!rope[key].is_number()) {
    throw input_error("cannot read {}: rope_parameters, \"{}\" should be a number, found {}", where,
                      key, rope[key].dump());
  }
  return rope[key];
}

// YaRN: llama.cpp computes the attention factor itself, from the factor alone.
void add_yarn(const Json& rope, double factor, double original, const std::string& where,
              const std::string& prefix, GgufMetadata& metadata) {
  const double usual = 0.1 * std::log(factor) + 1;
  const bool plain = !rope.contains("mscale") && !rope.contains("mscale_all_dim") &&
                     std::fabs(number_of(rope, "attention_factor", usual, where) - usual) < 1e-4 &&
                     rope.value("truncate", true);
  if (!plain) {
    throw input_error("cannot convert {}: GGUF cannot express this YaRN scaling: {}", where,
                      rope.dump());
  }
  metadata.add(prefix + "rope.scaling.original_context_length", static_cast<uint32_t>(original));
  for (const char* beta : {"beta_fast", "beta_slow"}) {
    if (!rope.contains(beta)) continue;
    metadata.add(prefix + "rope.scaling.yarn_" + beta,
                 static_cast<float>(number_of(rope, beta, 0, where)));
  }
}

}  // namespace

Json rope_of_gguf(const GgufMetadata& metadata, const std::string& prefix,
                  const std::vector<TensorView>& tensors, double default_theta) {
  const double theta = metadata.number(prefix + "rope.freq_base").value_or(default_theta);
  if (const TensorView* factors = tensor_named(tensors, "rope_freqs.weight")) {
    return llama3_of_gguf(metadata, *factors, theta);
  }
  const std::string scaling = prefix + "rope.scaling.";
  const std::string type = metadata.text(scaling + "type").value_or("none");
  Json rope = {{"rope_type", type == "none" ? "default" : type}, {"rope_theta", theta}};
  if (type == "none") return rope;
  if (type != "linear" && type != "yarn") {
    throw input_error("cannot read {}: {}type is \"{}\", but only none, linear and yarn are read",
                      metadata.where(), scaling, type);
  }
  rope["factor"] = metadata.number(scaling + "factor").value_or(1);
  if (type == "linear") return rope;
  if (const auto original = metadata.integer(scaling + "original_context_length")) {
    rope["original_max_position_embeddings"] = *original;
  }
  for (const char* beta : {"beta_fast", "beta_slow"}) {
    if (const auto value = metadata.number(scaling + "yarn_" + beta)) rope[beta] = *value;
  }
  return rope;
}

std::vector<float> add_gguf_rope(const Json& rope, int64_t head_dim, int64_t positions,
                                 const std::string& where, const std::string& prefix,
                                 GgufMetadata& metadata) {
  const double theta = number_of(rope, "rope_theta", 10000, where);
  const double rotary = number_of(rope, "partial_rotary_factor", 1, where);
  metadata.add(prefix + "rope.dimension_count",
               static_cast<uint32_t>(std::lround(static_cast<double>(head_dim) * rotary)));
  metadata.add(prefix + "rope.freq_base", static_cast<float>(theta));
  const Json type = rope.contains("rope_type") ? rope["rope_type"] : rope.value("type", Json());
  if (type.is_null() || type == "default") return {};
  const double factor = number_of(rope, "factor", 1, where);
  const double original =
      number_of(rope, "original_max_position_embeddings", static_cast<double>(positions), where);
  if (type == "llama3") {
    const Llama3 s{.factor = factor,
                   .low = number_of(rope, "low_freq_factor", 1, where),
                   .high = number_of(rope, "high_freq_factor", 4, where),
                   .original = original};
    metadata.add(own_key("factor"), static_cast<float>(s.factor));
    metadata.add(own_key("low_freq_factor"), static_cast<float>(s.low));
    metadata.add(own_key("high_freq_factor"), static_cast<float>(s.high));
    metadata.add(own_key("original_context_length"), static_cast<uint32_t>(s.original));
    return llama3_factors(s, theta, head_dim);
  }
  if (type != "linear" && type != "yarn") {
    throw input_error("cannot convert {}: GGUF cannot express rope_type {}", where, type.dump());
  }
  metadata.add(prefix + "rope.scaling.type", type.get<std::string>());
  metadata.add(prefix + "rope.scaling.factor", static_cast<float>(factor));
  if (type == "yarn") add_yarn(rope, factor, original, where, prefix, metadata);
  return {};
}

}  // namespace alambic

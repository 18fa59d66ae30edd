#include "alambic/io/gguf/rope.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/quant/decode.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* one_list = "rope_freqs.weight";
constexpr const char* long_list = "rope_factors_long.weight";
constexpr const char* short_list = "rope_factors_short.weight";

// Values of rope.scaling.type.
constexpr std::string_view stretches[] = {"none", "linear", "yarn", "longrope"};

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

// By which YaRN multiplies cosine and sine.
double yarn_attention(double factor, double mscale = 1) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

// A key of ours beside the tensor, from which the settings could only be guessed.
std::string own_key(const char* name) { return std::string("alambic.rope.") + name; }

// llama3's settings, where they make `factors`: those that we wrote, or the published ones.
std::optional<Json> llama3_of_gguf(const GgufMetadata& metadata, const std::vector<double>& factors,
                                   double theta) {
  Llama3 s{.factor = *std::ranges::max_element(factors)};
  s.factor = metadata.number(own_key("factor")).value_or(s.factor);
  s.low = metadata.number(own_key("low_freq_factor")).value_or(s.low);
  s.high = metadata.number(own_key("high_freq_factor")).value_or(s.high);
  s.original = metadata.number(own_key("original_context_length")).value_or(s.original);
  const auto expected = llama3_factors(s, theta, 2 * std::ssize(factors));
  for (size_t i = 0; i < factors.size(); ++i) {
    if (!(std::fabs(factors[i] - expected[i]) <= 1e-3 * expected[i])) return std::nullopt;
  }
  return Json{{"rope_type", "llama3"},
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

void add_attention(double factor, const std::string& where, const std::string& prefix,
                   GgufMetadata& metadata) {
  if (!(factor > 0 && std::isfinite(factor))) {
    throw input_error("cannot convert {}: rope_parameters make an attention factor of {}", where,
                      factor);
  }
  metadata.add(prefix + "rope.scaling.attn_factor", static_cast<float>(factor));
}

// A stretch as metadata tell it: llama.cpp divides positions by `factor` and multiplies cosine and
// sine by `attention`.
struct Stretch {
  std::string type;
  double factor = 1, attention = 1;
};

double positive_number(const GgufMetadata& metadata, const std::string& key, double otherwise) {
  const double number = shortest(metadata.number(key).value_or(otherwise));
  if (number > 0 && std::isfinite(number)) return number;
  throw input_error("cannot read {}: metadata {} should be a number above 0, found {}",
                    metadata.where(), key, number);
}

Stretch stretch_of(const GgufMetadata& metadata, const std::string& prefix) {
  const std::string scaling = prefix + "rope.scaling.";
  Stretch stretch;
  stretch.type = metadata.text(scaling + "type").value_or("linear");  // llama.cpp's default
  if (std::ranges::find(stretches, stretch.type) == std::end(stretches)) {
    throw input_error("cannot read {}: {}type is \"{}\", but only {} are read", metadata.where(),
                      scaling, printable(stretch.type), fmt::join(stretches, ", "));
  }
  stretch.attention = positive_number(metadata, scaling + "attn_factor", 1);
  // The second is the spelling of 2023.
  for (const std::string& key : {scaling + "factor", prefix + "rope.scale_linear"}) {
    if (stretch.type == "none" || metadata.find(key) == nullptr) continue;
    if (metadata.number(key) != 0) stretch.factor = positive_number(metadata, key, 1);
    break;
  }
  return stretch;
}

// The numbers of a tensor that divides the frequencies, times `stretch`; empty: there is none.
std::vector<double> divisors_of(const GgufReading& from, const std::string& name, int64_t angles,
                                double stretch) {
  const TensorView* tensor = tensor_named(from.tensors, name);
  if (tensor == nullptr) return {};
  const std::string& where = from.metadata.where();
  if (!is_decodable(tensor->dtype) || count_of(tensor->shape) != angles) {
    throw input_error("cannot read {}: tensor {} should hold {} floating numbers, found {} of {}",
                      where, name, angles, count_of(tensor->shape), name_of(tensor->dtype));
  }
  std::vector<float> found(static_cast<size_t>(angles));
  decode(tensor->dtype, tensor->bytes, found);
  std::vector<double> divisors;
  for (const float number : found) {
    if (!(number > 0)) {
      throw input_error("cannot read {}: tensor {} should hold numbers above 0, found {}", where,
                        name, number);
    }
    divisors.push_back(shortest(number * stretch));
  }
  return divisors;
}

int64_t original_context(const GgufReading& from) {
  const std::string prefix = from.prefix();
  const auto original = from.metadata.integer(prefix + "rope.scaling.original_context_length");
  return original ? *original : from.metadata.integer(prefix + "context_length").value_or(0);
}

// transformers' name for frequencies that are divided one by one: longrope, whose second list is
// for contexts beyond the original one.
Json divided(const std::vector<double>& within, const std::vector<double>& beyond, double theta,
             double attention, int64_t original) {
  return {{"rope_type", "longrope"},       {"rope_theta", theta},
          {"short_factor", within},        {"long_factor", beyond},
          {"attention_factor", attention}, {"original_max_position_embeddings", original}};
}

Json yarn_of(const GgufReading& from, const Stretch& stretch, double theta) {
  Json rope = {{"rope_type", "yarn"}, {"rope_theta", theta}, {"factor", stretch.factor}};
  if (stretch.attention != 1) {
    rope["attention_factor"] = shortest(stretch.attention * yarn_attention(stretch.factor));
  }
  const std::string scaling = from.prefix() + "rope.scaling.";
  if (const auto original = from.metadata.integer(scaling + "original_context_length")) {
    rope["original_max_position_embeddings"] = *original;
  }
  for (const char* beta : {"beta_fast", "beta_slow"}) {
    if (const auto value = from.metadata.number(scaling + "yarn_" + beta)) rope[beta] = *value;
  }
  return rope;
}

Json stretched(const GgufReading& from, const Stretch& stretch, double theta, int64_t angles) {
  if (stretch.type == "yarn") return yarn_of(from, stretch, theta);
  if (stretch.attention != 1) {
    const std::vector<double> same(static_cast<size_t>(angles), stretch.factor);
    return divided(same, same, theta, stretch.attention, original_context(from));
  }
  if (stretch.factor == 1) return {{"rope_type", "default"}, {"rope_theta", theta}};
  return {{"rope_type", "linear"}, {"rope_theta", theta}, {"factor", stretch.factor}};
}

// YaRN: llama.cpp computes the attention factor from the factor alone, and multiplies it.
void add_yarn(const Json& rope, double factor, double original, const std::string& where,
              const std::string& prefix, GgufMetadata& metadata) {
  if (!rope.value("truncate", true)) {
    throw input_error("cannot convert {}: GGUF cannot express this YaRN scaling: {}", where,
                      rope.dump());
  }
  const double mscale = number_of(rope, "mscale", 0, where),
               all = number_of(rope, "mscale_all_dim", 0, where);
  const bool both = mscale != 0 && all != 0;
  const double usual = yarn_attention(factor),
               attention =
                   both ? yarn_attention(factor, mscale) / yarn_attention(factor, all) : usual,
               wanted = number_of(rope, "attention_factor", attention, where);
  if (std::fabs(wanted - usual) > 1e-4) add_attention(wanted / usual, where, prefix, metadata);
  metadata.add(prefix + "rope.scaling.original_context_length", static_cast<uint32_t>(original));
  for (const char* beta : {"beta_fast", "beta_slow"}) {
    if (!rope.contains(beta)) continue;
    metadata.add(prefix + "rope.scaling.yarn_" + beta,
                 static_cast<float>(number_of(rope, beta, 0, where)));
  }
}

std::vector<float> factors_of(const Json& rope, const char* key, int64_t angles,
                              const std::string& where) {
  const Json list = rope.value(key, Json());
  const auto above_0 = [](const Json& number) { return number.is_number() && number > 0; };
  if (!list.is_array() || std::ssize(list) != angles || !std::ranges::all_of(list, above_0)) {
    throw input_error(
        "cannot read {}: rope_parameters, \"{}\" should be a list of {} numbers above 0, found {}",
        where, key, angles, list.dump());
  }
  return list;
}

// llama.cpp has one list of divisors as rope_freqs.weight, and the two of Phi-3 under names of
// their own.
GgufFrequencies add_longrope(const Json& rope, int64_t angles, double positions, double original,
                             const std::string& where, const std::string& prefix,
                             GgufMetadata& metadata) {
  std::vector<float> within = factors_of(rope, "short_factor", angles, where),
                     beyond = factors_of(rope, "long_factor", angles, where);
  const double factor = number_of(rope, "factor", positions / original, where);
  const double usual = factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(original));
  const double attention = number_of(rope, "attention_factor", usual, where);
  if (attention != 1) add_attention(attention, where, prefix, metadata);
  const bool phi3 = prefix == "phi3.";
  if (within == beyond && !phi3) return {{one_list, std::move(within)}};
  if (!phi3 && prefix != "llama.") {
    throw input_error(
        "cannot convert {}: llama.cpp has long and short factors of the frequencies for Phi-3 and "
        "Llama only",
        where);
  }
  if (!phi3) metadata.add(prefix + "rope.scaling.type", std::string("longrope"));
  metadata.add(prefix + "rope.scaling.original_context_length", static_cast<uint32_t>(original));
  return {{long_list, std::move(beyond)}, {short_list, std::move(within)}};
}

}  // namespace

bool is_gguf_frequencies(std::string_view tensor) {
  return tensor == one_list || tensor == long_list || tensor == short_list;
}

Json rope_of_gguf(const GgufReading& from, int64_t angles) {
  const std::string prefix = from.prefix();
  const double theta = positive_number(from.metadata, prefix + "rope.freq_base", 1e4);
  const Stretch stretch = stretch_of(from.metadata, prefix);
  const auto list = [&](const char* name) {
    return divisors_of(from, name, angles, stretch.factor);
  };
  const std::vector<double> one = list(one_list), within = list(short_list),
                            beyond = list(long_list);
  if (one.empty() && within.empty() && beyond.empty()) {
    return stretched(from, stretch, theta, angles);
  }
  if (within.empty() != beyond.empty() || one.empty() == within.empty()) {
    throw input_error("cannot read {}: it should have either {} or both {} and {}",
                      from.metadata.where(), one_list, short_list, long_list);
  }
  if (stretch.type == "yarn" && stretch.factor != 1) {
    throw input_error(
        "cannot read {}: {}rope.scaling.type \"yarn\" beside a tensor of frequencies "
        "is not read",
        from.metadata.where(), prefix);
  }
  if (one.empty()) {
    return divided(within, beyond, theta, stretch.attention, original_context(from));
  }
  if (stretch.attention == 1) {
    if (std::ranges::all_of(one, [](double x) { return x == 1; })) {
      return {{"rope_type", "default"}, {"rope_theta", theta}};
    }
    if (auto llama3 = llama3_of_gguf(from.metadata, one, theta)) return *llama3;
  }
  return divided(one, one, theta, stretch.attention, original_context(from));
}

GgufFrequencies add_gguf_rope(const Json& rope, int64_t head_dim, int64_t positions,
                              const std::string& where, const std::string& prefix,
                              GgufMetadata& metadata) {
  const double theta = number_of(rope, "rope_theta", 10000, where);
  const double rotary = number_of(rope, "partial_rotary_factor", 1, where);
  const int64_t turned = std::lround(static_cast<double>(head_dim) * rotary);
  metadata.add(prefix + "rope.dimension_count", static_cast<uint32_t>(turned));
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
    return {{one_list, llama3_factors(s, theta, turned)}};
  }
  if (type == "longrope" || type == "su") {
    return add_longrope(rope, turned / 2, static_cast<double>(positions), original, where, prefix,
                        metadata);
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

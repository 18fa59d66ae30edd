#include "alambic/io/gguf/config.h"

#include <algorithm>
#include <limits>

#include "alambic/io/gguf/architectures/words.h"
#include "alambic/io/gguf/generation.h"
#include "alambic/io/gguf/metadata_keys.h"
#include "alambic/io/gguf/rope.h"

namespace alambic {

namespace {

using namespace gguf;

constexpr int64_t widest = int64_t{1} << 20;  // of a head: a limit of what is made of it

int64_t vocabulary_of(const GgufReading& from) {
  const TensorView* embedding = tensor_named(from.tensors, "token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    throw input_error("cannot load {}: it has no tensor token_embd.weight of two dimensions",
                      from.metadata.where())
        .with_hint("a file with only a vocabulary?");
  }
  return embedding->shape[0];
}

const char* dtype_name(const std::vector<TensorView>& tensors) {
  switch (tensor_named(tensors, "token_embd.weight")->dtype) {
    case Dtype::F16:
      return "float16";
    case Dtype::BF16:
      return "bfloat16";
    default:
      return "float32";
  }
}

void read_settings(const GgufReading& from, Json& config) {
  const GgufMetadata& metadata = from.metadata;
  for (const GgufSetting& setting : from.family.settings) {
    const std::string key = from.prefix() + std::string(setting.gguf), name(setting.hf);
    if (metadata.find(key) == nullptr) {
      if (!setting.required) continue;
      throw input_error("cannot read {}: it has no metadata {}", metadata.where(), key);
    }
    if (setting.kind == GgufSetting::real) {
      config[name] = shortest(*metadata.number(key));
    } else if (setting.kind == GgufSetting::flag) {
      config[name] = *metadata.flag(key);
    } else {
      config[name] = *metadata.integer(key);
    }
  }
}

// Sizes that divisions and loops below rely on.
void check_sizes(const Json& config, const GgufMetadata& metadata) {
  for (const char* key : {"hidden_size", "num_attention_heads", "num_hidden_layers", "n_embd",
                          "n_head", "n_layer", "num_key_value_heads"}) {
    const int64_t size = integer_or(config, key, 1);
    if (size >= 1 && size <= std::numeric_limits<int32_t>::max()) continue;
    throw input_error("cannot read {}: {} should be a positive size, found {}", metadata.where(),
                      key, size);
  }
}

// Layers for multi-token prediction are counted behind the others.
void read_layers(const GgufReading& from, Json& config) {
  const std::string key = from.prefix() + "nextn_predict_layers";
  const int64_t next = from.metadata.integer(key).value_or(0);
  if (next == 0) return;
  const int64_t layers = integer_or(config, "num_hidden_layers", 0);
  if (next < 0 || next >= layers) {
    throw input_error("cannot read {}: metadata {} should be below {}, found {}",
                      from.metadata.where(), key, layers, next);
  }
  config["num_hidden_layers"] = layers - next;
}

std::optional<CountKind> count_kind(const GgufSetting& setting) {
  if (setting.kind == GgufSetting::layers) return CountKind::layers;
  if (setting.kind == GgufSetting::experts) return CountKind::experts;
  if (setting.kind == GgufSetting::size) return CountKind::size;
  return std::nullopt;
}

// Whatever is said of tensors that the file does not have; without the layers that read_layers has
// taken off.
void check_counts(const GgufReading& from, const Json& config) {
  const CountLimits limits = limits_of(from.tensors);
  for (const GgufSetting& setting : from.family.settings) {
    const auto kind = count_kind(setting);
    const Json& found = value_of(config, setting.hf);
    if (!kind || found.is_null()) continue;
    check_count(limits, *kind, found.get<int64_t>(),
                "metadata " + from.prefix() + std::string(setting.gguf), from.metadata.where());
  }
}

void read_rotary(const GgufReading& from, Json& config) {
  const std::string prefix = from.prefix();
  const int64_t plain =
      integer_or(config, "hidden_size", 1) / integer_or(config, "num_attention_heads", 1);
  const auto width = [&](const std::string& key, int64_t otherwise) {
    const int64_t found = from.metadata.integer(key).value_or(otherwise);
    if (found >= 1 && found <= widest) return found;
    throw input_error("cannot read {}: metadata {} should be the width of a head, found {}",
                      from.metadata.where(), key, found);
  };
  const int64_t head_dim = width(prefix + "attention.key_length", plain);
  config["head_dim"] = head_dim;
  const int64_t turned = width(prefix + "rope.dimension_count", head_dim);
  Json rope = rope_of_gguf(from, turned / 2);
  if (turned != head_dim) {
    rope["partial_rotary_factor"] = static_cast<double>(turned) / static_cast<double>(head_dim);
  }
  config["rope_parameters"] = std::move(rope);
}

// llama.cpp adds each of them where the file has it; transformers has all or none.
bool any_bias(const std::vector<TensorView>& tensors,
              std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(tensors, [&](const TensorView& tensor) {
    return std::ranges::any_of(names,
                               [&](std::string_view name) { return tensor.name.ends_with(name); });
  });
}

void read_tokens(const GgufMetadata& metadata, Json& config) {
  const Json generation = generation_config_of_gguf(metadata);
  for (const char* key : {"bos_token_id", "eos_token_id"}) {
    if (!value_of(generation, key).is_null()) config[key] = generation[key];
  }
}

void check_constants(const GgufWriting& to, const Json& config) {
  const Json constants = Json::parse(to.family.constants);
  for (const auto& [key, value] : constants.items()) {
    // Null is what Python's `if` takes for false.
    const bool none_for_true = value == true && config.contains(key) && config[key].is_null();
    if (none_for_true || (has(config, key) && config[key] != value)) {
      throw refusal(to.where, key, config[key], value.dump());
    }
  }
}

void add_setting(const GgufWriting& to, const GgufSetting& setting, const Json& config) {
  const std::string key(setting.hf), name = to.prefix() + std::string(setting.gguf);
  if (setting.kind == GgufSetting::flag) {
    to.metadata.add(name, config[key].get<bool>());
    return;
  }
  if (setting.kind == GgufSetting::real) {
    if (!config[key].is_number()) {
      throw input_error("cannot read {}: \"{}\" should be a number, found {}", to.where, key,
                        config[key].dump());
    }
    to.metadata.add(name, config[key].get<float>());
    return;
  }
  const uint32_t size = size_of(config, key, to.where);
  if (const auto kind = count_kind(setting)) {
    check_count(to.limits, *kind, size, fmt::format("\"{}\"", key), to.where);
  }
  to.metadata.add(name, size);
}

void add_settings(const GgufWriting& to, Json& config) {
  for (const GgufSetting& setting : to.family.settings) {
    const std::string key(setting.hf);
    if (!has(config, key)) {
      if (setting.otherwise.empty() && !setting.required) continue;
      if (setting.otherwise.empty()) {
        throw input_error("cannot read {}: it has no \"{}\"", to.where, key);
      }
      config[key] = Json::parse(setting.otherwise);
    }
    add_setting(to, setting, config);
  }
}

GgufFrequencies add_rotary(const GgufWriting& to, const Json& config, Json& rope) {
  const uint32_t heads = size_of(config, "num_attention_heads", to.where);
  const int64_t head_dim = has(config, "head_dim")
                               ? size_of(config, "head_dim", to.where)
                               : size_of(config, "hidden_size", to.where) / heads;
  check_count(to.limits, CountKind::size, head_dim, "\"head_dim\"", to.where);
  for (const char* key : {"attention.key_length", "attention.value_length"}) {
    to.metadata.add(to.prefix() + key, static_cast<uint32_t>(head_dim));
  }
  if (to.family.words.rope) to.family.words.rope(to, config, head_dim, rope);
  return add_gguf_rope(rope, head_dim, size_of(config, "max_position_embeddings", to.where),
                       to.where, to.prefix(), to.metadata);
}

// The configuration is completed by defaults on the way.
GgufFrequencies add_whole_config(const GgufWriting& to, Json config) {
  const GgufWords& words = to.family.words;
  if (words.complete) words.complete(to, config);
  check_constants(to, config);
  add_settings(to, config);
  to.metadata.add(to.prefix() + "vocab_size", size_of(config, "vocab_size", to.where));
  Json rope = value_of(config, "rope_parameters");
  if (to.family.rotary) return add_rotary(to, config, rope);
  return words.add ? words.add(to, config, rope) : GgufFrequencies();
}

}  // namespace

Json config_of_gguf(const GgufArchitecture& family, const GgufMetadata& metadata,
                    const std::vector<TensorView>& tensors) {
  const GgufReading from{.family = family, .metadata = metadata, .tensors = tensors};
  Json config = Json::object();
  name_model(config, std::string(family.architecture).c_str(),
             std::string(family.model_type).c_str());
  const int64_t vocabulary = vocabulary_of(from);
  read_settings(from, config);
  check_sizes(config, metadata);
  read_layers(from, config);
  check_counts(from, config);
  config.update(Json::parse(family.constants));
  config["vocab_size"] = vocabulary;
  config["tie_word_embeddings"] = tensor_named(tensors, "output.weight") == nullptr;
  if (family.bias_flags) {
    config["attention_bias"] =
        any_bias(tensors, {".attn_q.bias", ".attn_k.bias", ".attn_v.bias", ".attn_output.bias"});
    config["mlp_bias"] = any_bias(tensors, {".ffn_gate.bias", ".ffn_up.bias", ".ffn_down.bias"});
  }
  if (family.rotary) read_rotary(from, config);
  if (family.words.read) family.words.read(from, config);
  check_held_keys(from, config);
  read_tokens(metadata, config);
  config["dtype"] = dtype_name(tensors);
  return config;
}

GgufFrequencies add_gguf_config(const GgufArchitecture& family, const Json& config,
                                const CountLimits& limits, const std::string& where,
                                GgufMetadata& metadata) try {
  return add_whole_config({family, limits, where, metadata}, config);
} catch (const Json::exception&) {  // a key that complete_config() does not know
  throw input_error(
      "cannot convert {}: a value of its config.json is of another type than it "
      "should be",
      where);
}

}  // namespace alambic

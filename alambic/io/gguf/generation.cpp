#include "alambic/io/gguf/generation.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "alambic/base/error.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* prefix = "general.sampling.";
constexpr const char* suppressed = "tokenizer.ggml.suppress_tokens";

// Sampling settings that transformers has too.
struct Shared {
  const char *gguf, *hf;
  bool whole;  // an integer
};
constexpr Shared shared[] = {{"temp", "temperature", false},
                             {"top_k", "top_k", true},
                             {"top_p", "top_p", false},
                             {"min_p", "min_p", false},
                             {"penalty_repeat", "repetition_penalty", false}};

// Settings that do nothing unless another one is on.
struct Dependent {
  const char *name, *on;
  double off;
};
constexpr Dependent dependent[] = {{"xtc_probability", "xtc_probability", 0},
                                   {"xtc_threshold", "xtc_probability", 0},
                                   {"mirostat", "mirostat", 0},
                                   {"mirostat_tau", "mirostat", 0},
                                   {"mirostat_eta", "mirostat", 0},
                                   {"penalty_last_n", "penalty_repeat", 1}};

// Tokens with which llama.cpp ends a completion wherever a vocabulary has them.
constexpr std::string_view ends_by_text[] = {"<|eot_id|>",
                                             "<|im_end|>",
                                             "<|end|>",
                                             "<|return|>",
                                             "<|call|>",
                                             "<|flush|>",
                                             "<|calls|>",
                                             "<end_of_turn>",
                                             "<|endoftext|>",
                                             "</s>",
                                             "<|eom_id|>",
                                             "<EOT>",
                                             "_<EOT>",
                                             "[EOT]",
                                             "[EOS]",
                                             "<|end_of_text|>",
                                             "<end_of_utterance>",
                                             "<eos>",
                                             "<turn|>",
                                             "<|tool_response>"};

// Two of them end a part of the model's answer where its other tokens are there too.
bool ends_a_part(std::string_view text, const auto& has) {
  if (text == "<|end|>") {
    const bool calls = has("<|call|>") || has("<|calls|>");
    return calls && (has("<|return|>") || has("<|flush|>"));
  }
  return text == "</s>" && has("<|tool_response>");
}

void add_by_text(const GgufMetadata& metadata, std::vector<int64_t>& ids) {
  const auto* tokens = metadata.texts("tokenizer.ggml.tokens");
  if (tokens == nullptr || metadata.find("tokenizer.huggingface.json") != nullptr) return;
  std::vector<int64_t> found(std::size(ends_by_text), -1);
  for (size_t id = 0; id < tokens->size(); ++id) {
    const auto* text = std::ranges::find(ends_by_text, (*tokens)[id]);
    if (text != std::end(ends_by_text)) {
      found[text - std::begin(ends_by_text)] = static_cast<int64_t>(id);
    }
  }
  const auto has = [&](std::string_view text) {
    const auto* place = std::ranges::find(ends_by_text, text);
    return found[place - std::begin(ends_by_text)] >= 0;
  };
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i] < 0) continue;
    if (ends_a_part(ends_by_text[i], has)) {
      std::erase(ids, found[i]);  // also where a key names it
    } else {
      ids.push_back(found[i]);
    }
  }
}

Json value_of(const GgufMetadata& metadata, const std::string& key) {
  const GgufValue& value = *metadata.find(key);
  if (std::holds_alternative<std::string>(value)) return *metadata.text(key);
  if (std::holds_alternative<float>(value) || std::holds_alternative<double>(value)) {
    return shortest(*metadata.number(key));
  }
  return *metadata.integer(key);
}

bool is_on(const GgufMetadata& metadata, const Dependent& setting) {
  return metadata.number(prefix + std::string(setting.on)).value_or(setting.off) != setting.off;
}

void add_sampling(const GgufMetadata& metadata, Json& config) {
  for (const auto& [key, value] : metadata.items()) {
    if (!key.starts_with(prefix)) continue;
    const std::string name = key.substr(std::string_view(prefix).size());
    if (const auto* same = std::ranges::find(shared, name, &Shared::gguf);
        same != std::end(shared)) {
      config[same->hf] = same->whole ? Json(std::max<int64_t>(*metadata.integer(key), 0))
                                     : Json(shortest(*metadata.number(key)));
      continue;
    }
    const auto* needs = std::ranges::find(dependent, name, &Dependent::name);
    if (needs == std::end(dependent) || is_on(metadata, *needs)) {
      config[key] = value_of(metadata, key);
    }
  }
}

}  // namespace

std::vector<int64_t> end_tokens_of_gguf(const GgufMetadata& metadata) {
  std::vector<int64_t> ids;
  const auto* tokens = metadata.texts("tokenizer.ggml.tokens");
  for (const char* role : {"eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep"}) {
    const std::string key = fmt::format("tokenizer.ggml.{}_token_id", role);
    const auto id = metadata.integer(key);
    if (!id) continue;
    if (*id < 0 || (tokens != nullptr && *id >= std::ssize(*tokens))) {
      throw input_error("cannot read {}: {} is {}, which is no token of it", metadata.where(), key,
                        *id);
    }
    ids.push_back(*id);
  }
  add_by_text(metadata, ids);
  std::vector<int64_t> once;
  for (const int64_t id : ids) {
    if (std::ranges::find(once, id) == once.end()) once.push_back(id);
  }
  return once;
}

Json generation_config_of_gguf(const GgufMetadata& metadata) {
  Json config = Json::object();
  if (const auto bos = metadata.integer("tokenizer.ggml.bos_token_id")) {
    config["bos_token_id"] = *bos;
  }
  const std::vector<int64_t> ends = end_tokens_of_gguf(metadata);
  if (!ends.empty()) config["eos_token_id"] = ends.size() == 1 ? Json(ends[0]) : Json(ends);
  if (metadata.find(suppressed) != nullptr) {
    std::vector<int64_t> ids;
    for (const double id : metadata.numbers(suppressed)) ids.push_back(static_cast<int64_t>(id));
    if (!ids.empty()) config["suppress_tokens"] = ids;
  }
  add_sampling(metadata, config);
  return config.empty() ? Json(nullptr) : config;
}

void add_generation_config(const Json& config, GgufMetadata& metadata) {
  if (!config.is_object()) return;
  for (const auto& [gguf, hf, whole] : shared) {
    if (!config.contains(hf) || !config[hf].is_number()) continue;
    const double value = config[hf].get<double>();
    if (whole) {
      metadata.add(std::string(prefix) + gguf, static_cast<int32_t>(std::clamp(value, 0.0, 2e9)));
    } else {
      metadata.add(std::string(prefix) + gguf, static_cast<float>(value));
    }
  }
  for (const auto& [key, value] : config.items()) {
    if (!key.starts_with(prefix)) continue;
    if (value.is_string()) metadata.add(key, value.get<std::string>());
    if (value.is_number_float()) metadata.add(key, value.get<float>());
    if (value.is_number_integer()) metadata.add(key, value.get<int32_t>());
  }
  if (!config.contains("suppress_tokens") || !config["suppress_tokens"].is_array()) return;
  std::vector<int32_t> ids;
  for (const Json& id : config["suppress_tokens"]) {
    if (id.is_number_integer()) ids.push_back(id.get<int32_t>());
  }
  if (!ids.empty()) metadata.add(suppressed, GgufArray(std::move(ids)));
}

}  // namespace alambic

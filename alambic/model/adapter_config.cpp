#include "alambic/model/adapter_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/json_object.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;
using enum AdapterKeyUse;

constexpr AdapterKey keys[] = {
    {"alora_invocation_tokens", neutral},
    {"alpha_pattern", read},
    {"arrow_config", neutral},
    {"auto_mapping", no_effect},
    {"base_model_name_or_path", no_effect},
    {"bias", read},
    {"corda_config", no_effect},  // of init_lora_weights
    {"ensure_weight_tying", read},
    {"eva_config", no_effect},
    {"exclude_modules", read},
    {"fan_in_fan_out", no_effect},  // PEFT sees by itself which way a weight lies
    {"inference_mode", no_effect},
    {"init_lora_weights", read},
    {"kasa_config", neutral},
    {"layer_replication", neutral},
    {"layers_pattern", read},
    {"layers_to_transform", read},
    {"loftq_config", no_effect},
    {"lora_alpha", read},
    {"lora_bias", neutral},
    {"lora_dropout", no_effect},  // while training only
    {"lora_ga_config", no_effect},
    {"megatron_config", neutral},
    {"megatron_core", no_effect},
    {"modules_to_save", read},
    {"modules_to_tie", no_effect},  // PEFT makes it from ensure_weight_tying
    {"monteclora_config", neutral},
    {"peft_type", read},
    {"peft_version", no_effect},
    {"qalora_group_size", no_effect},
    {"r", read},
    {"rank_pattern", read},
    {"revision", no_effect},
    {"runtime_config", no_effect},
    {"target_modules", read},
    {"target_modules_to_tie", no_effect},
    {"target_parameters", neutral},
    {"task_type", no_effect},
    {"trainable_token_indices", read},
    {"use_bdlora", neutral},
    {"use_dora", read},
    {"use_qalora", neutral},
    {"use_rslora", read},
    {"velora_config", neutral},
};

bool is_empty(const Json& value) {
  return value.is_null() || value == Json(false) ||
         ((value.is_object() || value.is_array()) && value.empty());
}

// Reads one file's keys; what is null is as if it were not there, as in PEFT's defaults.
struct Reader {
  const Json& json;
  std::string where;

  [[noreturn]] void wrong(const std::string& key, const std::string& expected,
                          const std::string& hint = "") const {
    const Error error =
        input_error("cannot load the adapter of {}: \"{}\" should be {}, found {}", where, key,
                    expected, json.contains(key) ? printable(json[key].dump()) : "nothing");
    throw hint.empty() ? error : error.with_hint(hint);
  }
  const Json* find(const char* key) const {
    const auto found = json.find(key);
    return found == json.end() || found->is_null() ? nullptr : &*found;
  }
  bool flag(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_boolean()) wrong(key, "true or false");
    return *value;
  }
  Regex regex(const char* key, const std::string& source, const std::string& whole) const {
    try {
      return Regex(whole);
    } catch (const Error&) {
      wrong(key,
            fmt::format("of regular expressions that can be read, not \"{}\"", printable(source)));
    }
  }
  std::string text_in(const char* key, const Json& value) const {
    if (!value.is_string()) wrong(key, "made of strings");
    return value;
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> all;
    const Json* value = find(key);
    if (value == nullptr) return all;
    if (!value->is_array()) wrong(key, "a list of strings");
    for (const Json& one : *value) all.push_back(text_in(key, one));
    return all;
  }
  std::optional<ModuleNames> modules(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return ModuleNames{texts(key), std::nullopt};
    const std::string source = *value;
    return ModuleNames{{}, regex(key, source, "\\A(?:" + source + ")\\z")};
  }
  int64_t token(const char* key, const Json& value) const {
    if (!value.is_number_integer() || value.get<double>() < 0 || value.get<double>() >= 0x1p31) {
      wrong(key, "made of integers from 0");
    }
    return value;
  }
  int64_t rank(const char* key, const Json& value) const {
    if (!value.is_number_integer() || value.get<double>() < 1 || value.get<double>() >= 0x1p31) {
      wrong(key, "a positive rank, or made of such");
    }
    return value;
  }
  double number(const char* key, const Json& value) const {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      wrong(key, "a number, or made of such");
    }
    return value;
  }
  // PEFT's get_pattern_key: the end of a module's name, from the beginning of a part of it.
  template <class T, class Read>
  std::vector<ModulePattern<T>> patterns(const char* key, const Read& read_value) const {
    std::vector<ModulePattern<T>> all;
    const Json* value = find(key);
    if (value == nullptr) return all;
    if (!value->is_object()) wrong(key, "an object of names or regular expressions");
    for (const auto& [source, one] : value->items()) {
      all.push_back({regex(key, source, "\\A(.*\\.)?(" + source + ")$"), read_value(key, one)});
    }
    return all;
  }
};

void check_keys(const Reader& reader) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : reader.json.items()) {
    const auto* known = std::ranges::find(keys, key, &AdapterKey::name);
    if (known == std::end(keys)) {
      if (!is_empty(value)) unknown.push_back("\"" + printable(key) + "\"");
    } else if (known->use == neutral && !is_empty(value)) {
      reader.wrong(key, "null or false",
                   "it changes what the adapter computes in a way that Alambic does not build; "
                   "PEFT's merge_and_unload makes a plain model of model and adapter");
    }
  }
  if (!unknown.empty()) {
    warn("{}: PEFT 0.21 has no {}: not used, as in PEFT", reader.where, join(unknown));
  }
}

void read_init(const Reader& reader, AdapterConfig& config) {
  const Json* value = reader.find("init_lora_weights");
  if (value == nullptr || value->is_boolean()) {
    // Without the key PEFT's default is true; null and false begin with a random B.
    config.begins_with_nothing =
        !reader.json.contains("init_lora_weights") || (value != nullptr && value->get<bool>());
    return;
  }
  const std::string name = value->is_string() ? value->get<std::string>() : "";
  const bool niter = name.starts_with("pissa_niter_");
  std::string lower = name;
  std::ranges::transform(lower, lower.begin(), [](char c) { return std::tolower(c); });
  config.begins_with_nothing = name != "orthogonal";
  if (name == "pissa") {
    config.base_change = BaseChange::pissa;
  } else if (lower == "olora") {
    config.base_change = BaseChange::olora;
  } else if (lower != "gaussian" && lower != "mica" && name != "eva" && name != "lora_ga" &&
             name != "orthogonal") {
    reader.wrong("init_lora_weights",
                 "true, false, \"gaussian\", \"pissa\", \"olora\", \"eva\", \"orthogonal\", "
                 "\"mica\" or \"lora_ga\"",
                 niter ? "PEFT takes a randomized decomposition off the weights, another at each "
                         "loading; save the adapter with path_initial_model_for_weight_conversion"
                       : "PEFT changes the model's weights by what this file does not tell; save "
                         "the adapter with path_initial_model_for_weight_conversion");
  }
}

void read_layers(const Reader& reader, AdapterConfig& config) {
  const Json* value = reader.find("layers_to_transform");
  const bool pattern = config.all_linear || (config.targets && config.targets->pattern);
  if (value != nullptr && pattern) {
    reader.wrong("layers_to_transform", "null where target_modules is a string");
  }
  if (value != nullptr && value->is_array()) {
    for (const Json& one : *value) {
      config.layers.push_back(reader.token("layers_to_transform", one));
    }
  } else if (value != nullptr) {
    config.layers.push_back(reader.token("layers_to_transform", *value));
  }
  const Json* lists = reader.find("layers_pattern");
  if (lists == nullptr || lists->empty()) return;
  if (value == nullptr || pattern) {
    reader.wrong("layers_pattern", "null without layers_to_transform and a list of target_modules");
  }
  const std::vector<std::string> sources =
      lists->is_string() ? std::vector<std::string>{*lists} : reader.texts("layers_pattern");
  for (const std::string& source : sources) {
    config.layer_lists.push_back(
        reader.regex("layers_pattern", source, "\\A(?:.*\\.)?" + source + "\\z"));
  }
}

void read_token_rows(const Reader& reader, AdapterConfig& config) {
  const char* key = "trainable_token_indices";
  const Json* value = reader.find(key);
  if (value == nullptr) return;
  const auto tokens_of = [&](const Json& list) {
    if (!list.is_array()) reader.wrong(key, "a list of tokens, or an object of such lists");
    std::vector<int64_t> tokens;
    for (const Json& one : list) tokens.push_back(reader.token(key, one));
    return tokens;
  };
  if (!value->is_object()) {
    config.token_rows.push_back({"", tokens_of(*value)});
    return;
  }
  for (const auto& [module, list] : value->items()) {
    config.token_rows.push_back({module, tokens_of(list)});
  }
}

}  // namespace

std::span<const AdapterKey> adapter_keys() { return keys; }

AdapterConfig read_adapter_config(const std::filesystem::path& file) {
  const Json json = read_json_object(file);
  const Reader reader{json, file.string()};
  AdapterConfig config{.where = file.string()};
  const Json* type = reader.find("peft_type");
  if (type == nullptr || *type != "LORA") reader.wrong("peft_type", "\"LORA\"");
  check_keys(reader);
  for (const char* key : {"r", "lora_alpha"}) {
    if (json.contains(key) && json[key].is_null()) reader.wrong(key, "a number");
  }
  if (const Json* rank = reader.find("r")) config.rank = reader.rank("r", *rank);
  if (const Json* alpha = reader.find("lora_alpha")) {
    config.alpha = reader.number("lora_alpha", *alpha);
  }
  config.rslora = reader.flag("use_rslora");
  config.dora = reader.flag("use_dora");
  config.ensure_weight_tying = reader.flag("ensure_weight_tying");
  const Json bias = reader.json.value("bias", Json("none"));  // null is not its default
  if (bias != "none" && bias != "all" && bias != "lora_only") {
    reader.wrong("bias", "\"none\", \"all\" or \"lora_only\"");
  }
  const auto read_rank = [&](const char* key, const Json& one) { return reader.rank(key, one); };
  const auto read_number = [&](const char* key, const Json& one) {
    return reader.number(key, one);
  };
  config.rank_pattern = reader.patterns<int64_t>("rank_pattern", read_rank);
  config.alpha_pattern = reader.patterns<double>("alpha_pattern", read_number);
  const Json* targets = reader.find("target_modules");
  std::string word = targets != nullptr && targets->is_string() ? targets->get<std::string>() : "";
  std::ranges::transform(word, word.begin(), [](char c) { return std::tolower(c); });
  config.all_linear = word == "all-linear";
  if (!config.all_linear) config.targets = reader.modules("target_modules");
  config.excluded = reader.modules("exclude_modules");
  read_layers(reader, config);
  config.saved = reader.texts("modules_to_save");
  for (const std::string& name : config.saved) {
    config.under_saved.push_back(
        reader.regex("modules_to_save", name, "\\A(?:|.*\\.)" + name + "(?:\\z|\\..*)"));
  }
  read_init(reader, config);
  read_token_rows(reader, config);
  return config;
}

}  // namespace alambic

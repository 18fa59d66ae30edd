// adapter_config.json of PEFT's LoraConfig, key by key.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alambic/base/regex.h"

namespace alambic {

/// What becomes of a key of adapter_config.json.
enum class AdapterKeyUse {
  read,       ///< it is honoured
  no_effect,  ///< nothing that is computed depends on it
  neutral     ///< refused by name unless it is null, false or empty
};

struct AdapterKey {
  std::string_view name;
  AdapterKeyUse use;
};

/// Every key of PEFT 0.21's LoraConfig. Any other key is named in a warning and ignored, as PEFT
/// does with those of later versions.
std::span<const AdapterKey> adapter_keys();

/// What PEFT does to the weights below an adapter when it attaches one ("init_lora_weights"),
/// before it loads the adapter's own tensors.
enum class BaseChange {
  none,
  pissa,  ///< minus the r largest singular values' part (arXiv 2404.02948)
  olora   ///< minus scaling · Q R of the first r columns and rows (arXiv 2406.01775)
};

/// Names of modules: a list of names or their ends, or one regular expression of the whole name.
struct ModuleNames {
  std::vector<std::string> names;
  std::optional<Regex> pattern;

  /// Whether it is one of the names or ends with "." and one, or matches the pattern.
  bool match(const std::string& module) const;
};

/// A value for the modules that a regular expression names.
template <class T>
struct ModulePattern {
  Regex pattern;
  T value;
};

/// Rows of an embedding that are replaced ("trainable_token_indices"); `module` "": the embedding.
struct TokenRows {
  std::string module;
  std::vector<int64_t> tokens;
};

struct AdapterConfig {
  std::string where;  ///< the file, in errors
  int64_t rank = 8;
  double alpha = 8;
  bool rslora = false, dora = false, ensure_weight_tying = false;
  BaseChange base_change = BaseChange::none;
  /// A target without tensors computes what it did: what PEFT begins with is not drawn at random.
  bool begins_with_nothing = true;
  std::vector<ModulePattern<int64_t>> rank_pattern;
  std::vector<ModulePattern<double>> alpha_pattern;
  bool all_linear = false;             ///< all linear maps but the head
  std::optional<ModuleNames> targets;  ///< none: all_linear, or the family's own
  std::optional<ModuleNames> excluded;
  std::vector<int64_t> layers;     ///< of `targets` that are ends; none: every layer
  std::vector<Regex> layer_lists;  ///< names of the lists of layers; none: any
  std::vector<std::string> saved;  ///< modules_to_save
  std::vector<Regex> under_saved;  ///< of modules at or below these
  std::vector<TokenRows> token_rows;

  int64_t rank_of(const std::string& module) const;
  /// alpha / rank, or alpha / √rank.
  double scaling_of(const std::string& module) const;
  /// Whether PEFT gives this module an adapter. `is_head`: it makes the logits.
  bool is_target(const std::string& module, bool is_head) const;
  /// Whether modules_to_save names this module or one above it: its name ends with an entry.
  bool is_saved(const std::string& module) const;
};

/// Reads it. Input errors name the file and the key: another method than LoRA, a key that is not
/// read and not neutral, a value of the wrong type, a pattern that is no regular expression.
AdapterConfig read_adapter_config(const std::filesystem::path& file);

/// The modules that PEFT targets where the file names none, by "model_type"; none: unknown.
std::vector<std::string> default_targets(const std::string& model_type);

}  // namespace alambic

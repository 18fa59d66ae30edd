// The tokenizer class that AutoTokenizer makes of a model folder, as far as it changes tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace alambic {

class JsonView;

struct TokenizerClass {
  /// What goes around a text: as the files say, nothing, or BOS before it, whatever they say.
  enum class Around { as_files_say, nothing, bos };

  std::string name = "TokenizersBackend";
  /// Role -> token, where the files name none.
  std::vector<std::pair<std::string, std::string>> defaults = {};
  /// It is made anew from vocabulary and merges: of the added tokens, those count that
  /// tokenizer_config.json lists, where it lists any.
  bool rebuilt = false;
  bool plain_roles = false;  ///< tokens with a role lose their flags
  Around around = Around::as_files_say;
};

/// The class by tokenizer_config.json ("tokenizer_class") and config.json ("tokenizer_class",
/// "model_type"), which may be missing. `byte_level`: tokenizer.json cuts text into bytes.
TokenizerClass tokenizer_class_of(const std::optional<JsonView>& tokenizer_config,
                                  const std::optional<JsonView>& model_config, bool byte_level);

}  // namespace alambic

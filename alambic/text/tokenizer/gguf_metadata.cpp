#include "alambic/text/tokenizer/gguf_metadata.h"

#include "alambic/base/error.h"
#include "alambic/base/json_fields.h"
#include "alambic/base/names.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/io/generation_config.h"
#include "alambic/io/gguf/generation.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

GgufMetadata gguf_metadata_of_tokenizer(const fs::path& model, const nlohmann::ordered_json& config,
                                        const nlohmann::ordered_json& generation_config,
                                        std::string& note) {
  if (!has_tokenizer(model)) {
    note = fmt::format("{} has no tokenizer, and neither will the file", model.string());
    GgufMetadata metadata;
    metadata.add("tokenizer.ggml.model", std::string("no_vocab"));
    add_generation_config(generation_config, metadata);
    return metadata;
  }
  const Tokenizer tokenizer = load_tokenizer(model);
  const nlohmann::ordered_json completed = complete_config(config, model.string());
  const int64_t rows = JsonFields{completed, model.string()}.integer("vocab_size", 0);
  if (rows < 1 || rows < tokenizer.size() || rows > (1 << 30)) {
    throw input_error("cannot convert {}: the tokenizer has {} tokens, but vocab_size is {}",
                      model.string(), tokenizer.size(), rows);
  }
  GgufSpecialTokens special = special_tokens_of(tokenizer);
  const std::vector<int32_t> ends = further_eos(generation_config, special.eos);
  if (!ends.empty()) special.eot = ends[0];
  if (ends.size() > 1) special.eom = ends[1];
  GgufMetadata metadata = gguf_tokenizer(tokenizer.files(), special, rows, model.string(), note);
  add_generation_config(generation_config, metadata);
  if (ends.size() > 2) {
    std::vector<std::string> left;
    for (size_t i = 2; i < ends.size(); ++i) left.push_back(std::to_string(ends[i]));
    note += fmt::format("{}GGUF has keys for three ends of sequence; left out: {}",
                        note.empty() ? "" : "; ", join(left));
  }
  return metadata;
}

}  // namespace alambic

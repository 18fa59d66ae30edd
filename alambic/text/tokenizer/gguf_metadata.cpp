#include "alambic/text/tokenizer/gguf_metadata.h"

#include "alambic/base/error.h"
#include "alambic/io/generation_config.h"
#include "alambic/io/gguf/text_part.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

GgufMetadata gguf_metadata_of_tokenizer(const fs::path& model, const nlohmann::ordered_json& config,
                                        const nlohmann::ordered_json& generation_config,
                                        std::string& note) {
  if (!has_tokenizer(model)) {
    note = fmt::format("{} has no tokenizer, and neither will the file", model.string());
    GgufMetadata metadata;
    metadata.add("tokenizer.ggml.model", std::string("no_vocab"));
    return metadata;
  }
  const Tokenizer tokenizer = load_tokenizer(model);
  const auto rows = text_config(config).value("vocab_size", nlohmann::ordered_json());
  if (!rows.is_number_integer() || rows < 1 || rows < tokenizer.size() || rows > (1 << 30)) {
    throw input_error("cannot convert {}: the tokenizer has {} tokens, but vocab_size is {}",
                      model.string(), tokenizer.size(), rows.dump());
  }
  GgufSpecialTokens special = special_tokens_of(tokenizer);
  special.eot = second_eos(generation_config, special.eos);
  return gguf_tokenizer(tokenizer.files(), special, rows.get<int64_t>(), model.string(), note);
}

}  // namespace alambic

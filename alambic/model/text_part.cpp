#include "alambic/model/text_part.h"

namespace alambic {

nlohmann::ordered_json text_part(const Config& config, const std::string& architecture,
                                 const std::string& model_type) {
  config.require(config.has("text_config") && config.json["text_config"].is_object(), "text_config",
                 "an object");
  nlohmann::ordered_json text = config.json["text_config"];
  text["architectures"] = {architecture};
  text["model_type"] = model_type;
  if (!text.contains("tie_word_embeddings") && config.has("tie_word_embeddings")) {
    text["tie_word_embeddings"] = config.json["tie_word_embeddings"];
  }
  return text;
}

}  // namespace alambic

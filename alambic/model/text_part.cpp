#include "alambic/model/text_part.h"

namespace alambic {

std::string name_in_text_part(const std::string& name) {
  for (const std::string other : {"vision_tower.", "audio_tower.", "multi_modal_projector.",
                                  "embed_vision.", "embed_audio."}) {
    if (name.starts_with(other) || name.starts_with("model." + other)) return "";
  }
  for (const std::string prefix : {"language_model.model.", "model.language_model."}) {
    if (name.starts_with(prefix)) return "model." + name.substr(prefix.size());
  }
  const std::string outer = "language_model.";
  return name.starts_with(outer) ? name.substr(outer.size()) : name;
}

}  // namespace alambic

#include "alambic/io/base_class.h"

#include <algorithm>
#include <string_view>

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

// Ends of the names of classes that share a family's layers.
constexpr std::string_view other_heads[] = {"ForSequenceClassification", "ForTokenClassification",
                                            "ForQuestionAnswering", "DoubleHeadsModel"};

// "Llama" of "LlamaModel" or "LlamaForTokenClassification"; "" of a language model's class.
std::string_view family_in(std::string_view architecture) {
  if (architecture.ends_with("LMHeadModel")) return "";
  for (const std::string_view end : other_heads) {
    if (architecture.ends_with(end))
      return architecture.substr(0, architecture.size() - end.size());
  }
  const std::string_view base = "Model";
  return architecture.ends_with(base) ? architecture.substr(0, architecture.size() - base.size())
                                      : "";
}

std::string language_model_of(std::string_view family, bool whole) {
  if (family == "GPT2") return "GPT2LMHeadModel";
  if (whole) return std::string(family) + "ForConditionalGeneration";
  const std::string_view text = "Text";  // Gemma3TextModel is the text part of Gemma3Model
  if (family.ends_with(text)) family.remove_suffix(text.size());
  return std::string(family) + "ForCausalLM";
}

// Modules right below the base class of a family, whose prefix in the whole model is "model." but
// in GPT-NeoX.
constexpr std::string_view below_base[] = {
    "layers.",
    "embed_tokens.",
    "norm.",
    "embed_tokens_per_layer.",
    "embed_in.",
    "final_layer_norm.",
    "visual.",
    "per_layer_model_projection.",
    "per_layer_projection_norm.",
};

bool lacks_prefix(std::string_view name) {
  const std::string_view inner = "language_model.";
  if (name.starts_with(inner)) {  // "language_model.model." is of the whole model
    name.remove_prefix(inner.size());
  }
  return std::ranges::any_of(below_base,
                             [&](std::string_view start) { return name.starts_with(start); });
}

}  // namespace

void read_as_language_model(Json& config, std::vector<TensorView>& tensors) {
  const auto type = config.find("model_type");
  const std::string family =
      type != config.end() && type->is_string() ? type->get<std::string>() : "";
  const auto named = config.find("architectures");
  const bool one =
      named != config.end() && named->is_array() && !named->empty() && (*named)[0].is_string();
  if (one) {
    const std::string name = (*named)[0].get<std::string>();
    const std::string_view stem = family_in(name);
    if (!stem.empty()) *named = {language_model_of(stem, config.contains("text_config"))};
  }
  if (family == "gpt2" || family == "deepseek_v4") return;
  const std::string prefix = family == "gpt_neox" ? "gpt_neox." : "model.";
  for (TensorView& tensor : tensors) {
    if (lacks_prefix(tensor.name)) tensor.name.insert(0, prefix);
  }
}

}  // namespace alambic

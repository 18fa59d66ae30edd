#include "alambic/io/tied_head.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <string_view>

#include "alambic/io/gguf/architecture.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

// Names in a language model, and in the text part of one that sees or hears.
struct Names {
  std::string_view embedding, head;
};
constexpr Names names[] = {
    {"model.embed_tokens.weight", "lm_head.weight"},
    {"model.language_model.embed_tokens.weight", "lm_head.weight"},
    {"language_model.model.embed_tokens.weight", "language_model.lm_head.weight"},
    {"transformer.wte.weight", "lm_head.weight"},
    {"wte.weight", "lm_head.weight"},
    {"gpt_neox.embed_in.weight", "embed_out.weight"},
    {"gpt_neox.embed_in.weight", "lm_head.weight"},
};

bool ties_by_default(const Json& config) {
  const auto text_of = [&](const char* key) {
    const auto found = config.find(key);
    const bool list = found != config.end() && found->is_array() && !found->empty();
    const Json value = list ? (*found)[0] : found != config.end() ? *found : Json();
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  const std::string architecture = text_of("architectures"), type = text_of("model_type");
  for (const GgufArchitecture* family : gguf_architectures()) {
    const bool same = architecture.empty()
                          ? family->model_type == type
                          : family->architecture == architecture || (family->whole == architecture);
    if (same) return family->tied;
  }
  return false;
}

bool same_numbers(const TensorView& a, const TensorView& b) {
  if (a.dtype != b.dtype || a.shape != b.shape) return false;
  const std::span<const std::byte> left = a.bytes.span(), right = b.bytes.span();
  if (left.size() != right.size() || left.empty()) return left.size() == right.size();
  return left.data() == right.data() || std::memcmp(left.data(), right.data(), left.size()) == 0;
}

// The embedding of a head without one, by the family.
std::string_view embedding_for(const Json& config, std::string_view head) {
  if (head == "language_model.lm_head.weight") return "language_model.model.embed_tokens.weight";
  const std::string type =
      config.value("model_type", Json()).is_string() ? config["model_type"].get<std::string>() : "";
  if (type == "gpt2") return "transformer.wte.weight";
  if (type == "gpt_neox") return "gpt_neox.embed_in.weight";
  return config.contains("text_config") ? "model.language_model.embed_tokens.weight"
                                        : "model.embed_tokens.weight";
}

}  // namespace

bool is_head_tied(const Json& config) {
  const auto flag_of = [](const Json& json) {
    const auto found = json.find("tie_word_embeddings");
    return found != json.end() && found->is_boolean() ? std::optional<bool>(*found) : std::nullopt;
  };
  const auto text = config.find("text_config");
  if (text != config.end() && text->is_object()) {
    if (const auto flag = flag_of(*text)) return *flag;
  }
  if (const auto flag = flag_of(config)) return *flag;
  return ties_by_default(config);
}

void set_of_text(Json& config, const std::string& key, const Json& value) {
  const auto text = config.find("text_config");
  const bool nested = text != config.end() && text->is_object();
  if (nested) (*text)[key] = value;
  if (!nested || config.contains(key)) config[key] = value;
}

std::string settle_head(Json& config, std::vector<TensorView>& tensors, const std::string& where) {
  if (!config.is_object() || !is_head_tied(config)) return "";
  for (const Names& pair : names) {
    const TensorView* embedding = tensor_named(tensors, pair.embedding);
    const TensorView* head = tensor_named(tensors, pair.head);
    if (embedding == nullptr || head == nullptr) continue;
    if (same_numbers(*embedding, *head)) return "";
    set_of_text(config, "tie_word_embeddings", false);
    return fmt::format(
        "{}: its configuration ties the head to the embedding, but {} holds other numbers than {}: "
        "both are kept, as in transformers (\"tie_word_embeddings\" is taken to be false)",
        where, pair.head, pair.embedding);
  }
  for (const Names& pair : names) {
    if (tensor_named(tensors, pair.embedding) != nullptr) return "";
  }
  for (TensorView& tensor : tensors) {
    for (const Names& pair : names) {
      if (tensor.name != pair.head) continue;
      tensor.name = embedding_for(config, pair.head);
      return "";
    }
  }
  return "";
}

}  // namespace alambic

#include "alambic/text/tokenizer/tokenizer_class.h"

#include <algorithm>
#include <array>
#include <map>

#include "alambic/base/json_view.h"

namespace alambic {
namespace {

using Around = TokenizerClass::Around;

// transformers 5.23's classes with a constructor of their own that read files we read; every other
// one is TokenizersBackend, which takes tokenizer.json as it is.
const std::vector<TokenizerClass>& classes() {
  static const std::vector<TokenizerClass> known = {
      {.name = "GPT2Tokenizer",
       .defaults = {{"bos_token", "<|endoftext|>"},
                    {"eos_token", "<|endoftext|>"},
                    {"unk_token", "<|endoftext|>"}},
       .rebuilt = true},
      {.name = "Qwen2Tokenizer",
       .defaults = {{"eos_token", "<|endoftext|>"},
                    {"unk_token", "<|endoftext|>"},
                    {"pad_token", "<|endoftext|>"}},
       .rebuilt = true,
       .plain_roles = true},
      {.name = "Qwen3_5Tokenizer",
       .defaults = {{"eos_token", "<|endoftext|>"},
                    {"unk_token", "<|endoftext|>"},
                    {"pad_token", "<|endoftext|>"}},
       .rebuilt = true},
      {.name = "GPTNeoXTokenizer",
       .defaults = {{"bos_token", "<|endoftext|>"},
                    {"eos_token", "<|endoftext|>"},
                    {"unk_token", "<|endoftext|>"},
                    {"pad_token", "<|padding|>"}},
       .rebuilt = true,
       .around = Around::nothing},
      {.name = "LlamaTokenizer",
       .defaults = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}},
       .rebuilt = true},
      {.name = "CodeLlamaTokenizer",
       .defaults = {{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}},
       .rebuilt = true,
       .around = Around::bos},
      {.name = "GemmaTokenizer",
       .defaults = {{"bos_token", "<bos>"},
                    {"eos_token", "<eos>"},
                    {"unk_token", "<unk>"},
                    {"pad_token", "<pad>"},
                    {"mask_token", "<mask>"}},
       .rebuilt = true},
  };
  return known;
}

// Model type -> class where the files name none, or where transformers trusts no file's name
// (`always`). Types that are not here have none of their own.
struct TypeClass {
  const char* type;
  const char* name;
  bool always = false;
};
constexpr std::array types = {
    TypeClass{"gpt2", "GPT2Tokenizer"},
    TypeClass{"phi", "GPT2Tokenizer"},
    TypeClass{"starcoder2", "GPT2Tokenizer"},
    TypeClass{"gpt_neox", "GPTNeoXTokenizer"},
    TypeClass{"qwen2", "Qwen2Tokenizer", true},
    TypeClass{"qwen2_moe", "Qwen2Tokenizer"},
    TypeClass{"qwen3", "Qwen2Tokenizer"},
    TypeClass{"qwen3_moe", "Qwen2Tokenizer"},
    TypeClass{"qwen3_next", "Qwen2Tokenizer"},
    TypeClass{"qwen3_5", "Qwen3_5Tokenizer", true},
    TypeClass{"qwen3_5_text", "Qwen3_5Tokenizer"},
    TypeClass{"qwen3_5_moe", "Qwen3_5Tokenizer", true},
    TypeClass{"qwen3_5_moe_text", "Qwen3_5Tokenizer", true},
    TypeClass{"gemma", "GemmaTokenizer"},
    TypeClass{"gemma2", "GemmaTokenizer"},
    TypeClass{"gemma3", "GemmaTokenizer"},
    TypeClass{"gemma3_text", "GemmaTokenizer"},
    TypeClass{"mistral", "TokenizersBackend"},
    TypeClass{"mixtral", "TokenizersBackend"},
    TypeClass{"phi3", "TokenizersBackend"},
    TypeClass{"olmo2", "TokenizersBackend"},
    TypeClass{"granite", "TokenizersBackend"},
};

std::string text_of(const std::optional<JsonView>& json, const char* name) {
  if (!json || !json->is_object()) return "";
  const auto field = json->find(name);
  if (!field || !field->is_string()) return "";
  std::string text(field->string());
  if (text.ends_with("Fast")) text.resize(text.size() - 4);
  return text;
}

TokenizerClass known_class(const std::string& name) {
  const auto known = std::ranges::find(classes(), name, &TokenizerClass::name);
  return known == classes().end() ? TokenizerClass() : *known;
}

}  // namespace

TokenizerClass tokenizer_class_of(const std::optional<JsonView>& tokenizer_config,
                                  const std::optional<JsonView>& model_config, bool byte_level) {
  std::string named = text_of(tokenizer_config, "tokenizer_class");
  if (named.empty()) named = text_of(model_config, "tokenizer_class");
  const std::string type = text_of(model_config, "model_type");
  const auto of_type = std::ranges::find(types, type, &TypeClass::type);
  const bool registered = of_type != types.end();
  if (named.empty()) return registered ? known_class(of_type->name) : TokenizerClass();
  const bool trusted = !registered || !of_type->always;
  // A Llama tokenizer has no bytes; transformers takes such a file as it is.
  if (named == "LlamaTokenizer" && trusted && byte_level) return {};
  if (!registered || named == of_type->name) return known_class(named);
  if (known_class(of_type->name).name == "TokenizersBackend") return {};
  return known_class(trusted ? named : of_type->name);
}

}  // namespace alambic

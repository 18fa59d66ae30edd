#include "alambic/text/tokenizer/load_tokenizer.h"

#include <algorithm>
#include <array>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"

namespace alambic {

Tokenizer load_tokenizer(const fs::path& model) {
  std::error_code error;
  if (!fs::is_regular_file(model, error)) return Tokenizer::load(model);
  return Tokenizer::from_files(model, tokenizer_of_gguf(GgufFile::open(model).metadata()));
}

ChatTemplate load_chat_template(const fs::path& model, const std::string& name) {
  std::error_code error;
  if (!fs::is_regular_file(model, error)) return ChatTemplate::load(model, name);
  const auto files = tokenizer_of_gguf(GgufFile::open(model).metadata());
  const auto source = files.find("chat_template.jinja");
  if (source == files.end() || name != "default") {
    throw input_error("{} has no chat template{}", model.string(),
                      source == files.end() ? "" : " but the default one");
  }
  return ChatTemplate::parse(model.string() + " (tokenizer.chat_template)", source->second,
                             files.at("tokenizer_config.json"));
}

std::optional<ChatTemplate> find_chat_template(const fs::path& model) {
  std::error_code error;
  if (!fs::is_regular_file(model, error)) {
    if (!ChatTemplate::exists(model)) return std::nullopt;
    return ChatTemplate::load(model);
  }
  if (!tokenizer_of_gguf(GgufFile::open(model).metadata()).contains("chat_template.jinja")) {
    return std::nullopt;
  }
  return load_chat_template(model);
}

GgufSpecialTokens special_tokens_of(const Tokenizer& tokenizer) {
  GgufSpecialTokens special{.bos = tokenizer.bos(),
                            .eos = tokenizer.eos(),
                            .unk = tokenizer.unk(),
                            .pad = tokenizer.pad()};
  const std::vector<int32_t> plain = tokenizer.encode("a", false), whole = tokenizer.encode("a");
  const auto found = std::search(whole.begin(), whole.end(), plain.begin(), plain.end());
  const auto before = found - whole.begin();
  const auto after = std::ssize(whole) - std::ssize(plain) - before;
  if (plain.empty() || before > 1 || after < 0 || after > 1) return special;  // GGUF cannot say it
  if (before == 1) special.bos = whole.front();
  if (after == 1) special.eos = whole.back();
  special.adds_bos = before == 1;
  special.adds_eos = after == 1;
  return special;
}

bool has_tokenizer(const fs::path& model) {
  std::error_code error;
  if (fs::is_regular_file(model, error)) {
    const GgufFile file = GgufFile::open(model);
    const GgufMetadata& metadata = file.metadata();
    return metadata.find("tokenizer.huggingface.json") != nullptr ||
           metadata.find("tokenizer.ggml.tokens") != nullptr;
  }
  constexpr std::array names = {"tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"};
  return std::ranges::any_of(names, [&](const char* name) { return path_exists(model / name); });
}

}  // namespace alambic

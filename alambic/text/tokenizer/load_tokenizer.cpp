#include "alambic/text/tokenizer/load_tokenizer.h"

#include <algorithm>
#include <array>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/text/tokenizer/token_facts.h"

namespace alambic {

Tokenizer load_tokenizer(const fs::path& model) {
  std::error_code error;
  if (!fs::is_regular_file(model, error)) return Tokenizer::load(model);
  return Tokenizer::from_files(model, tokenizer_of_gguf(GgufFile::open(model).metadata()),
                               TokenizerJson::made_here);
}

namespace {

// Those of a GGUF file, by the names that its tokenizer's files have.
TemplateSources sources_among(const std::map<std::string, std::string>& files,
                              const fs::path& model) {
  TemplateSources sources{.place = model.string()};
  const std::string more = std::string(template_folder) + "/";
  for (const auto& [file, text] : files) {
    if (file == "chat_template.jinja") {
      sources.by_name["default"] = {model.string() + " (tokenizer.chat_template)", text};
    } else if (file.starts_with(more)) {
      const std::string name = fs::path(file).stem().string();
      sources.by_name[name] = {fmt::format("{} (tokenizer.chat_template.{})", model.string(), name),
                               text};
    }
  }
  return sources;
}

}  // namespace

TemplateSources template_sources_of(const fs::path& model) {
  std::error_code error;
  if (!fs::is_regular_file(model, error)) return find_template_sources(model);
  return sources_among(tokenizer_of_gguf(GgufFile::open(model).metadata()), model);
}

ChatTemplate load_chat_template(const fs::path& model, const std::string& name) {
  std::error_code error;
  if (!fs::is_regular_file(model, error)) return ChatTemplate::load(model, name);
  const auto files = tokenizer_of_gguf(GgufFile::open(model).metadata());
  const TemplateSources sources = sources_among(files, model);
  if (sources.by_name.empty()) throw input_error("{} has no chat template", model.string());
  return ChatTemplate::from_sources(
      sources, name, read_token_facts(model.string(), files, {}, /*byte_level=*/false).roles);
}

std::optional<ChatTemplate> find_chat_template(const fs::path& model) {
  if (template_sources_of(model).by_name.empty()) return std::nullopt;
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

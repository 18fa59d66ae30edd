// A tokenizer's files in a model folder: what else than tokenizer.json counts, and writing back.
#include <array>
#include <limits>

#include "alambic/base/file_system.h"
#include "alambic/base/json_view.h"
#include "alambic/base/names.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "alambic/text/tokenizer/vocabulary_files.h"

namespace alambic {
namespace {

constexpr uint64_t largest_file = uint64_t{256} << 20;  // the largest in use are about 40 MB

// All that belongs to a tokenizer and goes with it into an exported folder.
constexpr std::array companions = {
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
};

[[noreturn]] void refuse_folder(const fs::path& folder) {
  if (!is_folder(folder)) {
    throw input_error(
        "cannot load a tokenizer from {}: {}", folder.string(),
        path_exists(folder) ? "it is not a folder" : "there is no such file or folder")
        .with_hint("give the folder of a model, with config.json and tokenizer.json in it");
  }
  std::vector<std::string> others;
  for (const char* name : companions) {
    if (path_exists(folder / name)) others.emplace_back(name);
  }
  throw input_error("cannot load a tokenizer from {}: there is no tokenizer.json{}",
                    folder.string(), others.empty() ? "" : "; found only " + join(others))
      .with_hint(others.empty() ? "copy tokenizer.json from the model's original folder"
                                : "save it once with transformers' AutoTokenizer.from_pretrained(…)"
                                  ".save_pretrained(…), which writes tokenizer.json");
}

// A role's token in tokenizer_config.json or special_tokens_map.json: "text" or {"content": …}.
std::optional<AddedToken> role(const JsonView& config, std::string_view name) {
  const auto json = config.find(name);
  if (!json || (json->is_string() && json->string().empty())) return std::nullopt;
  AddedToken token = read_added_token(*json);
  token.special = true;
  return token;
}

}  // namespace

Tokenizer Tokenizer::parse(const std::string& name, std::string_view tokenizer_json) {
  Tokenizer tokenizer;
  tokenizer.read(name, tokenizer_json);
  tokenizer.files_["tokenizer.json"] = tokenizer_json;
  return tokenizer;
}

Tokenizer Tokenizer::load(const fs::path& model_folder) {
  std::string converted;
  if (!path_exists(model_folder / "tokenizer.json")) {
    if (is_folder(model_folder)) converted = convert_vocabulary_files(model_folder);
    if (converted.empty()) refuse_folder(model_folder);
  }
  std::map<std::string, std::string> files;
  for (const char* name : companions) {
    const fs::path path = model_folder / name;
    if (path_exists(path)) files[name] = read_file(path, largest_file);
  }
  if (!converted.empty()) files["tokenizer.json"] = std::move(converted);
  const fs::path config = model_folder / "config.json";
  return from_files(model_folder, std::move(files),
                    path_exists(config) ? read_file(config, largest_file) : "");
}

Tokenizer Tokenizer::from_files(const fs::path& model_folder,
                                std::map<std::string, std::string> files,
                                const std::string& model_config) {
  Tokenizer tokenizer;
  tokenizer.files_ = std::move(files);
  tokenizer.read((model_folder / "tokenizer.json").string(), tokenizer.files_.at("tokenizer.json"));
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    const auto bytes = tokenizer.files_.find(name);
    if (bytes == tokenizer.files_.end()) continue;
    const JsonFile config = JsonFile::parse((model_folder / name).string(), bytes->second);
    tokenizer.apply_config(config.root());
  }
  if (!model_config.empty()) {
    const JsonFile json = JsonFile::parse((model_folder / "config.json").string(), model_config);
    tokenizer.apply_model_config(json.root());
  }
  return tokenizer;
}

void Tokenizer::apply_config(const JsonView& config) {
  // Tokens that tokenizer.json lacks get the next free id, whatever id the config says, as there.
  const auto add_if_new = [&](AddedToken token) {
    if (added_.find(token.content)) return;
    const auto known = model_->vocabulary().find(token.content);
    token.id = known ? *known : static_cast<int32_t>(size());
    add_token(std::move(token));
  };
  if (const auto decoder = config.find("added_tokens_decoder")) {
    std::map<int64_t, AddedToken> by_id;
    for (const auto [id, value] : decoder->object()) {
      by_id[std::strtoll(std::string(id).c_str(), nullptr, 10)] = read_added_token(
          JsonView(config.file(), fmt::format("{}.{}", decoder->path(), id), value));
    }
    for (auto& [id, token] : by_id) add_if_new(std::move(token));
  }
  const auto set = [&](std::optional<int32_t>& slot, std::string_view name) {
    auto token = role(config, name);
    if (!token || slot) return;
    add_if_new(*token);
    slot = id_of(token->content);
  };
  set(special_.bos, "bos_token");
  set(special_.eos, "eos_token");
  set(special_.unk, "unk_token");
  set(special_.pad, "pad_token");
  if (config.find("add_bos_token") || config.find("add_eos_token")) {
    post_processor_ = {};
    if (config.boolean_or("add_bos_token", false) && special_.bos) {
      post_processor_.before = {*special_.bos};
    }
    if (config.boolean_or("add_eos_token", false) && special_.eos) {
      post_processor_.after = {*special_.eos};
    }
  }
  index_added_tokens();
}

void Tokenizer::apply_model_config(const JsonView& config) {
  const auto set = [&](std::optional<int32_t>& slot, std::string_view name) {
    auto json = config.find(name);
    if (slot || !json) return;
    if (json->is_array()) {
      const auto items = json->items();
      if (items.empty()) return;
      json = items.front();
    }
    const int64_t id = json->integer(-1, std::numeric_limits<int32_t>::max());
    if (id >= 0 && id < size()) slot = static_cast<int32_t>(id);
  };
  set(special_.bos, "bos_token_id");
  set(special_.eos, "eos_token_id");
  set(special_.pad, "pad_token_id");
}

void Tokenizer::save_to(const fs::path& folder) const {
  make_folder(folder);
  for (const auto& [name, bytes] : files_) write_file(folder / name, bytes);
}

}  // namespace alambic

// A tokenizer's files in a model folder: what else than tokenizer.json counts, and writing back.
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "alambic/base/file_system.h"
#include "alambic/base/json_view.h"
#include "alambic/base/names.h"
#include "alambic/io/model_file_names.h"
#include "alambic/text/chat/template_sources.h"
#include "alambic/text/tokenizer/next_token_id.h"
#include "alambic/text/tokenizer/prefix_space.h"
#include "alambic/text/tokenizer/token_facts.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "alambic/text/tokenizer/vocabulary_files.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t largest_file = uint64_t{256} << 20;  // the largest in use are about 40 MB

[[noreturn]] void refuse_folder(const fs::path& folder) {
  if (!is_folder(folder)) {
    throw input_error(
        "cannot load a tokenizer from {}: {}", folder.string(),
        path_exists(folder) ? "it is not a folder" : "there is no such file or folder")
        .with_hint("give the folder of a model, with config.json and tokenizer.json in it");
  }
  std::vector<std::string> others;
  for (const char* name : tokenizer_file_names) {
    if (path_exists(folder / name)) others.emplace_back(name);
  }
  throw input_error("cannot load a tokenizer from {}: there is no tokenizer.json{}",
                    folder.string(), others.empty() ? "" : "; found only " + join(others))
      .with_hint(others.empty() ? "copy tokenizer.json from the model's original folder"
                                : "save it once with transformers' AutoTokenizer.from_pretrained(…)"
                                  ".save_pretrained(…), which writes tokenizer.json");
}

// The post-processor that puts tokens around a text, as tokenizer.json writes it.
Json template_processing(const Tokenizer& tokenizer, const PostProcessor& around) {
  Json single = Json::array(), tokens = Json::object();
  const auto add = [&](const std::vector<int32_t>& ids) {
    for (const int32_t id : ids) {
      const std::string token = tokenizer.token_of(id);
      single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
      tokens[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
    }
  };
  add(around.before);
  single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
  add(around.after);
  Json pair = single;
  for (Json piece : single) {
    if (piece.contains("Sequence")) piece["Sequence"]["id"] = "B";
    piece.front()["type_id"] = 1;
    pair.push_back(std::move(piece));
  }
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(tokens)}};
}

void replace_once(std::string& text, std::string_view from, const std::string& to) {
  const size_t at = text.find(from);
  if (at != text.npos) text.replace(at, from.size(), to);
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
  for (const char* name : tokenizer_file_names) {
    const fs::path path = model_folder / name;
    if (path_exists(path)) files[name] = read_file(path, largest_file);
  }
  if (const fs::path more = model_folder / template_folder; is_folder(more)) {
    for (const fs::path& path : list_folder(more)) {
      if (path.extension() != ".jinja") continue;
      files[fmt::format("{}/{}", template_folder, path.filename().string())] =
          read_file(path, largest_file);
    }
  }
  const auto origin = converted.empty() ? TokenizerJson::of_folder : TokenizerJson::made_here;
  if (!converted.empty()) files["tokenizer.json"] = std::move(converted);
  const fs::path config = model_folder / "config.json";
  return from_files(model_folder, std::move(files), origin,
                    path_exists(config) ? read_file(config, largest_file) : "");
}

Tokenizer Tokenizer::from_files(const fs::path& model_folder,
                                std::map<std::string, std::string> files, TokenizerJson origin,
                                const std::string& model_config) {
  Tokenizer tokenizer;
  tokenizer.files_ = std::move(files);
  const std::string& bytes = tokenizer.files_.at("tokenizer.json");
  tokenizer.read((model_folder / "tokenizer.json").string(), bytes);
  std::map<std::string, std::string> said = {{"config.json", model_config}};
  if (model_config.empty()) said.clear();
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    const auto file = tokenizer.files_.find(name);
    if (file != tokenizer.files_.end()) said[name] = file->second;
  }
  const TokenFacts facts =
      read_token_facts(model_folder.string(), said, tokenizer.added_.all(), is_byte_level(bytes));
  const std::string spaced =
      origin == TokenizerJson::of_folder ? with_prefix_space(bytes, facts) : "";
  if (!spaced.empty()) {
    Tokenizer other;
    other.files_ = std::move(tokenizer.files_);
    other.read((model_folder / "tokenizer.json").string(), spaced);
    tokenizer = std::move(other);
  }
  tokenizer.apply(facts, origin);
  if (!model_config.empty()) {
    const JsonFile json = JsonFile::parse((model_folder / "config.json").string(), model_config);
    tokenizer.apply_model_config(json.root());
  }
  return tokenizer;
}

void Tokenizer::apply(const TokenFacts& facts, TokenizerJson origin) {
  if (facts.forgets) added_ = {};
  for (AddedToken token : facts.added) {
    // A new token gets the next free id, whatever id the files say, as in `tokenizers`.
    token.id = id_of(token.content).value_or(next_token_id(model_->vocabulary(), added_));
    add_token(std::move(token));
  }
  roles_ = facts.roles;
  const auto id_of_role = [&](std::string_view name) -> std::optional<int32_t> {
    for (const auto& [role, token] : roles_) {
      if (role == name) return id_of(token);
    }
    return std::nullopt;
  };
  special_ = {.bos = id_of_role("bos_token"),
              .eos = id_of_role("eos_token"),
              .pad = id_of_role("pad_token"),
              .unk = id_of_role("unk_token")};
  using Around = TokenizerClass::Around;
  bool bos = facts.adds_bos, eos = facts.adds_eos;
  bool replaces = origin == TokenizerJson::made_here && facts.says_around;
  if (origin == TokenizerJson::of_folder && facts.type.around != Around::as_files_say) {
    replaces = true;
    bos = facts.type.around == Around::bos;
    eos = false;
  }
  if (replaces) {
    post_processor_ = {};
    if (bos && special_.bos) post_processor_.before = {*special_.bos};
    if (eos && special_.eos) post_processor_.after = {*special_.eos};
  }
  splits_special_ = facts.splits_special;
  index_added_tokens();
  if (origin == TokenizerJson::made_here) complete_file();
}

// What the other files say, written into a tokenizer.json that was made here: whoever reads it
// alone gets the same ids.
void Tokenizer::complete_file() {
  std::string& bytes = files_.at("tokenizer.json");
  Json added = Json::array();
  for (const auto& [id, token] : added_.all()) {
    added.push_back({{"id", id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  replace_once(bytes, R"("added_tokens":[])", R"("added_tokens":)" + added.dump());
  if (post_processor_.before.empty() && post_processor_.after.empty()) return;
  replace_once(bytes, R"("post_processor":null)",
               R"("post_processor":)" + template_processing(*this, post_processor_).dump());
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
  for (const auto& [name, bytes] : files_) {
    make_folder((folder / name).parent_path());
    write_file(folder / name, bytes);
  }
}

}  // namespace alambic

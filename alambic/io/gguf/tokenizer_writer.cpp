#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "alambic/base/error.h"
#include "alambic/base/json_object.h"
#include "alambic/base/printable.h"
#include "alambic/io/gguf/chat_templates.h"
#include "alambic/io/gguf/pre_tokenizer.h"
#include "alambic/io/gguf/token_type.h"
#include "alambic/io/gguf/tokenizer.h"

namespace alambic {

namespace {

using SortedJson = nlohmann::json;

struct Tokens {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
};

bool is_byte(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
}

// The tokens by id. llama.cpp wants a name of its own for every row of the embedding.
Tokens read_tokens(const SortedJson& tokenizer, int64_t rows, const std::string& where) {
  Tokens tokens{std::vector<std::string>(static_cast<size_t>(rows)),
                std::vector<int32_t>(static_cast<size_t>(rows), gguf_token::unused)};
  const auto put = [&](const std::string& text, const SortedJson& id, int32_t type) {
    if (!id.is_number_integer() || id < 0 || id >= rows) {
      throw input_error("cannot convert {}: token {} has the id {}, but the embedding {} rows",
                        where, printable(text), id.dump(), rows);
    }
    tokens.texts[id.get<size_t>()] = text;
    tokens.types[id.get<size_t>()] = type;
  };
  const bool bytes = tokenizer.at("model").value("byte_fallback", false);
  for (const auto& [text, id] : tokenizer.at("model").at("vocab").items()) {
    put(text, id, bytes && is_byte(text) ? gguf_token::byte : gguf_token::normal);
  }
  for (const SortedJson& added : tokenizer.value("added_tokens", SortedJson::array())) {
    put(added.at("content"), added.at("id"),
        added.value("special", false) ? gguf_token::control : gguf_token::user_defined);
  }
  for (int64_t id = 0; id < rows; ++id) {
    std::string& text = tokens.texts[static_cast<size_t>(id)];
    if (tokens.types[static_cast<size_t>(id)] == gguf_token::unused)
      text = fmt::format("[PAD{}]", id);
  }
  return tokens;
}

// A merge is "a b" or ["a", "b"].
std::pair<std::string, std::string> halves(const SortedJson& merge) {
  if (merge.is_array()) return {merge.at(0), merge.at(1)};
  const auto text = merge.get<std::string>();
  const size_t space = text.find(' ');
  if (space == text.npos) throw input_error("merge {} has no space", printable(text));
  return {text.substr(0, space), text.substr(space + 1)};
}

// SentencePiece's order of joining, from the order of the merges: the sooner a token is made, the
// higher its score.
std::vector<float> scores_of(const SortedJson& model, const Tokens& tokens) {
  std::unordered_map<std::string, size_t> first;
  size_t rank = 0;
  for (const SortedJson& merge : model.at("merges")) {
    const auto [left, right] = halves(merge);
    first.emplace(left + right, rank++);
  }
  std::vector<float> scores;
  for (size_t id = 0; id < tokens.texts.size(); ++id) {
    const auto found = first.find(tokens.texts[id]);
    // A token that no merge makes is joined last, if at all.
    const size_t place = found == first.end() ? rank : found->second;
    scores.push_back(tokens.types[id] == gguf_token::normal ? -static_cast<float>(place) : 0);
  }
  return scores;
}

bool is_sentence_piece(const SortedJson& tokenizer) {
  const SortedJson& model = tokenizer.at("model");
  if (!model.value("byte_fallback", false) || !model.at("vocab").contains("<0x0A>")) return false;
  const SortedJson& pre = tokenizer.at("pre_tokenizer");
  return pre.is_null() || pre.value("type", "") == "Metaspace" ||
         (pre.value("type", "") == "Split" && pre.at("pattern").value("String", "") == " ");
}

// Whether a space is put before the text.
bool has_prefix(const SortedJson& tokenizer) {
  const SortedJson& pre = tokenizer.at("pre_tokenizer");
  if (pre.is_object() && pre.value("type", "") == "Metaspace") {
    return pre.value("prepend_scheme", "always") != "never";
  }
  return tokenizer.at("normalizer").dump().find(R"("Prepend")") != std::string::npos;
}

void add_special(GgufMetadata& metadata, const GgufSpecialTokens& special) {
  const std::pair<const char*, std::optional<int32_t>> ids[] = {
      {"bos", special.bos}, {"eos", special.eos},     {"eot", special.eot},
      {"eom", special.eom}, {"unknown", special.unk}, {"padding", special.pad}};
  for (const auto& [role, id] : ids) {
    if (!id) continue;
    metadata.add(fmt::format("tokenizer.ggml.{}_token_id", role), static_cast<uint32_t>(*id));
  }
  if (special.adds_bos) metadata.add("tokenizer.ggml.add_bos_token", *special.adds_bos);
  if (special.adds_eos) metadata.add("tokenizer.ggml.add_eos_token", *special.adds_eos);
}

// Kind, tokens and what belongs to the kind; false when llama.cpp has no such kind.
bool add_kind(GgufMetadata& metadata, const SortedJson& tokenizer, Tokens tokens) {
  const SortedJson& model = tokenizer.at("model");
  const bool merges = model.value("type", model.contains("merges") ? "BPE" : "") == "BPE";
  const bool pieces = merges && is_sentence_piece(tokenizer);
  const GgufPreTokenizer* pre = merges && !pieces ? find_pre_tokenizer(tokenizer) : nullptr;
  if (!pieces && pre == nullptr) return false;
  metadata.add("tokenizer.ggml.model", std::string(pieces ? "llama" : "gpt2"));
  metadata.add("tokenizer.ggml.pre", std::string(pieces ? "default" : pre->name));
  if (pieces) {
    const SortedJson unk = model.value("unk_token", SortedJson());
    for (size_t id = 0; id < tokens.texts.size(); ++id) {
      if (unk == tokens.texts[id]) tokens.types[id] = gguf_token::unknown;
    }
    metadata.add("tokenizer.ggml.scores", GgufArray(scores_of(model, tokens)));
    metadata.add("tokenizer.ggml.add_space_prefix", has_prefix(tokenizer));
  } else {
    std::vector<std::string> lines;
    for (const SortedJson& merge : model.at("merges")) {
      const auto [left, right] = halves(merge);
      lines.push_back(fmt::format("{} {}", left, right));
    }
    metadata.add("tokenizer.ggml.merges", GgufArray(std::move(lines)));
  }
  metadata.add("tokenizer.ggml.tokens", GgufArray(std::move(tokens.texts)));
  metadata.add("tokenizer.ggml.token_type", GgufArray(std::move(tokens.types)));
  return true;
}

}  // namespace

GgufMetadata gguf_tokenizer(const std::map<std::string, std::string>& files,
                            const GgufSpecialTokens& special, int64_t rows,
                            const std::string& where, std::string& note) try {
  const std::string& bytes = files.at("tokenizer.json");
  const SortedJson tokenizer = parse_json_object<SortedJson>(bytes, where + "/tokenizer.json");
  GgufMetadata metadata;
  note.clear();
  const bool lists = tokenizer.at("model").at("vocab").is_object();
  if (!lists || !add_kind(metadata, tokenizer, read_tokens(tokenizer, rows, where))) {
    metadata.add("tokenizer.ggml.model", std::string("no_vocab"));
    note =
        "llama.cpp has no tokenizer like this one: the file has it whole for Alambic, but "
        "llama.cpp will read token ids only";
  }
  add_special(metadata, special);
  metadata.add("tokenizer.huggingface.json", bytes);
  add_chat_templates(metadata, files, where);
  return metadata;
} catch (const SortedJson::exception&) {  // a field that is missing or of another type
  throw input_error(
      "cannot convert {}/tokenizer.json: a field that GGUF has is missing in it or of "
      "another type than it should be",
      where);
}

}  // namespace alambic

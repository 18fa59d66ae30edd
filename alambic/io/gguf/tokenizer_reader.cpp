#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"
#include "alambic/io/gguf/chat_templates.h"
#include "alambic/io/gguf/pre_tokenizer.h"
#include "alambic/io/gguf/token_type.h"
#include "alambic/io/gguf/tokenizer.h"

namespace alambic {

namespace {

using SortedJson = nlohmann::json;

struct Vocabulary {
  const GgufMetadata& metadata;
  const std::vector<std::string>& tokens;
  std::vector<double> types, scores;  // one a token; empty when the file has none
  std::unordered_map<std::string_view, size_t> ids;

  int type(size_t id) const {
    return types.empty() ? gguf_token::normal : static_cast<int>(types[id]);
  }
};

// Bytes that are not UTF-8, which JSON has no way to say, become U+FFFD.
std::string dumped(const SortedJson& json) {
  return json.dump(-1, ' ', false, SortedJson::error_handler_t::replace);
}

Vocabulary read_vocabulary(const GgufMetadata& metadata) {
  const auto* tokens = metadata.texts("tokenizer.ggml.tokens");
  if (tokens == nullptr) {
    throw input_error("cannot load a tokenizer from {}: it has no tokenizer.ggml.tokens",
                      metadata.where());
  }
  Vocabulary vocabulary{.metadata = metadata,
                        .tokens = *tokens,
                        .types = metadata.numbers("tokenizer.ggml.token_type"),
                        .scores = metadata.numbers("tokenizer.ggml.scores"),
                        .ids = {}};
  for (const auto* list : {&vocabulary.types, &vocabulary.scores}) {
    if (list->empty() || list->size() == tokens->size()) continue;
    throw input_error(
        "cannot load a tokenizer from {}: {} has {} entries for {} tokens", metadata.where(),
        list == &vocabulary.types ? "tokenizer.ggml.token_type" : "tokenizer.ggml.scores",
        list->size(), tokens->size());
  }
  for (size_t id = 0; id < tokens->size(); ++id) {
    if (vocabulary.ids.emplace((*tokens)[id], id).second) continue;
    throw input_error("cannot load a tokenizer from {}: token {} stands twice, at {} and {}",
                      metadata.where(), printable((*tokens)[id]), vocabulary.ids.at((*tokens)[id]),
                      id);
  }
  return vocabulary;
}

// SentencePiece joins the neighbors that make the token of the highest score. tokenizer.json has
// the pairs instead, so every way to make a token of two is one, in the order of the scores.
std::vector<std::pair<std::string_view, std::string_view>> merges_of_scores(
    const Vocabulary& vocabulary) {
  constexpr size_t longest = 512;  // no real token is, and splits of a runaway one cost its square
  std::vector<size_t> order;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const bool made = vocabulary.type(id) == gguf_token::normal ||
                      vocabulary.type(id) == gguf_token::user_defined;
    if (made && vocabulary.tokens[id].size() <= longest) order.push_back(id);
  }
  if (!vocabulary.scores.empty()) {
    std::ranges::stable_sort(order, std::greater(),
                             [&](size_t id) { return vocabulary.scores[id]; });
  }
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  for (const size_t id : order) {
    const std::string_view token = vocabulary.tokens[id];
    std::vector<std::pair<size_t, size_t>> pairs;
    for (size_t cut = 1; cut < token.size(); ++cut) {
      const auto left = vocabulary.ids.find(token.substr(0, cut));
      if (left == vocabulary.ids.end()) continue;
      const auto right = vocabulary.ids.find(token.substr(cut));
      if (right != vocabulary.ids.end()) pairs.emplace_back(left->second, right->second);
    }
    std::ranges::sort(pairs);
    for (const auto& [left, right] : pairs) {
      merges.emplace_back(vocabulary.tokens[left], vocabulary.tokens[right]);
    }
  }
  return merges;
}

SortedJson added_tokens(const Vocabulary& vocabulary) {
  SortedJson added = SortedJson::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const int type = vocabulary.type(id);
    if (type != gguf_token::control && type != gguf_token::user_defined &&
        type != gguf_token::unknown)
      continue;
    added.push_back({{"id", id},
                     {"content", vocabulary.tokens[id]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", type != gguf_token::user_defined}});
  }
  return added;
}

// The part that can be long, put together as text: JSON objects of 100,000 names are slow to build.
std::string model_text(const Vocabulary& vocabulary, SortedJson model, const std::string& merges) {
  std::vector<std::string> entries;
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    entries.push_back(dumped(vocabulary.tokens[id]) + ":" + std::to_string(id));
  }
  model["type"] = "BPE";
  std::string text = dumped(model);
  text.pop_back();
  return text + R"(,"vocab":{)" + join(entries, ",") + R"(},"merges":[)" + merges + "]}";
}

const std::vector<std::string>& merges_of(const GgufMetadata& metadata) {
  const auto* merges = metadata.texts("tokenizer.ggml.merges");
  if (merges != nullptr) return *merges;
  throw input_error("cannot load a tokenizer from {}: it has no tokenizer.ggml.merges",
                    metadata.where());
}

// Byte-level BPE.
std::string gpt2_json(const Vocabulary& vocabulary, SortedJson& rest) {
  const GgufMetadata& metadata = vocabulary.metadata;
  const std::string name = metadata.text("tokenizer.ggml.pre").value_or("default");
  const GgufPreTokenizer* pre = gguf_pre_tokenizer(name);
  if (pre == nullptr) {
    throw input_error("cannot load a tokenizer from {}: tokenizer.ggml.pre \"{}\" is not known",
                      metadata.where(), printable(name))
        .with_hint("use the model's Hugging Face folder, which says how text is cut");
  }
  std::vector<std::string> pairs;
  for (const std::string& merge : merges_of(metadata)) pairs.push_back(dumped(merge));
  rest["normalizer"] = pre->nfc ? SortedJson::object({{"type", "NFC"}}) : SortedJson();
  rest["pre_tokenizer"] = pre_tokenizer_json(*pre);
  rest["decoder"] = SortedJson::object({{"type", "ByteLevel"}});
  return model_text(vocabulary, SortedJson::object({{"ignore_merges", pre->ignore_merges}}),
                    join(pairs, ","));
}

SortedJson replacement(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

// SentencePiece BPE, as transformers converts it: with scores (`llama`), or with Gemma 4's merges.
std::string llama_json(const Vocabulary& vocabulary, bool scored, SortedJson& rest) {
  const GgufMetadata& metadata = vocabulary.metadata;
  const bool prefix = metadata.flag("tokenizer.ggml.add_space_prefix").value_or(scored);
  SortedJson normalizers = SortedJson::array(), decoders = SortedJson::array();
  if (prefix) normalizers.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  normalizers.push_back(replacement(" ", "▁"));
  decoders.push_back(replacement("▁", " "));
  decoders.push_back({{"type", "ByteFallback"}});
  decoders.push_back({{"type", "Fuse"}});
  if (prefix) {
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  rest["normalizer"] = {{"type", "Sequence"}, {"normalizers", normalizers}};
  rest["pre_tokenizer"] = nullptr;
  rest["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
  std::vector<std::string> pairs;
  if (scored) {
    for (const auto& [left, right] : merges_of_scores(vocabulary)) {
      pairs.push_back("[" + dumped(left) + "," + dumped(right) + "]");
    }
  } else {
    for (const std::string& merge : merges_of(metadata)) pairs.push_back(dumped(merge));
  }
  SortedJson model = {{"byte_fallback", true}, {"fuse_unk", true}};
  const auto unk = metadata.integer("tokenizer.ggml.unknown_token_id").value_or(0);
  if (unk >= 0 && unk < std::ssize(vocabulary.tokens)) model["unk_token"] = vocabulary.tokens[unk];
  return model_text(vocabulary, model, join(pairs, ","));
}

std::string tokenizer_json(const GgufMetadata& metadata) {
  if (auto whole = metadata.text("tokenizer.huggingface.json")) return std::move(*whole);
  const auto kind = metadata.text("tokenizer.ggml.model");
  if (kind != "gpt2" && kind != "llama" && kind != "gemma4") {
    throw input_error(
        "cannot load a tokenizer from {}: tokenizer.ggml.model is {}, but only "
        "\"gpt2\", \"llama\" and \"gemma4\" are read",
        metadata.where(), kind ? "\"" + printable(*kind) + "\"" : "missing")
        .with_hint("use the tokenizer of the model's Hugging Face folder");
  }
  const Vocabulary vocabulary = read_vocabulary(metadata);
  SortedJson rest = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens(vocabulary)},
                     {"post_processor", nullptr}};
  const std::string model =
      kind == "gpt2" ? gpt2_json(vocabulary, rest) : llama_json(vocabulary, kind == "llama", rest);
  std::string text = dumped(rest);
  text.pop_back();
  return text + R"(,"model":)" + model + "}";
}

// The token with a role; nothing where the file names none.
std::optional<std::string> token_of(const GgufMetadata& metadata, const std::string& role) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", role);
  const auto* tokens = metadata.texts("tokenizer.ggml.tokens");
  auto id = metadata.integer(key);
  if (!id && metadata.text("tokenizer.ggml.model") == "llama") {  // llama.cpp's defaults
    if (role == "bos") id = 1;
    if (role == "eos") id = 2;
    if (role == "unknown") id = 0;
  }
  if (!id || tokens == nullptr) return std::nullopt;
  if (*id >= 0 && *id < std::ssize(*tokens)) return (*tokens)[static_cast<size_t>(*id)];
  throw input_error("cannot load a tokenizer from {}: {} is {}, outside of the {} tokens",
                    metadata.where(), key, *id, tokens->size());
}

SortedJson config_json(const GgufMetadata& metadata) {
  SortedJson config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"clean_up_tokenization_spaces", false}};
  const std::pair<const char*, const char*> roles[] = {{"bos", "bos_token"},
                                                       {"eos", "eos_token"},
                                                       {"unknown", "unk_token"},
                                                       {"padding", "pad_token"}};
  for (const auto& [role, name] : roles) {
    if (const auto token = token_of(metadata, role)) config[name] = *token;
  }
  const bool whole = metadata.find("tokenizer.huggingface.json") != nullptr;
  const auto kind = metadata.text("tokenizer.ggml.model");
  const bool always = kind == "llama" || kind == "gemma4";
  const GgufPreTokenizer* pre =
      gguf_pre_tokenizer(metadata.text("tokenizer.ggml.pre").value_or("default"));
  const auto bos = metadata.flag("tokenizer.ggml.add_bos_token");
  const auto eos = metadata.flag("tokenizer.ggml.add_eos_token");
  if (whole && !bos && !eos) return config;  // tokenizer.json says it
  config["add_bos_token"] = bos.value_or(always || (pre != nullptr && pre->adds_bos));
  config["add_eos_token"] = eos.value_or(false);
  return config;
}

}  // namespace

std::map<std::string, std::string> tokenizer_of_gguf(const GgufMetadata& metadata) {
  std::map<std::string, std::string> files;
  files["tokenizer.json"] = tokenizer_json(metadata);
  files["tokenizer_config.json"] = dumped(config_json(metadata));
  read_chat_templates(metadata, files);
  return files;
}

}  // namespace alambic

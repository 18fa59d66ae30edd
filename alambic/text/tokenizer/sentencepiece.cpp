#include "alambic/text/tokenizer/sentencepiece.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "alambic/base/base64.h"
#include "alambic/base/error.h"
#include "alambic/base/protobuf.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/merges_of_tokens.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;
using Model = SentencePieceModel;

Model::Piece read_piece(const std::string& name, std::string_view bytes) {
  Model::Piece piece;
  for (ProtobufReader reader(name, bytes); reader.next();) {
    if (reader.field() == 1) piece.text = reader.bytes();
    if (reader.field() == 2) piece.score = reader.number();
    if (reader.field() == 3) piece.type = reader.integer();
  }
  return piece;
}

void read_trainer(const std::string& name, std::string_view bytes, Model& model) {
  for (ProtobufReader reader(name, bytes); reader.next();) {
    if (reader.field() == 3) model.kind = reader.integer();
    if (reader.field() == 24) model.space_is_suffix = reader.integer() != 0;
    if (reader.field() == 35) model.byte_fallback = reader.integer() != 0;
  }
}

void read_normalizer(const std::string& name, std::string_view bytes, Model& model) {
  for (ProtobufReader reader(name, bytes); reader.next();) {
    if (reader.field() == 2) model.charsmap = reader.bytes();
    if (reader.field() == 3) model.adds_space_before = reader.integer() != 0;
    if (reader.field() == 4) model.removes_extra_spaces = reader.integer() != 0;
    if (reader.field() == 5) model.escapes_spaces = reader.integer() != 0;
  }
}

void check_pieces(const std::string& name, const Model& model) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const Model::Piece& piece = model.pieces[id];
    if (piece.text.empty() || !is_valid_utf8(piece.text) || !std::isfinite(piece.score) ||
        piece.type < Model::normal || piece.type > Model::byte) {
      throw input_error("{}: piece {} has no text in UTF-8, no finite score or an unknown type",
                        name, id);
    }
    if (const auto [other, fresh] = ids.emplace(piece.text, id); !fresh) {
      throw input_error("{}: the pieces {} and {} are both \"{}\"", name, other->second, id,
                        piece.text);
    }
  }
}

void check_known(const std::string& name, const Model& model, std::string cls) {
  if (cls.ends_with("Fast")) cls.resize(cls.size() - 4);
  constexpr std::array known = {"",
                                "LlamaTokenizer",
                                "CodeLlamaTokenizer",
                                "T5Tokenizer",
                                "GemmaTokenizer",
                                "PreTrainedTokenizer",
                                "TokenizersBackend"};
  if (std::ranges::find(known, cls) == known.end()) {
    throw input_error("{}: the tokenizer class \"{}\" is not read from tokenizer.model; known: {}",
                      name, cls, fmt::join(known.begin() + 1, known.end(), ", "))
        .with_hint("save it once with transformers' AutoTokenizer, which writes tokenizer.json");
  }
  const char* unknown = model.kind != 1 && model.kind != 2 ? "pieces that are words or characters"
                        : model.space_is_suffix            ? "spaces at the end of words"
                        : !model.escapes_spaces            ? "spaces that are not escaped"
                                                           : nullptr;
  if (unknown != nullptr) throw input_error("{}: {} are not built", name, unknown);
}

Json replacement(const char* kind, const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{kind, from}}}, {"content", to}};
}

Json normalizer_of(const Model& model) {
  Json steps = Json::array();
  if (!model.charsmap.empty()) {
    steps.push_back(
        {{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(model.charsmap)}});
  }
  if (model.removes_extra_spaces) {
    steps.push_back(replacement("Regex", "\\A +| +\\z", ""));
    steps.push_back(replacement("Regex", " {2,}", " "));
  }
  if (model.adds_space_before) steps.push_back({{"type", "Prepend"}, {"prepend", "▁"}});
  steps.push_back(replacement("String", " ", "▁"));
  return {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
}

Json decoder_of(const Model& model) {
  Json steps = {replacement("String", "▁", " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (model.adds_space_before) {
    steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  }
  return {{"type", "Sequence"}, {"decoders", std::move(steps)}};
}

Json added_tokens_of(const Model& model) {
  Json tokens = Json::array();
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& [text, score, type] = model.pieces[id];
    if (type != Model::control && type != Model::user_defined && type != Model::unknown) continue;
    tokens.push_back({{"id", id},
                      {"content", text},
                      {"single_word", false},
                      {"lstrip", false},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", type != Model::user_defined}});
  }
  return tokens;
}

Json unigram_of(const Model& model, Json unknown) {
  Json vocabulary = Json::array();
  for (const Model::Piece& piece : model.pieces) {
    vocabulary.push_back({piece.text, static_cast<double>(piece.score)});
  }
  return {{"type", "Unigram"},
          {"unk_id", std::move(unknown)},
          {"vocab", std::move(vocabulary)},
          {"byte_fallback", model.byte_fallback}};
}

// SentencePiece joins the neighbors that make the piece of the highest score. A tokenizer.json has
// pairs instead: every way to make a piece of two, in the order of the scores.
Json bpe_of(const Model& model, const Json& unknown) {
  std::unordered_map<std::string_view, int64_t> id_of;
  Json vocabulary = Json::object(), merges = Json::array();
  // ordered_json looks for an equal key at every insertion: the list is filled directly.
  auto& entries = vocabulary.get_ref<Json::object_t&>();
  std::vector<const Model::Piece*> made;
  for (const Model::Piece& piece : model.pieces) {
    entries.Container::emplace_back(piece.text, id_of.size());
    id_of.emplace(piece.text, id_of.size());
    if (piece.type == Model::normal || piece.type == Model::user_defined) made.push_back(&piece);
  }
  std::ranges::stable_sort(made, std::greater(), [](const auto* piece) { return piece->score; });
  for (const Model::Piece* piece : made) {
    for (const auto& [left, right] : splits_into_tokens(id_of, piece->text)) {
      merges.push_back({left, right});
    }
  }
  return {
      {"type", "BPE"},
      {"unk_token", unknown.is_null() ? unknown : Json(model.pieces[unknown.get<size_t>()].text)},
      {"fuse_unk", true},
      {"byte_fallback", model.byte_fallback},
      {"vocab", std::move(vocabulary)},
      {"merges", std::move(merges)}};
}

// Special tokens that transformers' class puts around a text.
Json post_processor_of(const Model& model, const std::string& cls) {
  const bool eos = cls.starts_with("T5");
  const bool bos = cls.starts_with("Llama") || cls.starts_with("CodeLlama") ||
                   cls.starts_with("Gemma") || (cls.empty() && model.kind == 2);
  const std::vector<std::string_view> names =
      eos ? std::vector<std::string_view>{"</s>"} : std::vector<std::string_view>{"<s>", "<bos>"};
  const auto found = std::ranges::find_if(model.pieces, [&](const Model::Piece& piece) {
    return piece.type == Model::control && std::ranges::count(names, piece.text) > 0;
  });
  if ((!eos && !bos) || found == model.pieces.end()) return nullptr;
  const Json token = {{"SpecialToken", {{"id", found->text}, {"type_id", 0}}}};
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json special = {
      {"id", found->text}, {"ids", {found - model.pieces.begin()}}, {"tokens", {found->text}}};
  return {{"type", "TemplateProcessing"},
          {"single", eos ? Json{text, token} : Json{token, text}},
          {"pair", Json::array()},
          {"special_tokens", {{std::string(found->text), special}}}};
}

}  // namespace

SentencePieceModel read_sentencepiece(const std::string& name, std::string_view bytes) {
  Model model;
  for (ProtobufReader reader(name, bytes); reader.next();) {
    if (reader.field() == 1) model.pieces.push_back(read_piece(name, reader.bytes()));
    if (reader.field() == 2) read_trainer(name, reader.bytes(), model);
    if (reader.field() == 3) read_normalizer(name, reader.bytes(), model);
  }
  if (model.pieces.empty()) throw input_error("{}: this is no SentencePiece model", name);
  return model;
}

std::string tokenizer_json_of_sentencepiece(const std::string& name, std::string_view bytes,
                                            const std::string& tokenizer_class) {
  const Model model = read_sentencepiece(name, bytes);
  check_pieces(name, model);
  check_known(name, model, tokenizer_class);
  Json unknown;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type == Model::unknown) unknown = id;
  }
  const Json json = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added_tokens_of(model)},
      {"normalizer", normalizer_of(model)},
      {"pre_tokenizer", nullptr},
      {"post_processor", post_processor_of(model, tokenizer_class)},
      {"decoder", decoder_of(model)},
      {"model", model.kind == 1 ? unigram_of(model, unknown) : bpe_of(model, unknown)}};
  return json.dump();
}

}  // namespace alambic

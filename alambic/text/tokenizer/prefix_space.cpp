#include "alambic/text/tokenizer/prefix_space.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

// Of a part of tokenizer.json: a step, or a sequence of them.
void for_each_step(Json& part, const char* list, const std::function<void(Json&)>& visit) {
  if (!part.is_object()) return;
  if (part.value("type", Json()) != "Sequence") return visit(part);
  for (Json& step : part[list]) for_each_step(step, list, visit);
}

bool is_type(const Json& step, const char* type) { return step.value("type", Json()) == type; }

void set_byte_level(Json& file, bool space) {
  for_each_step(file["pre_tokenizer"], "pretokenizers", [&](Json& step) {
    if (is_type(step, "ByteLevel")) step["add_prefix_space"] = space;
  });
}

// SentencePiece's space: a step that puts one before the text, in one part or the other.
void set_metaspace(Json& file, bool space) {
  for_each_step(file["pre_tokenizer"], "pretokenizers", [&](Json& step) {
    if (!is_type(step, "Metaspace")) return;
    step.erase("add_prefix_space");
    step["prepend_scheme"] = space ? "first" : "never";
  });
  if (space) return;
  for_each_step(file["normalizer"], "normalizers", [](Json& step) {
    if (is_type(step, "Prepend")) step = {{"type", "Sequence"}, {"normalizers", Json::array()}};
  });
}

// Whether the text says so anywhere, however it is laid out.
bool says(std::string_view text, std::string_view key, std::string_view value) {
  for (size_t at = text.find(key); at != text.npos; at = text.find(key, at + 1)) {
    const size_t after = text.find_first_not_of(" \t\r\n:", at + key.size());
    if (after != text.npos && text.substr(after).starts_with(value)) return true;
  }
  return false;
}

}  // namespace

std::string with_prefix_space(std::string_view tokenizer_json, const TokenFacts& facts) {
  const std::string& name = facts.type.name;
  const bool metaspace = name == "LlamaTokenizer" || name == "CodeLlamaTokenizer";
  if (!facts.type.rebuilt || name == "GemmaTokenizer") return "";
  const bool space = facts.add_prefix_space.value_or(metaspace);
  // A look at the text spares the files, of which most agree, the reading. Their post-processors
  // and decoders have keys of the same name.
  const size_t begin = std::min(tokenizer_json.find("\"pre_tokenizer\""), tokenizer_json.size());
  const std::string_view part =
      tokenizer_json.substr(begin, tokenizer_json.find("\"post_processor\"", begin) - begin);
  if (!metaspace && !says(part, "\"add_prefix_space\"", space ? "false" : "true")) return "";
  if (metaspace && space && !says(part, "\"prepend_scheme\"", "\"never\"")) return "";
  Json file = Json::parse(tokenizer_json);
  metaspace ? set_metaspace(file, space) : set_byte_level(file, space);
  return file.dump();
}

}  // namespace alambic

#include "alambic/io/gguf/architecture.h"

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace gguf {

// NOLINTNEXTLINE(bugprone-macro-parentheses): the name that is declared
#define ARCHITECTURES(list) extern const std::span<const GgufArchitecture> list;
#include "alambic/io/gguf/architectures/all.def"
#undef ARCHITECTURES

}  // namespace gguf

namespace {

struct NoGguf {
  std::string_view architecture, reason;
};

// Architectures that can be loaded and have no row, with the reason.
constexpr NoGguf no_gguf[] = {
    {"DeepseekV4ForCausalLM",
     "of its compressed attention, hyper-connections and experts by token llama.cpp's names were "
     "not "
     "settled when it was built"},
    {"Gemma3ForConditionalGeneration",
     "its text part has one: a folder that Alambic saved of it is a Gemma3ForCausalLM"},
};

}  // namespace

std::string GgufReading::prefix() const { return std::string(family.name) + "."; }
std::string GgufWriting::prefix() const { return std::string(family.name) + "."; }

std::vector<const GgufArchitecture*> gguf_architectures() {
  std::vector<const GgufArchitecture*> all;
  for (const std::span<const GgufArchitecture> list : {
#define ARCHITECTURES(list) gguf::list,
#include "alambic/io/gguf/architectures/all.def"
#undef ARCHITECTURES
       }) {
    for (const GgufArchitecture& family : list) all.push_back(&family);
  }
  return all;
}

std::string_view why_no_gguf(std::string_view architecture) {
  for (const NoGguf& one : no_gguf) {
    if (one.architecture == architecture) return one.reason;
  }
  return "";
}

const GgufArchitecture& gguf_architecture(std::string_view name, const std::string& where) {
  std::vector<std::string> known;
  for (const GgufArchitecture* family : gguf_architectures()) {
    if (family->name == name) return *family;
    if (known.empty() || known.back() != family->name) known.emplace_back(family->name);
  }
  throw input_error("cannot read {}: general.architecture is \"{}\", which is not known", where,
                    printable(name))
      .with_hint("known architectures: " + join(known));
}

const GgufArchitecture& gguf_architecture_of(const nlohmann::ordered_json& config,
                                             const std::string& where) {
  const auto value_of = [&](const char* key) {
    const auto found = config.find(key);
    return found == config.end() ? nlohmann::ordered_json() : *found;
  };
  const nlohmann::ordered_json list = value_of("architectures"), type = value_of("model_type");
  const bool named = list.is_array() && !list.empty() && list[0].is_string();
  const std::string name = named ? list[0].get<std::string>() : "";
  std::vector<std::string> known;
  for (const GgufArchitecture* family : gguf_architectures()) {
    const bool of_type = type.is_null() ? named : type == family->model_type;
    if (of_type && (!named || name == family->architecture)) return *family;
    known.emplace_back(family->architecture);
  }
  const Error error = input_error(
      "cannot convert {}: GGUF files of the architecture {} (model_type {}) are not "
      "written",
      where, printable(named ? list[0].dump() : "null"), printable(type.dump()));
  const std::string_view reason = why_no_gguf(name);
  throw error.with_hint(reason.empty() ? "known architectures: " + join(known)
                                       : std::string(reason));
}

}  // namespace alambic

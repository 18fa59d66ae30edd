#include "alambic/text/chat/template_sources.h"

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/names.h"
#include "alambic/text/jinja/template.h"

namespace alambic {
namespace {

using jinja::Dict;
using jinja::Value;

constexpr uint64_t largest_template = uint64_t{4} << 20;

const std::string* text_of(const Value* value) {
  return value == nullptr ? nullptr : value->string();
}

void add(TemplateSources& sources, const std::string& name, const std::string& text) {
  sources.by_name[name] = {fmt::format("{} {}", sources.place, name), text};
}

// "chat_template" of a JSON file: a text, a list of {"name": …, "template": …}, or an object of
// texts by name.
TemplateSources sources_in(const fs::path& path) {
  if (!path_exists(path)) return {};
  const Value json = jinja::parse_json(path.string(), read_file(path, uint64_t{64} << 20));
  const Value* field = json.dict() == nullptr ? nullptr : json.dict()->find("chat_template");
  TemplateSources sources{.place = path.string() + " (chat_template)"};
  if (field == nullptr || field->is_none()) return sources;
  if (const std::string* text = field->string()) {
    sources.by_name["default"] = {sources.place, *text};
    return sources;
  }
  if (const Dict* named = field->dict()) {
    for (const auto& [name, value] : named->entries()) {
      if (value.string() == nullptr) {
        throw input_error("{}: expected texts by name, found {}", sources.place,
                          jinja::type_name(value));
      }
      add(sources, *name.string(), *value.string());
    }
    return sources;
  }
  if (field->list() == nullptr) {
    throw input_error("{}: expected a text or a list of named templates, found {}", sources.place,
                      jinja::type_name(*field));
  }
  for (const Value& entry : field->list()->items) {
    const Dict* dict = entry.dict();
    const std::string* name = dict == nullptr ? nullptr : text_of(dict->find("name"));
    const std::string* text = dict == nullptr ? nullptr : text_of(dict->find("template"));
    if (name == nullptr || text == nullptr) {
      throw input_error("{}: expected entries with name and template", sources.place);
    }
    add(sources, *name, *text);
  }
  return sources;
}

TemplateSources jinja_files(const fs::path& folder) {
  TemplateSources sources{.place = folder.string()};
  const fs::path file = folder / "chat_template.jinja";
  if (path_exists(file)) {
    sources.by_name["default"] = {file.string(), read_file(file, largest_template)};
  }
  const fs::path more = folder / template_folder;
  if (is_folder(more)) {
    for (const fs::path& path : list_folder(more)) {
      if (path.extension() != ".jinja") continue;
      sources.by_name[path.stem().string()] = {path.string(), read_file(path, largest_template)};
    }
  }
  return sources;
}

}  // namespace

std::vector<std::string> TemplateSources::names() const {
  std::vector<std::string> names;
  for (const auto& [name, source] : by_name) names.push_back(name);
  return names;
}

const TemplateSource& TemplateSources::choose(bool tools) const {
  for (const char* name : {"tool_use", "default"}) {
    const auto found = by_name.find(name);
    if (found != by_name.end() && (tools || found->first != "tool_use")) return found->second;
  }
  throw input_error("{}: there are several chat templates and none is called \"default\": {}",
                    place, join(names()))
      .with_hint("choose one by its name: --chat-template NAME");
}

const TemplateSource& TemplateSources::named(const std::string& name) const {
  const auto found = by_name.find(name);
  if (found != by_name.end()) return found->second;
  throw input_error("{}: no chat template is called \"{}\"; there are: {}", place, name,
                    join(names()));
}

TemplateSources find_template_sources(const fs::path& folder) {
  TemplateSources sources = jinja_files(folder);
  for (const char* name : {"tokenizer_config.json", "chat_template.json"}) {
    if (sources.by_name.empty()) sources = sources_in(folder / name);
  }
  return sources;
}

}  // namespace alambic

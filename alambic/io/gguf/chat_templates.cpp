#include "alambic/io/gguf/chat_templates.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/json_object.h"
#include "alambic/base/printable.h"

namespace alambic {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view key_of_one = "tokenizer.chat_template";
constexpr std::string_view folder = "additional_chat_templates/";
constexpr std::string_view ending = ".jinja";

// name -> text; "default" is the one without a name.
std::map<std::string, std::string> templates_of(const std::map<std::string, std::string>& files,
                                                const std::string& where) {
  std::map<std::string, std::string> templates;
  for (const auto& [file, text] : files) {
    if (file == "chat_template.jinja") templates["default"] = text;
    if (file.starts_with(folder) && file.ends_with(ending)) {
      const size_t length = file.size() - folder.size() - ending.size();
      templates[file.substr(folder.size(), length)] = text;
    }
  }
  const auto config = files.find("tokenizer_config.json");
  if (!templates.empty() || config == files.end()) return templates;
  const Json json = parse_json_object<Json>(config->second, where + "/tokenizer_config.json");
  const Json chat = json.value("chat_template", Json());
  const auto add = [&](const Json& name, const Json& text) {
    if (!name.is_string() || !text.is_string()) {
      throw input_error("{}/tokenizer_config.json (chat_template): expected texts by name", where);
    }
    templates[name] = text;
  };
  if (chat.is_string()) add("default", chat);
  for (const Json& named : chat.is_array() ? chat : Json::array()) {
    if (!named.is_object()) add(Json(), Json());
    add(named.value("name", Json()), named.value("template", Json()));
  }
  const Json by_name = chat.is_object() ? chat : Json::object();
  for (const auto& [name, text] : by_name.items()) add(name, text);
  return templates;
}

}  // namespace

void add_chat_templates(GgufMetadata& metadata, const std::map<std::string, std::string>& files,
                        const std::string& where) {
  std::vector<std::string> names;
  for (const auto& [name, text] : templates_of(files, where)) {
    const bool plain = name == "default";
    metadata.add(plain ? std::string(key_of_one) : fmt::format("{}.{}", key_of_one, name), text);
    if (!plain) names.push_back(name);
  }
  if (!names.empty()) metadata.add("tokenizer.chat_templates", GgufArray(std::move(names)));
}

void read_chat_templates(const GgufMetadata& metadata, std::map<std::string, std::string>& files) {
  if (auto chat = metadata.text(key_of_one)) files["chat_template.jinja"] = std::move(*chat);
  const std::string further = std::string(key_of_one) + ".";
  for (const auto& [key, value] : metadata.items()) {
    if (!key.starts_with(further)) continue;
    const std::string name = key.substr(further.size());
    if (name.empty() || name.starts_with('.') || name.find_first_of("/\\") != name.npos) {
      throw input_error("{}: {}: a chat template of this name cannot be a file in a model folder",
                        metadata.where(), printable(key));
    }
    files[fmt::format("{}{}{}", folder, name, ending)] = metadata.text(key).value_or("");
  }
}

}  // namespace alambic

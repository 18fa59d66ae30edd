// The texts of a model folder's chat templates, from every place where AutoTokenizer looks.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

struct TemplateSource {
  std::string place;  ///< file and name, for errors
  std::string text;
};

/// The templates of a model, by name. One that has no name is called "default".
struct TemplateSources {
  std::map<std::string, TemplateSource> by_name;
  std::string place;  ///< what errors call the whole

  std::vector<std::string> names() const;
  /// The one that transformers takes: `tool_use` for a row with tools, where there is one, else
  /// `default`. An input error that lists the names where there is neither.
  const TemplateSource& choose(bool tools) const;
  /// An input error that lists the names where none is called so.
  const TemplateSource& named(const std::string& name) const;
};

/// Where a folder keeps further templates: NAME.jinja each.
inline constexpr std::string_view template_folder = "additional_chat_templates";

/// Templates of chat_template.jinja with those of additional_chat_templates; else of
/// "chat_template" in tokenizer_config.json (a text, a list of {"name", "template"}, or an object);
/// else of chat_template.json, which is a processor's. None: `by_name` is empty.
TemplateSources find_template_sources(const fs::path& folder);

}  // namespace alambic

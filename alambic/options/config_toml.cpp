#include "alambic/options/config_toml.h"

#include <toml++/toml.h>

#include <set>
#include <sstream>
#include <utility>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/files.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"

namespace alambic {
namespace {

std::string as_written(const toml::node& value) {
  std::ostringstream text;
  value.visit([&](const auto& node) { text << node; });
  return text.str();
}

void set_from_array(OptionEntry& entry, const std::string& where, const toml::array& array) {
  if (!entry.is_list()) entry.refuse(where, "an array");
  std::vector<std::string> items;
  for (const toml::node& item : array) {
    if (!item.is_string()) entry.refuse(where, as_written(item));
    items.push_back(item.ref<std::string>());
  }
  entry.set_list(std::move(items));
}

void set_from_node(OptionEntry& entry, const std::string& where, const toml::node& value) {
  if (value.is_boolean()) return entry.set_flag(where, value.ref<bool>());
  if (value.is_integer()) return entry.set_integer(where, value.ref<int64_t>());
  if (value.is_floating_point()) return entry.set_number(where, value.ref<double>());
  if (value.is_string()) return entry.set_text(where, value.ref<std::string>());
  if (const toml::array* array = value.as_array()) return set_from_array(entry, where, *array);
  entry.refuse(where, as_written(value));
}

std::string toml_of(const OptionEntry& entry, const ModelName& model_name) {
  if (!entry.is_model || !model_name) return entry.toml();
  if (const auto text = std::get_if<std::string*>(&entry.field)) {
    return toml_string(model_name(**text));
  }
  std::vector<std::string> names;
  for (const std::string& item : *std::get<std::vector<std::string>*>(entry.field)) {
    names.push_back(toml_string(model_name(item)));
  }
  return "[" + join(names) + "]";
}

toml::table parse_file(const std::filesystem::path& path) {
  try {
    return toml::parse(read_file(path), path.string());
  } catch (const toml::parse_error& error) {
    throw input_error("{}:{}: not valid TOML: {}", path.string(), error.source().begin.line,
                      error.description());
  }
}

}  // namespace

void read_config(const std::filesystem::path& path, OptionTable& table) {
  std::set<std::string> before;
  for (const auto& [key, value] : parse_file(path)) {
    const std::string name(key.str());
    const std::string where =
        fmt::format("{}:{}: {}", path.string(), key.source().begin.line, name);
    OptionEntry* entry = table.find(name);
    if (entry == nullptr) {
      const std::string near = table.nearest(name);
      const bool section = value.is_table();
      throw input_error("{}: unknown {}", where, section ? "section" : "key")
          .with_hint(!near.empty() ? fmt::format("did you mean '{}'?", near)
                     : section     ? "keys stand at the top level, without [sections]"
                                   : "the keys are the command's options; --help lists them");
    }
    if (!before.insert(entry->name).second) {
      throw input_error("{}: {} stands there twice", where, entry->name)
          .with_hint("max-steps and max_steps are the same key; leave one of them out");
    }
    if (with_dashes(name) != entry->name) warn("{} is now called {}", where, entry->name);
    set_from_node(*entry, where, value);
  }
}

std::string config_toml(const std::string& command, const Options& options,
                        const ModelName& model_name) {
  std::string text = fmt::format("# alambic {} --config config.toml\n", command);
  std::string group;
  const OptionTable table(options);
  for (const OptionEntry& entry : table.entries()) {
    if (entry.group != group) {
      group = entry.group;
      text += fmt::format("\n# ---- {} ----\n", group);
    }
    const std::string limits = entry.limits();
    text += fmt::format("# {}{}\n{} = {}\n", entry.help,
                        limits.empty() ? "" : fmt::format(" ({})", limits), entry.name,
                        toml_of(entry, model_name));
  }
  return text;
}

std::vector<std::string> texts_of_toml(const std::string& value) {
  try {
    const toml::table table = toml::parse("value = " + value);
    std::vector<std::string> texts;
    if (const auto text = table["value"].value<std::string>()) texts.push_back(*text);
    if (const toml::array* items = table["value"].as_array()) {
      for (const toml::node& item : *items) texts.push_back(item.value_or(std::string()));
    }
    return texts;
  } catch (const toml::parse_error&) {
    return {};
  }
}

}  // namespace alambic

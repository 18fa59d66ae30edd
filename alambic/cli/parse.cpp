#include "alambic/cli/parse.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "alambic/base/error.h"
#include "alambic/cli/config_toml.h"
#include "alambic/cli/option_table.h"

namespace alambic {
namespace {

// CLI11 splits the words; values, bounds and messages are the table's, so that a flag and a key in
// a file behave alike.
struct Words {
  CLI::App app;
  CLI::Option* config = nullptr;
  std::vector<CLI::Option*> options;  // in the table's order

  explicit Words(const OptionTable& table) {
    app.set_help_flag();
    app.allow_extras();
    config = app.add_option("--config")->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    app.add_flag("--debug");
    for (const OptionEntry& entry : table.entries()) options.push_back(add(entry));
  }

  CLI::Option* add(const OptionEntry& entry) {
    std::string names = "--" + entry.name;
    std::string underscored = entry.name;
    std::replace(underscored.begin(), underscored.end(), '-', '_');
    if (underscored != entry.name) names += ",--" + underscored;
    CLI::Option* option = entry.is_flag() ? app.add_flag(names) : app.add_option(names);
    // Any number of times, one value each.
    if (entry.is_list()) return option->expected(-1)->allow_extra_args(false);
    return option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  void parse(const std::string& command, std::vector<std::string> arguments) {
    // After "--key=" CLI11 would take the next word for the value, which is empty.
    for (size_t i = 0; i < arguments.size(); ++i) {
      std::string& word = arguments[i];
      if (!word.starts_with("--") || word.find('=') != word.size() - 1) continue;
      word.pop_back();
      arguments.insert(arguments.begin() + static_cast<ptrdiff_t>(++i), "");
    }
    std::reverse(arguments.begin(), arguments.end());  // CLI11 pops from the back
    try {
      app.parse(std::move(arguments));
    } catch (const CLI::ArgumentMismatch& error) {
      const std::string what = error.what();
      throw input_error("{} needs a value", what.substr(0, what.find(':')))
          .with_hint(fmt::format("alambic {} --help", command));
    } catch (const CLI::ParseError& error) {
      throw input_error("{}", error.what()).with_hint(fmt::format("alambic {} --help", command));
    }
  }
};

[[noreturn]] void refuse_word(const std::string& command, const OptionTable& table,
                              const std::string& word) {
  if (!word.starts_with('-')) {
    throw input_error("alambic {}: unexpected word '{}'", command, word)
        .with_hint("options are written --name value; quote a value that has spaces");
  }
  const std::string name = word.substr(
      word.find_first_not_of('-') == std::string::npos ? 0 : word.find_first_not_of('-'));
  const std::string near = table.nearest(name.substr(0, name.find('=')));
  throw input_error("alambic {}: unknown option {}", command, word.substr(0, word.find('=')))
      .with_hint(near.empty() ? fmt::format("alambic {} --help lists the options", command)
                              : fmt::format("did you mean --{}?", near));
}

}  // namespace

void parse_options(const std::string& command, const std::vector<std::string>& arguments,
                   Options& options) {
  OptionTable table(options);
  Words words(table);
  words.parse(command, arguments);
  const std::vector<std::string> unknown = words.app.remaining();
  if (!unknown.empty()) refuse_word(command, table, unknown.front());

  if (words.config->count() > 0) read_config(words.config->results().back(), table);
  for (size_t i = 0; i < words.options.size(); ++i) {
    OptionEntry& entry = table.entries()[i];
    if (words.options[i]->count() == 0) continue;
    const std::vector<std::string>& given = words.options[i]->results();
    if (entry.is_list()) {
      entry.set_list(given);
    } else {
      entry.set_word("--" + entry.name, given.back());
    }
  }
  for (const OptionEntry& entry : table.entries()) {
    if (!entry.required || entry.given) continue;
    throw input_error("alambic {} needs --{} ({})", command, entry.name, entry.help)
        .with_hint(fmt::format("alambic {} --help", command));
  }
}

}  // namespace alambic

#include "alambic/cli/completion.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/cli/completion_scripts.h"
#include "alambic/cli/option_text.h"
#include "alambic/options/common_options.h"

namespace alambic {
namespace {

struct Shell {
  const char* name;
  std::string (*script)(const std::vector<Command>&);
};

constexpr Shell kShells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

// "model folder to train" of "model folder to train; or …"
std::string beginning(const std::string& help) {
  return help.substr(0, std::min({help.find("; "), help.find(": "), help.find(", "), help.size()}));
}

}  // namespace

std::vector<CompletedOption> completed_options(const Command& command) {
  std::vector<CompletedOption> options;
  const OptionTable table(*command.options);
  for (const OptionEntry& entry : table.entries()) {
    const Follows follows = entry.is_flag()            ? Follows::nothing
                            : !entry.choices().empty() ? Follows::choice
                            : entry.is_path            ? Follows::file
                                                       : Follows::anything;
    options.push_back({.name = entry.name,
                       .placeholder = placeholder_of(entry),
                       .summary = beginning(entry.help),
                       .follows = follows,
                       .choices = entry.choices(),
                       .repeated = entry.is_list()});
  }
  for (const CommonOption& option : common_options()) {
    options.push_back({.name = option.name,
                       .placeholder = option.placeholder,
                       .summary = beginning(option.help),
                       .follows = option.placeholder.empty() ? Follows::nothing : Follows::file});
  }
  return options;
}

std::vector<CompletedCommand> completed_commands(const std::vector<Command>& commands) {
  std::vector<CompletedCommand> words;
  for (const Command& command : commands) words.push_back({command.name, command.summary});
  words.push_back({"help", "the commands, or the options of one"});
  words.push_back({"run", "what a run folder's config.toml says"});
  words.push_back({"completion", "a script that completes commands and options in a shell"});
  words.push_back({"version", "the program's version"});
  return words;
}

const std::vector<std::string>& completion_shells() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> names;
    for (const Shell& shell : kShells) names.emplace_back(shell.name);
    return names;
  }();
  return names;
}

std::string completion_script(const std::string& shell, const std::vector<Command>& commands) {
  for (const Shell& known : kShells) {
    if (known.name == shell) return known.script(commands);
  }
  const std::string shells = join(completion_shells());
  throw input_error("alambic completion: expected one of {}, found '{}'", shells, shell)
      .with_hint("source <(alambic completion bash)");
}

}  // namespace alambic

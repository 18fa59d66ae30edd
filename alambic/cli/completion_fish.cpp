#include <fmt/core.h>

#include "alambic/base/names.h"
#include "alambic/cli/completion.h"
#include "alambic/cli/completion_scripts.h"

namespace alambic {
namespace {

std::string fish_quoted(const std::string& text) {
  std::string escaped = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped + "'";
}

// -x: a value that is no file; -r -F: a file; a flag has neither.
std::string line_of(const std::string& command, const CompletedOption& option) {
  std::string text = fmt::format("complete -c alambic -n '__fish_seen_subcommand_from {}' -l {}",
                                 command, option.name);
  if (option.follows == Follows::file) text += " -r -F";
  if (option.follows == Follows::anything) text += " -x";
  if (option.follows == Follows::choice) text += " -x -a " + fish_quoted(join(option.choices, " "));
  return text + " -d " + fish_quoted(option.summary) + "\n";
}

}  // namespace

std::string fish_script(const std::vector<Command>& commands) {
  std::string text =
      "# fish completion of alambic, made by `alambic completion fish`\ncomplete -c alambic -f\n";
  std::vector<std::string> names;
  for (const CompletedCommand& command : completed_commands(commands)) {
    names.push_back(command.name);
    text += fmt::format("complete -c alambic -n __fish_use_subcommand -a {} -d {}\n", command.name,
                        fish_quoted(command.summary));
  }
  for (const Command& command : commands) {
    for (const CompletedOption& option : completed_options(command)) {
      text += line_of(command.name, option);
    }
  }
  const std::string words = "complete -c alambic -n '__fish_seen_subcommand_from {}' -a '{}'\n";
  text += fmt::format(fmt::runtime(words), "help", join(names, " "));
  return text + fmt::format(fmt::runtime(words), "completion", join(completion_shells(), " "));
}

}  // namespace alambic

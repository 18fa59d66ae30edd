#include <fmt/core.h>

#include "alambic/base/names.h"
#include "alambic/cli/completion.h"
#include "alambic/cli/completion_scripts.h"

namespace alambic {
namespace {

// The values that follow an option; what takes any word has no line, its value is left alone.
constexpr const char* kBefore = R"(# bash completion of alambic, made by `alambic completion bash`

_alambic_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }
_alambic_files() {
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
  compopt -o filenames 2> /dev/null
}

_alambic() {
  local current=${COMP_WORDS[COMP_CWORD]} key=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]}
  COMPREPLY=()
  # --key=value, and NAME=FOLDER after it, come as words of their own.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $key == "=" ]] && ((COMP_CWORD > 3)); then
    key=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $key == --* ]] || key=${COMP_WORDS[COMP_CWORD - 3]}
  fi
)";

constexpr const char* kAfter = R"(}

complete -F _alambic alambic
)";

std::string patterns(const std::string& command, const std::vector<std::string>& options) {
  std::vector<std::string> quoted;
  for (const std::string& option : options) {
    quoted.push_back(fmt::format("\"{} --{}\"", command, option));
  }
  return join(quoted, " | ");
}

// Lines of the case over "COMMAND --OPTION".
std::string values_of(const Command& command) {
  std::vector<std::string> files, others;
  std::string text;
  for (const CompletedOption& option : completed_options(command)) {
    if (option.follows == Follows::choice) {
      text += fmt::format("    {}) _alambic_words \"{}\" \"$current\"; return ;;\n",
                          patterns(command.name, {option.name}), join(option.choices, " "));
    }
    if (option.follows == Follows::file) files.push_back(option.name);
    if (option.follows == Follows::anything) others.push_back(option.name);
  }
  if (!files.empty()) {
    text += fmt::format("    {}) _alambic_files \"$current\"; return ;;\n",
                        patterns(command.name, files));
  }
  if (!others.empty()) text += fmt::format("    {}) return ;;\n", patterns(command.name, others));
  return text;
}

}  // namespace

std::string bash_script(const std::vector<Command>& commands) {
  std::vector<std::string> names;
  for (const CompletedCommand& command : completed_commands(commands)) {
    names.push_back(command.name);
  }
  std::string text = kBefore;
  text += fmt::format(
      "  if ((COMP_CWORD == 1)); then\n    _alambic_words \"{}\" \"$current\"\n    return\n  fi\n",
      join(names, " "));
  text += "  case \"$command $key\" in\n";
  for (const Command& command : commands) text += values_of(command);
  text += "  esac\n  case $command in\n";
  for (const Command& command : commands) {
    std::vector<std::string> options;
    for (const CompletedOption& option : completed_options(command)) {
      options.push_back("--" + option.name);
    }
    text += fmt::format("    {}) _alambic_words \"{}\" \"$current\" ;;\n", command.name,
                        join(options, " "));
  }
  text += fmt::format("    help) _alambic_words \"{}\" \"$current\" ;;\n", join(names, " "));
  text += fmt::format("    completion) _alambic_words \"{}\" \"$current\" ;;\n  esac\n",
                      join(completion_shells(), " "));
  return text + kAfter;
}

}  // namespace alambic

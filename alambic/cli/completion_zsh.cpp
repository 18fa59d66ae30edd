#include <fmt/core.h>

#include "alambic/base/names.h"
#include "alambic/cli/completion.h"
#include "alambic/cli/completion_scripts.h"

namespace alambic {
namespace {

// Text within a single-quoted word and the [brackets] of an option's description.
std::string zsh_quoted(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\'') {
      escaped += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == '\\' || c == ':') escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

// "'*--data=[jsonl file]:TEXT:_files'", what _arguments reads.
std::string specification(const CompletedOption& option) {
  std::string text = "'" + std::string(option.repeated ? "*" : "") + "--" + option.name;
  if (option.follows != Follows::nothing) text += '=';
  text += "[" + zsh_quoted(option.summary) + "]";
  if (option.follows == Follows::nothing) return text + "'";
  text += ":" + option.placeholder + ":";
  if (option.follows == Follows::file) text += "_files";
  if (option.follows == Follows::choice) text += "(" + join(option.choices, " ") + ")";
  return text + "'";
}

}  // namespace

std::string zsh_script(const std::vector<Command>& commands) {
  std::string text =
      "#compdef alambic\n# zsh completion of alambic, made by `alambic completion zsh`\n\n"
      "_alambic() {\n  local -a commands\n  commands=(\n";
  for (const CompletedCommand& command : completed_commands(commands)) {
    text += fmt::format("    '{}:{}'\n", command.name, zsh_quoted(command.summary));
  }
  text +=
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n"
      "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n";
  for (const Command& command : commands) {
    text += fmt::format("    {})\n      _arguments", command.name);
    for (const CompletedOption& option : completed_options(command)) {
      text += " \\\n        " + specification(option);
    }
    text += "\n      ;;\n";
  }
  text += "    help)\n      _describe command commands\n      ;;\n";
  text += fmt::format("    completion)\n      compadd {}\n      ;;\n  esac\n}}\n\n",
                      join(completion_shells(), " "));
  // Sourced, the script has to tell zsh of the function; read from $fpath it is the function.
  return text +
         "if [[ $funcstack[1] == _alambic ]]; then\n  _alambic \"$@\"\nelse\n"
         "  compdef _alambic alambic\nfi\n";
}

}  // namespace alambic

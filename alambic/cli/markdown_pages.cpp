#include "alambic/cli/markdown_pages.h"

#include <fmt/core.h>

#include "alambic/cli/option_text.h"
#include "alambic/options/common_options.h"

namespace alambic {
namespace {

constexpr const char* kMadeBy =
    "<!-- Made by tools/docs-cli from the program's table of options. -->\n";

// A bar ends a cell, "<|x|>" would be a tag and "0.7*a+0.3*b" emphasis; within `code` only the bar
// is special.
std::string cell(const std::string& text) {
  std::string escaped;
  bool code = false;
  for (const char c : text) {
    if (c == '`') code = !code;
    if (c == '|' || (!code && (c == '<' || c == '*'))) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string row(const std::string& term, const std::string& meaning) {
  return fmt::format("| `{}` | {} |\n", term, cell(meaning));
}

constexpr const char* kTableHead = "| option | meaning |\n| --- | --- |\n";

}  // namespace

std::string markdown_index(const std::vector<Command>& commands) {
  std::string text = fmt::format(
      "{}# The command line\n\n"
      "`alambic COMMAND [--config run.toml] [--key value ...]`. A key of the file and an option of "
      "the\ncommand line are the same thing; the command line wins. A model is a folder, a GGUF "
      "file, or\n`org/name[@revision]` of the Hugging Face hub. `alambic run run/config.toml "
      "[--key value ...]` is the\ncommand that the file's first line names, with the file as its "
      "--config.\n",
      kMadeBy);
  std::string group;
  for (const Command& command : commands) {
    if (command.group != group) {
      text += fmt::format("\n## {}\n\n| command | |\n| --- | --- |\n", command.group);
    }
    group = command.group;
    text += fmt::format("| [{0}](cli/{0}.md) | {1} |\n", command.name, cell(command.summary));
  }
  text += fmt::format("\n## Every command\n\n{}", kTableHead);
  for (const CommonOption& option : common_options()) {
    text += row(term_of(option.name, option.placeholder), option.help);
  }
  text += "\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n";
  for (const auto& [code, meaning] : exit_codes()) {
    text += fmt::format("| {} | {} |\n", code, meaning);
  }
  text +=
      "\n## In a shell\n\n"
      "`make install` puts man pages (`man alambic-distill`) and completions for bash, zsh and "
      "fish "
      "in\ntheir usual places. Without it, `source <(alambic completion bash)` completes commands, "
      "options,\nchoices and files in the shell that is open, and "
      "`alambic help --man distill | man -l -` shows a page.\n";
  return text;
}

std::string markdown_page(const Command& command) {
  const OptionTable table(*command.options);
  std::string text = fmt::format(
      "{}# alambic {}\n\n{}.\n\n```\nalambic {} {}\n```\n\n"
      "Options of every command, exit codes: [the command line](../cli.md).\n",
      kMadeBy, command.name, cell(command.summary), command.name, usage_of(table));
  std::string group = "\n";  // differs from every title, the empty one too
  for (const OptionEntry& entry : table.entries()) {
    if (entry.group != group) {
      text +=
          fmt::format("\n## {}\n\n{}", entry.group.empty() ? "Options" : entry.group, kTableHead);
    }
    group = entry.group;
    text += row(term_of(entry.name, placeholder_of(entry)), entry.help + facts_of(entry));
  }
  return text;
}

}  // namespace alambic

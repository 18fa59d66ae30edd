#include "alambic/cli/help.h"

#include <fmt/core.h>

#include <algorithm>

#include "alambic/base/names.h"
#include "alambic/cli/option_text.h"
#include "alambic/options/common_options.h"
#include "alambic/options/option_table.h"

namespace alambic {
namespace {

constexpr size_t kWidth = 96;
constexpr size_t kWidestTerm = 34;

// Breaks `text` at spaces; every line after the first is indented.
std::string wrapped(const std::string& text, size_t indent) {
  std::string lines;
  size_t column = indent, at = 0;
  while (at < text.size()) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (column > indent && column + 1 + word.size() > kWidth) {
      lines += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
    at = end + 1;
  }
  return lines;
}

std::string row(const std::string& term, size_t term_width, const std::string& text) {
  const size_t indent = term_width + 4;
  const std::string first = term.size() > term_width
                                ? fmt::format("  {}\n{}", term, std::string(indent, ' '))
                                : fmt::format("  {:<{}}  ", term, term_width);
  return first + wrapped(text, indent) + "\n";
}

}  // namespace

std::string program_help(const std::vector<Command>& commands) {
  std::string text =
      "alambic: train and distill language models\n\n"
      "usage: alambic COMMAND [--config run.toml] [--key value ...]\n";
  size_t width = 0;
  for (const Command& command : commands) width = std::max(width, command.name.size());
  std::string group;
  for (const Command& command : commands) {
    if (command.group != group) text += fmt::format("\n{}\n", command.group);
    group = command.group;
    text += row(command.name, width, command.summary);
  }
  text +=
      "\nExamples\n"
      "  alambic distill --student small/ --teacher big/ --data prompts.jsonl --out run/\n"
      "  alambic generate --model run/model --prompt \"Once upon a time\"\n"
      "  alambic run run/config.toml --out again/    what a run folder's config.toml says\n"
      "  alambic distill --help\n\n"
      "A model is a folder, a GGUF file, or org/name[@revision] of the Hugging Face hub.\n";
  std::vector<std::string> codes;
  for (const auto& [code, meaning] : exit_codes())
    codes.push_back(fmt::format("{} {}", code, meaning));
  text += wrapped("Exit codes: " + join(codes) +
                      ". --debug shows an error in full. `alambic completion bash`, "
                      "zsh or fish prints what completes commands and options in that shell.",
                  0);
  return text + "\n";
}

std::string command_help(const std::string& name, const std::string& summary,
                         const Options& options) {
  const OptionTable table(options);
  std::string text =
      fmt::format("alambic {}: {}\n\nusage: alambic {} {}\n", name, summary, name, usage_of(table));
  size_t width = std::string("--config FILE").size();
  for (const OptionEntry& entry : table.entries()) {
    const size_t size = term_of(entry.name, placeholder_of(entry)).size();
    if (size <= kWidestTerm) width = std::max(width, size);
  }
  std::string group = "\n";  // differs from every title, the empty one too
  for (const OptionEntry& entry : table.entries()) {
    if (entry.group != group) {
      text += fmt::format("\n{}\n", entry.group.empty() ? "Options" : entry.group);
    }
    group = entry.group;
    text += row(term_of(entry.name, placeholder_of(entry)), width, entry.help + facts_of(entry));
  }
  text += "\nEvery command\n";
  for (const CommonOption& option : common_options()) {
    text += row(term_of(option.name, option.placeholder), width, option.help);
  }
  return text;
}

}  // namespace alambic

#include "alambic/cli/help.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

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

std::string term_of(const OptionEntry& entry) {
  if (entry.is_flag()) return "--" + entry.name;
  return fmt::format("--{} {}", entry.name, entry.choices.empty() ? entry.placeholder() : "NAME");
}

std::string default_of(const OptionEntry& entry) {
  const std::string value = entry.toml();
  const bool unset = value == "\"\"" || value == "[]" || value == "false";
  if (unset) return "";
  const bool quoted = value.front() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

// "(required; 0 to 1; default 0.5; may be repeated)"
std::string facts_of(const OptionEntry& entry) {
  std::string facts;
  const auto add = [&](const std::string& fact) { facts += (facts.empty() ? "" : "; ") + fact; };
  if (entry.required) add("required");
  if (!entry.limits().empty()) add(entry.limits());
  if (!default_of(entry).empty()) add("default " + default_of(entry));
  if (entry.is_list()) add("may be repeated");
  return facts.empty() ? "" : " (" + facts + ")";
}

std::string markdown_cell(std::string text) {
  for (size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  return text;
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
      "  alambic distill --help\n\n"
      "A model is a folder, a GGUF file, or org/name[@revision] of the Hugging Face hub.\n"
      "Exit codes: 0 done, 2 your input, 3 the environment, 4 refused by policy or preflight,\n"
      "70 a bug in Alambic, 75 stopped and resumable. --debug shows an error in full.\n";
  return text;
}

std::string command_help(const std::string& name, const std::string& summary,
                         const Options& options) {
  const OptionTable table(options);
  std::string text = fmt::format("alambic {}: {}\n\nusage: alambic {}", name, summary, name);
  size_t width = std::string("--config FILE").size();
  for (const OptionEntry& entry : table.entries()) {
    if (entry.required) text += " " + term_of(entry);
    if (term_of(entry).size() <= kWidestTerm) width = std::max(width, term_of(entry).size());
  }
  text += " [--config run.toml] [--key value ...]\n";
  std::string group = "\n";  // differs from every title, the empty one too
  for (const OptionEntry& entry : table.entries()) {
    if (entry.group != group) {
      text += fmt::format("\n{}\n", entry.group.empty() ? "Options" : entry.group);
    }
    group = entry.group;
    text += row(term_of(entry), width, entry.help + facts_of(entry));
  }
  text += "\nEvery command\n";
  text += row("--config FILE", width, "TOML file with the same keys; the command line wins");
  text += row("--offline", width, "models of the hub only from the cache; as HF_HUB_OFFLINE=1");
  text += row("--debug", width, "show an error in full");
  text += row("--help", width, "this text");
  return text;
}

std::string markdown_help(const std::vector<Command>& commands) {
  std::string text;
  for (const Command& command : commands) {
    text += fmt::format("## alambic {}\n\n{}\n\n", command.name, command.summary);
    text += "| option | meaning |\n| --- | --- |\n";
    const OptionTable table(*command.options);
    for (const OptionEntry& entry : table.entries()) {
      text += fmt::format("| `{}` | {} |\n", term_of(entry),
                          markdown_cell(entry.help + facts_of(entry)));
    }
    text += "\n";
  }
  return text;
}

}  // namespace alambic

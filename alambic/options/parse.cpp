#include "alambic/options/parse.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/options/conditions.h"
#include "alambic/options/config_toml.h"
#include "alambic/options/option_table.h"

namespace alambic {
namespace {

// One option as it was written.
struct Given {
  std::string name;                  // "max-steps"
  std::optional<std::string> value;  // none for a flag without "=value"
};

// A command line, split.
struct Line {
  CommonFlags flags;
  std::vector<Given> given;
  std::string unknown;      // the first word that is no option
  std::string repeated;     // the first flag of every command that stands there twice
  std::string needs_value;  // an option that the line ends with
};

[[noreturn]] void refuse_word(const std::string& command, const OptionTable& table,
                              const std::string& word) {
  const size_t start = word.find_first_not_of('-');
  if (start == 0) {
    throw input_error("alambic {}: unexpected word '{}'", command, word)
        .with_hint("options are written --name value; quote a value that has spaces");
  }
  const std::string written = word.substr(0, word.find('='));
  const std::string near = start == std::string::npos ? "" : table.nearest(written.substr(start));
  throw input_error("alambic {}: unknown option {}", command, written)
      .with_hint(near.empty() ? fmt::format("alambic {} --help lists the options", command)
                              : fmt::format("did you mean --{}?", near));
}

bool take_flag(const std::string& word, Line& line) {
  if (word == "--help" || word == "-h") return line.flags.help = true;
  if (word != "--offline" && word != "--debug") return false;
  bool& flag = word == "--offline" ? line.flags.offline : line.flags.debug;
  if (flag) line.repeated = word;
  return flag = true;
}

// By hand, because values are prompts too: the next word is the value whatever it looks like
// ("--- a", "[INST] …", "-h"), and nothing is the value in `--prompt= --overwrite` (CLI11 2.1 takes
// the next option for it).
Line split_words(const std::vector<std::string>& words, OptionTable& table) {
  Line line;
  const OptionEntry* alone = table.find("folder");  // by convention
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (take_flag(word, line)) continue;
    if (alone != nullptr && !word.starts_with('-')) {
      line.given.push_back({alone->name, word});
      continue;
    }
    const size_t equals = word.find('=');
    Given item;
    if (word.starts_with("--")) item.name = with_dashes(word.substr(2, equals - 2));
    if (equals != std::string::npos) item.value = word.substr(equals + 1);
    const OptionEntry* entry = table.find(item.name);
    if (entry == nullptr && item.name != "config") {
      if (line.unknown.empty()) line.unknown = word;
      continue;
    }
    const bool takes_word = entry == nullptr || !entry->is_flag();
    if (takes_word && !item.value) {
      if (++i == words.size()) {
        line.needs_value = item.name;
        break;
      }
      item.value = words[i];
    }
    line.given.push_back(item);
  }
  return line;
}

// The last of two values would win without a word, and `--data a --data b` be learned from b alone.
Error given_twice(const std::string& name, const std::string& first, const std::string& second) {
  return input_error("{} is given twice: {} and {}", name, first, second)
      .with_hint("leave one of them out; --help says which options may be given several times");
}

std::string as_given(const Given& item) {
  return "--" + item.name + (item.value ? " '" + *item.value + "'" : "");
}

// Options that are no lists, and --config, at most once, whatever name of theirs is given.
void check_given_once(const Line& line, const OptionTable& table) {
  if (!line.repeated.empty()) throw given_twice(line.repeated, line.repeated, line.repeated);
  std::map<std::string, const Given*> before;
  for (const Given& item : line.given) {
    const OptionEntry* entry = table.find(item.name);
    if (entry != nullptr && entry->is_list()) continue;
    const std::string name = entry == nullptr ? item.name : entry->name;
    const auto [first, is_new] = before.emplace(name, &item);
    if (!is_new) throw given_twice("--" + name, as_given(*first->second), as_given(item));
  }
}

void set_options(const std::vector<Given>& given, OptionTable& table) {
  std::map<std::string, std::vector<std::string>> lists;
  for (const Given& item : given) {
    OptionEntry* entry = table.find(item.name);
    if (entry == nullptr) continue;
    if (item.name != entry->name) warn("--{} is now called --{}", item.name, entry->name);
    if (entry->is_list()) {
      lists[entry->name].push_back(*item.value);
      entry->set_list(lists[entry->name]);
    } else {
      entry->set_word("--" + item.name, item.value.value_or("true"));
    }
    entry->on_command_line = true;
  }
}

}  // namespace

CommonFlags parse_options(const std::string& command, const std::vector<std::string>& arguments,
                          Options& options) {
  OptionTable table(options);
  Line line = split_words(arguments, table);
  if (line.flags.help) return line.flags;
  if (!line.unknown.empty()) refuse_word(command, table, line.unknown);
  if (!line.needs_value.empty()) {
    throw input_error("--{} needs a value", line.needs_value)
        .with_hint(fmt::format("alambic {} --help", command));
  }
  check_given_once(line, table);
  for (const Given& item : line.given) {
    if (item.name == "config") line.flags.config = *item.value;
  }
  if (!line.flags.config.empty()) read_config(line.flags.config, table);
  set_options(line.given, table);
  for (const OptionEntry& entry : table.entries()) {
    if (!entry.is_required || entry.given) continue;
    throw input_error("alambic {} needs --{} ({})", command, entry.name, entry.help)
        .with_hint(fmt::format("alambic {} --help", command));
  }
  check_conditions(table);
  return line.flags;
}

}  // namespace alambic

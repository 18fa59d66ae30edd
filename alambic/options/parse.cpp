#include "alambic/options/parse.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/options/config_toml.h"
#include "alambic/options/option_table.h"

namespace alambic {
namespace {

// One option as it was written.
struct Given {
  std::string name;                  // "max-steps"
  std::optional<std::string> value;  // none for a flag without "=value"
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

// By hand, because values are prompts too: the next word is the value whatever it looks like
// ("--- a", "[INST] …"), and nothing is the value in `--prompt= --overwrite` (CLI11 2.1 takes the
// next option for it).
std::vector<Given> split_words(const std::string& command, const std::vector<std::string>& words,
                               OptionTable& table) {
  std::vector<Given> given;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const size_t equals = word.find('=');
    Given item;
    if (word.starts_with("--")) item.name = with_dashes(word.substr(2, equals - 2));
    if (equals != std::string::npos) item.value = word.substr(equals + 1);
    const OptionEntry* entry = table.find(item.name);
    if ((item.name == "debug" || item.name == "offline") && !item.value) continue;
    if (entry == nullptr && item.name != "config") refuse_word(command, table, word);
    const bool takes_word = entry == nullptr || !entry->is_flag();
    if (takes_word && !item.value) {
      if (++i == words.size()) {
        throw input_error("--{} needs a value", item.name)
            .with_hint(fmt::format("alambic {} --help", command));
      }
      item.value = words[i];
    }
    given.push_back(item);
  }
  return given;
}

}  // namespace

void parse_options(const std::string& command, const std::vector<std::string>& arguments,
                   Options& options) {
  OptionTable table(options);
  const std::vector<Given> given = split_words(command, arguments, table);
  for (const Given& item : given) {
    if (item.name == "config") read_config(*item.value, table);
  }
  std::map<std::string, std::vector<std::string>> lists;
  for (const Given& item : given) {
    OptionEntry* entry = table.find(item.name);
    if (entry == nullptr) continue;
    if (entry->is_list()) {
      lists[item.name].push_back(*item.value);
      entry->set_list(lists[item.name]);
    } else {
      entry->set_word("--" + item.name, item.value.value_or("true"));
    }
  }
  for (const OptionEntry& entry : table.entries()) {
    if (!entry.required || entry.given) continue;
    throw input_error("alambic {} needs --{} ({})", command, entry.name, entry.help)
        .with_hint(fmt::format("alambic {} --help", command));
  }
}

}  // namespace alambic

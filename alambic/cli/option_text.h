// Words about one option that `--help`, the man pages and the Markdown pages share.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "alambic/options/option_table.h"

namespace alambic {

/// Placeholder after the name: "N", "TEXT", "NAME" for a choice; "" for a flag.
std::string placeholder_of(const OptionEntry& entry);

/// The option and its placeholder: "--beta X", "--chat".
std::string term_of(const std::string& name, const std::string& placeholder);

/// "(required; 0 to 1; default 0.5; only with --x)" with a space in front; "" without facts.
std::string facts_of(const OptionEntry& entry);

/// "--student TEXT --data TEXT [--config run.toml] [--key value ...]"
std::string usage_of(const OptionTable& table);

/// Exit codes of the program and their meanings.
const std::vector<std::pair<int, std::string>>& exit_codes();

}  // namespace alambic

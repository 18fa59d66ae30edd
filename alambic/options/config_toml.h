// run.toml in, config.toml out: the same keys as on the command line.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "alambic/options/option_table.h"

namespace alambic {

/// Sets the table's entries from a file of `key = value` lines. Throws an input error that names
/// file and line for TOML that does not parse, an unknown key (with the nearest known one), a value
/// of the wrong type or outside its bounds.
void read_config(const std::filesystem::path& path, OptionTable& table);

/// The text that stands for a model in config.toml, from an option's value.
using ModelName = std::function<std::string(const std::string& value)>;

/// All options with their values and help, for a run folder's config.toml; `read_config` of it
/// gives the same options. Without `model_name` models stand as they are.
std::string config_toml(const std::string& command, const Options& options,
                        const ModelName& model_name = {});

/// The texts of a value as config.toml has it: one, or those of a list; none of other values.
std::vector<std::string> texts_of_toml(const std::string& value);

}  // namespace alambic

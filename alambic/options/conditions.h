// Conditions between the options of a table (OptionFacts::only_with and its like).
#pragma once

#include <string>

#include "alambic/options/option_table.h"

namespace alambic {

/// "only with --chat or --data", "not with --lmbda 1", as `--help` shows it.
std::string condition_text(const Condition& condition);

/// Refuses, as input errors, options that have no effect beside the others, and one that is missing
/// where another is. An option counts for `only_with` when its value is not the default or when the
/// command line gave it and it is not empty, 0 or false; for `not_with` when its value is not the
/// default. So a config.toml that names every option at its default passes.
void check_conditions(const OptionTable& table);

/// The same for options that no command line gave. `defaults` is a fresh object of their type.
void check_conditions(const Options& options, const Options& defaults);

}  // namespace alambic

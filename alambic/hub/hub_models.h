// Names of the Hugging Face hub in the options of a command.
#pragma once

#include <string>

#include "alambic/options/options.h"

namespace alambic {

/// Fetches the models of the hub that `options` name and puts their folders in the names' place
/// (also in "NAME=org/name" of a list). A value is such a name when it is written "org/name@rev",
/// or "org/name" and there is neither such a file nor a folder `org`. `offline`: only from the
/// cache. Errors are fetch_model's, after the option's name.
void fetch_models(Options& options, bool offline);

/// The value of a model option as config.toml keeps it: "org/name@commit" for a folder of the
/// cache, which says nothing elsewhere.
std::string as_hub_name(const std::string& value);

}  // namespace alambic

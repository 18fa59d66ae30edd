// Whether a run that is resumed is the run that began.
#pragma once

#include <string>

#include "alambic/base/files.h"
#include "alambic/options/option_table.h"

namespace alambic {

/// Compares the options `table`, which read `config` as config.toml, with those that the run in the
/// folder `run` began with. Input errors: options that say what is computed and differ; the
/// run's length, or bytes of its data, are others, without `allow_change` (a warning with it).
/// Files and folders may be called otherwise, or have moved: the record's digests tell
/// (ResumedInputs).
void check_resumed_options(const fs::path& run, const std::string& config, const OptionTable& table,
                           bool allow_change);

}  // namespace alambic

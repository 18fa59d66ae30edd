// Which files of a folder, or of a data set on the hub, are data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// Those of `names`, paths below a folder or a data set called `place`, that are read, sorted, as
/// `datasets` chooses them: hidden files, those that describe a data set (README.md,
/// dataset_info.json, …) and unknown kinds are none; of several kinds (JSON, CSV, text, Parquet,
/// Arrow) the one with the most files is taken, and the others are named on stderr. Where names say
/// a split (train, validation, test in their common spellings; "test-00000-of-00001.…",
/// "test/a.jsonl"), `wanted` chooses; empty: train. "CONFIGURATION/SPLIT" or "CONFIGURATION/"
/// chooses a folder first.
///
/// `readme` is the data set's README.md, or empty. Where its head has `configs` (data_card.h),
/// these say the files instead: of the configuration that is named, else the default one, else the
/// only one.
///
/// Input errors: no data files, no such split (with those that there are), several configurations
/// (folders with the same splits) of which none was chosen.
std::vector<std::string> choose_data_files(const std::string& place,
                                           const std::vector<std::string>& names,
                                           const std::string& wanted,
                                           const std::string& readme = "");

/// The file that describes a data set, and more bytes than it has.
inline constexpr const char* data_card_name = "README.md";
inline constexpr uint64_t max_card_bytes = uint64_t{16} << 20;

/// The same of the files in a folder and below it, hidden folders aside.
std::vector<fs::path> data_files(const fs::path& folder, const std::string& split);

/// The split that a file's path below its folder says: "train", "validation", "test", that of a
/// shard ("data/NAME-00000-of-00001.parquet"); empty: none.
std::string split_of(const std::string& path);

/// Whether a name ends as data files do, packed or not.
bool is_data_file_name(const std::string& name);

}  // namespace alambic

// What a command writes beside what it reads.
#pragma once

#include <filesystem>

#include "alambic/options/option_table.h"

namespace alambic {

/// Refuses, as input errors, an `--out` that would destroy what the same command reads (every other
/// option with a path, and `config`, the file of --config). By whatever names, links and hard links
/// too:
///   --out is such a file or folder;
///   --out is a file that is there within a folder that is read, other than the pages, GGUF files
///   and, in a model's folder, jsonl that no command reads there;
///   --out is a folder with such a file in it, and --overwrite or --resume is given.
/// With --overwrite a folder in which names are links to files is refused too: they are others'
/// files, as those of the hub's cache. By convention the option `out` names what is written.
void check_outputs(const OptionTable& table, const std::filesystem::path& config = {});

}  // namespace alambic

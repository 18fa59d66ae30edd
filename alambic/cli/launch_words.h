#pragma once

#include <string>
#include <vector>

namespace alambic {

/// Words after `alambic launch` as options of it: `--nproc-per-node 2 distill --student s` is
/// `--nproc-per-node 2 --command=distill --command=--student --command=s`. Every option of launch
/// but --help has a value, so that the first word which is neither begins the command.
std::vector<std::string> words_of_launch(const std::vector<std::string>& words);

}  // namespace alambic

// Digests of a model folder's parts, to tell which model graded.
#pragma once

#include <string>

#include "alambic/base/files.h"

namespace alambic {

/// SHA-256 over the names and digests of everything that decides what a model computes: its
/// configuration and its weight files. Reads every byte of them.
std::string model_digest(const fs::path& model);

/// SHA-256 of a folder's chat template; "none" where it has none.
std::string template_digest(const fs::path& model);

}  // namespace alambic

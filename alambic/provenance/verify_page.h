#pragma once

#include <string>
#include <utility>
#include <vector>

#include "alambic/provenance/sign_folder.h"

namespace alambic {

/// One HTML page that says whether a folder is what was signed: the faults, and named lines on
/// signer and record. Refers to nothing outside of itself; every text is escaped.
std::string verify_page(const std::string& folder, const std::vector<FolderFault>& faults,
                        const std::vector<std::pair<std::string, std::string>>& lines);

}  // namespace alambic

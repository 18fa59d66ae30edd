// Real files that are not in the repository (../shared, or $ALAMBIC_SHARED).
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace alambic {

/// The folder that holds data/, or nothing; a test without it says GTEST_SKIP() << "no ../shared".
inline std::optional<std::filesystem::path> shared_data() {
  namespace fs = std::filesystem;
  const char* named = std::getenv("ALAMBIC_SHARED");
  const fs::path source(ALAMBIC_SOURCE_DIR);
  for (const fs::path& folder : {named ? fs::path(named) : fs::path(), source / ".." / "shared",
                                 source / ".." / ".." / "shared"}) {
    if (!folder.empty() && fs::is_directory(folder / "data")) return folder;
  }
  return std::nullopt;
}

}  // namespace alambic

// Small whole-file reads and atomic writes.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace alambic {

namespace fs = std::filesystem;

/// The whole file as bytes. Refuses files over `limit` bytes (an input error naming both sizes).
std::string read_file(const fs::path& path, uint64_t limit = uint64_t{1} << 32);

/// Writes beside the target, flushes to disk, then renames: a crash leaves the old file or the new
/// one, never half of one. Errors are environment errors naming the path and the system's reason.
void write_file(const fs::path& path, std::string_view bytes);

/// Flushes the folder's entries themselves, so that a rename in it survives a crash.
void sync_folder(const fs::path& folder);

}  // namespace alambic

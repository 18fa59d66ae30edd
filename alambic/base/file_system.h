// What std::filesystem does to the disk, with its failures as environment errors: they say what was
// being done, to which path, and the system's reason. No other file calls the forms of
// std::filesystem that throw (tools/lint/layers).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "alambic/base/error.h"

namespace alambic {

namespace fs = std::filesystem;

/// "cannot WHAT PATH: reason".
Error path_error(std::string_view what, const fs::path& path, const std::error_code& reason);
/// The same of an exception, for the last net of a program.
Error path_error(const fs::filesystem_error& error);

// Questions follow links. What is not there is no error; what may not be looked at is one.
bool path_exists(const fs::path& path);
bool is_file(const fs::path& path);
bool is_folder(const fs::path& path);
bool is_empty_folder(const fs::path& path);
uint64_t file_bytes(const fs::path& path);
/// The entries of a folder, sorted by name, without "." and "..".
std::vector<fs::path> list_folder(const fs::path& folder);
/// The path from the root, without links, "." and ".." as far as it exists.
fs::path full_path(const fs::path& path);

/// With the folders above it; one that is there already stays.
void make_folder(const fs::path& folder);
/// A file or an empty folder; nothing where there is none.
void remove_file(const fs::path& path);
/// A file, or a folder with all that is in it; nothing where there is none.
void remove_path(const fs::path& path);
void move_path(const fs::path& from, const fs::path& to);
/// Cuts or lengthens a file to so many bytes.
void set_file_bytes(const fs::path& path, uint64_t bytes);

}  // namespace alambic

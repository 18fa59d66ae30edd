// Operations of std::filesystem, with their failures as environment errors (input errors for names
// that are too long): they say what was being done, to which path, and the system's reason. No
// other file calls the forms of std::filesystem that throw (tools/lint/layers).
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

/// Makes a folder and those above it; one that is there already stays.
void make_folder(const fs::path& folder);
/// Removes a file or an empty folder; does nothing where there is none.
void remove_file(const fs::path& path);
/// Removes a file, or a folder with all that is in it; does nothing where there is none.
void remove_path(const fs::path& path);
void move_path(const fs::path& from, const fs::path& to);
/// Cuts or lengthens a file to so many bytes.
void set_file_bytes(const fs::path& path, uint64_t bytes);

}  // namespace alambic

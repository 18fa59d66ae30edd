#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace alambic {

/// SHA-256 in lower-case hexadecimal.
std::string sha256(std::string_view bytes);

/// Of a file's bytes, read in pieces.
std::string sha256_file(const std::filesystem::path& path);

}  // namespace alambic

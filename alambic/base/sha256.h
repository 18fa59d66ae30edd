#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace alambic {

/// SHA-256 in lower-case hexadecimal.
std::string sha256(std::string_view bytes);

/// SHA-256 of a file's bytes, read in pieces.
std::string sha256_file(const std::filesystem::path& path);

/// SHA-256 of the bytes [begin, end) of a file; fewer where it ends before. Errors as sha256_file.
std::string sha256_range(const std::filesystem::path& path, uint64_t begin, uint64_t end);

/// Git's name of a file's content: SHA-1 of "blob SIZE\0" and the bytes. Not for security; it is
/// what the Hugging Face hub says of small files.
std::string git_blob_digest(const std::filesystem::path& path);

}  // namespace alambic

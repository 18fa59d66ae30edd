// What a folder holds, with a digest of every file: the part of a signature that takes time.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "alambic/base/files.h"

namespace alambic {

/// A file of a folder, or of one in it.
struct FolderFile {
  std::string name;  ///< relative to the folder, "/" between its parts
  uint64_t bytes = 0;
};

struct FolderListing {
  std::vector<FolderFile> files;     ///< in the order of path_comes_before
  std::vector<std::string> ignored;  ///< those of `ignored` that are there
  std::vector<std::string> links;    ///< names of links, which are not followed
  std::vector<std::string> others;   ///< pipes, devices, names that are not UTF-8 (made so)
};

/// Order of names in OpenSSF Model Signing's manifest: part by part, by code point, so that "a/b"
/// comes before "a.b".
bool path_comes_before(const std::string& a, const std::string& b);

/// Everything in `folder` but what lies at or below one of `ignored` ("a/b"). With `follow_links`
/// links to files are files (links to folders stay links).
FolderListing list_files(const fs::path& folder, const std::vector<std::string>& ignored,
                         bool follow_links = false);

/// A part of a file: bytes [begin, end).
struct FilePart {
  std::string name;
  uint64_t begin = 0, end = 0;
};

/// SHA-256 of each part, hashed side by side in `threads` threads (0: default_threads()), the
/// largest first. Errors: those of sha256_range.
std::vector<std::string> digests_of(const fs::path& folder, const std::vector<FilePart>& parts,
                                    int threads = 0);

/// Digests of whole files that were read before, so that a run reads each of its models once. A
/// file is known by device, inode, size and time of its last change. For one thread at a time.
class DigestMemo {
 public:
  explicit DigestMemo(int threads = 0) : threads_(threads) {}
  /// Those of digests_of.
  std::vector<std::string> digests_of(const fs::path& folder, const std::vector<FilePart>& parts);

 private:
  using Identity = std::tuple<uint64_t, uint64_t, uint64_t, int64_t, int64_t>;
  int threads_;
  std::map<Identity, std::string> known_;
};

/// SHA-256 over the digests in their order (OpenSSF Model Signing's root of a folder). Each is
/// 64 hexadecimal characters.
std::string root_of(const std::vector<std::string>& digests);

}  // namespace alambic

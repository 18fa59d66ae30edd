// Zip archives whose entries are stored, not compressed: the container that torch.save writes
// (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace alambic {

struct ZipEntry {
  std::string name;
  std::span<const std::byte> bytes;
};

/// The entries in the order of the archive's directory, pointing into `file`. Refuses compressed
/// and encrypted entries, names that stand twice or differ between the directory and the entry,
/// archives in several parts, entries that overlap, and whatever lies beyond the file. Zip64 is
/// read. Checksums are not compared: torch.save can be told to leave them wrong, and comparing them
/// would read the whole file. `where` is what errors call the file.
std::vector<ZipEntry> parse_zip(std::span<const std::byte> file, const std::string& where);

}  // namespace alambic

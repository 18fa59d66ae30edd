#include "alambic/io/zip_file.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

constexpr uint32_t entry_magic = 0x04034b50, directory_magic = 0x02014b50, end_magic = 0x06054b50,
                   end64_magic = 0x06064b50, locator_magic = 0x07064b50;
constexpr uint64_t entry_length = 30, directory_length = 46, end_length = 22, locator_length = 20;
constexpr uint32_t elsewhere = 0xffffffff;  // the number is in the zip64 extra field

// Place of the directory in the file, in bytes, and count of its entries.
struct Directory {
  uint64_t begin = 0, length = 0, count = 0;
};

struct Place {
  std::string name;
  uint64_t offset = 0;  // start of the entry's own header
  uint64_t length = 0;  // count of its bytes
};

class Archive {
 public:
  Archive(std::span<const std::byte> file, const std::string& where) : file_(file), where_(where) {}

  std::vector<ZipEntry> entries() const;

 private:
  template <class... Args>
  Error refused(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("cannot read {}: {}", where_,
                       fmt::format(format, std::forward<Args>(args)...));
  }

  std::string_view text(uint64_t offset, uint64_t length) const {
    if (offset > file_.size() || length > file_.size() - offset) {
      throw refused("the zip archive points to {} bytes at {}, but the file has {} bytes", length,
                    offset, file_.size())
          .with_hint("an incomplete download?");
    }
    return {reinterpret_cast<const char*>(file_.data()) + offset, length};
  }

  template <class Number>
  Number number(uint64_t offset) const {
    Number value = 0;
    std::memcpy(&value, text(offset, sizeof value).data(), sizeof value);
    return value;
  }

  void expect(uint64_t offset, uint32_t magic, const char* what) const {
    if (number<uint32_t>(offset) != magic) throw refused("{} is not at byte {}", what, offset);
  }

  uint64_t end_record() const;
  Directory directory() const;
  Place place(uint64_t at, std::string_view name, std::string_view extra) const;
  std::vector<Place> places(const Directory& directory) const;
  ZipEntry entry(const Place& place, uint64_t limit) const;

  std::span<const std::byte> file_;
  const std::string& where_;
};

// The end record stands last; a comment may follow it.
uint64_t Archive::end_record() const {
  const uint64_t size = file_.size();
  for (uint64_t back = end_length; back <= std::min<uint64_t>(size, end_length + 0xffff); ++back) {
    const uint64_t offset = size - back;
    if (number<uint32_t>(offset) == end_magic &&
        number<uint16_t>(offset + 20) == back - end_length) {
      return offset;
    }
  }
  throw refused("it is no whole zip archive: its directory is missing")
      .with_hint("an incomplete download?");
}

Directory Archive::directory() const {
  const uint64_t end = end_record();
  Directory found{.begin = number<uint32_t>(end + 16),
                  .length = number<uint32_t>(end + 12),
                  .count = number<uint16_t>(end + 10)};
  bool one_part = number<uint16_t>(end + 4) == 0 && number<uint16_t>(end + 8) == found.count;
  uint64_t limit = end;
  if (found.begin == elsewhere || found.length == elsewhere || found.count == 0xffff) {
    if (end < locator_length) throw refused("the locator of its zip64 directory is missing");
    expect(end - locator_length, locator_magic, "the locator of its zip64 directory");
    const auto end64 = number<uint64_t>(end - locator_length + 8);
    expect(end64, end64_magic, "its zip64 directory");
    found = {.begin = number<uint64_t>(end64 + 48),
             .length = number<uint64_t>(end64 + 40),
             .count = number<uint64_t>(end64 + 32)};
    one_part = number<uint32_t>(end64 + 16) == 0 && number<uint64_t>(end64 + 24) == found.count;
    limit = end64;
  }
  if (!one_part) throw refused("the zip archive is in several parts");
  if (found.begin > limit || found.length > limit - found.begin ||
      found.count > found.length / directory_length) {
    throw refused("the zip directory should have {} entries in {} bytes at {}, which do not fit",
                  found.count, found.length, found.begin)
        .with_hint("an incomplete download?");
  }
  return found;
}

// An entry's place from its line in the directory at `at`; numbers that do not fit into 32 bits
// are in the extra field, in this order.
Place Archive::place(uint64_t at, std::string_view name, std::string_view extra) const {
  constexpr uint16_t zip64 = 1, encrypted = 1;
  const auto stored = number<uint32_t>(at + 20), length = number<uint32_t>(at + 24),
             offset = number<uint32_t>(at + 42);
  std::string_view wide;
  while (extra.size() >= 4) {
    uint16_t id = 0, size = 0;
    std::memcpy(&id, extra.data(), sizeof id);
    std::memcpy(&size, extra.data() + 2, sizeof size);
    const std::string_view field = extra.substr(4, size);
    if (id == zip64) wide = field;
    extra.remove_prefix(4 + field.size());
  }
  const auto widened = [&](uint32_t narrow) -> uint64_t {
    uint64_t value = narrow;
    if (narrow != elsewhere) return value;
    if (wide.size() < sizeof value) {
      throw refused("entry {}: its zip64 sizes are missing", printable(name));
    }
    std::memcpy(&value, wide.data(), sizeof value);
    wide.remove_prefix(sizeof value);
    return value;
  };
  Place place{.name = std::string(name), .length = widened(length)};
  const uint64_t bytes = widened(stored);
  place.offset = widened(offset);
  if ((number<uint16_t>(at + 8) & encrypted) != 0) {
    throw refused("entry {} is encrypted", printable(name));
  }
  if (const auto method = number<uint16_t>(at + 10); method != 0 || bytes != place.length) {
    throw refused("entry {} is compressed (method {}), where torch.save stores", printable(name),
                  method);
  }
  return place;
}

std::vector<Place> Archive::places(const Directory& directory) const {
  std::vector<Place> places;
  std::unordered_set<std::string_view> names;
  const uint64_t end = directory.begin + directory.length;
  uint64_t at = directory.begin;
  for (uint64_t i = 0; i < directory.count; ++i) {
    expect(at, directory_magic, "a line of the zip directory");
    const uint64_t name = number<uint16_t>(at + 28), extra = number<uint16_t>(at + 30);
    const std::string_view own = text(at + directory_length, name);
    if (!names.insert(own).second) throw refused("entry {} stands twice", printable(own));
    places.push_back(place(at, own, text(at + directory_length + name, extra)));
    at += directory_length + name + extra + number<uint16_t>(at + 32);
    if (at > end) throw refused("the zip directory is longer than its {} bytes", directory.length);
  }
  return places;
}

// `limit`: where the next entry or the directory begins.
ZipEntry Archive::entry(const Place& place, uint64_t limit) const {
  expect(place.offset, entry_magic, "an entry of the zip archive");
  const uint64_t name = number<uint16_t>(place.offset + 26);
  const std::string_view own = text(place.offset + entry_length, name);
  if (own != place.name) {
    throw refused("entry {} is called {} in the zip directory", printable(own),
                  printable(place.name));
  }
  const uint64_t begin = place.offset + entry_length + name + number<uint16_t>(place.offset + 28);
  if (begin > limit || place.length > limit - begin) {
    throw refused("entry {} has {} bytes at {}, but what follows it begins at {}",
                  printable(place.name), place.length, begin, limit);
  }
  return {.name = place.name, .bytes = file_.subspan(begin, place.length)};
}

std::vector<ZipEntry> Archive::entries() const {
  const Directory where = directory();
  const std::vector<Place> all = places(where);
  std::vector<uint64_t> begins = {where.begin};
  for (const Place& one : all) begins.push_back(one.offset);
  std::ranges::sort(begins);
  std::vector<ZipEntry> entries;
  for (const Place& one : all) {
    const auto next = std::ranges::upper_bound(begins, one.offset);
    if (next == begins.end()) {
      throw refused("entry {} lies at {}, behind the zip directory", printable(one.name),
                    one.offset);
    }
    entries.push_back(entry(one, *next));
  }
  return entries;
}

}  // namespace

std::vector<ZipEntry> parse_zip(std::span<const std::byte> file, const std::string& where) {
  return Archive(file, where).entries();
}

}  // namespace alambic

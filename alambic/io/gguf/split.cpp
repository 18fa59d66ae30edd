#include "alambic/io/gguf/split.h"

#include <charconv>
#include <limits>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/names.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

constexpr const char *number_key = "split.no", *count_key = "split.count",
                     *tensors_key = "split.tensors.count";
constexpr int64_t max_parts = std::numeric_limits<uint16_t>::max();
constexpr std::string_view extension = ".gguf";

// What stands before "-00002-of-00003.gguf"; nothing: the name does not end so.
std::optional<std::string> stem_of(const std::string& name, int64_t part, int64_t count) {
  const std::string end = fmt::format("-{:05}-of-{:05}{}", part, count, extension);
  if (!name.ends_with(end) || name.size() == end.size()) return std::nullopt;
  return name.substr(0, name.size() - end.size());
}

int64_t number_of(const GgufMetadata& metadata) {
  const int64_t number = metadata.integer(number_key).value_or(-1);
  if (number >= 0 && number < gguf_part_count(metadata)) return number;
  throw input_error("cannot read {}: metadata {} should be from 0 to {}, found {}",
                    metadata.where(), number_key, gguf_part_count(metadata) - 1,
                    number < 0 ? "none" : std::to_string(number));
}

}  // namespace

fs::path gguf_part_path(const fs::path& whole, int64_t part, int64_t count) {
  std::string stem = whole.string();
  if (stem.ends_with(extension)) stem.resize(stem.size() - extension.size());
  return fmt::format("{}-{:05}-of-{:05}{}", stem, part, count, extension);
}

int64_t gguf_part_count(const GgufMetadata& metadata) {
  const auto count = metadata.integer(count_key);
  if (!count || (*count >= 0 && *count <= max_parts))
    return std::max<int64_t>(count.value_or(1), 1);
  throw input_error("cannot read {}: metadata {} should be from 1 to {}, found {}",
                    metadata.where(), count_key, max_parts, *count);
}

std::vector<fs::path> gguf_part_paths(const fs::path& any, const GgufMetadata& metadata) {
  const int64_t count = gguf_part_count(metadata), own = number_of(metadata) + 1;
  const auto stem = stem_of(any.string(), own, count);
  if (!stem) {
    throw input_error(
        "cannot read {}: it is part {} of {} of a model, whose names should end in {}",
        any.string(), own, count, gguf_part_path("", own, count).string())
        .with_hint("give the files the names that they were made with");
  }
  std::vector<fs::path> paths;
  std::vector<std::string> missing;
  for (int64_t part = 1; part <= count; ++part) {
    paths.push_back(gguf_part_path(*stem, part, count));
    if (path_exists(paths.back())) continue;
    if (missing.size() < 4) {
      missing.push_back(paths.back().filename().string());
    } else {
      missing.emplace_back("…");
      break;
    }
  }
  if (missing.empty()) return paths;
  throw input_error("cannot read {}: it is part {} of {} of a model, of which there is no {}",
                    any.string(), own, count, join(missing))
      .with_hint("all parts should be in one folder; an incomplete download?");
}

std::vector<fs::path> gguf_files_of(const fs::path& path) {
  const MappedFile file = MappedFile::open(path);
  const GgufMetadata metadata = parse_gguf(file.bytes(), path.string()).metadata;
  if (gguf_part_count(metadata) == 1) return {path};
  return gguf_part_paths(path, metadata);
}

void check_gguf_part(const GgufMetadata& metadata, const GgufMetadata& part, int64_t number) {
  const int64_t count = gguf_part_count(metadata);
  if (gguf_part_count(part) == count && number_of(part) == number) return;
  throw input_error("cannot read {}: metadata {} and {} should be {} and {}, found {} and {}",
                    part.where(), number_key, count_key, number, count, number_of(part),
                    gguf_part_count(part))
      .with_hint("files of different models?");
}

void add_gguf_part(GgufMetadata& metadata, int64_t number, int64_t count, int64_t tensors) {
  metadata.add(number_key, static_cast<uint16_t>(number));
  metadata.add(count_key, static_cast<uint16_t>(count));
  metadata.add(tensors_key, static_cast<int32_t>(tensors));
}

}  // namespace alambic

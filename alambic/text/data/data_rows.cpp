#include "alambic/text/data/data_rows.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/io/data_folder.h"
#include "alambic/text/data/data_file.h"
#include "alambic/text/data/row_index.h"

namespace alambic {

namespace {

struct Part {
  DataFile file;
  std::optional<RowIndex> index;  // none: one plain text
  size_t first = 0;               // rows before this file's

  size_t size() const { return index ? index->size() : 1; }
};

// "FOLDER:SPLIT" where that is no path by itself.
std::pair<std::string, std::string> split_name(const std::string& name) {
  const size_t colon = name.rfind(':');
  if (colon == name.npos || path_exists(name) || !is_folder(name.substr(0, colon)))
    return {name, ""};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

std::vector<fs::path> files_of(const std::string& name) {
  if (name == "-") return {"-"};
  const auto [path, split] = split_name(name);
  return is_folder(path) ? data_files(path, split) : std::vector<fs::path>{path};
}

}  // namespace

struct DataRows::State {
  std::string name;
  std::vector<Part> parts;
  std::vector<RowShare> shares;
  size_t size = 0;

  void add(const std::string& source);
};

void DataRows::State::add(const std::string& source) {
  const std::vector<fs::path> files = files_of(source);
  const size_t before = size;
  for (const fs::path& path : files) {
    Part part{.file = DataFile::open(path), .first = size};
    const std::string_view text = part.file.text();
    const bool blank = text.find_first_not_of(" \t\f\r\n") == text.npos;
    if (part.file.is_plain_text() && text.empty() && files.size() == 1) {
      throw input_error("{} is empty", part.file.name());
    }
    if (blank && !(part.file.is_plain_text() && files.size() == 1)) continue;
    if (!part.file.is_plain_text()) part.index.emplace(part.file);
    size += part.size();
    parts.push_back(std::move(part));
  }
  if (size == before)
    throw input_error("{} has no rows", source == "-" ? "standard input" : source);
}

DataRows DataRows::open(const std::vector<DataSource>& sources) {
  DataRows rows;
  rows.state_ = std::make_shared<State>();
  State& state = *rows.state_;
  for (const DataSource& source : sources) {
    const size_t before = state.size;
    state.add(source.name);
    const std::string name = source.name == "-" ? "standard input" : source.name;
    state.name += (state.name.empty() ? "" : ", ") + name;
    const auto count = static_cast<int64_t>(state.size - before);
    if (state.shares.empty() || source.weight > 0) {
      state.shares.push_back({count, source.weight});
    } else {
      state.shares.back().rows += count;
    }
  }
  return rows;
}

const std::vector<RowShare>& DataRows::shares() const { return state_->shares; }
const std::string& DataRows::name() const { return state_->name; }
size_t DataRows::size() const { return state_->size; }

DataRow DataRows::row(size_t i) const {
  const auto& parts = state_->parts;
  const auto after = std::ranges::upper_bound(parts, i, {}, &Part::first);
  const Part& part = *std::prev(after);
  part.file.check_unchanged();
  if (!part.index) {
    part.file.was_read(part.file.text().size());
    return {.place = part.file.name(), .text = part.file.text(), .plain = true};
  }
  const RowText row = part.index->row(part.file, i - part.first);
  return {.place = fmt::format("{}:{}", part.file.name(), row.line),
          .line = row.line,
          .text = row.json};
}

bool DataRows::is_one_text() const { return size() == 1 && !state_->parts.front().index; }

}  // namespace alambic

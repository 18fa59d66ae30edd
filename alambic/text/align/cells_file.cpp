#include "alambic/text/align/cells_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "alambic/base/environment.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/sha256.h"

namespace alambic {

namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view version = "alambic cells 1";
constexpr uint64_t largest_cells_file = uint64_t{1} << 30;

using Numbers = std::vector<int32_t>;

void put(std::string& bytes, const Numbers& numbers) {
  const auto count = static_cast<int32_t>(numbers.size());
  bytes.append(reinterpret_cast<const char*>(&count), sizeof count);
  bytes.append(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof count);
}

// Lists of numbers, one behind the other; `good` until one is not there.
struct Lists {
  std::string_view bytes;
  bool good = true;

  Numbers next() {
    int32_t count = -1;
    if (bytes.size() >= sizeof count) std::memcpy(&count, bytes.data(), sizeof count);
    const size_t room = bytes.size() < sizeof count ? 0 : bytes.size() / sizeof count - 1;
    if (count < 0 || static_cast<size_t>(count) > room) {
      good = false;
      return {};
    }
    Numbers numbers(static_cast<size_t>(count));
    // An empty list has no address, which memcpy may not be given.
    if (count > 0) {
      std::memcpy(numbers.data(), bytes.data() + sizeof count, numbers.size() * sizeof count);
    }
    bytes.remove_prefix((numbers.size() + 1) * sizeof count);
    return numbers;
  }
};

bool within(const Numbers& numbers, int64_t least, int64_t end) {
  return std::ranges::all_of(numbers, [&](int32_t n) { return n >= least && n < end; });
}

Numbers lengths_of(const CellPaths& paths) {
  Numbers lengths;
  for (size_t id = 0; id + 1 < paths.begin.size(); ++id) {
    lengths.push_back(static_cast<int32_t>(paths.begin[id + 1] - paths.begin[id]));
  }
  return lengths;
}

// Nothing where lengths and cells do not fit together.
std::optional<CellPaths> paths_of(const Numbers& lengths, Numbers cells) {
  if (!within(lengths, 0, std::numeric_limits<int32_t>::max())) return std::nullopt;
  CellPaths paths{.begin = {0}, .cells = std::move(cells)};
  for (const int32_t length : lengths) paths.begin.push_back(paths.begin.back() + length);
  if (paths.begin.back() != std::ssize(paths.cells)) return std::nullopt;
  return paths;
}

// By cell: a token of the student that has its string; -1: none is known by it.
Numbers named_by(const Aligner& aligner, const Cells& cells) {
  Numbers token(static_cast<size_t>(cells.count), -1);
  for (int32_t id = 0; id < aligner.student_bytes().size(); ++id) {
    const auto found = cells.common.find(aligner.student_bytes().of(id));
    if (found != cells.common.end()) token[static_cast<size_t>(found->second)] = id;
  }
  return token;
}

std::string key_of_side(const AlignedTokenizer& side, const VocabularyBytes& bytes) {
  std::string all = fmt::format("{} {}\n", side.tokenizer.digest(), fmt::join(side.ends, " "));
  for (int32_t id = 0; id < bytes.size(); ++id) {
    all += fmt::format("{} ", bytes.of(id).size());
    all += bytes.of(id);
  }
  return sha256(all);
}

}  // namespace

std::string cells_key(const Aligner& aligner) {
  return sha256(key_of_side(aligner.student(), aligner.student_bytes()) +
                key_of_side(aligner.teacher(), aligner.teacher_bytes()));
}

std::string cells_file(const Aligner& aligner, const Cells& cells) {
  std::string bytes;
  put(bytes, cells.of_student);
  put(bytes, cells.of_teacher);
  put(bytes, cells.bytes);
  put(bytes, named_by(aligner, cells));
  for (const CellPaths& paths : {cells.student_paths, cells.teacher_paths}) {
    put(bytes, lengths_of(paths));
    put(bytes, Numbers(paths.cells.begin(), paths.cells.end()));
  }
  put(bytes, {cells.end});
  return fmt::format("{} {} {}\n", version, cells_key(aligner), sha256(bytes)) + bytes;
}

std::optional<Cells> read_cells(const Aligner& aligner, std::string_view file) {
  const size_t line = std::min(file.find('\n'), file.size());
  Lists lists{file.substr(std::min(line + 1, file.size()))};
  const std::string expected =
      fmt::format("{} {} {}", version, cells_key(aligner), sha256(lists.bytes));
  if (file.substr(0, line) != expected) return std::nullopt;
  Cells cells{.of_student = lists.next(), .of_teacher = lists.next()};
  cells.bytes = lists.next();
  cells.count = std::ssize(cells.bytes);
  const Numbers named = lists.next();
  std::optional<CellPaths> paths[2];
  for (auto& of : paths) {
    const Numbers lengths = lists.next();
    of = paths_of(lengths, lists.next());
  }
  const Numbers end = lists.next();
  const int64_t students = aligner.student_bytes().size();
  const int64_t teachers = aligner.teacher_bytes().size();
  const bool sound =
      lists.good && lists.bytes.empty() && paths[0] && paths[1] &&
      std::ssize(cells.of_student) == students && std::ssize(cells.of_teacher) == teachers &&
      std::ssize(paths[0]->begin) == students + 1 && std::ssize(paths[1]->begin) == teachers + 1 &&
      std::ssize(named) == cells.count && within(named, -1, students) && end.size() == 1;
  if (!sound) return std::nullopt;
  for (const Numbers* of : std::initializer_list<const Numbers*>{
           &cells.of_student, &cells.of_teacher, &paths[0]->cells, &paths[1]->cells, &end}) {
    if (!within(*of, 0, cells.count)) return std::nullopt;
  }
  cells.end = end.front();
  cells.student_paths = std::move(*paths[0]);
  cells.teacher_paths = std::move(*paths[1]);
  for (size_t cell = 0; cell < named.size(); ++cell) {
    if (named[cell] < 0) continue;
    cells.common.emplace(aligner.student_bytes().of(named[cell]), static_cast<int32_t>(cell));
  }
  return cells;
}

Cells kept_cells(const Aligner& aligner, const fs::path& folder) {
  const fs::path path = folder / (cells_key(aligner) + ".cells");
  try {
    if (is_file(path)) {
      if (auto cells = read_cells(aligner, read_file(path, largest_cells_file)))
        return std::move(*cells);
    }
  } catch (const Error&) {
    // A cache that cannot be read is none.
  }
  Cells cells = common_cells(aligner);
  try {
    make_folder(folder);
    write_file(path, cells_file(aligner, cells));
  } catch (const Error&) {
    // It is made anew the next time.
  }
  return cells;
}

std::optional<fs::path> cells_folder() {
  if (const auto own = environment_variable("ALAMBIC_CACHE")) return fs::path(*own) / "cells";
  if (const auto caches = environment_variable("XDG_CACHE_HOME")) {
    return fs::path(*caches) / "alambic/cells";
  }
  if (const auto home = environment_variable("HOME")) {
    return fs::path(*home) / ".cache/alambic/cells";
  }
  return std::nullopt;
}

}  // namespace alambic

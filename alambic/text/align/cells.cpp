#include "alambic/text/align/cells.h"

#include <algorithm>
#include <map>

namespace alambic {

namespace {

using Names = std::map<std::string, std::vector<int32_t>>;  // token ids of one bytes, by their text

// One side's tokens that write text and end nothing.
struct Side {
  const AlignedTokenizer& of;
  const VocabularyBytes& bytes;
  std::unordered_map<std::string, Names> tokens;  // by bytes

  Side(const AlignedTokenizer& of, const VocabularyBytes& bytes) : of(of), bytes(bytes) {
    for (int32_t id = 0; id < bytes.size(); ++id) {
      if (is_text(id)) tokens[bytes.of(id)][of.tokenizer.token_of(id)].push_back(id);
    }
  }
  bool ends(int32_t id) const { return std::ranges::count(of.ends, id) > 0; }
  bool is_text(int32_t id) const { return !bytes.of(id).empty() && !ends(id); }
  bool has(const std::string& text) const { return tokens.contains(text); }

  // The first token of a text; "" where it is no part of the text, or all of it.
  std::string first_of(const std::string& text) const {
    const std::vector<int32_t> ids = of.tokenizer.encode_continuation(text);
    const std::string& first = ids.empty() ? bytes.of(-1) : bytes.of(ids.front());
    return first.size() < text.size() && text.starts_with(first) ? first : "";
  }
};

bool same_names(const Names& a, const Names& b) {
  return std::ranges::equal(a, b, {}, &Names::value_type::first, &Names::value_type::first);
}

struct Pair {
  Side student, teacher;
  Cells cells;

  explicit Pair(const Aligner& aligner)
      : student(aligner.student(), aligner.student_bytes()),
        teacher(aligner.teacher(), aligner.teacher_bytes()) {
    cells.of_student.assign(static_cast<size_t>(student.bytes.size()), -1);
    cells.of_teacher.assign(static_cast<size_t>(teacher.bytes.size()), -1);
  }

  int32_t fresh(const std::string& bytes = "") {
    cells.bytes.push_back(static_cast<int32_t>(bytes.size()));
    return static_cast<int32_t>(cells.count++);
  }

  static void set(std::vector<int32_t>& of, const std::vector<int32_t>& ids, int32_t cell) {
    for (const int32_t id : ids) of[static_cast<size_t>(id)] = cell;
  }

  // In the order of the student's ids.
  void add_common() {
    for (int32_t id = 0; id < student.bytes.size(); ++id) {
      if (!student.is_text(id) || cells.of_student[static_cast<size_t>(id)] >= 0) continue;
      const std::string& bytes = student.bytes.of(id);
      const auto other = teacher.tokens.find(bytes);
      if (other != teacher.tokens.end()) add(bytes, student.tokens.at(bytes), other->second);
    }
  }

  void add(const std::string& bytes, const Names& own, const Names& others) {
    const bool apart = same_names(own, others);
    int32_t cell = fresh(bytes);
    cells.common.emplace(bytes, cell);
    for (const auto& [name, ids] : own) {
      if (apart && name != own.begin()->first) cell = fresh(bytes);
      set(cells.of_student, ids, cell);
      if (apart) set(cells.of_teacher, others.at(name), cell);
    }
    if (apart) return;
    for (const auto& [name, ids] : others) set(cells.of_teacher, ids, cell);
  }

  // The first common string of a text, and how many bytes it has; -1: none.
  struct Found {
    int32_t cell = -1;
    size_t bytes = 0;
  };
  Found find(std::string text) const {
    while (!text.empty()) {
      const int32_t cell = cells.of_bytes(text);
      if (cell >= 0) return {cell, text.size()};
      text = (teacher.has(text) ? student : teacher).first_of(text);
    }
    return {};
  }
  std::unordered_map<std::string, Found> found_behind;  // many tokens end alike

  Found find_behind(const std::string& text) {
    const auto [place, fresh] = found_behind.try_emplace(text);
    if (fresh) place->second = find(text);
    return place->second;
  }

  // Tokens without a cell of their own, up to the first byte that no common string begins with.
  CellPaths add_texts(const Side& side, std::vector<int32_t>& of) {
    CellPaths paths;
    for (int32_t id = 0; id < side.bytes.size(); ++id) {
      paths.begin.push_back(std::ssize(paths.cells));
      int32_t& cell = of[static_cast<size_t>(id)];
      if (!side.is_text(id) || cell >= 0) continue;
      const std::string& bytes = side.bytes.of(id);
      for (size_t at = 0; at < bytes.size();) {
        const Found found = at == 0 ? find(bytes) : find_behind(bytes.substr(at));
        if (at == 0) cell = found.cell;
        if (found.cell < 0) break;
        paths.cells.push_back(found.cell);
        at += found.bytes;
      }
    }
    paths.begin.push_back(std::ssize(paths.cells));
    return paths;
  }

  void add_ends_and_special(const Aligner& aligner) {
    cells.end = fresh();
    set(cells.of_student, student.of.ends, cells.end);
    set(cells.of_teacher, teacher.of.ends, cells.end);
    for (int32_t id = 0; id < student.bytes.size(); ++id) {
      const auto partner = student.ends(id) ? std::nullopt : aligner.partner_of(id);
      if (!partner) continue;
      const int32_t cell = fresh();
      set(cells.of_student, {id}, cell);
      set(cells.of_teacher, {*partner}, cell);
    }
  }

  // Both sides' leftovers are one event; where one side has none, they are as much as an end.
  void add_rest() {
    const bool both = std::ranges::count(cells.of_student, -1) > 0 &&
                      std::ranges::count(cells.of_teacher, -1) > 0;
    const int32_t cell = both ? fresh() : cells.end;
    std::ranges::replace(cells.of_student, -1, cell);
    std::ranges::replace(cells.of_teacher, -1, cell);
  }
};

}  // namespace

int32_t Cells::of_bytes(const std::string& bytes) const {
  const auto found = common.find(bytes);
  return found == common.end() ? -1 : found->second;
}

std::span<const int32_t> CellPaths::of(int32_t token) const {
  const auto first = static_cast<size_t>(begin.at(static_cast<size_t>(token)));
  const auto end = static_cast<size_t>(begin.at(static_cast<size_t>(token) + 1));
  return std::span(cells).subspan(first, end - first);
}

Cells common_cells(const Aligner& aligner) {
  Pair pair(aligner);
  pair.add_common();
  pair.add_ends_and_special(aligner);
  pair.cells.student_paths = pair.add_texts(pair.student, pair.cells.of_student);
  pair.cells.teacher_paths = pair.add_texts(pair.teacher, pair.cells.of_teacher);
  pair.add_rest();
  return std::move(pair.cells);
}

}  // namespace alambic

#include "alambic/text/align/written_cells.h"

namespace alambic {

namespace {

struct Writing {
  std::vector<int32_t> cells;
  std::vector<CellWriter> writers;
  int64_t missing = 0;  // bytes of the tokens that no cell of theirs has
};

Writing writing(std::span<const int32_t> tokens, const VocabularyBytes& bytes, const Cells& cells,
                const std::vector<int32_t>& of_token, const CellPaths& paths) {
  Writing found;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int32_t token = tokens[i];
    std::span<const int32_t> path = paths.of(token);
    if (path.empty()) path = std::span(of_token).subspan(static_cast<size_t>(token), 1);
    found.missing += std::ssize(bytes.of(token));
    for (size_t written = 0; written < path.size(); ++written) {
      found.cells.push_back(path[written]);
      found.writers.push_back({static_cast<int64_t>(i), static_cast<int64_t>(written)});
      found.missing -= cells.bytes.at(static_cast<size_t>(path[written]));
    }
  }
  return found;
}

}  // namespace

std::vector<WrittenCell> written_cells(const Aligner& aligner, const Cells& cells,
                                       std::span<const int32_t> student,
                                       std::span<const int32_t> teacher) {
  const Writing own =
      writing(student, aligner.student_bytes(), cells, cells.of_student, cells.student_paths);
  const Writing other =
      writing(teacher, aligner.teacher_bytes(), cells, cells.of_teacher, cells.teacher_paths);
  if (own.cells != other.cells || own.missing != 0 || other.missing != 0) return {};
  std::vector<WrittenCell> written;
  for (size_t i = 0; i < own.cells.size(); ++i) {
    if (own.writers[i].written > 0 && other.writers[i].written > 0) return {};
    written.push_back({own.cells[i], own.writers[i], other.writers[i]});
  }
  return written;
}

}  // namespace alambic

#include "alambic/teacher/span_cells.h"

#include <algorithm>

#include "alambic/text/align/written_cells.h"

namespace alambic {

namespace {

// Null where no token writes several cells.
std::shared_ptr<const TokenPaths> token_paths(const CellPaths& of,
                                              const std::vector<int32_t>& cell_of, int64_t cells) {
  std::vector<std::vector<int32_t>> of_cell(static_cast<size_t>(cells));
  TokenPaths paths{.path_begin = of.begin, .path = of.cells};
  paths.alone.assign(static_cast<size_t>(cells), -1);
  for (size_t id = 0; id < cell_of.size(); ++id) {
    const auto token = static_cast<int32_t>(id);
    const auto path = of.of(token);
    if (path.size() > 1) of_cell[static_cast<size_t>(path.front())].push_back(token);
    if (!path.empty()) continue;
    int32_t& alone = paths.alone[static_cast<size_t>(cell_of[id])];
    if (alone < 0) alone = token;
  }
  for (const std::vector<int32_t>& tokens : of_cell) {
    paths.token_begin.push_back(std::ssize(paths.token));
    paths.token.insert(paths.token.end(), tokens.begin(), tokens.end());
  }
  paths.token_begin.push_back(std::ssize(paths.token));
  if (paths.token.empty()) return nullptr;
  return std::make_shared<TokenPaths>(std::move(paths));
}

TokenCells token_cells(const Cells& cells) {
  const auto numbers = [](const std::vector<int32_t>& values) {
    return at::tensor(std::vector<int64_t>(values.begin(), values.end()), at::kLong);
  };
  return {.student_V = numbers(cells.of_student),
          .teacher_V = numbers(cells.of_teacher),
          .count = cells.count,
          .student_paths = token_paths(cells.student_paths, cells.of_student, cells.count),
          .teacher_paths = token_paths(cells.teacher_paths, cells.of_teacher, cells.count)};
}

// Whether one of the model's tokens is the text that another one has written with these cells:
// else it may have been written in several tokens, which is not known of it.
bool ends_there(const TokenPaths* paths, int32_t token, int64_t written) {
  if (written < 2) return true;
  const std::span<const int32_t> text = paths->of(token).first(written);
  return std::ranges::any_of(paths->tokens_of(text.front()), [&](int32_t other) {
    return std::ranges::equal(paths->of(other), text);
  });
}

// One model's tokens of each span.
struct SpanTokens {
  std::vector<int64_t> first;  // graded token
  std::vector<std::vector<int32_t>> ids;

  SpanTokens(const Tensor& token, const Tensor& span, int64_t spans)
      : first(static_cast<size_t>(spans), -1), ids(static_cast<size_t>(spans)) {
    const Tensor tokens = token.cpu().contiguous(), places = span.cpu().contiguous();
    const auto* id = tokens.const_data_ptr<int64_t>();
    const auto* of = places.const_data_ptr<int64_t>();
    for (int64_t m = 0; m < places.numel(); ++m) {
      if (of[m] < 0) continue;
      if (ids[of[m]].empty()) first[of[m]] = m;
      ids[of[m]].push_back(static_cast<int32_t>(id[m]));
    }
  }
};

}  // namespace

SpanCells::SpanCells(std::shared_ptr<const Aligner> aligner, std::shared_ptr<const Cells> cells)
    : aligner_(std::move(aligner)), cells_(std::move(cells)), token_cells_(token_cells(*cells_)) {}

// A span of one token on both sides in one cell stays there; one whose tokens write the same cells
// goes through them, where it is known what ends at each; any other one goes to the cell of its
// bytes.
void SpanCells::add_to(SpanMap& map, const Tensor& token_M) const {
  const SpanTokens own(token_M, map.span_M, map.spans());
  const SpanTokens other(map.token_L, map.span_L, map.spans());
  std::vector<int64_t> cell_K;
  map.inner.clear();
  for (int64_t k = 0; k < map.spans(); ++k) {
    const std::vector<int32_t>&student = own.ids[k], &teacher = other.ids[k];
    const int32_t cell = cells_->of_student.at(student.front());
    const bool stays = student.size() == 1 && teacher.size() == 1 &&
                       cell == cells_->of_teacher.at(teacher.front());
    std::vector<WrittenCell> written;
    if (!stays) written = written_cells(*aligner_, *cells_, student, teacher);
    const bool known = std::ranges::all_of(written, [&](const WrittenCell& inner) {
      return ends_there(token_cells_.student_paths.get(), student[inner.student.token],
                        inner.student.written) &&
             ends_there(token_cells_.teacher_paths.get(), teacher[inner.teacher.token],
                        inner.teacher.written);
    });
    if (!known) written.clear();
    if (stays || !written.empty()) {
      cell_K.push_back(cell);
    } else {
      std::string bytes;
      for (const int32_t id : student) bytes += aligner_->student_bytes().of(id);
      cell_K.push_back(cells_->of_bytes(bytes));
    }
    for (size_t i = 1; i < written.size(); ++i) {
      const WrittenCell& inner = written[i];
      map.inner.push_back({.span = k,
                           .cell = inner.cell,
                           .student = own.first[k] + inner.student.token,
                           .teacher = other.first[k] + inner.teacher.token,
                           .student_written = inner.student.written,
                           .teacher_written = inner.teacher.written});
    }
  }
  const at::Device device = map.span_M.device();
  map.cell_K = at::tensor(cell_K, at::kLong).to(device);
  map.cells =
      std::make_shared<TokenCells>(TokenCells{.student_V = token_cells_.student_V.to(device),
                                              .teacher_V = token_cells_.teacher_V.to(device),
                                              .count = token_cells_.count,
                                              .student_paths = token_cells_.student_paths,
                                              .teacher_paths = token_cells_.teacher_paths});
}

}  // namespace alambic

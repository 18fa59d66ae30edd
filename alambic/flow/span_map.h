#pragma once

#include <memory>
#include <span>
#include <vector>

#include "alambic/tensor/tensor.h"

namespace alambic {

/// A model's tokens that write several cells one after another, since the other one has no token of
/// the same text. Numbers on the CPU.
struct TokenPaths {
  std::vector<int64_t> path_begin;  ///< by token, and the end: its cells in `path`
  std::vector<int32_t> path;
  std::vector<int64_t> token_begin;  ///< by cell, and the end: those that begin with it in `token`
  std::vector<int32_t> token;
  std::vector<int32_t> alone;  ///< by cell: the token that is just it; -1: there is none

  /// Nothing for a token that is its cell.
  std::span<const int32_t> of(int64_t token) const { return part(path_begin, path, token); }
  std::span<const int32_t> tokens_of(int64_t cell) const { return part(token_begin, token, cell); }

 private:
  static std::span<const int32_t> part(const std::vector<int64_t>& begin,
                                       const std::vector<int32_t>& all, int64_t place) {
    return std::span(all).subspan(begin.at(place), begin.at(place + 1) - begin.at(place));
  }
};

/// Cells of two vocabularies (text/align/cells.h): the cell of each token, int64.
struct TokenCells {
  Tensor student_V, teacher_V;
  int64_t count = 0;
  /// Null: the model has no such token.
  std::shared_ptr<const TokenPaths> student_paths, teacher_paths;
};

/// A cell that a span goes on with behind its first one. One model has a token that begins there,
/// the other is inside of a longer one. Numbers on the CPU.
struct InnerCell {
  int64_t span, cell;
  int64_t student, teacher;                  ///< graded tokens, of M and of L, that write it
  int64_t student_written, teacher_written;  ///< cells that those have written before; 0: none
};

/// Spans of a batch: runs of a student's and a teacher's tokens that write the same bytes
/// (text/align/). M graded tokens of the student, L of the teacher.
struct SpanMap {
  Tensor span_M;      ///< int64: span of each of the student's tokens, from 0, rising; -1: in none
  Tensor span_L;      ///< the same of the teacher's
  Tensor sequence_K;  ///< int64: sequence of each of the K spans, rising
  Tensor end_M;       ///< bool: the token ends a completion, and so may each of student_ends
  Tensor end_L;
  Tensor token_L;  ///< int64: the teacher's tokens
  std::vector<int64_t> student_ends, teacher_ends;
  int64_t student_vocabulary = 0;           ///< tokens of the student's tokenizer
  std::shared_ptr<const TokenCells> cells;  ///< null: the spans alone are compared
  /// int64: with cells that of each span's bytes, -1: a bucket of its own; of a span with inner
  /// cells the first one.
  Tensor cell_K;
  std::vector<InnerCell> inner;  ///< in the order of the text

  int64_t spans() const { return sequence_K.numel(); }
  /// Places where the models are compared.
  int64_t compared() const { return spans() + std::ssize(inner); }
};

}  // namespace alambic

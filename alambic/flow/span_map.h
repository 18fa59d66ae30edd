#pragma once

#include <memory>
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
};

/// Cells of two vocabularies (text/align/cells.h): the cell of each token, int64.
struct TokenCells {
  Tensor student_V, teacher_V;
  int64_t count = 0;
  /// Null: the model has no such token.
  std::shared_ptr<const TokenPaths> student_paths, teacher_paths;
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
  Tensor cell_K;  ///< int64: with cells that of each span's bytes; -1: a bucket of its own

  int64_t spans() const { return sequence_K.numel(); }
};

}  // namespace alambic

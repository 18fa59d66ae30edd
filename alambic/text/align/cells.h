// Two vocabularies as one: every token of both falls into the cell of a string that is a token of
// both.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "alambic/text/align/aligner.h"

namespace alambic {

/// Cells that a model's token without one of its own writes, one after another; nothing for all
/// others.
struct CellPaths {
  std::vector<int64_t> begin;  ///< by token, and the end
  std::vector<int32_t> cells;

  std::span<const int32_t> of(int32_t token) const;
};

/// A common string is a cell of its own; any other token lies in the cell of the first common
/// string that its text is read as: while x is no token of both, x becomes the first token of x in
/// the tokenizer that lacks it. So no mass is unmatched, and equal vocabularies have a cell for
/// each token, also for those that no text is encoded to. Tokens that end a completion are one
/// cell, special tokens of one name another; what is left over shares a cell, or the end's where
/// only one side has any. Tokens of equal bytes (`A` and `<0x41>`) have cells of their own where
/// both sides have the same ones.
struct Cells {
  std::vector<int32_t> of_student, of_teacher;  ///< by token id
  int64_t count = 0;
  int32_t end = 0;             ///< the cell of the ends
  std::vector<int32_t> bytes;  ///< by cell: how many its string has; 0: it is none of text

  /// The cell of a string that both have; -1: they do not.
  int32_t of_bytes(const std::string& bytes) const;

  std::unordered_map<std::string, int32_t> common;
  CellPaths student_paths, teacher_paths;
};

/// Cells of the pair, which its tokenizers alone decide.
Cells common_cells(const Aligner& aligner);

}  // namespace alambic

// Grades of which everything follows: the hidden states of a model behind `alambic serve`.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alambic/io/dtype.h"
#include "alambic/remote/grader.h"

namespace alambic {

/// Final hidden states of R graded tokens, [R, D].
struct HiddenRows {
  Dtype dtype = Dtype::F32;  ///< or BF16
  int64_t width = 0;
  std::string head;     ///< SHA-256 of the head that they are for
  std::string numbers;  ///< row-major, little-endian

  int64_t rows() const;
  /// Bytes for a journal, and back; nothing where they are none.
  std::string bytes() const;
  static std::optional<HiddenRows> of_bytes(std::string_view bytes);
};

/// Hidden states and the head that turns them into logits: exact distillation at any temperature,
/// by any divergence, for 2 or 4 bytes a number. Not for several threads.
class HiddenGrader {
 public:
  /// `grader` speaks to a server of ours, and has probed it. Replies are kept where its are.
  explicit HiddenGrader(std::shared_ptr<RemoteGrader> grader) : grader_(std::move(grader)) {}

  /// The head of this digest as a safetensors file: `weight` [V, D], perhaps `bias`, metadata
  /// `scale` and `softcap`. Fetched once. Errors: those of Client; an input error where the server
  /// has another one.
  const std::string& head(const std::string& digest);

  /// Hidden states of all sequences in their order; those of RemoteGrader::grade in another form.
  std::vector<HiddenRows> states(std::span<const GradeRequest> requests);

  RemoteGrader& grader() const { return *grader_; }

 private:
  std::shared_ptr<RemoteGrader> grader_;
  std::string head_;  // "": not fetched yet
};

}  // namespace alambic

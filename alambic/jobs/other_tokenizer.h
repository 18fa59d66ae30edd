// A teacher whose tokenizer is not the student's: prompts in its own tokens and template, and
// completions of either in the tokens of the other.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "alambic/jobs/distill_plan.h"
#include "alambic/text/align/cells.h"

namespace alambic {

class OtherTokenizer {
 public:
  /// `teacher` is one of the plan's, which must outlive this; the tokenizer of one behind an
  /// address is --teacher-tokenizer's. Input errors: conversations without a chat template of the
  /// teacher's own; those of Aligner.
  OtherTokenizer(const DistillPlan& plan, const PlannedTeacher& teacher);

  /// Prompt of a row in the teacher's tokens: a conversation by its own template. An input error
  /// where a template of the student wrote the row's `teacher_prompt`.
  std::vector<int32_t> prompt(const Example& row) const;

  /// The student's completions as the teacher reads them.
  const std::shared_ptr<const Aligner>& aligner() const { return aligner_; }
  /// Cells of both vocabularies, with --cross-tokenizer pieces; null without. Made once for each
  /// pair of tokenizers in this process; those of large vocabularies are kept on the disk
  /// (text/align/cells_file.h).
  std::shared_ptr<const Cells> cells() const;
  /// A completion that the teacher wrote in the student's tokens.
  std::vector<int32_t> in_student_tokens(const std::vector<int32_t>& completion) const;

  const std::optional<ChatTemplate>& chat_template() const { return template_; }
  /// The teacher's.
  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  std::unique_ptr<const Tokenizer> read_;  // of a teacher behind an address
  const Tokenizer& tokenizer_;
  std::optional<ChatTemplate> template_;
  std::shared_ptr<const Aligner> aligner_, back_;
  bool compares_pieces_;
};

}  // namespace alambic

// A teacher with another tokenizer: it reads the bytes that the student wrote, behind its own
// prompt.
#pragma once

#include <memory>

#include "alambic/teacher/privileged.h"
#include "alambic/teacher/span_cells.h"
#include "alambic/teacher/teacher.h"

namespace alambic {

class AlignedTeacher : public Teacher {
 public:
  /// `inner` gives hidden states in its own tokens, its most likely ones (TopK with logp_M), or one
  /// number a token, which spans can do with.
  /// `prompts` are in those too, one for every row of the data; `positions` is its context: what a
  /// completion has beyond it is masked. With `cells` the distributions over them are compared,
  /// else the spans alone.
  AlignedTeacher(std::shared_ptr<const Teacher> inner, std::shared_ptr<const Aligner> aligner,
                 TeacherPrompts prompts, int64_t positions,
                 std::shared_ptr<const Cells> cells = nullptr)
      : inner_(std::move(inner)),
        aligner_(std::move(aligner)),
        prompts_(std::move(prompts)),
        positions_(positions),
        cells_(cells ? std::make_shared<SpanCells>(aligner_, std::move(cells)) : nullptr) {}

  TeacherOutput evaluate(const Rollouts& rollouts) const override;
  void expect(const Rollouts& rollouts) const override { inner_->expect(read(rollouts).rollouts); }
  int64_t graded(const Rollouts& rollouts) const override;

  /// The sequences as the teacher reads them, and the spans of both.
  struct Read {
    Rollouts rollouts;
    SpanMap map;
  };
  Read read(const Rollouts& rollouts) const;
  const Aligner& aligner() const { return *aligner_; }

 private:
  Alignment align(const Rollouts& rollouts, int64_t sequence) const;

  std::shared_ptr<const Teacher> inner_;
  std::shared_ptr<const Aligner> aligner_;
  TeacherPrompts prompts_;
  int64_t positions_;
  std::shared_ptr<const SpanCells> cells_;
};

}  // namespace alambic

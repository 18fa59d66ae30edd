#include "alambic/teacher/aligned.h"

#include <algorithm>

#include "alambic/base/error.h"

namespace alambic {

namespace {

// The spans of some sequences, one after another.
struct Spans {
  std::vector<int64_t> span_M, span_L, sequence_K, end_M, end_L, token_L;

  void add(const Alignment& alignment, int64_t student_tokens, int64_t sequence) {
    const size_t first_M = span_M.size(), first_L = span_L.size();
    span_M.resize(first_M + static_cast<size_t>(student_tokens), -1);
    span_L.resize(first_L + alignment.teacher.size(), -1);
    end_M.resize(span_M.size(), 0);
    end_L.resize(span_L.size(), 0);
    token_L.insert(token_L.end(), alignment.teacher.begin(), alignment.teacher.end());
    for (const TokenSpan& span : alignment.spans) {
      const int64_t k = std::ssize(sequence_K);
      sequence_K.push_back(sequence);
      std::fill(span_M.begin() + static_cast<int64_t>(first_M) + span.student_begin,
                span_M.begin() + static_cast<int64_t>(first_M) + span.student_end, k);
      std::fill(span_L.begin() + static_cast<int64_t>(first_L) + span.teacher_begin,
                span_L.begin() + static_cast<int64_t>(first_L) + span.teacher_end, k);
    }
    if (!alignment.ended) return;
    end_M.back() = 1;
    end_L.back() = 1;
  }
};

std::vector<int64_t> wide(const std::vector<int32_t>& ids) { return {ids.begin(), ids.end()}; }

}  // namespace

// The sequence's completion; without the spans, and the teacher's tokens, for which the teacher's
// context has no room.
Alignment AlignedTeacher::align(const Rollouts& rollouts, int64_t sequence) const {
  const int64_t begin = rollouts.sequences.offsets[sequence];
  const int64_t length = rollouts.sequences.length(sequence);
  const auto* token = rollouts.sequences.tokens_N.const_data_ptr<int64_t>() + begin;
  const bool* graded = rollouts.completion_mask_N.const_data_ptr<bool>() + begin;
  std::vector<int32_t> completion;
  for (int64_t i = 0; i < length; ++i) {
    if (graded[i]) completion.push_back(static_cast<int32_t>(token[i]));
  }
  Alignment alignment = aligner_->align(completion);
  const int64_t prompt = std::ssize(prompts_.at(rollouts.row_S.at(sequence)));
  const int64_t room = std::max<int64_t>(1, positions_ - prompt);
  if (std::ssize(alignment.teacher) <= room) return alignment;
  alignment.teacher.resize(room);
  alignment.ended = false;
  std::erase_if(alignment.spans, [&](const TokenSpan& span) { return span.teacher_end > room; });
  return alignment;
}

AlignedTeacher::Read AlignedTeacher::read(const Rollouts& given) const {
  Rollouts rollouts = given;  // where its numbers can be read
  rollouts.sequences.tokens_N = given.sequences.tokens_N.cpu();
  rollouts.completion_mask_N = given.completion_mask_N.cpu();
  const at::Device device = given.sequences.tokens_N.device();
  Spans spans;
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> mask;
  for (int64_t s = 0; s < rollouts.sequences.sequences(); ++s) {
    const Alignment alignment = align(rollouts, s);
    const auto part = rollouts.completion_mask_N.narrow(0, rollouts.sequences.offsets[s],
                                                        rollouts.sequences.length(s));
    spans.add(alignment, part.sum().item<int64_t>(), s);
    std::vector<int32_t> ids = prompts_.at(rollouts.row_S.at(s));
    mask.insert(mask.end(), ids.size(), 0);
    mask.insert(mask.end(), alignment.teacher.size(), 1);
    ids.insert(ids.end(), alignment.teacher.begin(), alignment.teacher.end());
    sequences.push_back(std::move(ids));
  }
  const auto numbers = [&](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).to(device);
  };
  const Tensor completion_mask_N = numbers(mask).to(at::kBool);
  return {.rollouts = {.sequences = pack(sequences, device),
                       .completion_mask_N = completion_mask_N,
                       .logp_N = at::zeros_like(completion_mask_N, at::kFloat),
                       .weight_N = {},
                       .policy_step = given.policy_step,
                       .row_S = given.row_S},
          .map = {.span_M = numbers(spans.span_M),
                  .span_L = numbers(spans.span_L),
                  .sequence_K = numbers(spans.sequence_K),
                  .end_M = numbers(spans.end_M).to(at::kBool),
                  .end_L = numbers(spans.end_L).to(at::kBool),
                  .token_L = numbers(spans.token_L),
                  .student_ends = wide(aligner_->student().ends),
                  .teacher_ends = wide(aligner_->teacher().ends),
                  .student_vocabulary = aligner_->student().tokenizer.size()}};
}

TeacherOutput AlignedTeacher::evaluate(const Rollouts& rollouts) const {
  Read read = this->read(rollouts);
  if (cells_) cells_->add_to(read.map, rollouts.targets_M());
  const TeacherOutput seen = inner_->evaluate(read.rollouts);
  if (const auto* token = std::get_if<TokenLogp>(&seen)) {
    return AlignedStates{
        .states = {}, .map = std::move(read.map), .logp_L = token->logp_M, .topk = {}};
  }
  if (const auto* topk = std::get_if<TopK>(&seen)) {
    check(topk->logp_M.defined(), "top-K of another tokenizer without the written tokens");
    return AlignedStates{
        .states = {}, .map = std::move(read.map), .logp_L = topk->logp_M, .topk = *topk};
  }
  return AlignedStates{
      .states = hidden_states(seen), .map = std::move(read.map), .logp_L = {}, .topk = {}};
}

int64_t AlignedTeacher::graded(const Rollouts& rollouts) const {
  SpanMap map = read(rollouts).map;
  if (cells_) cells_->add_to(map, rollouts.targets_M());
  return map.compared();
}

}  // namespace alambic

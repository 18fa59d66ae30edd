#include "alambic/teacher/remote.h"

#include "alambic/base/error.h"
#include "alambic/teacher/head_bytes.h"

namespace alambic {
namespace {

/// A sequence with graded tokens, and which of its rows they are.
struct Asked {
  GradeRequest request;
  std::vector<int64_t> rows;
};

std::vector<Asked> asked_of(const Rollouts& rollouts) {
  const Tensor token_N = rollouts.sequences.tokens_N.cpu().to(at::kInt).contiguous();
  const Tensor mask_N = rollouts.completion_mask_N.cpu().contiguous();
  const auto* tokens = token_N.const_data_ptr<int32_t>();
  const auto* mask = mask_N.const_data_ptr<bool>();
  const auto& offsets = rollouts.sequences.offsets;
  std::vector<Asked> all;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    Asked asked;
    for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
      if (!mask[n]) continue;
      const int64_t place = n - offsets[s];
      check(place > 0, "sequence {} has no prompt", s);
      if (asked.rows.empty()) asked.request.from = place;
      asked.rows.push_back(place - asked.request.from);
    }
    if (asked.rows.empty()) continue;
    // What follows the last graded token is nobody's.
    const int64_t end = offsets[s] + asked.request.from + asked.rows.back() + 1;
    asked.request.tokens.assign(tokens + offsets[s], tokens + end);
    all.push_back(std::move(asked));
  }
  return all;
}

/// Grades of the rows that were asked for, packed.
struct Packing {
  int64_t k;
  std::vector<float> topk, logp;
  std::vector<int64_t> token;

  void add(const TokenGrades& grades, const std::vector<int64_t>& rows) {
    for (const int64_t row : rows) {
      for (int64_t i = row * k; i < (row + 1) * k; ++i) {
        topk.push_back(grades.topk_logp[static_cast<size_t>(i)]);
        token.push_back(grades.topk_token[static_cast<size_t>(i)]);
      }
      logp.push_back(grades.logp[static_cast<size_t>(row)]);
    }
  }

  TeacherOutput output(at::Device device, bool with_logp) const {
    const auto M = static_cast<int64_t>(logp.size());
    const Tensor logp_M = at::tensor(logp, at::kFloat).to(device);
    if (k == 0) return TokenLogp{.logp_M = logp_M};
    TopK output{.logp_MK = at::tensor(topk, at::kFloat).view({M, k}).to(device),
                .token_MK = at::tensor(token, at::kLong).view({M, k}).to(device)};
    if (with_logp) output.logp_M = logp_M;
    return output;
  }
};

// Those of the rows that were asked for.
Tensor chosen_rows(const HiddenRows& states, const std::vector<int64_t>& rows) {
  const auto dtype = states.dtype == Dtype::BF16 ? at::kBFloat16 : at::kFloat;
  const Tensor hidden_RD = at::from_blob(const_cast<char*>(states.numbers.data()),
                                         {states.rows(), states.width}, at::dtype(dtype));
  return hidden_RD.index_select(0, at::tensor(rows, at::kLong));
}

}  // namespace

TeacherOutput RemoteStates::evaluate(const Rollouts& rollouts) const {
  std::vector<Asked> asked = asked_of(rollouts);
  std::vector<GradeRequest> requests;
  for (Asked& one : asked) requests.push_back(std::move(one.request));
  const std::vector<HiddenRows> states = grader_->states(requests);
  const at::Device device = rollouts.completion_mask_N.device();
  std::vector<Tensor> parts;
  for (size_t s = 0; s < asked.size(); ++s) {
    check(states[s].head == states[0].head, "hidden states for two heads");
    parts.push_back(chosen_rows(states[s], asked[s].rows));
  }
  if (!head_.weight_VD.defined() && !states.empty()) {
    const std::string head = grader_->head(states[0].head);
    head_ = head_of_bytes(std::as_bytes(std::span(head)), device);
  }
  const int64_t width = states.empty() ? 0 : states[0].width;
  if (!states.empty() && head_.weight_VD.size(1) != width) {
    throw input_error("the teacher's hidden states have {} numbers, its head reads {}", width,
                      head_.weight_VD.size(1));
  }
  const Tensor hidden_MD = parts.empty() ? at::zeros({0, 1}) : at::cat(parts);
  return HiddenStates{.hidden_MD = hidden_MD.to(device), .head = head_, .layers_MD = {}};
}

TeacherOutput RemoteTeacher::evaluate(const Rollouts& rollouts) const {
  std::vector<Asked> asked = asked_of(rollouts);
  std::vector<GradeRequest> requests;
  for (Asked& one : asked) requests.push_back(std::move(one.request));
  const std::vector<TokenGrades> grades = grader_->grade(requests);
  const GraderSettings& settings = grader_->settings();
  Packing packing{.k = settings.k, .topk = {}, .logp = {}, .token = {}};
  for (size_t s = 0; s < asked.size(); ++s) packing.add(grades[s], asked[s].rows);
  return packing.output(rollouts.completion_mask_N.device(), settings.needs_logp);
}

}  // namespace alambic

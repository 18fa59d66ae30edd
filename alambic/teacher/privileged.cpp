#include "alambic/teacher/privileged.h"

#include "alambic/base/error.h"

namespace alambic {

Rollouts with_prompts(const Rollouts& rollouts, const TeacherPrompts& prompts) {
  const Packed& from = rollouts.sequences;
  check(static_cast<int64_t>(rollouts.row_S.size()) == from.sequences(), "{} rows for {} sequences",
        rollouts.row_S.size(), from.sequences());
  const at::Device device = from.tokens_N.device();
  const Tensor completion_mask_N = rollouts.completion_mask_N.cpu();
  std::vector<Tensor> tokens, completions, logps;
  Packed to{.tokens_N = {}, .offsets = {0}};
  for (int64_t s = 0; s < from.sequences(); ++s) {
    const int64_t begin = from.offsets[s], length = from.length(s);
    const bool* graded = completion_mask_N.const_data_ptr<bool>() + begin;
    const int64_t prompt = std::find(graded, graded + length, true) - graded;
    const std::vector<int32_t>& own = prompts.at(rollouts.row_S[s]);
    const int64_t kept = own.empty() ? 0 : prompt;  // tokens that the own prompt replaces
    const int64_t added = static_cast<int64_t>(own.size());
    tokens.push_back(at::tensor(own, at::kLong).to(device));
    tokens.push_back(from.tokens_N.narrow(0, begin + kept, length - kept));
    completions.push_back(at::zeros({added}, rollouts.completion_mask_N.options()));
    completions.push_back(rollouts.completion_mask_N.narrow(0, begin + kept, length - kept));
    logps.push_back(at::zeros({added}, rollouts.logp_N.options()));
    logps.push_back(rollouts.logp_N.narrow(0, begin + kept, length - kept));
    to.offsets.push_back(to.offsets.back() + added + length - kept);
  }
  to.tokens_N = at::cat(tokens);
  return {.sequences = std::move(to),
          .completion_mask_N = at::cat(completions),
          .logp_N = at::cat(logps),
          .policy_step = rollouts.policy_step,
          .row_S = rollouts.row_S};
}

}  // namespace alambic

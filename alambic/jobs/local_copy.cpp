#include "alambic/jobs/local_copy.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/model/load.h"
#include "alambic/model/logits.h"
#include "alambic/remote/probe.h"

namespace alambic {
namespace {

// [T - 1]: of each token but the first.
Tensor logp_of(const Model& model, const std::vector<int32_t>& tokens, int64_t vocabulary,
               at::Device device) {
  const Tensor logits_TV = logits_of(model, {tokens}, device, false).front().second;
  const auto T = static_cast<int64_t>(tokens.size());
  const Tensor logp_RV = logits_TV.narrow(0, 0, T - 1).narrow(1, 0, vocabulary).log_softmax(1);
  const Tensor next_R1 = at::tensor(std::vector<int64_t>(tokens.begin() + 1, tokens.end()));
  return logp_RV.gather(1, next_R1.view({-1, 1}).to(device)).flatten().cpu().contiguous();
}

}  // namespace

void check_local_copy(const DistillPlan& plan, const RemoteGrader& grader) {
  const RemoteOptions& remote = plan.options.teachers.remote;
  if (remote.local.empty()) return;
  const LoadOptions load = teacher_load(plan.options.teachers, plan.load);
  const std::unique_ptr<Model> model = load_model(remote.local, load);
  const Tokenizer& tokenizer = grader.tokenizer();
  const int64_t vocabulary = std::min<int64_t>(tokenizer.size(), model->shape().vocabulary);
  const std::vector<float>& theirs = grader.facts().logp;
  const Tensor own_R =
      logp_of(*model, probe_tokens(tokenizer, theirs.size() + 1, 0), vocabulary, load.device);
  double largest = 0;
  for (size_t i = 0; i < theirs.size(); ++i) {
    const double own = own_R.const_data_ptr<float>()[i];
    if (!std::isnan(theirs[i])) largest = std::max(largest, std::abs(own - theirs[i]));
  }
  const std::string name = grader.settings().endpoint.name();
  if (largest <= remote.noise) {
    say("{} grades as {} does, up to {:.2g} nats", name, remote.local, largest);
    return;
  }
  throw input_error("{} is not the model of {}: its grades of one text differ by up to {:.3g} nats",
                    name, remote.local, largest)
      .with_hint(
          "quantized weights, another temperature or another model; --teacher-noise allows more");
}

}  // namespace alambic

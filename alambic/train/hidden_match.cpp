#include "alambic/train/hidden_match.h"

#include <cmath>

#include "alambic/base/error.h"
#include "alambic/tensor/normal_fill.h"

namespace alambic {

HiddenMatch::HiddenMatch(const HiddenMatchOptions& options, at::Device device) : options_(options) {
  if (!on() || options.student_width == options.teacher_width) return;
  for (size_t i = 0; i < options.pairs.size(); ++i) {
    const Tensor projection = at::empty({options.teacher_width, options.student_width}, at::kFloat);
    fill_normal(projection, 1 / std::sqrt(static_cast<double>(options.student_width)),
                {.seed = options.seed, .stream = Stream::projection, .step = i});
    projections_.emplace_back(fmt::format("hidden_projection.{}.weight", options.pairs[i].student),
                              projection.to(device).set_requires_grad(true));
  }
}

std::vector<int64_t> HiddenMatch::layers() const {
  std::vector<int64_t> layers;
  for (const LayerPair& pair : options_.pairs) layers.push_back(pair.student);
  return layers;
}

Loss HiddenMatch::loss(const LayerOutputs& student, const Tensor& loss_positions_M,
                       const HiddenStates& teacher, double normalizer) const {
  check(teacher.layers_MD.size() == options_.pairs.size(), "{} of {} layers of the teacher",
        teacher.layers_MD.size(), options_.pairs.size());
  const auto pairs = static_cast<double>(options_.pairs.size());
  Loss mean;
  for (size_t i = 0; i < options_.pairs.size(); ++i) {
    const Tensor student_MD =
        student.x_ND.at(options_.pairs[i].student).index_select(0, loss_positions_M);
    const Loss one = hidden_distance(options_.measure, student_MD,
                                     projections_.empty() ? Tensor() : projections_[i].second,
                                     teacher.layers_MD[i], normalizer * pairs);
    mean.value = mean.value.defined() ? mean.value + one.value : one.value;
    for (const auto& [name, sum] : one.sums) mean.sums[name] += sum / pairs;
  }
  return mean;
}

}  // namespace alambic

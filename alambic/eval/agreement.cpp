#include "alambic/eval/agreement.h"

#include "alambic/objective/divergence.h"

namespace alambic {

namespace {

// Size of the vocabulary over which student and teacher are compared.
int64_t width_of(const TeacherOutput& output, int64_t vocabulary) {
  if (const auto* aligned = std::get_if<AlignedStates>(&output)) {
    return aligned->map.student_vocabulary;
  }
  if (const auto* states = std::get_if<HiddenStates>(&output)) return states->head.vocabulary();
  check(vocabulary > 0, "over how many tokens are {} of them compared",
        std::get<TopK>(output).token_MK.size(1));
  return vocabulary;
}

}  // namespace

Metrics agreement(const Model& student, const TeacherMixture& teachers,
                  const std::vector<Rollouts>& rollouts, int64_t vocabulary) {
  const at::NoGradGuard no_grad;
  std::map<std::string, double> sums, compared;
  for (const Rollouts& batch : rollouts) {
    const Tensor hidden_MD =
        student.hidden(Pass(batch.sequences)).index_select(0, batch.loss_positions_M());
    const int64_t row = batch.row_S.empty() ? 0 : batch.row_S.front();
    for (const WeightedTeacher& teacher : teachers.members(teachers.group_of(row))) {
      const TeacherOutput output = teacher.teacher->evaluate(batch);
      if (std::holds_alternative<TokenLogp>(output)) continue;
      const Head head = student.head().cut(width_of(output, vocabulary));
      const Loss loss = measure_divergence({}, hidden_MD, head, output, {}, batch.targets_M());
      const auto graded = static_cast<double>(teacher.teacher->graded(batch));
      for (const auto& [name, sum] : loss.sums) {
        sums[name] += teacher.weight * sum;
        compared[name] += teacher.weight * graded;
      }
    }
  }
  Metrics means;
  for (const auto& [name, sum] : sums) means.emplace_back(name, sum / compared.at(name));
  return means;
}

}  // namespace alambic

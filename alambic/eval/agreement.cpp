#include "alambic/eval/agreement.h"

#include "alambic/objective/divergence.h"

namespace alambic {

Metrics agreement(const Model& student, const TeacherMixture& teachers,
                  const std::vector<Rollouts>& rollouts) {
  const at::NoGradGuard no_grad;
  std::map<std::string, double> sums, compared;
  for (const Rollouts& batch : rollouts) {
    const Tensor hidden_MD =
        student.hidden(Pass(batch.sequences)).index_select(0, batch.loss_positions_M());
    const int64_t row = batch.row_S.empty() ? 0 : batch.row_S.front();
    for (const WeightedTeacher& teacher : teachers.members(teachers.group_of(row))) {
      const TeacherOutput output = teacher.teacher->evaluate(batch);
      const auto* aligned = std::get_if<AlignedStates>(&output);
      const int64_t vocabulary = aligned != nullptr ? aligned->map.student_vocabulary
                                                    : hidden_states(output).head.vocabulary();
      const Loss loss = measure_divergence({}, hidden_MD, student.head().cut(vocabulary), output,
                                           {}, batch.targets_M());
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

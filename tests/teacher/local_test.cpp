#include "alambic/teacher/local.h"

#include <gtest/gtest.h>

#include "tests/golden.h"
#include "tests/model_fixture.h"

namespace alambic::local_test {
namespace {

Rollouts some_rollouts() {
  return {.sequences = pack({{3, 7, 9, 2}, {5, 1}, {4, 8, 6}}),
          .completion_mask_N = at::tensor({0, 0, 1, 1, 0, 1, 0, 0, 1}).to(at::kBool),
          .logp_N = at::zeros({9})};
}

// A row too many or of the neighbor, and the student is graded by another word's teacher.
TEST(LocalTeacher, GradesTheCompletionsPositionsAlone) {
  const LocalTeacher teacher(random_model(small_llama_config()), 50);
  const TeacherOutput output = teacher.evaluate(some_rollouts());
  const HiddenStates& states = hidden_states(output);
  // Each sequence by itself: the positions before [9 2], [1] and [6].
  const Tensor expected_MD =
      at::cat({teacher.model().hidden(Pass(pack({{3, 7, 9, 2}}))).slice(0, 1, 3),
               teacher.model().hidden(Pass(pack({{5, 1}}))).slice(0, 0, 1),
               teacher.model().hidden(Pass(pack({{4, 8, 6}}))).slice(0, 1, 2)});
  ASSERT_EQ(states.hidden_MD.sizes(), expected_MD.sizes());
  EXPECT_LT(distance(states.hidden_MD, expected_MD), 1e-5);
}

// Rows that pad a vocabulary would take probability in the teacher and not in the student.
TEST(LocalTeacher, CutsThePaddedVocabulary) {
  const LocalTeacher teacher(random_model(small_llama_config(64)), 50);
  const TeacherOutput output = teacher.evaluate(some_rollouts());
  const HiddenStates& states = hidden_states(output);
  EXPECT_EQ(states.head.vocabulary(), 50);
  EXPECT_EQ(distance(states.head.weight_VD.dense(),
                     teacher.model().head().weight_VD.dense().slice(0, 0, 50)),
            0);
}

// A graph through the teacher would hold its activations until the student's backward pass.
TEST(LocalTeacher, KeepsNoGraph) {
  auto model = random_model(small_llama_config());
  model->visit([](const std::string&, Tensor& tensor) { tensor.requires_grad_(true); });
  const LocalTeacher teacher(std::move(model), 50);
  EXPECT_FALSE(hidden_states(teacher.evaluate(some_rollouts())).hidden_MD.requires_grad());
}

}  // namespace
}  // namespace alambic::local_test

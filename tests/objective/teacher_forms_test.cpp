// Every form that a teacher's output can have is one that the divergences understand.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "problem.h"

namespace alambic::teacher_forms_test {
namespace {

constexpr int64_t kTokens = 5;

// What a form says of the same teacher. A new form does not compile before it has its line here.
void show(const Problem& problem, HiddenStates& form) { form = problem.teacher(); }
void show(const Problem& problem, TopK& form) {
  form = std::get<TopK>(remote(problem, kTokens, 1).teacher_output);
}

template <size_t Index = 0>
std::vector<TeacherOutput> every_form(const Problem& problem) {
  if constexpr (Index == std::variant_size_v<TeacherOutput>) {
    return {};
  } else {
    std::vector<TeacherOutput> forms = every_form<Index + 1>(problem);
    using Form = std::variant_alternative_t<Index, TeacherOutput>;
    // Spans have a loss of their own (span_divergence_test.cpp, piece_divergence_test.cpp), and one
    // number a token has the policy gradient alone.
    if constexpr (!std::is_same_v<Form, AlignedStates> && !std::is_same_v<Form, TokenLogp>) {
      Form form;
      show(problem, form);
      forms.emplace_back(std::move(form));
    }
    return forms;
  }
}

// Bug: a form told by a tensor that another form leaves undefined is taken for that one.
TEST(TeacherOutput, GivesTheSameLossOverKTokensInEveryForm) {
  Problem problem = random_problem(6, 37).to(at::kFloat);
  const Divergence divergence{.terms = {{DivergenceKind::jsd, 0.3}}, .topk = kTokens};
  const Gradients expected = differentiate(problem, divergence);
  size_t seen = 0;
  for (const TeacherOutput& form : every_form(problem)) {
    problem.teacher_output = form;
    const Gradients found = differentiate(problem, divergence);
    EXPECT_NEAR(found.value, expected.value, 1e-5 * expected.value) << form.index();
    EXPECT_LT(relative_difference(found.weight_VD, expected.weight_VD), 1e-5) << form.index();
    ++seen;
  }
  EXPECT_EQ(seen, std::variant_size_v<TeacherOutput> - 2);
}

// What cannot be made from top-K is an error, never an undefined tensor further on.
TEST(TeacherOutput, HasHiddenStatesInOneFormAlone) {
  const Problem problem = random_problem(3, 37);
  EXPECT_TRUE(hidden_states(problem.teacher_output).hidden_MD.equal(problem.teacher().hidden_MD));
  EXPECT_THROW(hidden_states(remote(problem, kTokens, 1).teacher_output), Error);
}

}  // namespace
}  // namespace alambic::teacher_forms_test

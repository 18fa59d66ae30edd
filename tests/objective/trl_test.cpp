// What the losses of TRL's trainers say about the same tensors (tests/golden/README.md), where they
// are right; docs/numerics.md has the differences.
#include <gtest/gtest.h>

#include "problem.h"
#include "tests/golden.h"

namespace alambic::trl_test {
namespace {

constexpr double kItems = 23;  // TRL's num_items_in_batch
constexpr int64_t kTokens = 6;

struct Trl : testing::Test {
  const fs::path file = golden_folder("distillation_losses.safetensors");

  Tensor read(const std::string& name) const { return golden(file, name).to(at::kDouble); }

  Problem problem() const {
    return {.student_MD = read("student.hidden"),
            .student = {.weight_VD = read("student.head"), .bias_V = read("student.bias")},
            .teacher_output = HiddenStates{
                .hidden_MD = read("teacher.hidden"),
                .head = {.weight_VD = read("teacher.head"), .bias_V = read("teacher.bias")}}};
  }

  /// Value and gradients of the divergence are `square` times those of the golden case.
  void expect(const std::string& name, const Problem& problem, const Divergence& divergence,
              double normalizer, double square = 1) const {
    const double value = read(name + ".value").item<double>() * square;
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      for (const int64_t rows : {0, 2}) {
        const Gradients found =
            differentiate(problem.to(dtype), divergence, normalizer, {.rows = rows});
        EXPECT_NEAR(found.value, value, 1e-5 * value) << name;
        const std::pair<const char*, Tensor> gradients[] = {
            {"hidden", found.hidden_MD}, {"head", found.weight_VD}, {"bias", found.bias_V}};
        for (const auto& [of, gradient] : gradients) {
          const Tensor expected = read(name + ".grad." + of) * square;
          EXPECT_LT(relative_difference(gradient, expected), 1e-5) << name << ", " << of;
        }
      }
    }
  }
};

// Bug: masked positions counted, a micro-batch's own count for the step's, scale or soft-cap
// outside the temperature. TRL has no T².
TEST_F(Trl, DistillationTrainersChunkedLoss) {
  for (const std::string beta : {"0", "0.3", "1"}) {
    const std::string plain = "distillation_trainer.beta" + beta;
    expect(plain, problem(), generalized_jsd(std::stod(beta)), kItems);
    Problem shaped = problem();
    shaped.student.scale = 0.7;
    shaped.student.softcap = 3;
    shaped.teacher().head.scale = 1.3;
    shaped.teacher().head.softcap = 4;
    const std::string name = "distillation_trainer_shaped.beta" + beta;
    const Divergence warm = generalized_jsd(std::stod(beta), 2);
    expect(name, shaped, warm, kItems, 4);
    const Loss loss =
        measure_divergence(warm, shaped.student_MD, shaped.student, shaped.teacher_output);
    const double entropy = read(name + ".student_entropy").item<double>();
    EXPECT_NEAR(loss.sums.at("student_entropy"), entropy, 1e-5 * entropy);
  }
}

// GOLD's loss for one tokenizer, and its term for the tokens that both vocabularies have where they
// have all (a mean over positions).
TEST_F(Trl, GoldsLossOfOneVocabulary) {
  for (const std::string beta : {"0", "0.3", "1"}) {
    expect("gold.beta" + beta, problem(), generalized_jsd(std::stod(beta), 2), kItems, 4);
    const auto positions = static_cast<double>(problem().student_MD.size(0));
    expect("gold_matched.beta" + beta, problem(), generalized_jsd(std::stod(beta)), positions);
  }
}

// K tokens and a bucket for all others, from the teacher's hidden states and from the K
// log-probabilities that a server sends.
TEST_F(Trl, ServerDistillationsTailBucket) {
  const Problem local = problem();
  const Tensor logp_MV =
      (at::mm(local.teacher().hidden_MD, local.teacher().head.weight_VD.dense().t()) +
       local.teacher().head.bias_V)
          .log_softmax(-1);
  const auto [logp_MK, token_MK] = at::topk(logp_MV, kTokens, -1);
  for (const std::string beta : {"0", "0.3", "1"}) {
    Divergence divergence = generalized_jsd(std::stod(beta));
    divergence.topk = kTokens;
    expect("tail.beta" + beta, local, divergence, kItems);
    const TopK sent{.logp_MK = logp_MK.to(at::kFloat), .token_MK = token_MK};
    const Loss loss = divergence_loss(divergence, local.student_MD, local.student, sent, kItems);
    const double value = read("tail.beta" + beta + ".value").item<double>();
    EXPECT_NEAR(loss.value.item<double>(), value, 1e-5 * value);
  }
}

// MiniLLM's exact single-step term is the reverse KL.
TEST_F(Trl, MiniLlmsSingleStepTerm) {
  const auto positions = static_cast<double>(problem().student_MD.size(0));
  expect("minillm", problem(), {.kd_temperature = 2}, positions, 4);
}

}  // namespace
}  // namespace alambic::trl_test

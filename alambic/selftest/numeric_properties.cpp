#include <fmt/format.h>

#include <cmath>

#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/divergence_cpu.h"
#include "alambic/selftest/objective_properties.h"
#include "alambic/selftest/problem.h"

namespace alambic::selftest {
namespace {

const std::vector<int64_t> kTargets = {0, 36, 5, 5, 17, 20, 35};

double cross_entropy_sum(const Problem& problem) {
  double total = 0;
  for (size_t m = 0; m < kTargets.size(); ++m) {
    total += reference::cross_entropy(problem.student_logits(static_cast<int64_t>(m)),
                                      static_cast<int>(kTargets[m]));
  }
  return total;
}

void cross_entropy(Deviation& worst) {
  Problem problem = random_problem(7, 37, true);
  problem.student.scale = 0.8;
  problem.student.softcap = 4;
  const auto value = [&] { return cross_entropy_sum(problem) / 7; };
  const Tensor hidden_differences = finite_differences(problem.student_MD, value);
  const Tensor head_differences = finite_differences(problem.student.weight_VD.dense(), value);
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    for (const int64_t rows : {0, 1, 3}) {
      const Problem typed = problem.to(dtype);
      const Tensor hidden = typed.student_MD.clone().requires_grad_();
      Head head = typed.student;
      head.weight_VD = head.weight_VD.dense().clone().requires_grad_();
      const Loss loss = cross_entropy_loss(hidden, head, at::tensor(kTargets), 7, {.rows = rows});
      loss.value.backward();
      const bool exact = dtype == at::kDouble;
      const std::string where = fmt::format("{} rows{}", rows, exact ? "" : ", float32");
      worst.compare(loss.value.item<double>(), value(), exact ? 1e-10 : 1e-6, where);
      worst.add(relative_difference(hidden.grad(), hidden_differences), exact ? 1e-8 : 1e-5,
                where + ", hidden");
      worst.add(relative_difference(head.weight_VD.dense().grad(), head_differences),
                exact ? 1e-8 : 1e-5, where + ", head");
    }
  }
}

// At a KL of 5e-5 and V = 50,000.
void small_divergences(Deviation& worst) {
  constexpr int64_t vocabulary = 50000;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(1);
  const Tensor student = at::randn({1, vocabulary}, generator, at::kFloat) * 3;
  const Tensor teacher = student + at::randn({1, vocabulary}, generator, at::kFloat) * 0.01;
  const Tensor one = at::ones({1, 1});
  const Problem problem{one,
                        {.weight_VD = student.t()},
                        HiddenStates{.hidden_MD = one, .head = {.weight_VD = teacher.t()}}};
  for (const double beta : {0.0, 0.5, 1.0}) {
    const double expected = problem.reference_sum(generalized_jsd(beta));
    const std::string where = fmt::format("beta {}, D = {:.1e}", beta, expected);
    worst.expect(expected > 5e-6 && expected < 1e-4, where);
    worst.compare(loss_of(problem, generalized_jsd(beta)), expected, 1e-3, where);
  }
}

// Every instruction set that this machine has, from equal logits to hopeless ones.
void every_kernel(Deviation& worst) {
  constexpr int64_t vocabulary = 100;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  const Tensor base = at::randn({vocabulary}, generator, at::kFloat) * 2;
  const Tensor noise = at::randn({vocabulary}, generator, at::kFloat);
  const std::vector<DivergenceKernel> kernels = divergence_kernels();
  for (size_t k = 0; k < kernels.size(); ++k) {
    for (const double spread : {0.0, 1e-4, 1e-2, 0.1, 1.0, 5.0, 30.0, 300.0}) {
      for (const DivergenceInfo& info : divergence_infos()) {
        alignas(64) float student[112];
        alignas(64) float teacher[112];
        const reference::Row zs = row_of(base), zt = row_of(base + noise * spread);
        std::copy(zs.begin(), zs.end(), student);
        std::copy(zt.begin(), zt.end(), teacher);
        const DivergenceRow row{.vocabulary = vocabulary,
                                .terms = {{info.kind, 0.3, 1, 1}},
                                .temperature = 1,
                                .weight = 1,
                                .softcap = 0,
                                .gradient = true};
        const double found = kernels[k](row, student, teacher).value;
        const double share =
            reference::head_share(reference::log_softmax(zs), reference::log_softmax(zt));
        const double expected = reference::divergence(
            info.kind, info.parameter.source == DivergenceParameter::head_share ? share : 0.3, 1,
            zs, zt);
        // Logits are known to about 1e-7: so is the logarithm of the ratio, which TVD averages and
        // the KL squares.
        const double known =
            info.kind == DivergenceKind::tvd ? 1e-7 : 1e-7 * std::sqrt(std::max(expected, 0.0));
        worst.add(std::abs(found - expected), 2e-5 * expected + known + 1e-15,
                  fmt::format("kernel {} of {}, {}, logits {} apart", k + 1, kernels.size(),
                              info.name, spread));
      }
    }
  }
}

void not_finite(Deviation& worst) {
  const double nan = std::nan(""), inf = INFINITY;
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    for (const double bad : {nan, -nan, inf}) {
      for (const int64_t place : {0, 5, 39}) {
        for (const double beta : {0.0, 0.5, 1.0}) {
          const std::string where = fmt::format("{} at {}, beta {}", bad, place, beta);
          Problem student = random_problem(5, 40, true).to(dtype);
          student.student.bias_V[place] = bad;
          worst.expect(!std::isfinite(loss_of(student, generalized_jsd(beta))), where);
          Problem teacher = random_problem(5, 40, true).to(dtype);
          teacher.teacher().hidden_MD[place % 5][2] = bad;
          worst.expect(!std::isfinite(loss_of(teacher, generalized_jsd(beta))), where);
        }
      }
    }
  }
}

void huge_logits(Deviation& worst) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = one_row({1e4, -1e4, 0}, {-1e4, 1e4, 50}).to(dtype);
    for (const double beta : {0.0, 0.5, 1.0}) {
      const Gradients found = differentiate(problem, generalized_jsd(beta));
      const std::string where = fmt::format("beta {}", beta);
      worst.compare(found.value, beta == 0.5 ? std::log(2) : 2e4, 1e-5, where);
      worst.expect(found.weight_VD.isfinite().all().item<bool>(), where + ", gradient");
    }
  }
}

void same_bits(Deviation& worst) {
  const Problem problem = random_problem(64, 500, true).to(at::kFloat);
  const Gradients first = differentiate(problem, generalized_jsd(0.5));
  const Gradients second = differentiate(problem, generalized_jsd(0.5));
  worst.expect(first.value == second.value, "value");
  worst.expect(at::equal(first.weight_VD, second.weight_VD), "head");
  worst.expect(at::equal(first.hidden_MD, second.hidden_MD), "hidden");
}

void bfloat16(Deviation& worst) {
  const Problem narrow = random_problem(5, 60).to(at::kBFloat16);
  const Gradients found = differentiate(narrow, generalized_jsd(1), 1, {.rows = 1});
  const Gradients expected = differentiate(narrow.to(at::kFloat), generalized_jsd(1));
  worst.compare(found.value, expected.value, 1e-6, "value");
  worst.expect(found.weight_VD.scalar_type() == at::kBFloat16, "dtype of the gradient");
  worst.add(relative_difference(found.weight_VD, expected.weight_VD), 5e-3, "gradient");
}

void who_is_trained(Deviation& worst) {
  Problem problem = random_problem();
  problem.teacher().hidden_MD.requires_grad_();
  const Tensor hidden = problem.student_MD.detach().requires_grad_();
  divergence_loss({}, hidden, problem.student, problem.teacher_output, 1).value.backward();
  worst.expect(hidden.grad().defined(), "the student has no gradient");
  worst.expect(!problem.teacher().hidden_MD.grad().defined(), "the teacher has a gradient");
  worst.expect(!problem.student.weight_VD.dense().grad().defined(), "a frozen head has a gradient");
}

}  // namespace

std::vector<Property> numeric_properties() {
  return {{"CrossEntropyEqualsItsDefinition",
           "cross-entropy and its gradient equal their definition, in any chunks",
           "its gradient dropped (axolotl #3660), the target shifted by one", cross_entropy},
          {"EveryInstructionSetIsAccurate",
           "every instruction set's kernel equals the definition, near and far",
           "a series, an exponential or a far tail wrong on one kind of CPU", every_kernel},
          {"SmallDivergencesKeepThreeDigits", "a KL of 5e-5 keeps three digits in float32",
           "Σ p·(log p − log q) is rounding noise late in training", small_divergences},
          {"ANanOrInfinityMakesTheLossNonFinite", "a NaN or infinity makes the loss non-finite",
           "a broken forward reported as a small loss, and the step taken", not_finite},
          {"HugeLogitsStayFinite", "huge logits have a finite loss",
           "exp of a huge logit; log of a probability that rounded to 0", huge_logits},
          {"TwoRunsGiveTheSameBits", "two runs give the same bits",
           "sums in the order in which threads finish", same_bits},
          {"Bfloat16IsWidenedBeforeItIsMultiplied", "bfloat16 logits and gradients are summed wide",
           "the head's gradient added up in bfloat16 over chunks (Liger)", bfloat16},
          {"OnlyWhatRequiresAGradientGetsOne", "only the student is trained",
           "a gradient through the teacher (ms-swift's padding)", who_is_trained}};
}

}  // namespace alambic::selftest

#include "alambic/selftest/every_divergence.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "alambic/selftest/problem.h"

namespace alambic::selftest {

namespace {

/// Values at which a parameter is tried, its ends included; at 1 a skewed divergence is none.
std::vector<double> parameters_of(const DivergenceInfo& info) {
  switch (info.parameter.source) {
    case DivergenceParameter::beta:
      return {0, 0.1, 0.5, 0.9, 1};
    case DivergenceParameter::alpha:
      return {0, 0.1, 0.9};
    default:
      return {0};
  }
}

using Objective = std::pair<std::string, std::vector<DivergenceTerm>>;

/// Every divergence of divergences.def alone, and one sum.
std::vector<Objective> objectives() {
  std::vector<Objective> result;
  for (const DivergenceInfo& info : divergence_infos()) {
    const std::vector<double> parameters = parameters_of(info);
    for (const double parameter : parameters) {
      const std::string number =
          parameters.size() > 1 ? fmt::format("{}", std::lround(10 * parameter)) : "";
      result.push_back({info.name + number, {{info.kind, parameter}}});
    }
  }
  using enum DivergenceKind;
  result.push_back({"sum", {{reverse_kl, 0, 0.5}, {tvd, 0, 0.3}, {jsd, 0.2, 0.2}}});
  return result;
}

}  // namespace

std::vector<DivergenceCase> divergence_cases() {
  std::vector<DivergenceCase> result;
  for (const auto& [name, terms] : objectives()) {
    for (const double T : {1.0, 2.5}) {
      const std::string suffix = T == 1 ? "" : "_hot";
      result.push_back({name + suffix, {.terms = terms, .kd_temperature = T}});
      for (const TopKBy by : {TopKBy::teacher, TopKBy::student, TopKBy::both}) {
        const char* who[] = {"teacher", "student", "both"};
        result.push_back({name + suffix + "_top4_" + who[static_cast<int>(by)],
                          {.terms = terms, .kd_temperature = T, .topk = 4, .topk_by = by}});
      }
    }
  }
  return result;
}

namespace {

/// Compares gradients by their largest entry.
void compare(const Gradients& found, const Gradients& expected, double tolerance,
             const std::string& where, Deviation& worst) {
  worst.add(relative_difference(found.hidden_MD, expected.hidden_MD), tolerance,
            where + ", hidden");
  worst.add(relative_difference(found.weight_VD, expected.weight_VD), tolerance, where + ", head");
  if (!expected.bias_V.defined()) return;
  worst.add(relative_difference(found.bias_V, expected.bias_V), tolerance, where + ", bias");
}

void equals_the_definition(const DivergenceCase& c, Deviation& worst) {
  const Problem problem = random_problem();
  const double found =
      divergence_loss(c.divergence, problem.student_MD, problem.student, problem.teacher_output, 3)
          .value.item<double>();
  worst.compare(found, problem.reference_sum(c.divergence) / 3, 1e-10, c.name);
}

// V around the width of a vector.
void equals_the_definition_in_float32(const DivergenceCase& c, Deviation& worst) {
  for (const int64_t vocabulary : {1, 2, 15, 16, 17, 37, 1500}) {
    const Problem problem = random_problem(3, vocabulary).to(at::kFloat);
    const Loss loss = divergence_loss(c.divergence, problem.student_MD, problem.student,
                                      problem.teacher_output, 3);
    const std::string where = fmt::format("{}, V = {}", c.name, vocabulary);
    worst.expect(loss.value.scalar_type() == at::kFloat, where + ", dtype");
    worst.compare(loss.value.item<double>(), problem.reference_sum(c.divergence) / 3, 3e-6, where);
  }
}

void gradients_are_differences(const DivergenceCase& c, Deviation& worst) {
  const Problem problem = random_problem(3, 11, true);
  Problem frozen = problem;
  frozen.student_MD = problem.student_MD.clone();
  frozen.student.weight_VD = problem.student.weight_VD.dense().clone();
  frozen.student.bias_V = problem.student.bias_V.clone();
  const auto value = [&] { return problem.reference_sum(c.divergence, frozen) / 2; };
  const Gradients differences{
      .value = 0,
      .hidden_MD = finite_differences(problem.student_MD, value),
      .weight_VD = finite_differences(problem.student.weight_VD.dense(), value),
      .bias_V = finite_differences(problem.student.bias_V, value)};
  compare(differentiate(problem, c.divergence, 2), differences, 2e-8, c.name, worst);
}

void float32_gradients_are_those_of_float64(const DivergenceCase& c, Deviation& worst) {
  Problem wide = random_problem(9, 333, true);
  wide.student.softcap = wide.teacher().head.softcap = 5;
  wide.student.scale = 0.7;
  compare(differentiate(wide.to(at::kFloat), c.divergence, 9), differentiate(wide, c.divergence, 9),
          1e-5, c.name, worst);
}

void equal_models(const DivergenceCase& c, Deviation& worst) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    Problem problem = random_problem(7, 300, true).to(dtype);
    problem.teacher_output = HiddenStates{.hidden_MD = problem.student_MD, .head = problem.student};
    const Gradients found = differentiate(problem, c.divergence);
    worst.expect(found.value == 0, c.name + ", loss");
    worst.add(found.hidden_MD.abs().max().item<double>(), 1e-7, c.name + ", hidden");
    worst.add(found.weight_VD.abs().max().item<double>(), 1e-7, c.name + ", head");
  }
}

void never_negative(const DivergenceCase& c, Deviation& worst) {
  for (const double distance : {1.0, 1e-2, 1e-4, 1e-6}) {
    Problem problem = random_problem(7, 300, true);
    problem.teacher_output = HiddenStates{.hidden_MD = problem.student_MD, .head = problem.student};
    problem.teacher().head.bias_V = problem.student.bias_V * (1 + distance);
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      const double found = loss_of(problem.to(dtype), c.divergence);
      worst.expect(found >= 0, fmt::format("{}, {} apart: {:g}", c.name, distance, found));
    }
  }
}

void chunk_size(const DivergenceCase& c, Deviation& worst) {
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Problem problem = random_problem(7, 50, true).to(dtype);
    const Gradients whole = differentiate(problem, c.divergence, 7, {.rows = 7});
    for (const int64_t rows : {1, 2, 3, 100}) {
      const std::string where = fmt::format("{}, {} rows", c.name, rows);
      const Gradients found = differentiate(problem, c.divergence, 7, {.rows = rows});
      worst.compare(found.value, whole.value, 1e-6, where);
      compare(found, whole, 1e-6, where, worst);
    }
  }
}

void micro_batches(const DivergenceCase& c, Deviation& worst) {
  const Problem problem = random_problem(7, 50).to(at::kFloat);
  const Gradients whole = differentiate(problem, c.divergence, 7);
  const Gradients first = differentiate(problem.rows(0, 2), c.divergence, 7);
  const Gradients second = differentiate(problem.rows(2, 5), c.divergence, 7);
  worst.compare(first.value + second.value, whole.value, 1e-6, c.name);
  const Gradients sum{.value = 0,
                      .hidden_MD = at::cat({first.hidden_MD, second.hidden_MD}),
                      .weight_VD = first.weight_VD + second.weight_VD};
  compare(sum, whole, 1e-6, c.name, worst);
}

void added_constant(const DivergenceCase& c, Deviation& worst) {
  const Problem problem = random_problem(7, 50, true).to(at::kFloat);
  Problem shifted = problem;
  shifted.student.bias_V = problem.student.bias_V + 3;
  shifted.teacher().head.bias_V = problem.teacher().head.bias_V - 5;
  const Gradients expected = differentiate(problem, c.divergence);
  const Gradients found = differentiate(shifted, c.divergence);
  worst.compare(found.value, expected.value, 1e-5, c.name);
  worst.add(relative_difference(found.hidden_MD, expected.hidden_MD), 1e-5, c.name);
}

void gradient_sums_to_zero(const DivergenceCase& c, Deviation& worst) {
  const Problem problem = random_problem(7, 1000, true).to(at::kFloat);
  const Gradients gradients = differentiate(problem, c.divergence);
  worst.add(std::abs(gradients.bias_V.sum().item<double>()),
            1e-6 * gradients.bias_V.abs().sum().item<double>(), c.name);
}

// Logits of padded rows are anything: here the largest of all.
void padded_vocabulary(const DivergenceCase& c, Deviation& worst) {
  constexpr int64_t kTokens = 33;
  Problem padded = random_problem(4, 40, true);
  for (Head* head : {&padded.student, &padded.teacher().head}) {
    head->bias_V.slice(0, kTokens).fill_(head == &padded.student ? 50 : 70);
  }
  Problem cut = padded;
  cut.student = padded.student.cut(kTokens);
  cut.teacher().head = padded.teacher().head.cut(kTokens);
  const double expected = cut.reference_sum(c.divergence);
  worst.compare(loss_of(cut, c.divergence), expected, 1e-10, c.name);
  worst.compare(loss_of(cut.to(at::kFloat), c.divergence), expected, 1e-5, c.name + ", float32");
}

// As T grows, softmax(z / T) is linear in z / T: the T² of a KL (the T of TVD) leaves a gradient
// that does not depend on T.
void temperature_factor(const DivergenceCase& c, Deviation& worst) {
  const Problem problem = random_problem(3, 11);
  const auto size = [&](double T) {
    Divergence divergence = c.divergence;
    divergence.kd_temperature = T;
    return differentiate(problem, divergence).weight_VD.norm().item<double>();
  };
  worst.compare(size(400), size(200), 0.1, c.name);
}

}  // namespace

const std::vector<DivergenceProperty>& properties_of_a_divergence() {
  static const std::vector<DivergenceProperty> properties = {
      {"EqualsTheDefinition", "equals its definition in scalar loops",
       "teacher and student swapped, beta inverted (KDFlow), the mixture of logarithms (TRL, 2024)",
       equals_the_definition},
      {"EqualsTheDefinitionInFloat32", "equals its definition in float32, for odd vocabularies",
       "a lane of padding counted; a polynomial wrong in one range",
       equals_the_definition_in_float32},
      {"GradientsAreTheDefinitionsDifferences",
       "gradients are finite differences of the definition",
       "a wrong gradient goes down too (k3 for k1: verl, TorchRL); autograd cannot tell",
       gradients_are_differences},
      {"GradientsInFloat32AreThoseInFloat64", "float32 gradients are those of float64",
       "the kernel's gradient differs from the formula: mean, weight, soft-cap",
       float32_gradients_are_those_of_float64},
      {"AStudentEqualToItsTeacherHasNoLossAndNoGradient", "equal models have loss 0 and gradient 0",
       "a perfect student is pushed away (truncated top-K: verl; padding: Liger)", equal_models},
      {"IsNeverNegative", "the loss is never below 0",
       "rounding noise late in training; a truncated KL below 0 (verl)", never_negative},
      {"TheChunkSizeChangesNothing", "the chunk size changes nothing",
       "a chunk skipped, counted twice, or over the weight's gradient (Liger: in bfloat16)",
       chunk_size},
      {"MicroBatchesSumToTheWhole", "micro-batches sum to the whole batch",
       "the mean over a micro-batch instead of the step (TRL #4719, verl #7200)", micro_batches},
      {"AConstantAddedToAllLogitsChangesNothing", "a constant added to all logits changes nothing",
       "the other model's padding logits copied (ms-swift)", added_constant},
      {"TheGradientOfARowsLogitsSumsToZero", "the gradient of a row's logits sums to 0",
       "all logits drift together", gradient_sums_to_zero},
      {"PaddedVocabularyHasNoProbability", "rows that pad the vocabulary have no probability",
       "phantom mass on padding (Liger, ms-swift)", padded_vocabulary},
      {"TheTemperatureLeavesTheGradientsSize", "the power of T keeps the gradient's size",
       "T for T² (ModelOpt), T² for TVD's T (DistillKit)", temperature_factor}};
  return properties;
}

std::vector<Property> properties_of_every_divergence() {
  const auto cases = std::make_shared<std::vector<DivergenceCase>>(divergence_cases());
  std::vector<Property> result;
  for (const DivergenceProperty& property : properties_of_a_divergence()) {
    result.push_back({property.id, property.says, property.prevents,
                      [cases, check = property.check](Deviation& worst) {
                        for (const DivergenceCase& c : *cases) check(c, worst);
                      }});
  }
  return result;
}

}  // namespace alambic::selftest

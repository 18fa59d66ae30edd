#include "alambic/objective/hidden_distance.h"
#include "alambic/selftest/objective_properties.h"
#include "alambic/selftest/problem.h"

namespace alambic::selftest {
namespace {

constexpr HiddenMeasure kMeasures[] = {HiddenMeasure::mse, HiddenMeasure::cosine};

const char* name_of(HiddenMeasure measure) {
  return measure == HiddenMeasure::mse ? "mse" : "cosine";
}

// Float64, with widths 7 and 11 or, without a projection, 7 and 7.
struct HiddenProblem {
  Tensor student_MD, projection_TS, teacher_MD;

  explicit HiddenProblem(bool projected) {
    at::manual_seed(5);
    student_MD = at::randn({6, 7}, at::kDouble);
    teacher_MD = at::randn({6, projected ? 11 : 7}, at::kDouble);
    if (projected) projection_TS = at::randn({11, 7}, at::kDouble);
  }

  double reference_sum(HiddenMeasure measure) const {
    std::vector<reference::Row> projection;
    if (projection_TS.defined()) projection = rows_of(projection_TS);
    const auto one =
        measure == HiddenMeasure::mse ? reference::hidden_mse : reference::hidden_cosine;
    double sum = 0;
    for (int64_t m = 0; m < student_MD.size(0); ++m) {
      sum += one(row_of(student_MD[m]), projection, row_of(teacher_MD[m]));
    }
    return sum;
  }
};

void hidden_definition(Deviation& worst) {
  for (const bool projected : {false, true}) {
    const HiddenProblem in(projected);
    for (const HiddenMeasure measure : kMeasures) {
      const double expected = in.reference_sum(measure);
      for (const auto dtype : {at::kDouble, at::kFloat}) {
        const auto typed = [&](const Tensor& x) { return x.defined() ? x.to(dtype) : x; };
        const Loss loss = hidden_distance(measure, typed(in.student_MD), typed(in.projection_TS),
                                          typed(in.teacher_MD), 4);
        const double allowed = dtype == at::kDouble ? 1e-12 : 1e-5;
        worst.compare(loss.value.item<double>(), expected / 4, allowed, name_of(measure));
        worst.compare(loss.sums.begin()->second, expected, allowed, name_of(measure));
      }
    }
  }
}

void gradients(Deviation& worst) {
  for (const HiddenMeasure measure : kMeasures) {
    HiddenProblem in(true);
    const auto value = [&] { return in.reference_sum(measure) / 3; };
    const Tensor student = in.student_MD.clone().requires_grad_(),
                 projection = in.projection_TS.clone().requires_grad_();
    hidden_distance(measure, student, projection, in.teacher_MD, 3).value.backward();
    const std::string name = name_of(measure);
    worst.add(relative_difference(student.grad(), finite_differences(in.student_MD, value)), 1e-7,
              name + ", student");
    worst.add(relative_difference(projection.grad(), finite_differences(in.projection_TS, value)),
              1e-7, name + ", projection");
  }
}

void nothing(Deviation& worst) {
  for (const HiddenMeasure measure : kMeasures) {
    const Tensor zero = at::zeros({2, 5}).requires_grad_();
    const Loss loss = hidden_distance(measure, zero, {}, at::zeros({2, 5}), 1);
    loss.value.backward();
    const double expected = measure == HiddenMeasure::mse ? 0 : 2;
    worst.expect(loss.value.item<double>() == expected, name_of(measure));
    worst.expect(at::equal(zero.grad(), at::zeros({2, 5})), name_of(measure));
  }
}

}  // namespace

std::vector<Property> hidden_properties() {
  return {{"HiddenDistancesAreTheDefinition", "distances of hidden states equal their definition",
           "divided by the student's width or by none, the mean of a micro-batch, a cosine without "
           "its 1",
           hidden_definition},
          {"HiddenDistancesGradientsAreTheDefinitionsDifferences",
           "student and projection get the gradient of the distance",
           "a projection that learns nothing, a teacher that learns", gradients},
          {"HiddenStatesOfZeroHaveAFiniteDistance", "hidden states of zero have a finite distance",
           "a cosine divided by a length of zero", nothing}};
}

}  // namespace alambic::selftest

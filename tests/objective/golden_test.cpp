// Values and gradients that TRL computes (tests/golden/README.md).
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/tensor/view.h"
#include "problem.h"

namespace alambic::golden_test {
namespace {

struct Golden {
  SafetensorsFile file =
      SafetensorsFile::open(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/objectives.safetensors");

  Tensor operator[](const std::string& name) const {
    const TensorView* view = file.find(name);
    check(view != nullptr, "no {} in objectives.safetensors", name);
    return to_tensor(*view, at::kDouble, at::kCPU);
  }
};

// Bug: our definition, our test of it and our reference share one misreading. TRL 1.16 leaves out
// T² (docs/numerics.md) and divides by the number of rows.
TEST(DivergenceGolden, EqualsTrlExceptForTheSquareOfTheTemperature) {
  const Golden golden;
  const Problem problem{golden["student.hidden"],
                        {.weight_VD = golden["student.head"]},
                        HiddenStates{.hidden_MD = golden["teacher.hidden"],
                                     .head = {.weight_VD = golden["teacher.head"]}}};
  for (const std::string beta : {"0", "0.1", "0.5", "0.9", "1"}) {
    for (const std::string temperature : {"1", "2"}) {
      const std::string name = "beta" + beta + ".temperature" + temperature;
      const double T = std::stod(temperature), square = T * T;
      const Divergence divergence = generalized_jsd(std::stod(beta), T);
      const auto rows = static_cast<double>(problem.student_MD.size(0));
      const double value = golden[name + ".value"].item<double>() * square;
      for (const auto dtype : {at::kDouble, at::kFloat}) {
        const double tolerance = dtype == at::kDouble ? 1e-9 : 1e-5;
        const Gradients found = differentiate(problem.to(dtype), divergence, rows);
        EXPECT_NEAR(found.value, value, tolerance * value) << name;
        EXPECT_LT(relative_difference(found.hidden_MD, golden[name + ".grad.hidden"] * square),
                  tolerance)
            << name;
        EXPECT_LT(relative_difference(found.weight_VD, golden[name + ".grad.head"] * square),
                  tolerance)
            << name;
      }
    }
  }
}

}  // namespace
}  // namespace alambic::golden_test

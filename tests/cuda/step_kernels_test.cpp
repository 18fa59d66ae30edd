// The optimizer's step, the gradients' norm, and dropout.
#include <cmath>

#include "alambic/base/random.h"
#include "alambic/kernels/adamw_ref.h"
#include "alambic/kernels/cuda/kernels.h"
#include "tests/cuda/memory.h"

namespace alambic::kernels {
namespace {

using namespace alambic::test;

std::vector<float> floats(const std::vector<double>& numbers) {
  return {numbers.begin(), numbers.end()};
}

TEST(DeviceAdamW, StepsAsTheDefinitionWithMastersBesideTheWeights) {
  for (const DeviceNumber type : both_types) {
    const size_t n = 300;
    const ref::AdamW options = {3e-3, 0.9, 0.99, 1e-8, 0.1};
    Memory<float> master(floats(normal(n, 1))), mean(std::vector<float>(n, 0)),
        square(std::vector<float>(n, 0)), scale(std::vector<float>{0.5f});
    Numbers weight(type, n);
    std::vector<ref::AdamWState> expected;
    for (const float number : master.values()) expected.push_back({number, 0, 0});
    for (int64_t step = 1; step <= 3; ++step) {
      Numbers gradient(type, normal(n, 10 + step));
      device::adamw({.master = master.data(),
                     .mean = mean.data(),
                     .square = square.data(),
                     .gradient = gradient.data(),
                     .weight = weight.data(),
                     .factor = 0.5f,
                     .scale = scale.data(),
                     .n = n,
                     .learning_rate = static_cast<float>(options.learning_rate),
                     .beta1 = static_cast<float>(options.beta1),
                     .beta2 = static_cast<float>(options.beta2),
                     .epsilon = static_cast<float>(options.epsilon),
                     .weight_decay = static_cast<float>(options.weight_decay),
                     .correction1 = static_cast<float>(1 - std::pow(options.beta1, step)),
                     .correction2 = static_cast<float>(1 - std::pow(options.beta2, step)),
                     .type = type},
                    nullptr);
      const auto g = gradient.values();
      for (size_t i = 0; i < n; ++i) {
        expected[i] = ref::adamw(options, step, expected[i], 0.25 * g[i]);
      }
    }
    std::vector<double> masters, found;
    for (const auto& state : expected) masters.push_back(state.master);
    for (const float number : master.values()) found.push_back(number);
    // The master moves by 3e-3 a step: bfloat16 alone would lose half of it.
    EXPECT_LT(error(found, masters), 1e-6);
    EXPECT_EQ(weight.values(), Numbers(type, found).values());
  }
}

TEST(DeviceAdamW, AFactorOfZeroKeepsWhatIsNotFiniteOut) {
  Memory<float> master(floats({1})), mean(floats({0.25})), square(floats({0.5})),
      scale(floats({0}));
  Numbers gradient(DeviceNumber::f32, std::vector<double>{NAN});
  device::adamw({.master = master.data(),
                 .mean = mean.data(),
                 .square = square.data(),
                 .gradient = gradient.data(),
                 .weight = nullptr,
                 .factor = 1,
                 .scale = scale.data(),
                 .n = 1,
                 .learning_rate = 0.1f,
                 .beta1 = 0.9f,
                 .beta2 = 0.9f,
                 .epsilon = 1e-8f,
                 .weight_decay = 0,
                 .correction1 = 0.1f,
                 .correction2 = 0.1f,
                 .type = DeviceNumber::f32},
                nullptr);
  EXPECT_TRUE(std::isfinite(master.values()[0]));
  EXPECT_FLOAT_EQ(mean.values()[0], 0.225f);
}

struct Clipped {
  double norm;
  float scale;
};

Clipped clipped(DeviceNumber type, const std::vector<double>& numbers, double most) {
  Numbers gradient(type, numbers);
  const auto n = static_cast<int64_t>(numbers.size());
  Memory<double> parts(squares_parts(n)), norm(1);
  Memory<float> scale(1);
  in_both_orders([&] {
    device::squares({gradient.data(), parts.data(), n, type}, nullptr);
    device::clip({parts.data(), squares_parts(n), most, norm.data(), scale.data()}, nullptr);
    return norm.values();
  });
  return {norm.values()[0], scale.values()[0]};
}

TEST(DeviceClip, IsTheNormOfAllPartsAndItsFactor) {
  for (const DeviceNumber type : both_types) {
    const auto numbers = normal(squares_part + 700, 3);
    double expected = 0;
    for (const double g : Numbers(type, numbers).values()) expected += g * g;
    expected = std::sqrt(expected);
    const Clipped found = clipped(type, numbers, 1);
    EXPECT_NEAR(found.norm, expected, 1e-9 * expected);
    EXPECT_FLOAT_EQ(found.scale, static_cast<float>(1 / expected));
    EXPECT_EQ(clipped(type, numbers, 0).scale, 1);
    EXPECT_EQ(clipped(type, {0.5, 0.5}, 1).scale, 1);
    EXPECT_EQ(clipped(type, {0.5, NAN}, 1).scale, 0);
  }
}

TEST(DeviceDropout, HasTheWordsOfTheCpu) {
  const size_t n = 1027;
  const auto words =
      random_words({.seed = 5, .stream = Stream::dropout, .step = 3, .sample = 1, .position = 2});
  const double rate = 0.3;
  for (const DeviceNumber type : both_types) {
    Numbers x(type, normal(n, 1)), y(type, n);
    device::dropout({.x = x.data(),
                     .y = y.data(),
                     .n = n,
                     .words = {words[0], words[1], words[2], words[3]},
                     .least = static_cast<uint64_t>(rate * 0x1p32),
                     .kept = static_cast<float>(1 / (1 - rate)),
                     .type = type},
                    nullptr);
    std::vector<double> expected = x.values();
    const double kept = Numbers(type, std::vector<double>{1 / (1 - rate)}).values()[0];
    for (size_t i = 0; i < n; ++i) {
      const auto drawn =
          philox({static_cast<uint32_t>(i / 4), 0, words[2], words[3]}, {words[0], words[1]});
      expected[i] *= drawn[i % 4] >= static_cast<uint64_t>(rate * 0x1p32) ? kept : 0;
    }
    EXPECT_EQ(y.values(), Numbers(type, expected).values());
  }
}

}  // namespace
}  // namespace alambic::kernels

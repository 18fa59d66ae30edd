// The optimizer's step, the gradients' norm, and dropout.
#include <cmath>

#include "alambic/base/random.h"
#include "alambic/kernels/adamw_ref.h"
#include "tests/cuda/memory.h"

namespace alambic::kernels::step_kernels_test {
namespace {

using namespace alambic::test;

std::vector<float> floats(const std::vector<double>& numbers) {
  return {numbers.begin(), numbers.end()};
}

// A launch of no tensors yet: the scalars of a step as the host makes them.
DeviceAdamW step_of(const ref::AdamW& options, int64_t step, double factor) {
  const auto t = static_cast<double>(step);
  const double correction1 = 1 - std::pow(options.beta1, t);
  return {.tensor = {},
          .count = 0,
          .factor = static_cast<float>(factor),
          .scale = nullptr,
          .beta2 = static_cast<float>(options.beta2),
          .rest1 = static_cast<float>(1 - options.beta1),
          .rest2 = static_cast<float>(1 - options.beta2),
          .step_size = static_cast<float>(options.learning_rate / correction1),
          .root_correction = static_cast<float>(std::sqrt(1 - std::pow(options.beta2, t))),
          .epsilon = static_cast<float>(options.epsilon)};
}

TEST(DeviceAdamW, StepsAsTheDefinitionWithMastersBesideTheWeights) {
  for (const DeviceNumber type : both_types) {
    const size_t n = 300;
    const ref::AdamW options = {3e-3, 0.9, 0.999, 1e-8, 0.1};
    Memory<float> master(floats(normal(n, 1))), mean(std::vector<float>(n, 0)),
        square(std::vector<float>(n, 0)), scale(std::vector<float>{0.5f});
    Numbers weight(type, n);
    std::vector<ref::AdamWState> expected;
    for (const float number : master.values()) expected.push_back({number, 0, 0});
    for (int64_t step = 1; step <= 3; ++step) {
      Numbers gradient(type, normal(n, 10 + step));
      DeviceAdamW job = step_of(options, step, 0.5);
      job.scale = scale.data();
      job.count = 1;
      job.tensor[0] = {.master = master.data(),
                       .mean = mean.data(),
                       .square = square.data(),
                       .gradient = gradient.data(),
                       .weight = weight.data(),
                       .n = n,
                       .kept = static_cast<float>(1 - options.learning_rate * options.weight_decay),
                       .gradient_type = type,
                       .weight_type = type};
      under_test().adamw(job, nullptr);
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
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(mean.values()[i], expected[i].mean, 1e-7);  // of about 0.1, with both signs
      EXPECT_NEAR(square.values()[i] / expected[i].square, 1, 3e-7) << i;
    }
  }
}

TEST(DeviceAdamW, AFactorOfZeroKeepsWhatIsNotFiniteOut) {
  Memory<float> master(floats({1})), mean(floats({0.25})), square(floats({0.5})),
      scale(floats({0}));
  Numbers gradient(DeviceNumber::f32, std::vector<double>{NAN});
  DeviceAdamW job = step_of({0.1, 0.9, 0.9, 1e-8, 0}, 1, 1);
  job.scale = scale.data();
  job.count = 1;
  job.tensor[0] = {.master = master.data(),
                   .mean = mean.data(),
                   .square = square.data(),
                   .gradient = gradient.data(),
                   .weight = nullptr,
                   .n = 1,
                   .kept = 1,
                   .gradient_type = DeviceNumber::f32,
                   .weight_type = DeviceNumber::f32};
  under_test().adamw(job, nullptr);
  EXPECT_TRUE(std::isfinite(master.values()[0]));
  EXPECT_FLOAT_EQ(mean.values()[0], 0.225f);
}

// Tensors of several blocks and of less than one, with and without a gradient, of both types, are
// what each is alone.
TEST(DeviceAdamW, StepsSeveralTensorsInOneLaunch) {
  struct Tensors {
    std::vector<Memory<float>> master, mean, square;
    std::vector<Numbers> gradient, weight;

    DeviceAdamW job() {
      DeviceAdamW job = step_of({0.1, 0.9, 0.99, 1e-8, 0}, 1, 0.5);
      job.count = 3;
      for (int i = 0; i < 3; ++i) {
        const DeviceNumber type = i == 1 ? DeviceNumber::bf16 : DeviceNumber::f32;
        job.tensor[i] = {.master = master[i].data(),
                         .mean = mean[i].data(),
                         .square = square[i].data(),
                         .gradient = i == 2 ? nullptr : gradient[i].data(),
                         .weight = i == 1 ? weight[i].data() : nullptr,
                         .n = static_cast<int64_t>(master[i].size()),
                         .kept = i == 0 ? 0.99f : 1.0f,
                         .gradient_type = type,
                         .weight_type = type};
      }
      return job;
    }
  };
  const auto made = [] {
    Tensors tensors;
    for (int i = 0; i < 3; ++i) {
      const size_t n = i == 0 ? 2 * adamw_part + 5 : i == 1 ? 300 : adamw_part;
      const DeviceNumber type = i == 1 ? DeviceNumber::bf16 : DeviceNumber::f32;
      for (auto* memory : {&tensors.master, &tensors.mean, &tensors.square}) {
        auto numbers = floats(normal(n, static_cast<unsigned>(10 * i) + 1));
        for (float& x : numbers) x = std::abs(x);
        memory->emplace_back(numbers);
      }
      tensors.gradient.emplace_back(type, normal(n, 5));
      tensors.weight.emplace_back(type, n);
    }
    return tensors;
  };
  Tensors together = made(), alone = made();
  under_test().adamw(together.job(), nullptr);
  const DeviceAdamW all = alone.job();
  for (int i = 0; i < 3; ++i) {
    DeviceAdamW one = all;
    one.tensor[0] = all.tensor[i];
    one.count = 1;
    under_test().adamw(one, nullptr);
    EXPECT_EQ(together.master[i].values(), alone.master[i].values()) << i;
    EXPECT_EQ(together.square[i].values(), alone.square[i].values()) << i;
  }
  EXPECT_EQ(together.weight[1].values(), alone.weight[1].values());
  // Without a gradient the mean decays and still moves the master.
  EXPECT_FLOAT_EQ(together.mean[2].values()[7], 0.9f * made().mean[2].values()[7]);
  EXPECT_LT(together.master[2].values()[7], made().master[2].values()[7]);
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
    under_test().squares(
        {.gradient = {{gradient.data(), n, type}}, .count = 1, .parts = parts.data()}, nullptr);
    under_test().clip({parts.data(), squares_parts(n), most, norm.data(), scale.data()}, nullptr);
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

TEST(DeviceSquares, PartsOfSeveralTensorsLieOneBehindTheOther) {
  Numbers a(DeviceNumber::f32, normal(squares_part + 3, 1)), b(DeviceNumber::bf16, normal(40, 2));
  Memory<double> parts(3), of_b(1);
  under_test().squares({.gradient = {{a.data(), squares_part + 3, DeviceNumber::f32},
                                     {b.data(), 40, DeviceNumber::bf16}},
                        .count = 2,
                        .parts = parts.data()},
                       nullptr);
  under_test().squares(
      {.gradient = {{b.data(), 40, DeviceNumber::bf16}}, .count = 1, .parts = of_b.data()},
      nullptr);
  EXPECT_EQ(parts.values()[2], of_b.values()[0]);
  double rest = 0;
  const auto numbers = a.values();
  for (size_t i = squares_part; i < numbers.size(); ++i) rest += numbers[i] * numbers[i];
  EXPECT_NEAR(parts.values()[1], rest, 1e-9 * rest);
}

TEST(DeviceDropout, HasTheWordsOfTheCpu) {
  const size_t n = 1027;
  const auto words =
      random_words({.seed = 5, .stream = Stream::dropout, .step = 3, .sample = 1, .position = 2});
  const double rate = 0.3;
  for (const DeviceNumber type : both_types) {
    Numbers x(type, normal(n, 1)), y(type, n);
    under_test().dropout({.x = x.data(),
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
}  // namespace alambic::kernels::step_kernels_test

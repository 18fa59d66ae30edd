// RMS norm, heads and gates are those of their definitions in double.
#include "alambic/kernels/activation_ref.h"
#include "alambic/kernels/norm_ref.h"
#include "alambic/kernels/rope_ref.h"
#include "tests/cuda/memory.h"

namespace alambic::kernels::row_kernels_test {
namespace {

using namespace alambic::test;

using Ids = std::vector<int64_t>;
constexpr double epsilon = 1e-5;

struct Norm {
  int64_t N, D;
  DeviceNumber type;
  Numbers x = {type, normal(N*D, 1)}, weight = {type, normal(D, 2)};
  Numbers y = {type, static_cast<size_t>(N* D)};
  Memory<float> inverse = Memory<float>(N);

  DeviceNorm job() {
    return {.x = x.data(),
            .residual = nullptr,
            .sum = nullptr,
            .weight = weight.data(),
            .y = y.data(),
            .inverse = inverse.data(),
            .N = N,
            .D = D,
            .epsilon = epsilon,
            .shift = 0,
            .wide = false,
            .type = type,
            .weight_type = type};
  }
};

TEST(DeviceRmsNorm, IsItsDefinitionAtEveryWidth) {
  for (const DeviceNumber type : both_types) {
    for (const int64_t D : {1, 31, 33, 256, 257, 1000}) {
      Norm norm{3, D, type};
      const auto found = in_both_orders([&] {
        under_test().rms_norm(norm.job(), nullptr);
        return norm.y.values();
      });
      const auto expected = ref::rms_norm(norm.x.values(), norm.weight.values(), epsilon);
      EXPECT_LT(error(found, expected), 2 * tolerance(type)) << D;
    }
  }
}

TEST(DeviceRmsNorm, AddsTheResidualInItsTypeFirst) {
  for (const DeviceNumber type : both_types) {
    Norm norm{4, 100, type};
    Numbers residual(type, normal(400, 3)), sum(type, 400);
    DeviceNorm job = norm.job();
    job.residual = residual.data();
    job.sum = sum.data();
    in_both_orders([&] {
      under_test().rms_norm(job, nullptr);
      return norm.y.values();
    });
    std::vector<double> expected = norm.x.values();
    const std::vector<double> other = residual.values();
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += other[i];
    EXPECT_EQ(sum.values(), Numbers(type, expected).values());
    EXPECT_LT(error(norm.y.values(), ref::rms_norm(sum.values(), norm.weight.values(), epsilon)),
              2 * tolerance(type));
  }
}

TEST(DeviceRmsNorm, AWiderWeightIsRoundedAfterTheProduct) {
  Norm norm{2, 64, DeviceNumber::bf16};
  Numbers weight(DeviceNumber::f32, normal(64, 5));
  DeviceNorm job = norm.job();
  job.weight = weight.data();
  job.weight_type = DeviceNumber::f32;
  under_test().rms_norm(job, nullptr);
  // One rounding: half a unit in the last place of each.
  const auto found = norm.y.values();
  const auto expected = ref::rms_norm(norm.x.values(), weight.values(), epsilon);
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_LE(std::abs(found[i] - expected[i]), std::abs(expected[i]) * (1.0001 / 256)) << i;
  }
}

// Gemma's: by 1 + weight, which bfloat16 would round to 1, and before the quotient is rounded.
TEST(DeviceRmsNorm, AddsOneToTheWeightInFloat32) {
  for (const DeviceNumber type : both_types) {
    const int64_t D = 70;
    Norm norm{3, D, type};
    Numbers small(type, normal(D, 2, 0.003));
    DeviceNorm job = norm.job();
    job.weight = small.data();
    job.shift = 1;
    job.wide = true;
    under_test().rms_norm(job, nullptr);
    std::vector<double> weight = small.values();
    for (double& w : weight) w += 1;
    const auto expected = ref::rms_norm(norm.x.values(), weight, epsilon), found = norm.y.values();
    const double rounding = type == DeviceNumber::f32 ? 1e-6 : 1.0001 / 256;
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_LE(std::abs(found[i] - expected[i]), std::abs(expected[i]) * rounding + 1e-7) << i;
    }
  }
}

// d Σ y·probe / dx by central differences of the definition.
std::vector<double> differences(const std::vector<double>& at, const std::vector<double>& probe,
                                const std::function<std::vector<double>(std::vector<double>)>& f) {
  std::vector<double> gradient(at.size());
  const double h = 1e-5;
  for (size_t i = 0; i < at.size(); ++i) {
    std::vector<double> above = at, below = at;
    above[i] += h;
    below[i] -= h;
    const auto y = f(above), z = f(below);
    for (size_t j = 0; j < y.size(); ++j) gradient[i] += probe[j] * (y[j] - z[j]) / (2 * h);
  }
  return gradient;
}

TEST(DeviceRmsNorm, GradientsAreThoseOfTheDefinition) {
  for (const auto& [type, shift] : {std::pair(DeviceNumber::f32, 0.0f),
                                    {DeviceNumber::bf16, 0.0f},
                                    {DeviceNumber::f32, 1.0f},
                                    {DeviceNumber::bf16, 1.0f}}) {
    Norm norm{5, 37, type};
    under_test().rms_norm(norm.job(), nullptr);  // the roots
    Numbers dy(type, normal(5 * 37, 7)), dx(type, 5 * 37), dweight(type, 37);
    Memory<float> parts(norm_grad_parts(5) * 37);
    in_both_orders([&] {
      under_test().rms_norm_grad({.s = norm.x.data(),
                                  .weight = norm.weight.data(),
                                  .dy = dy.data(),
                                  .inverse = norm.inverse.data(),
                                  .ds = nullptr,
                                  .dx = dx.data(),
                                  .parts = parts.data(),
                                  .dweight = dweight.data(),
                                  .N = 5,
                                  .D = 37,
                                  .shift = shift,
                                  .type = type,
                                  .weight_type = type},
                                 nullptr);
      return dx.values();
    });
    const auto x = norm.x.values();
    auto weight = norm.weight.values();
    for (double& w : weight) w += shift;
    EXPECT_LT(error(dx.values(), differences(x, dy.values(),
                                             [&](std::vector<double> moved) {
                                               return ref::rms_norm(moved, weight, epsilon);
                                             })),
              2 * tolerance(type));
    EXPECT_LT(error(dweight.values(), differences(weight, dy.values(),
                                                  [&](std::vector<double> moved) {
                                                    return ref::rms_norm(x, moved, epsilon);
                                                  })),
              2 * tolerance(type));
  }
}

TEST(DeviceRmsNorm, WeightGradientCrossesPartsOfRowsAndTakesWhatComesFromElsewhere) {
  for (const DeviceNumber type : both_types) {
    const int64_t N = 2 * norm_grad_rows + 1, D = 3;
    Norm norm{N, D, type};
    under_test().rms_norm(norm.job(), nullptr);
    // All of one sign: a sum in bfloat16 would stop to grow.
    std::vector<double> positive = norm.x.values();
    for (double& g : positive) g = g < 0 ? -1 : 1;
    Numbers dy(type, positive), ds(type, normal(N * D, 8));
    Numbers dx(type, N * D), alone(DeviceNumber::f32, N * D), dw(type, D);
    Memory<float> parts(norm_grad_parts(N) * D);
    DeviceNormGrad job = {.s = norm.x.data(),
                          .weight = norm.weight.data(),
                          .dy = dy.data(),
                          .inverse = norm.inverse.data(),
                          .ds = nullptr,
                          .dx = nullptr,
                          .parts = parts.data(),
                          .dweight = dw.data(),
                          .N = N,
                          .D = D,
                          .shift = 0,
                          .type = type,
                          .weight_type = type};
    under_test().rms_norm_grad(job, nullptr);
    const auto x = norm.x.values(), g = dy.values();
    std::vector<double> expected(D);
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t d = 0; d < D; ++d) {
        expected[d] += g[n * D + d] * x[n * D + d] * norm.inverse.values()[n];
      }
    }
    EXPECT_LT(error(dw.values(), expected), tolerance(type));
    if (type == DeviceNumber::bf16) continue;
    job.dweight = nullptr;
    job.dx = alone.data();
    under_test().rms_norm_grad(job, nullptr);
    job.ds = ds.data();
    job.dx = dx.data();
    under_test().rms_norm_grad(job, nullptr);
    std::vector<double> sum = alone.values();
    const std::vector<double> elsewhere = ds.values();
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += elsewhere[i];
    EXPECT_LT(error(dx.values(), sum), 1e-6);
  }
}

struct Heads {
  int64_t N, H, d;
  DeviceNumber type;
  // The heads lie in rows of 3·H heads, as queries in a projection of all three.
  Numbers x = {type, normal(N * 3 * H * d, 1)}, weight = {type, normal(d, 2)};
  Memory<float> cos = angles(0), sin = angles(1);
  Numbers y = {type, static_cast<size_t>(N* H* d)};

  Memory<float> angles(int which) const {
    std::vector<float> numbers;
    for (int64_t i = 0; i < N * d / 2; ++i) {
      const double angle = 0.7 * static_cast<double>(i);
      numbers.push_back(static_cast<float>(which == 0 ? std::cos(angle) : std::sin(angle)));
    }
    return Memory<float>(numbers);
  }
  DeviceHeads job() {
    return {.x = x.data(),
            .x_row = 3 * H * d,
            .x_head = d,
            .norm = {nullptr, type, epsilon, 0, false},
            .cos = cos.data(),
            .sin = sin.data(),
            .turned = d,
            .direction = 1,
            .y = y.data(),
            .cache = nullptr,
            .cache_page = 0,
            .cache_head = 0,
            .cache_entry = 0,
            .pages = {},
            .places = nullptr,
            .N = N,
            .H = H,
            .d = d};
  }
  void run(const DeviceHeads& part) const {
    under_test().heads({.part = {part, {}, {}}, .count = 1, .type = type}, nullptr);
  }
  std::vector<double> dense() {
    const auto all = x.values();
    std::vector<double> numbers;
    for (int64_t n = 0; n < N; ++n) {
      numbers.insert(numbers.end(), all.begin() + n * 3 * H * d,
                     all.begin() + n * 3 * H * d + H * d);
    }
    return numbers;
  }
  static std::vector<double> wide(const std::vector<float>& numbers) {
    return {numbers.begin(), numbers.end()};
  }
  std::vector<double> turned(const std::vector<double>& from) {
    return ref::rope(from, wide(cos.values()), wide(sin.values()), H, d);
  }
};

TEST(DeviceHeads, TurnAsTheDefinitionAndBack) {
  for (const DeviceNumber type : both_types) {
    for (const int64_t d : {2, 64, 100}) {
      Heads heads{5, 3, d, type};
      const auto found = in_both_orders([&] {
        heads.run(heads.job());
        return heads.y.values();
      });
      EXPECT_LT(error(found, heads.turned(heads.dense())), tolerance(type)) << d;
      DeviceHeads back = heads.job();
      Numbers again(type, 5 * 3 * d);
      back.x = heads.y.data();
      back.x_row = 3 * d;
      back.y = again.data();
      back.direction = -1;
      heads.run(back);
      EXPECT_LT(error(again.values(), heads.dense()), 2 * tolerance(type)) << d;
    }
  }
}

TEST(DeviceHeads, AreNormedFirstWhereAWeightIsGiven) {
  for (const DeviceNumber type : both_types) {
    Heads heads{4, 2, 40, type};
    DeviceHeads job = heads.job();
    job.norm.weight = heads.weight.data();
    heads.run(job);
    const auto normed = ref::rms_norm(heads.dense(), heads.weight.values(), epsilon);
    EXPECT_LT(error(heads.y.values(), heads.turned(normed)), 3 * tolerance(type));
  }
}

// GPT-NeoX's and Qwen3.5's: the rest of a head stays.
TEST(DeviceHeads, TurnTheirFrontAlone) {
  const int64_t N = 3, H = 2, d = 40, turned = 12;
  Heads heads{N, H, d, DeviceNumber::f32};
  Heads front{N, H, turned, DeviceNumber::f32};  // whose angles these are
  DeviceHeads job = heads.job();
  job.cos = front.cos.data();
  job.sin = front.sin.data();
  job.turned = turned;
  heads.run(job);
  std::vector<double> expected = heads.dense(), fronts;
  for (int64_t i = 0; i < N * H; ++i) {
    fronts.insert(fronts.end(), expected.begin() + i * d, expected.begin() + i * d + turned);
  }
  fronts = front.turned(fronts);
  for (int64_t i = 0; i < N * H; ++i) {
    std::copy_n(fronts.begin() + i * turned, turned, expected.begin() + i * d);
  }
  EXPECT_LT(error(heads.y.values(), expected), tolerance(DeviceNumber::f32));
}

TEST(DeviceHeads, SeveralPartsAreOneLaunch) {
  Heads q{3, 5, 16, DeviceNumber::bf16}, k{3, 2, 16, DeviceNumber::bf16};
  DeviceHeadParts parts = {.part = {q.job(), k.job(), {}}, .count = 2, .type = DeviceNumber::bf16};
  parts.part[1].cos = nullptr;
  const int64_t before = simt::launches();
  under_test().heads(parts, nullptr);
  EXPECT_TRUE(!are_our_own() || simt::launches() == before + 1);
  EXPECT_EQ(k.y.values(), k.dense());
  const auto together = q.y.values();
  q.run(q.job());
  EXPECT_EQ(q.y.values(), together);
}

TEST(DeviceHeads, RowsGoToTheirPageOfTheCache) {
  const int64_t N = 5, H = 2, d = 8, page = 4, pages = 6;
  Heads heads{N, H, d, DeviceNumber::bf16};
  Numbers cache(DeviceNumber::bf16, std::vector<double>(pages * H * page * d, -7));
  // A sequence with three pages to a row, at the ends of pages and behind them.
  Memory<int64_t> table(Ids{5, 0, 3, 1, 4, 2, 5, 1, 0, 0, 2, 4, 3, 4, 5}),
      places(Ids{3, 4, 0, 7, 11});
  DeviceHeads job = heads.job();
  job.cache = cache.data();
  job.cache_page = H * page * d;
  job.cache_head = page * d;
  job.cache_entry = d;
  job.pages = {table.data(), 3, page};
  job.places = places.data();
  in_both_orders([&] {
    heads.run(job);
    return cache.values();
  });
  const auto y = heads.y.values();
  std::vector<double> expected(pages * H * page * d, -7);
  for (int64_t n = 0; n < N; ++n) {
    const int64_t at = places.values()[n], home = table.values()[n * 3 + at / page];
    for (int64_t h = 0; h < H; ++h) {
      for (int64_t i = 0; i < d; ++i) {
        expected[((home * H + h) * page + at % page) * d + i] = y[(n * H + h) * d + i];
      }
    }
  }
  EXPECT_EQ(cache.values(), expected);
}

std::vector<double> gate_of(DeviceGate kind, const std::vector<double>& gate,
                            const std::vector<double>& up) {
  return kind == DeviceGate::silu ? ref::swiglu(gate, up) : ref::geglu(gate, up);
}

// Gate and up side by side in rows of 2·F numbers and three more, as parts of one product.
TEST(DeviceGated, IsItsDefinitionWithItsGradient) {
  for (const DeviceNumber type : both_types) {
    for (const DeviceGate kind : {DeviceGate::silu, DeviceGate::gelu_tanh}) {
      const size_t N = 3, F = 300, n = N * F, row = 2 * F + 3,
                   width = type == DeviceNumber::f32 ? 4 : 2;
      Numbers both(type, normal(N * row, 1, 3)), dy(type, normal(n, 3));
      Numbers y(type, n), dgate(type, n), dup(type, n);
      const DeviceGated job = {.gate = both.data(),
                               .up = static_cast<char*>(both.data()) + F * width,
                               .gate_row = row,
                               .up_row = row,
                               .y = y.data(),
                               .dy = dy.data(),
                               .dgate = dgate.data(),
                               .dup = dup.data(),
                               .N = N,
                               .F = F,
                               .kind = kind,
                               .type = type};
      in_both_orders([&] {
        under_test().gated(job, nullptr);
        under_test().gated_grad(job, nullptr);
        return dgate.values();
      });
      std::vector<double> g, u;
      const auto all = both.values(), d = dy.values();
      for (size_t i = 0; i < N; ++i) {
        const auto begin = all.begin() + static_cast<ptrdiff_t>(i * row);
        g.insert(g.end(), begin, begin + F);
        u.insert(u.end(), begin + F, begin + 2 * F);
      }
      EXPECT_LT(error(y.values(), gate_of(kind, g, u)), 2 * tolerance(type));
      std::vector<double> of_gate(n), of_up(n), above = g, below = g;
      for (size_t i = 0; i < n; ++i) above[i] += 1e-5, below[i] -= 1e-5;
      const auto high = gate_of(kind, above, u), low = gate_of(kind, below, u);
      const auto alone = gate_of(kind, g, std::vector<double>(n, 1));
      for (size_t i = 0; i < n; ++i) {
        of_gate[i] = d[i] * (high[i] - low[i]) / 2e-5;
        of_up[i] = d[i] * alone[i];
      }
      EXPECT_LT(error(dgate.values(), of_gate), 2 * tolerance(type));
      EXPECT_LT(error(dup.values(), of_up), 2 * tolerance(type));
    }
  }
}

}  // namespace
}  // namespace alambic::kernels::row_kernels_test

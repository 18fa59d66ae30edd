// Functions whose tensors lie where kernels of a table are: here the CPU is such a device for
// bfloat16, of which it has no kernels of its own, with the table built by g++.
#include "alambic/kernels/device_functions.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/io/quant/encode.h"
#include "alambic/kernels/activation.h"
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/device_decoding.h"
#include "alambic/kernels/device_moe.h"
#include "alambic/kernels/device_packed.h"
#include "alambic/kernels/norm.h"
#include "alambic/kernels/rope.h"
#include "tests/kernels/numbers.h"

namespace alambic::kernels {
namespace {

using namespace alambic::test;

struct DeviceFunctions : testing::Test {
  void SetUp() override {
    use_device_kernels(
        at::kCPU, {.table = &device::table(), .enqueue = [this](at::Device, const auto& launch) {
                     ++calls;
                     launch(nullptr);
                   }});
  }
  void TearDown() override { use_device_kernels(at::kCPU, {}); }

  // The kernel in bfloat16 against float64, with its gradients, in `launches` launches.
  void expect_right(const Kernel& kernel, const Inputs& inputs, int launches) {
    const Inputs rounded = cast(cast(inputs, at::kBFloat16, false), at::kDouble, false);
    const Tensor exact = kernel(rounded);
    const Tensor probe = draw(exact.sizes(), 99).to(at::kBFloat16).to(at::kDouble);
    calls = 0;
    {
      const at::NoGradGuard guard;
      EXPECT_LT(error(kernel(cast(inputs, at::kBFloat16, false)), exact), 1e-2);
    }
    EXPECT_EQ(calls, 1);
    calls = 0;
    const Inputs found = gradients(kernel, inputs, at::kBFloat16, probe);
    EXPECT_EQ(calls, launches);
    const Inputs expected = gradients(kernel, rounded, at::kDouble, probe);
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].scalar_type(), at::kBFloat16);
      EXPECT_LT(error(found[i], expected[i]), 2e-2) << "input " << i;
    }
  }

  int calls = 0;
};

TEST_F(DeviceFunctions, NormRopeAndGatesRunTheTablesKernels) {
  expect_right([](const Inputs& in) { return rms_norm(in[0], in[1], 1e-5); },
               {draw({5, 40}, 1), draw({40}, 2)}, 2);
  const Tensor angle = draw({5, 8}, 3);
  expect_right(
      [&](const Inputs& in) {
        const auto wide = in[0].scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
        return rope(in[0], angle.cos().to(wide), angle.sin().to(wide));
      },
      {draw({5, 3, 16}, 4)}, 2);
  for (const Gate gate : {Gate::silu, Gate::gelu_tanh}) {
    expect_right([&](const Inputs& in) { return gated(gate, in[0], in[1]); },
                 {draw({4, 30}, 5), draw({4, 30}, 6)}, 2);
  }
  expect_right([](const Inputs& in) { return gelu_tanh(in[0]); }, {draw({4, 30}, 7)}, 2);
}

TEST_F(DeviceFunctions, DropoutGoesBackThroughTheSameMask) {
  const on_device::DropoutMask mask{.words = {1, 2, 3, 4}, .least = 1u << 31, .kept = 2};
  const Tensor x = at::ones({33}, at::kBFloat16).requires_grad_();
  const Tensor y = on_device::dropout(x, mask);
  y.sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), y.detach()));
  const double kept = y.detach().to(at::kDouble).sum().item<double>() / 2;
  EXPECT_TRUE(kept > 5 && kept < 28) << kept;
}

TEST_F(DeviceFunctions, RowsGoToExpertsAndBackWithGradients) {
  const Tensor experts = at::tensor({2, 0, 2, 1, 0, 2}, at::kLong).view({3, 2});
  const Kernel by_kernels = [&](const Inputs& in) {
    const auto routed = on_device::route(experts, 3);
    EXPECT_TRUE(at::equal(routed.ends_E, at::tensor({2, 3, 6}, at::kInt)));
    return on_device::combine_rows(on_device::gather_rows(in[0], routed) * 2, in[1], in[2], routed);
  };
  const Kernel by_definition = [&](const Inputs& in) {
    return in[2] + (in[0] * 2).unsqueeze(1).mul(in[1].unsqueeze(-1)).sum(1);
  };
  const Inputs inputs =
      cast(cast({draw({3, 8}, 1), draw({3, 2}, 2), draw({3, 8}, 3)}, at::kBFloat16, false),
           at::kDouble, false);
  const Tensor probe = draw({3, 8}, 4).to(at::kBFloat16).to(at::kDouble);
  EXPECT_LT(error(by_kernels(cast(inputs, at::kBFloat16, false)), by_definition(inputs)), 1e-2);
  const Inputs found = gradients(by_kernels, inputs, at::kBFloat16, probe);
  const Inputs expected = gradients(by_definition, inputs, at::kDouble, probe);
  for (size_t i = 0; i < 3; ++i) EXPECT_LT(error(found[i], expected[i]), 2e-2) << "input " << i;
}

TEST_F(DeviceFunctions, PackedRowsStayPackedInTheirProducts) {
  const int64_t R = 6, C = 64;
  const Tensor numbers = draw({R, C}, 1).to(at::kFloat);
  const auto* first = numbers.const_data_ptr<float>();
  const auto packed = encode(Dtype::Q8_0, std::span(first, R * C));
  const Tensor bytes = at::empty({R, C / 32 * 34}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr(), packed.data(), packed.size());
  const on_device::PackedRowsOnDevice matrix{
      .bytes = bytes, .format = *on_device::device_format(Dtype::Q8_0), .columns = C};
  const Tensor whole = on_device::decoded(matrix, 0, R, at::kFloat);
  EXPECT_LT(error(whole, numbers), 1e-2);
  const Tensor ids = at::tensor({4, 1}, at::kLong);
  EXPECT_TRUE(at::equal(on_device::decoded(matrix, ids, at::kFloat), whole.index_select(0, ids)));
  for (const int64_t N : {int64_t{2}, packed_few_rows + 1}) {
    const Tensor x = draw({N, C}, 2).to(at::kBFloat16), bias = draw({R}, 3).to(at::kBFloat16);
    const Tensor exact =
        at::addmm(bias.to(at::kDouble), x.to(at::kDouble), whole.to(at::kDouble).t());
    EXPECT_LT(error(on_device::product(x, matrix, bias), exact), 1e-2) << N;
  }
  EXPECT_FALSE(on_device::device_format(Dtype::Q5_K).has_value());
}

TEST_F(DeviceFunctions, AStepOfAdamWRoundsTheWeightFromItsMaster) {
  const Tensor gradient = draw({40}, 1).to(at::kBFloat16), weight = at::empty_like(gradient);
  const Tensor master = draw({40}, 2).to(at::kFloat), mean = at::zeros({40}), square = mean.clone();
  const Tensor before = master.clone();
  const auto clipped = on_device::clipped_norm({gradient, gradient}, 1);
  const double norm = gradient.to(at::kDouble).norm().item<double>() * std::sqrt(2.0);
  EXPECT_NEAR(clipped.norm.item<double>(), norm, 1e-9 * norm);
  on_device::adamw({.learning_rate = 0.1,
                    .beta1 = 0.9,
                    .beta2 = 0.99,
                    .epsilon = 1e-8,
                    .weight_decay = 0,
                    .step = 1},
                   master, mean, square, gradient, weight, clipped.scale);
  // The first step moves each number by the learning rate, towards the gradient's other side.
  EXPECT_LT(error(before - master, gradient.to(at::kFloat).sign() * 0.1), 1e-5);
  EXPECT_TRUE(at::equal(weight, master.to(at::kBFloat16)));
  EXPECT_LT(error(mean, gradient.to(at::kFloat) * (0.1 / norm)), 1e-5);
}

TEST_F(DeviceFunctions, DecodingTakesSlotsAndPlaces) {
  const Tensor q = draw({2, 4, 8}, 1), keys = draw({3, 2, 16, 8}, 2),
               values = draw({3, 2, 16, 8}, 3);
  const auto narrow = [](const Tensor& t) { return t.to(at::kBFloat16); };
  const Tensor k = narrow(keys), v = narrow(values), row = narrow(draw({2, 2, 8}, 4));
  const Tensor slots = at::tensor({2, 0}, at::kLong), places = at::tensor({5, 9}, at::kLong);
  on_device::write_entries(row, k, slots, places);
  EXPECT_TRUE(at::equal(k[2].select(1, 5), row[0]));
  EXPECT_TRUE(at::equal(k[0].select(1, 9), row[1]));
  const AttentionOptions options{.scale = 0.4, .softcap = 2};
  ASSERT_TRUE(on_device::takes_cached_attention(narrow(q), k, v, options));
  const Tensor found = on_device::cached_attention(narrow(q), k, v, slots, places, 10, options);
  const auto wide = [](const Tensor& t) { return t.to(at::kBFloat16).to(at::kDouble); };
  EXPECT_LT(error(found, cached_attention(wide(q), wide(k), wide(v), {2, 0}, {6, 10}, options)),
            1e-2);
}

TEST_F(DeviceFunctions, ThoseOfTheCpuStayItsOwn) {
  rms_norm(draw({2, 8}, 1).to(at::kFloat), draw({8}, 2).to(at::kFloat), 1e-5);
  rms_norm(draw({2, 8}, 1), draw({8}, 2), 1e-5);  // float64 has no kernel anywhere
  EXPECT_EQ(calls, 0);
}

TEST_F(DeviceFunctions, ADeviceThatRefusesIsAnEnvironmentError) {
  use_device_kernels(at::kCPU, {.table = &device::table(), .enqueue = [](at::Device, const auto&) {
                                  throw std::runtime_error("no kernel image is available");
                                }});
  const Tensor x = draw({2, 8}, 1).to(at::kBFloat16);
  try {
    gelu_tanh(x);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::environment);
    EXPECT_STREQ(error.what(), "device cpu: no kernel image is available");
  }
}

TEST(CudaKernels, LoadWithoutADriverAndSayWhyTheyCannotRun) {
  const std::string library = std::string(ALAMBIC_BINARY_DIR) + "/libalambic_cuda.so";
  if (!path_exists(library)) GTEST_SKIP() << "libalambic_cuda.so was not built: no nvcc";
  const std::string reason = load_cuda_kernels(0);
  if (device_kernels(at::Device(at::kCUDA, 0)) != nullptr) {
    EXPECT_EQ(reason, "");  // there is a GPU
    use_device_kernels(at::kCUDA, {});
  } else {
    EXPECT_NE(reason.find("cannot run on GPU 0: "), std::string::npos) << reason;
  }
}

}  // namespace
}  // namespace alambic::kernels

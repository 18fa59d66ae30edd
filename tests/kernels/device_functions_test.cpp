// Functions whose tensors lie where kernels of a table are: here the CPU is such a device for
// bfloat16, of which it has no kernels of its own, with the table built by g++.
#include "alambic/kernels/device_functions.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/kernels/activation.h"
#include "alambic/kernels/cuda/kernels.h"
#include "alambic/kernels/device_decoding.h"
#include "alambic/kernels/device_moe.h"
#include "alambic/kernels/device_norm.h"
#include "alambic/kernels/device_packed.h"
#include "alambic/kernels/device_update.h"
#include "alambic/kernels/norm.h"
#include "alambic/kernels/packed_linear.h"
#include "alambic/kernels/rope.h"
#include "tests/kernels/numbers.h"
#include "tests/random_packed.h"

namespace alambic::kernels::device_functions_test {
namespace {

using namespace alambic::test;

struct Outcome {
  int code = 0;
  std::string text = {};
};

struct DeviceFunctions : testing::Test {
  void SetUp() override {
    use_device_kernels(
        at::kCPU, {.table = &device::table(), .around = [this](void* stream, const auto& launch) {
                     ++calls;
                     launch(stream);
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

// A sum that loses what comes to it beside the norm, or a gradient with 1 + weight in one place
// only.
TEST_F(DeviceFunctions, SumsOfTheResidualStreamGoBackOnBothWays) {
  for (const bool plus_one : {false, true}) {
    const Kernel by_kernel = [&](const Inputs& in) {
      const auto made =
          on_device::add_and_norm(in[0], in[1], in[2], {.epsilon = 1e-5, .plus_one = plus_one});
      return at::cat({made.sum_ND, made.norm_ND});
    };
    const Kernel by_definition = [&](const Inputs& in) {
      const Tensor sum = in[0] + in[1];
      const Tensor root = (sum.square().mean(-1, true) + 1e-5).rsqrt();
      return at::cat({sum, sum * root * (plus_one ? in[2] + 1 : in[2])});
    };
    const Inputs inputs =
        cast(cast({draw({5, 40}, 1), draw({5, 40}, 2), draw({40}, 3)}, at::kBFloat16, false),
             at::kDouble, false);
    const Tensor probe = draw({10, 40}, 4).to(at::kBFloat16).to(at::kDouble);
    calls = 0;
    const Inputs found = gradients(by_kernel, inputs, at::kBFloat16, probe);
    EXPECT_EQ(calls, 2);
    const Inputs expected = gradients(by_definition, inputs, at::kDouble, probe);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_LT(error(found[i], expected[i]), 2e-2) << "input " << i << ", plus_one " << plus_one;
    }
  }
}

TEST_F(DeviceFunctions, GatesReadPartsOfOneProduct) {
  const Tensor both = draw({6, 50}, 1).to(at::kBFloat16);
  const auto parts = both.split(25, 1);
  const Tensor apart = gated(Gate::silu, parts[0].contiguous(), parts[1].contiguous());
  calls = 0;
  EXPECT_TRUE(at::equal(gated(Gate::silu, parts[0], parts[1]), apart));
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(at::equal(
      gated(Gate::silu, parts[0].unflatten(0, {2, 3}), parts[1].unflatten(0, {2, 3})).flatten(0, 1),
      apart));
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
  const PackedMatrix packed = random_packed(Dtype::Q8_0, R, C);
  const PackedMatrix matrix = on_device::packed_on(at::kCPU, packed);
  const Tensor whole = packed.decoded(0, R);
  EXPECT_TRUE(at::equal(matrix.decoded(0, R), whole));
  EXPECT_TRUE(at::equal(matrix.part(2, 3).decoded(1, 2), whole.narrow(0, 3, 2)));
  const Tensor ids = at::tensor({4, 1}, at::kLong);
  EXPECT_TRUE(at::equal(matrix.decoded(ids), whole.index_select(0, ids)));
  for (const int64_t N : {int64_t{2}, packed_few_rows + 1}) {
    const Tensor x = draw({N, C}, 2).to(at::kBFloat16), bias = draw({R}, 3).to(at::kBFloat16);
    const Tensor exact =
        at::addmm(bias.to(at::kDouble), x.to(at::kDouble), whole.to(at::kDouble).t());
    EXPECT_LT(error(packed_linear(x, matrix, bias), exact), 1e-2) << N;
  }
}

TEST_F(DeviceFunctions, AStepOfAdamWRoundsTheWeightFromItsMaster) {
  const Tensor gradient = draw({40}, 1).to(at::kBFloat16), weight = at::empty_like(gradient);
  const Tensor master = draw({40}, 2).to(at::kFloat), mean = at::zeros({40}), square = mean.clone();
  const Tensor before = master.clone();
  const auto clipped = on_device::clipped_norm({gradient, gradient}, 1);
  const double norm = gradient.to(at::kDouble).norm().item<double>() * std::sqrt(2.0);
  EXPECT_NEAR(clipped.norm.item<double>(), norm, 1e-9 * norm);
  EXPECT_FLOAT_EQ(clipped.scale.item<float>(), static_cast<float>(1 / norm));
  std::vector<on_device::AdamWTensor> tensors = {{master, mean, square, gradient, weight, 0}};
  ASSERT_TRUE(on_device::takes_adamw(tensors[0]));
  // More than one launch takes.
  for (int i = 0; i < most_device_tensors; ++i) {
    tensors.push_back({master.clone(), mean.clone(), square.clone(), gradient, {}, 0});
  }
  calls = 0;
  on_device::adamw({.learning_rate = 0.1,
                    .beta1 = 0.9,
                    .beta2 = 0.99,
                    .epsilon = 1e-8,
                    .step = 1,
                    .factor = clipped.scale.item<double>()},
                   tensors);
  EXPECT_EQ(calls, 2);
  for (const auto& tensor : tensors) EXPECT_TRUE(at::equal(tensor.master, master));
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
  const Tensor pages = at::tensor({2, 0}, at::kLong).view({2, 1}),
               places = at::tensor({5, 9}, at::kLong);
  on_device::write_entries(row, k, pages, places);
  EXPECT_TRUE(at::equal(k[2].select(1, 5), row[0]));
  EXPECT_TRUE(at::equal(k[0].select(1, 9), row[1]));
  const AttentionOptions options{.scale = 0.4, .softcap = 2};
  ASSERT_TRUE(on_device::takes_cached_attention(narrow(q), k, v, options));
  const Tensor found = on_device::cached_attention(narrow(q), k, v, pages, places, 10, options);
  const auto wide = [](const Tensor& t) { return t.to(at::kBFloat16).to(at::kDouble); };
  EXPECT_LT(error(found, cached_attention(wide(q), wide(k), wide(v), {2, 0}, {6, 10}, options)),
            1e-2);
}

// What norms, turns, writes and attention do one after another.
TEST_F(DeviceFunctions, NewHeadsReachAttentionInTwoLaunches) {
  const auto narrow = [](const Tensor& t) { return t.to(at::kBFloat16); };
  const Tensor q = narrow(draw({2, 4, 8}, 1)), k = narrow(draw({2, 2, 8}, 2)),
               v = narrow(draw({2, 2, 8}, 3)), norm = narrow(draw({8}, 4)), angle = draw({2, 3}, 5);
  const Tensor pages = at::tensor({2, 0}, at::kLong).view({2, 1}),
               places = at::tensor({5, 9}, at::kLong);
  const Tensor cos = angle.cos().to(at::kFloat), sin = angle.sin().to(at::kFloat);
  const AttentionOptions options{.scale = 0.4, .window = 6};
  const auto caches = [&] {
    return std::pair(narrow(draw({3, 2, 16, 8}, 6)), narrow(draw({3, 2, 16, 8}, 7)));
  };
  const auto turned = [&](const Tensor& x) {
    const Tensor front = x.narrow(2, 0, 6).contiguous();
    return at::cat({rope(front, cos, sin), x.narrow(2, 6, 2)}, 2);
  };
  const auto [keys, values] = caches();
  on_device::write_entries(turned(rms_norm(k, norm, 1e-5)), keys, pages, places);
  on_device::write_entries(v, values, pages, places);
  const Tensor expected = on_device::cached_attention(turned(rms_norm(q, norm, 1e-5)), keys, values,
                                                      pages, places, 10, options);
  const auto [own_keys, own_values] = caches();
  const on_device::NewHeads heads{.q = {q, norm, {.epsilon = 1e-5}},
                                  .k = {k, norm, {.epsilon = 1e-5}},
                                  .v_BKd = v,
                                  .cos_Bd = cos,
                                  .sin_Bd = sin};
  ASSERT_TRUE(on_device::takes_decode_attention(heads, own_keys, own_values, options));
  calls = 0;
  const Tensor found =
      on_device::decode_attention(heads, own_keys, own_values, pages, places, 10, options);
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(at::equal(own_keys, keys));
  EXPECT_TRUE(at::equal(own_values, values));
  EXPECT_TRUE(at::equal(found, expected));
}

TEST_F(DeviceFunctions, ThoseOfTheCpuStayItsOwn) {
  rms_norm(draw({2, 8}, 1).to(at::kFloat), draw({8}, 2).to(at::kFloat), 1e-5);
  rms_norm(draw({2, 8}, 1), draw({8}, 2), 1e-5);  // float64 has no kernel anywhere
  EXPECT_EQ(calls, 0);
}

TEST_F(DeviceFunctions, ADeviceThatRefusesIsAnEnvironmentError) {
  use_device_kernels(at::kCPU, {.table = &device::table(), .around = [](void*, const auto&) {
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

std::string built(const std::string& library) {
  return std::string(ALAMBIC_BINARY_DIR) + "/" + library;
}

std::string refusal(const std::string& path) {
  const auto found = load_device_table(path, 0);
  const auto* reason = std::get_if<std::string>(&found);
  return reason == nullptr ? "it was taken" : *reason;
}

// A table whose structs are another build's: kernels that read other fields than were written.
TEST(DeviceTables, OfAnotherBuildAreNotUsed) {
  EXPECT_NE(refusal(built("tests/libother_kernels.so")).find("of another build: its table is "),
            std::string::npos);
  EXPECT_NE(refusal(built("libalambic_core.so")).find("shows no alambic_device_table"),
            std::string::npos);
  EXPECT_NE(refusal("libnone.so").find("libnone.so"), std::string::npos);
}

TEST(DeviceTables, OfThisBuildAreLoadedAndRun) {
  const auto found = load_device_table(built("tests/libsimt_kernels.so"), 0);
  ASSERT_TRUE(std::holds_alternative<const DeviceTable*>(found)) << std::get<std::string>(found);
  const DeviceTable* table = std::get<const DeviceTable*>(found);
  EXPECT_NE(table, &device::table()) << "this program's own";
  EXPECT_NE(table->rows, nullptr);
  const Tensor x = draw({4, 30}, 7).to(at::kBFloat16), expected = gelu_tanh(x);
  use_device_kernels(at::kCPU, {.table = table});
  const Tensor y = gelu_tanh(x);
  use_device_kernels(at::kCPU, {});
  EXPECT_LT(error(y, expected.to(at::kDouble)), 1e-2);
}

// With a driver libtorch's CUDA half would be loaded by now, or not.
struct OpenKernels : testing::Test {
  void SetUp() override {
    if (path_exists("/dev/nvidiactl")) GTEST_SKIP() << "there is a driver";
  }
  void TearDown() override { ::unsetenv("ALAMBIC_KERNELS"); }

  static Outcome open(const char* wanted) {
    if (wanted != nullptr) ::setenv("ALAMBIC_KERNELS", wanted, 1);
    testing::internal::CaptureStderr();
    Outcome outcome;
    try {
      open_device_kernels(at::Device(at::kCUDA, 0));
    } catch (const Error& error) {
      outcome.code = static_cast<int>(error.exit());
      outcome.text = std::string(error.what()) + " | " + error.hint();
    }
    outcome.text += testing::internal::GetCapturedStderr();
    return outcome;
  }
};

// A GPU that decodes several times slower than it could, and nobody is told.
TEST_F(OpenKernels, WarnsWhatIsSlowerWhereThereAreNone) {
  const Outcome outcome = open(nullptr);
  EXPECT_EQ(outcome.code, 0);
  for (const char* part : {"warning: device cuda:0 has no kernels of ours: ", "libalambic_cuda.so",
                           "several times slower"}) {
    EXPECT_NE(outcome.text.find(part), std::string::npos) << outcome.text;
  }
  EXPECT_EQ(device_kernels(at::Device(at::kCUDA, 0)), nullptr);
}

TEST_F(OpenKernels, AnErrorOrSilenceWhereThatIsAskedFor) {
  const Outcome required = open("required");
  EXPECT_EQ(required.code, 3);
  EXPECT_NE(required.text.find("which ALAMBIC_KERNELS requires"), std::string::npos)
      << required.text;
  EXPECT_NE(required.text.find("tools/setup --cuda"), std::string::npos) << required.text;
  const Outcome none = open("none");
  EXPECT_EQ(none.code, 0);
  EXPECT_EQ(none.text, "");
  const Outcome other = open("nope");
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.text.find("expected required or none"), std::string::npos) << other.text;
}

TEST(CudaKernels, LoadWithoutADriverAndSayWhyTheyCannotRun) {
  const std::string library = built("libalambic_cuda.so");
  if (!path_exists(library)) GTEST_SKIP() << "libalambic_cuda.so was not built: no nvcc";
  const std::string reason = refusal(library);
  EXPECT_TRUE(reason == "it was taken" || reason.find("cannot run on GPU 0: ") != reason.npos)
      << reason;
}

}  // namespace
}  // namespace alambic::kernels::device_functions_test

// Weights that stay packed on a device: every format and everything that is computed with them, as
// on the CPU.
#include "alambic/kernels/device_packed.h"
#include "alambic/kernels/packed_linear.h"
#include "alambic/kernels/weight_linear.h"
#include "alambic/model/adapter.h"
#include "alambic/model/load.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/nn/head_logits.h"
#include "alambic/nn/joint_linear.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/rollout/engine.h"
#include "alambic/tensor/device.h"
#include "tests/device/simulated_device.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"
#include "tests/model/fp8_of.h"
#include "tests/model/gguf_of.h"
#include "tests/random_packed.h"

namespace alambic::packed_weights_test {
namespace {

using kernels::on_device::packed_on;

double tolerance(at::ScalarType type) { return type == at::kFloat ? 1e-5 : 1e-2; }

Tensor draw(at::IntArrayRef sizes, uint64_t seed, at::ScalarType type) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(sizes, generator).to(type);
}

void expect_near(const Tensor& found, const Tensor& expected, double tolerance,
                 const std::string& about) {
  EXPECT_LT(relative_distance(found.cpu().to(at::kDouble), expected.to(at::kDouble)), tolerance)
      << about;
}

struct PackedFormat : testing::TestWithParam<Dtype> {
  void SetUp() override {
    if (is_simulated() && !simulated::has_kernels()) GTEST_SKIP() << "it has no kernels";
    // So little that products take a matrix in parts.
    if (is_simulated()) simulated::set_memory(size_t{1} << 28);
  }
  void TearDown() override { simulated::set_memory(0); }

  static constexpr int64_t rows = 72, columns = 1024;
};

// A format whose numbers, parts or products are others than on the CPU; the last rows of a matrix
// that is multiplied in parts.
TEST_P(PackedFormat, IsComputedWithAsOnTheCpu) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const std::string about = name_of(GetParam()) + " " + at::toString(type);
    const PackedMatrix here = random_packed(GetParam(), rows, columns, 1, type);
    const PackedMatrix there = packed_on(test_device(), here);
    EXPECT_EQ(there.device(), test_device());
    EXPECT_TRUE(at::equal(there.part(5, 40).decoded(2, 9).cpu(), here.decoded(7, 9))) << about;
    const Tensor ids = at::tensor({41, 3, 41}, at::kLong);
    EXPECT_TRUE(at::equal(there.decoded(ids.to(test_device())).cpu(), here.decoded(ids))) << about;
    const Tensor bias = draw({rows}, 2, type);
    for (const int64_t N : {3, 20}) {
      const auto gradients = [&](const PackedMatrix& matrix) {
        const Tensor x = draw({N, columns}, 3, type).to(matrix.device()).detach().requires_grad_();
        const Tensor b = bias.clone().to(matrix.device()).detach().requires_grad_();
        const Tensor y = kernels::packed_linear(x, matrix, b);
        y.backward(draw({N, rows}, 4, type).to(matrix.device()));
        return std::vector<Tensor>{y.detach(), x.grad(), b.grad()};
      };
      const std::vector<Tensor> found = gradients(there), expected = gradients(here);
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].scalar_type(), type);
        expect_near(found[i], expected[i], tolerance(type),
                    fmt::format("{}, {} rows, tensor {}", about, N, i));
      }
    }
  }
}

// A head whose logits are float32 while its model is bfloat16: they and what goes back are not
// rounded on the way.
TEST_P(PackedFormat, HasWideProducts) {
  const PackedMatrix here = random_packed(GetParam(), rows, columns, 1, at::kBFloat16);
  const Weight there(packed_on(test_device(), here));
  const Tensor whole = here.decoded(0, rows).to(at::kDouble);
  for (const int64_t N : {3, 20}) {
    const Tensor x = draw({N, columns}, 3, at::kBFloat16), dy = draw({N, rows}, 4, at::kBFloat16);
    const auto wide = at::TensorOptions(test_device()).dtype(at::kFloat);
    const Tensor y = at::empty({N, rows + 8}, wide).narrow(1, 0, rows);
    const Tensor dx = at::empty({N, columns}, wide);
    kernels::write_linear(y, x.to(test_device()), there, Tensor());
    kernels::write_input_grad(dx, dy.to(test_device()), there);
    expect_near(y, at::mm(x.to(at::kDouble), whole.t()), N > 8 ? 1e-5 : 4e-3, "logits");
    expect_near(dx, at::mm(dy.to(at::kDouble), whole), 1e-5, "gradient");
  }
}

std::vector<Dtype> device_formats() {
  std::vector<Dtype> formats = packed_dtypes;
  std::erase_if(formats, [](Dtype dtype) {
    return dtype == Dtype::F32 || dtype == Dtype::BF16 || dtype == Dtype::F16;
  });
  return formats;
}

INSTANTIATE_TEST_SUITE_P(All, PackedFormat, testing::ValuesIn(device_formats()),
                         [](const auto& info) { return name_of(info.param); });

struct PackedWeights : testing::Test {
  void SetUp() override {
    if (is_simulated() && !simulated::has_kernels()) GTEST_SKIP() << "it has no kernels";
  }
  void TearDown() override { simulated::set_memory(0); }
};

// Matrices that change as they move, and products that stay apart where they need not.
TEST_F(PackedWeights, OfOneInputAreOneProduct) {
  for (const Dtype dtype : {Dtype::Q4_K, Dtype::F8_E4M3}) {
    std::vector<Linear> maps;
    for (const int64_t rows : {32, 16, 48}) {
      maps.emplace_back(256, rows, false).weight =
          Weight(packed_on(test_device(), random_packed(dtype, rows, 256, rows)));
    }
    const Tensor x_ND = draw({5, 256}, 1, at::kFloat).to(test_device());
    const at::NoGradGuard no_gradient;
    std::vector<Tensor> before;
    for (const Linear& map : maps) before.push_back(map(x_ND));
    lay_side_by_side({&maps[0], &maps[1], &maps[2]});
    simulated::take_counts();
    const std::vector<Tensor> found = joint_linear(x_ND, {&maps[0], &maps[1], &maps[2]});
    EXPECT_TRUE(!is_simulated() || simulated::take_counts().operators == 1);
    for (size_t i = 0; i < maps.size(); ++i) {
      EXPECT_TRUE(at::equal(found[i].cpu(), before[i].cpu())) << name_of(dtype) << " " << i;
      EXPECT_TRUE(at::equal(maps[i](x_ND).cpu(), before[i].cpu())) << name_of(dtype) << " " << i;
    }
  }
  // Tiles that would begin within one of another's.
  Linear one(96, 10, false), other(96, 16, false);
  one.weight = Weight(packed_on(test_device(), random_packed(Dtype::F8_E4M3, 10, 96)));
  other.weight = Weight(packed_on(test_device(), random_packed(Dtype::F8_E4M3, 16, 96)));
  const Tensor whole = other.weight.decoded().cpu();
  lay_side_by_side({&one, &other});
  EXPECT_TRUE(at::equal(other.weight.decoded().cpu(), whole));
}

struct Answered {
  Tensor hidden, logits;
  std::vector<Completion> completions;
};

Answered answered(const Model& model, at::Device device) {
  const at::NoGradGuard no_grad;
  const Packed tokens = pack({{1, 5, 9, 3, 7, 2, 8, 4, 6, 11, 13}, {6, 1}}, device);
  Answered answered{.hidden = model.hidden(Pass(tokens)), .logits = {}, .completions = {}};
  answered.logits = head_logits(model.head(), answered.hidden);
  EngineOptions engine{.batch = 2, .seed = 8};
  engine.sampling.max_new_tokens = 6;
  answered.completions =
      generate(model, std::vector<Request>{{{3}, 0}, {{5, 7, 9, 11}, 1}}, engine);
  return answered;
}

std::map<std::string, Dtype> packed_of(const Model& model) {
  std::map<std::string, Dtype> names;
  const_cast<Model&>(model).visit([&](const std::string& name, const Weight& weight) {
    if (weight.is_packed()) names[name] = weight.packed().dtype;
  });
  return names;
}

void expect_as_on_the_cpu(const fs::path& model) {
  const auto cpu = load_model(model, {.frozen = true});
  const auto device = load_model(model, {.device = test_device(), .frozen = true});
  auto expected = packed_of(*cpu);
  std::erase_if(expected, [](const auto& item) {
    return item.second == Dtype::BF16 || item.second == Dtype::F16;
  });
  if (expected.empty()) GTEST_SKIP() << "no row is whole blocks";
  EXPECT_EQ(packed_of(*device), expected);
  const Answered found = answered(*device, test_device()), wanted = answered(*cpu, at::kCPU);
  expect_near(found.hidden, wanted.hidden, 1e-4, "hidden states");
  expect_near(found.logits, wanted.logits, 1e-4, "logits");
  for (size_t i = 0; i < wanted.completions.size(); ++i) {
    EXPECT_EQ(found.completions[i].tokens, wanted.completions[i].tokens) << "completion " << i;
  }
}

struct PackedFamily : testing::TestWithParam<std::string> {
  void SetUp() override {
    if (is_simulated() && !simulated::has_kernels()) GTEST_SKIP() << "it has no kernels";
  }
};

// A family that computes with a weight in a way of its own, which the device's packed ones lack;
// weights that a device decodes whole as they are loaded.
TEST_P(PackedFamily, OfGgufIsAsOnTheCpu) {
  fs::path file;
  try {
    file = gguf_of(ModelFolder::open(golden_folder(GetParam())), "q8_0", "device_" + GetParam());
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  expect_as_on_the_cpu(file);
}

TEST_P(PackedFamily, OfFp8IsAsOnTheCpu) { expect_as_on_the_cpu(fp8_of(GetParam())); }

INSTANTIATE_TEST_SUITE_P(Golden, PackedFamily, testing::ValuesIn(golden_models()), golden_name);

// Experts whose rows go to their neighbor's matrix; with few tokens all in one product, with many
// each in its own.
TEST_F(PackedWeights, OfExpertsAreAsOnTheCpu) {
  Json config = small_llama_config();
  config["architectures"] = {"MixtralForCausalLM"};
  config["model_type"] = "mixtral";
  config["hidden_size"] = 32;
  config["intermediate_size"] = 64;
  config["num_local_experts"] = 4;
  config["num_experts_per_tok"] = 2;
  const fs::path file = gguf_of(config, "q8_0", "device_experts");
  expect_as_on_the_cpu(file);
  const at::NoGradGuard no_grad;
  std::vector<int32_t> many;
  for (int32_t i = 0; i < 60; ++i) many.push_back(1 + i * 7 % 40);
  const auto hidden = [&](at::Device device) {
    const auto model = load_model(file, {.device = device, .frozen = true});
    return model->hidden(Pass(pack({many}, device)));
  };
  expect_near(hidden(test_device()), hidden(at::kCPU), 1e-4, "many rows");
}

// gpt-oss's own files: experts in MXFP4.
TEST_F(PackedWeights, OfGptOssAreAsOnTheCpu) { expect_as_on_the_cpu(golden_folder("mxfp4")); }

// An adapter that learns another thing because its base is kept as in its file (QLoRA).
TEST_F(PackedWeights, UnderAnAdapterHaveTheGradientsOfTheCpu) {
  const fs::path file = gguf_of(wide_config(true), "q4_k", "device_qlora");
  for (const bool dora : {false, true}) {
    const LoraOptions lora{.rank = 4, .alpha = 6, .targets = {"all-linear"}, .dora = dora};
    const auto gradients = [&](at::Device device) {
      const auto model = load_model(file, {.device = device, .frozen = true, .lora = lora});
      attach_adapter(*model, lora, 5);
      std::vector<std::pair<std::string, Tensor>> found;
      const Packed input = pack({{1, 7, 3, 9, 30, 31, 7, 6, 5}, {4, 2}}, device);
      const Tensor targets = at::arange(11, at::kLong).to(device);
      cross_entropy_loss(model->hidden(Pass(input)), model->head(), targets, 11).value.backward();
      model->visit(of_dense([&](const std::string& name, Tensor& tensor) {
        if (tensor.grad().defined()) found.emplace_back(name, tensor.grad());
      }));
      EXPECT_FALSE(packed_of(*model).empty());
      return found;
    };
    const auto found = gradients(test_device()), expected = gradients(at::kCPU);
    ASSERT_EQ(found.size(), expected.size());
    ASSERT_FALSE(found.empty());
    for (size_t i = 0; i < found.size(); ++i) {
      if (expected[i].second.abs().max().item<double>() == 0) continue;
      expect_near(found[i].second, expected[i].second, 1e-4, found[i].first);
    }
  }
}

// Bug: a teacher of 40 GB in Q4_K took 141 GB of a device, decoded as it was loaded.
TEST_F(PackedWeights, TakeTheMemoryOfTheirFile) {
  if (!is_simulated()) GTEST_SKIP() << "its memory cannot be set";
  simulated::set_memory(size_t{1} << 28);
  // Rows of 272 bytes, so that head and embedding fill the blocks of this device's allocator.
  const fs::path file = gguf_of(wide_config(false, 1, 256, 15420), "q8_0", "device_memory");
  const auto bytes = static_cast<double>(fs::file_size(file));
  reset_peak_memory(test_device());
  const double before = peak_memory(test_device());
  const auto model =
      load_model(file, {.device = test_device(), .dtype = at::kBFloat16, .frozen = true});
  reset_peak_memory(test_device());
  EXPECT_LE(peak_memory(test_device()) - before, 1.1 * bytes);
  const double loaded = peak_memory(test_device());
  const at::NoGradGuard no_grad;
  const Packed tokens = pack({{1, 5, 9, 3, 7, 2, 8, 4, 6, 11, 13, 2}}, test_device());
  const Tensor hidden = model->hidden(Pass(tokens));
  const Tensor logits = head_logits(model->head(), hidden);
  // A quarter of the decoded head, beside which there is little.
  EXPECT_LE(peak_memory(test_device()) - loaded, 0.25 * 2 * 256 * 15420);
  EXPECT_EQ(logits.size(1), 15420);
}

// Where there are no kernels, or not for a format, that is said and the numbers are the same.
TEST_F(PackedWeights, AreDecodedWhereThereAreNoKernels) {
  if (!is_simulated()) GTEST_SKIP() << "a GPU's kernels are there";
  const fs::path file = gguf_of(wide_config(false), "q8_0", "device_without");
  const Answered expected = answered(*load_model(file, {.frozen = true}), at::kCPU);
  const simulated::WithoutKernels by_operators;
  testing::internal::CaptureStderr();
  const auto model = load_model(file, {.device = test_device(), .frozen = true});
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("no kernels for weights in Q8_0"), std::string::npos) << said;
  EXPECT_TRUE(packed_of(*model).empty());
  expect_near(answered(*model, test_device()).logits, expected.logits, 1e-4, "logits");
}

}  // namespace
}  // namespace alambic::packed_weights_test

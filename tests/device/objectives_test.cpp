// Losses, recomputed layers and adapters on a device give what they give on the CPU.
#include <gtest/gtest.h>

#include <cmath>

#include "alambic/model/adapter.h"
#include "alambic/model/tiny.h"
#include "alambic/nn/recompute.h"
#include "alambic/objective/divergence.h"
#include "alambic/objective/divergence_kind.h"
#include "alambic/objective/head_chunks.h"
#include "alambic/rollout/engine.h"
#include "alambic/teacher/local.h"
#include "alambic/train/optimizer.h"
#include "tests/device/models_on_device.h"
#include "tests/device/simulated_kernels.h"
#include "tests/device/test_device.h"
#include "tests/golden.h"

namespace alambic::objectives_test {
namespace {

const std::vector<Request> kRequests = {{{3}, 0}, {{5, 7, 9, 11}, 1}, {{4, 8}, 2}};
const std::vector<Completion> kCompletions = {
    {.tokens = {21, 22, 1}, .logp = {-1, -2, -1}},
    {.tokens = {1}, .logp = {-2}},
    {.tokens = {30, 31, 32, 33, 1}, .logp = {-1, -1, -2, -1, -1}}};

double gradient_norm(Model& model) {
  double sum = 0;
  model.visit([&](const std::string&, Tensor& t) {
    if (t.grad().defined()) sum += t.grad().to(at::kDouble).square().sum().item<double>();
  });
  return std::sqrt(sum);
}

struct Learned {
  double loss = 0, norm = 0;
};

struct Case {
  Divergence divergence = {.terms = {{DivergenceKind::reverse_kl, 0, 1}}};
  bool recompute = false;
  at::ScalarType dtype = at::kFloat;
  std::optional<LoraOptions> lora = {};
};

Learned learn(const Case& c, at::Device device) {
  const auto student = model_on(small_llama_config(), 1, device, !c.lora, c.dtype);
  if (c.lora) {
    attach_adapter(*student, *c.lora, 5);
    student->seed_dropout(3, 0);
  }
  const LocalTeacher teacher(model_on(small_llama_config(), 2, device, false, c.dtype), 50);
  const Rollouts rollouts = to_rollouts(kRequests, kCompletions, 0, device);
  const RecomputeLayers recompute(c.recompute);
  const Tensor hidden_MD =
      student->hidden(Pass(rollouts.sequences)).index_select(0, rollouts.loss_positions_M());
  const Loss loss =
      divergence_loss(c.divergence, hidden_MD, student->head(), teacher.evaluate(rollouts), 9);
  loss.value.backward();
  return {loss.value.item<double>(), gradient_norm(*student)};
}

void expect_equal(const Case& c, double tolerance, const std::string& where) {
  const Learned cpu = learn(c, at::kCPU);
  simulated::with_and_without_kernels([&](const std::string& how) {
    const Learned device = learn(c, test_device());
    EXPECT_NEAR(device.loss, cpu.loss, tolerance * std::abs(cpu.loss)) << where << ", " << how;
    EXPECT_NEAR(device.norm, cpu.norm, tolerance * cpu.norm) << where << ", " << how;
  });
}

TEST(ObjectivesOnADevice, EveryDivergenceIsThatOfTheCpu) {
  for (const auto kind :
       {DivergenceKind::forward_kl, DivergenceKind::reverse_kl, DivergenceKind::jsd,
        DivergenceKind::skew_kl, DivergenceKind::skew_reverse_kl, DivergenceKind::tvd,
        DivergenceKind::akl}) {
    const double parameter = kind == DivergenceKind::jsd ? 0.3 : 0.1;
    expect_equal({.divergence = {.terms = {{kind, parameter, 1}}, .kd_temperature = 1.7}}, 1e-4,
                 info_of(kind).name);
  }
}

TEST(ObjectivesOnADevice, TheTopKIsThatOfTheCpu) {
  expect_equal({.divergence = {.terms = {{DivergenceKind::reverse_kl, 0, 1}}, .topk = 4}}, 1e-4,
               "top-4");
}

TEST(ObjectivesOnADevice, LayersAreComputedAgain) {
  expect_equal({.recompute = true}, 1e-4, "recomputed");
}

TEST(ObjectivesOnADevice, Bfloat16IsAsNearAsItsDigits) {
  expect_equal({.dtype = at::kBFloat16}, 2e-2, "bfloat16");
}

TEST(ObjectivesOnADevice, AdaptersDropWhatTheyDropOnTheCpu) {
  for (const bool dora : {false, true}) {
    LoraOptions options;
    options.rank = 4;
    options.dropout = 0.1;
    options.dora = dora;
    expect_equal({.lora = options}, 1e-4, dora ? "DoRA" : "LoRA");
  }
}

// Prevents a norm, a clip or a master that is another on a device: Adam hides the size of gradients
// in its first steps, so what is compared is what it remembers.
TEST(OptimizerOnADevice, RemembersWhatItDoesOnTheCpu) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto remembered = [&](at::Device device) {
      const auto model = model_on(small_llama_config(), 1, device, true, dtype);
      AdamW optimizer(*model, {.weight_decay = 0.1});
      std::vector<Tensor> found;
      for (const double scale : {0.5, 1.0}) {
        auto generator =
            at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(10 * scale));
        model->visit([&](const std::string& name, Tensor& tensor) {
          const Tensor gradient = at::randn(tensor.sizes(), generator).to(dtype).to(device);
          // No token came to it: it keeps its momentum and its decay.
          if (scale == 1.0 && name.ends_with("1.mlp.up_proj.weight")) return;
          tensor.mutable_grad() = gradient;
        });
        found.push_back(at::full({1}, optimizer.gradient_norm()));
        optimizer.step(1e-2, scale);
      }
      for (const TensorPart& part : optimizer.state()) found.push_back(part.part.cpu());
      model->visit([&](const std::string&, Tensor& tensor) { found.push_back(tensor.cpu()); });
      return found;
    };
    const std::vector<Tensor> cpu = remembered(at::kCPU);
    simulated::with_and_without_kernels([&](const std::string& how) {
      const std::vector<Tensor> device = remembered(test_device());
      ASSERT_EQ(device.size(), cpu.size());
      for (size_t i = 0; i < cpu.size(); ++i) {
        EXPECT_LT(relative_distance(device[i], cpu[i]), dtype == at::kFloat ? 2e-7 : 1e-2)
            << i << ", " << how;
      }
    });
  }
}

// Prevents logits and gradients of a head that are rounded to bfloat16 as they are added up: with
// 512 numbers to a sum, in the third digit.
TEST(ObjectivesOnADevice, SumsOfNarrowProductsAreWide) {
  const auto narrow = [](at::IntArrayRef sizes) { return at::randn(sizes).to(at::kBFloat16); };
  const Tensor hidden_MD = narrow({96, 512}), weight_VD = narrow({40, 512});
  const Tensor there_MD = hidden_MD.to(test_device()).requires_grad_(true);
  const Head head{.weight_VD = weight_VD.to(test_device()).requires_grad_(true)};
  HeadChunks chunks(there_MD, head, 48, at::kFloat);
  EXPECT_TRUE(chunks.narrow());
  HeadGradient gradient(there_MD, head);
  const Tensor slope_CV = narrow({48, 40}).to(at::kFloat);
  for (const int64_t begin : {0, 48}) {
    const Tensor expected =
        at::mm(hidden_MD.narrow(0, begin, 48).to(at::kDouble), weight_VD.to(at::kDouble).t());
    EXPECT_LT(relative_distance(chunks.logits_CV(begin, 48).cpu(), expected), 1e-6);
    gradient.add(chunks, begin, slope_CV.to(test_device()));
  }
  std::move(gradient).attach(at::zeros({}, there_MD.options())).backward();
  const Tensor slope_MV = at::cat({slope_CV, slope_CV}).to(at::kDouble);
  EXPECT_LT(relative_distance(there_MD.grad().cpu(), at::mm(slope_MV, weight_VD.to(at::kDouble))),
            4e-3);  // rounded once
  EXPECT_LT(relative_distance(head.weight_VD.dense().grad().cpu(),
                              at::mm(slope_MV.t(), hidden_MD.to(at::kDouble))),
            4e-3);
}

}  // namespace
}  // namespace alambic::objectives_test

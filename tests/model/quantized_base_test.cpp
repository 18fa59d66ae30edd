// Adapters on a base that keeps its file's blocks (QLoRA, Dettmers et al., arXiv 2305.14314).
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "alambic/base/files.h"
#include "alambic/base/random.h"
#include "alambic/model/adapter.h"
#include "alambic/nn/dense_parts.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/tensor/packed_view.h"
#include "alambic/train/optimizer.h"
#include "tests/golden.h"
#include "tests/golden_models.h"
#include "tests/model/gguf_of.h"

namespace alambic::quantized_base_test {
namespace {

// Gives B, which begins with zeros, numbers.
void randomize_adapter(Model& model) {
  const at::NoGradGuard no_grad;
  uint64_t index = 0;
  model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
    ++index;
    if (name.find("lora_B") == std::string::npos) return;
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      tensor.view({-1})[i] = 0.1 * normal({.seed = 3, .sample = static_cast<uint64_t>(i)});
    }
  }));
}

struct Base {
  fs::path file;
  LoraOptions lora;

  std::unique_ptr<Model> load(bool packed, at::ScalarType dtype = at::kFloat) const {
    auto model = load_model(file, {.dtype = dtype, .frozen = packed, .lora = lora});
    attach_adapter(*model, lora, 5);
    randomize_adapter(*model);
    return model;
  }
};

// 40 tokens, so that products have many rows, and a sequence of few.
Tensor loss_of(const Model& model) {
  std::vector<std::vector<int32_t>> sequences = {{1, 7, 3}, {}};
  for (int32_t i = 0; i < 37; ++i) sequences[1].push_back(1 + i * 7 % 40);
  const Packed input = pack(sequences);
  const Tensor target_M = (at::arange(40, at::kLong) * 3).remainder(40);
  return cross_entropy_loss(model.hidden(Pass(input)), model.head(), target_M, 40).value;
}

std::map<std::string, Tensor> gradients(Model& model) {
  loss_of(model).backward();
  std::map<std::string, Tensor> found;
  model.visit(of_dense([&](const std::string& name, Tensor& tensor) {
    EXPECT_EQ(tensor.grad().defined(), tensor.requires_grad()) << name;
    if (tensor.grad().defined()) found[name] = tensor.grad();
  }));
  return found;
}

void expect_the_gradients_of_the_decoded_base(const Base& base) {
  const auto packed = base.load(true), dense = base.load(false);
  EXPECT_NEAR(loss_of(*packed).item<double>(), loss_of(*dense).item<double>(), 1e-6);
  const auto found = gradients(*packed), expected = gradients(*dense);
  ASSERT_EQ(found.size(), expected.size());
  ASSERT_FALSE(found.empty());
  for (const auto& [name, gradient] : expected) {
    if (gradient.abs().max().item<double>() == 0) continue;
    EXPECT_LT(relative_distance(found.at(name), gradient), 2e-5) << name;
  }
}

struct QuantizedBase : testing::TestWithParam<std::tuple<const char*, bool, bool>> {};

// Prevents: an adapter that learns another thing because its base is kept as in its file, and a
// base that is decoded whole to be learned on.
TEST_P(QuantizedBase, HasTheGradientsOfTheDecodedOne) {
  const auto [type, tied, dora] = GetParam();
  const Base base{gguf_of(wide_config(tied), type, fmt::format("qlora_{}_{}", type, tied)),
                  {.rank = 4, .alpha = 6, .targets = {"all-linear"}, .dora = dora}};
  int packed = 0, maps = 0;
  base.load(true)->visit_linears([&](const std::string&, Linear& linear) {
    packed += linear.weight.is_packed() ? 1 : 0;
    ++maps;
  });
  EXPECT_EQ(packed, maps);
  expect_the_gradients_of_the_decoded_base(base);
}

INSTANTIATE_TEST_SUITE_P(Types, QuantizedBase,
                         testing::Combine(testing::Values("q8_0", "q4_0", "q4_k", "q6_k"),
                                          testing::Bool(), testing::Bool()));

// The most bytes of tensors that were there at once.
class PeakBytes : public c10::MemoryReportingInfoBase {
 public:
  int64_t most = 0;

 private:
  void reportMemoryUsage(void*, int64_t change, size_t, size_t, c10::Device) override {
    bytes_ += change;
    most = std::max(most, bytes_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t bytes_ = 0;
};

// Bug: DoRA's norms decoded the matrix whole, and at every pass.
TEST(QuantizedBaseMemory, DoraDecodesNoMatrixWhole) {
  constexpr int64_t in = 512, out = 4096;
  const Tensor numbers = at::randn({out, in}, at::kBFloat16);
  Linear linear(in, out, false);
  linear.weight = Weight(packed_from(numbers, at::kFloat));
  linear.lora = std::make_shared<Lora>();
  linear.lora->a_RI = at::randn({4, in});
  linear.lora->b_ER = at::randn({out, 4});
  linear.lora->magnitude_E = at::ones({out});
  const Tensor x_ND = at::randn({3, in});
  const auto pass_bytes = [&] {
    const auto peak = std::make_shared<PeakBytes>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, peak);
    const at::NoGradGuard no_grad;
    linear(x_ND);
    return peak->most;
  };
  EXPECT_LT(pass_bytes(), out * in * 4 / 2);
  EXPECT_LT(pass_bytes(), out * 4 * 20) << "the norms are kept";
  const Tensor sum = numbers.to(at::kFloat) + at::mm(linear.lora->b_ER, linear.lora->a_RI);
  const Tensor found = linear.lora->norm_E(linear.weight);
  EXPECT_LT(relative_distance(found, sum.norm(2, {1})), 1e-6);
}

// In float64, where differences keep their digits: those of every adapter, some numbers of each.
TEST(QuantizedBaseInFloat64, HasGradientsEqualToFiniteDifferences) {
  for (const bool dora : {false, true}) {
    const Base base{gguf_of(wide_config(false), "q4_k", "qlora_differences"),
                    {.rank = 2, .alpha = 3, .targets = {"all-linear"}, .dora = dora}};
    const auto model = base.load(true, at::kDouble);
    const auto found = gradients(*model);
    const at::NoGradGuard no_grad;
    const auto difference = [&](Tensor& tensor, int64_t i) {
      const double step = 1e-5;
      Tensor number = tensor.view({-1})[i];
      const double before = number.item<double>();
      const auto at_offset = [&](double offset) {
        number.fill_(before + offset);
        return loss_of(*model).item<double>();
      };
      const double result = (at_offset(step) - at_offset(-step)) / (2 * step);
      number.fill_(before);
      return result;
    };
    model->visit(of_dense([&](const std::string& name, Tensor& tensor) {
      // DoRA holds the norm constant: its A and B have another gradient than the differences.
      if (!tensor.requires_grad() || (dora && name.find("magnitude") == name.npos)) return;
      const Tensor gradient = found.at(name).view({-1});
      for (const int64_t i : {int64_t{0}, tensor.numel() / 2, tensor.numel() - 1}) {
        EXPECT_NEAR(gradient[i].item<double>(), difference(tensor, i),
                    1e-7 * (1 + gradient.abs().max().item<double>()))
            << name;
      }
    }));
  }
}

// Of every family that GGUF has: one that computes with a weight in a way of its own passes its
// gradient on all the same.
struct QuantizedFamily : testing::TestWithParam<std::string> {};

TEST_P(QuantizedFamily, HasTheGradientsOfTheDecodedOne) {
  Base base{{}, {.rank = 2, .targets = {"all-linear"}}};
  try {
    base.file =
        gguf_of(ModelFolder::open(golden_folder(GetParam())), "q8_0", "qlora_" + GetParam());
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  expect_the_gradients_of_the_decoded_base(base);
}

INSTANTIATE_TEST_SUITE_P(All, QuantizedFamily, testing::ValuesIn(golden_models()), golden_name);

struct SavedQuantizedBase : testing::Test {
  Base base{gguf_of(wide_config(true), "q8_0", "qlora_saved"), {.rank = 2, .targets = {"q_proj"}}};

  static Tensor hidden(const Model& model) {
    const at::NoGradGuard no_grad;
    return model.hidden(Pass(pack({{1, 2, 3, 4, 5}, {6, 7, 8}})));
  }
};

// Prevents: a head that is trained whole and packed at once, and one that drags the embedding
// along.
TEST_F(SavedQuantizedBase, DecodesWhatIsTrainedWholeAlone) {
  base.lora.modules_to_save = {"lm_head"};
  const auto model = base.load(true);
  EXPECT_FALSE(model->head().weight_VD.is_packed());
  EXPECT_TRUE(model->head().weight_VD.requires_grad());
  int packed = 0;
  model->visit([&](const std::string&, const Weight& weight) { packed += weight.is_packed(); });
  EXPECT_EQ(packed, 1 + 2 * 7);  // the embedding, and the maps of two layers
  expect_the_gradients_of_the_decoded_base(base);
  AdamW(*model, {}).step(0.1, 1);
}

// Prevents: a merged model without its adapter, or with the adapter's tensors beside it; a base
// that saving decodes for good.
TEST_F(SavedQuantizedBase, IsSavedMerged) {
  for (const bool dora : {false, true}) {
    base.lora.dora = dora;
    const auto packed = base.load(true), dense = base.load(false);
    const fs::path folder = fs::path(testing::TempDir()) / "alambic_qlora_merged";
    fs::remove_all(folder);
    save_model(*packed, folder, Json());
    EXPECT_TRUE(has_adapter(*packed));
    EXPECT_TRUE(packed->head().weight_VD.is_packed());
    merge_adapter(*dense);
    const auto merged = load_model(folder, {});
    EXPECT_TRUE(at::equal(hidden(*merged), hidden(*dense)));
    EXPECT_LT(relative_distance(hidden(*packed), hidden(*merged)), 1e-4);
    merge_adapter(*packed);
    EXPECT_TRUE(at::equal(hidden(*packed), hidden(*merged)));
  }
}

// Prevents: a model that is used with an adapter and takes its decoded size for it.
TEST_F(SavedQuantizedBase, StaysPackedUnderAnAdapterThatIsReadBack) {
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_qlora_adapter";
  const auto model = base.load(true);
  save_adapter(*model, base.lora, "base", folder);
  const auto again = load_model(base.file, {.frozen = true, .adapter = folder}),
             dense = load_model(base.file, {.adapter = folder});
  int packed = 0;
  again->visit([&](const std::string&, const Weight& weight) { packed += weight.is_packed(); });
  EXPECT_EQ(packed, 1 + 2 * 7);
  EXPECT_TRUE(at::equal(hidden(*again), hidden(*model)));
  EXPECT_LT(relative_distance(hidden(*again), hidden(*dense)), 1e-5);
}

// PiSSA takes its part off the base, which must be numbers then.
TEST_F(SavedQuantizedBase, IsDecodedWhereAnAdapterChangesIt) {
  const fs::path folder = fs::path(testing::TempDir()) / "alambic_qlora_pissa";
  save_adapter(*base.load(true), base.lora, "base", folder);
  Json config = Json::parse(read_file(folder / "adapter_config.json"));
  config["init_lora_weights"] = "pissa";
  write_file(folder / "adapter_config.json", config.dump());
  const auto model = load_model(base.file, {.frozen = true, .adapter = folder}),
             dense = load_model(base.file, {.adapter = folder});
  model->visit_linears([](const std::string& module, Linear& linear) {
    EXPECT_EQ(linear.weight.is_packed(), !module.ends_with("q_proj")) << module;
  });
  EXPECT_LT(relative_distance(hidden(*model), hidden(*dense)), 1e-5);
}

}  // namespace
}  // namespace alambic::quantized_base_test

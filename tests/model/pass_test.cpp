// Every family: a pass with a cache, in a batch or packed gives what each sequence gives alone, and
// gradients are what finite differences say.
#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/base/json_object.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "tests/golden_models.h"

namespace alambic::pass_test {
namespace {

struct FamilyPass : testing::TestWithParam<std::string> {
  std::filesystem::path folder = golden_folder(GetParam());
  std::unique_ptr<Model> model = load_model(folder, {});
  Tensor tokens_ST = golden(folder / "golden.safetensors", "tokens");

  Packed alone(int64_t s, int64_t begin, int64_t end) const {
    return {.tokens_N = tokens_ST[s].narrow(0, begin, end - begin).contiguous(),
            .offsets = {0, end - begin}};
  }
};

// Windows of the golden models are shorter than these sequences, so keys must also be forgotten.
TEST_P(FamilyPass, WithACacheIsThePassWithout) {
  const at::NoGradGuard no_grad;
  const int64_t T = tokens_ST.size(1), first = 3;
  KvCache cache(model->shape().cache, 3, T, model->options());
  const std::vector<int64_t> slots = {2, 0};
  std::vector<Tensor> rows;
  int64_t begin = 0;
  while (begin < T) {
    const int64_t count = begin == 0 ? first : 1;
    const Packed input = {.tokens_N = tokens_ST.narrow(1, begin, count).flatten(),
                          .offsets = {0, count, 2 * count}};
    Pass pass(input, cache, slots);
    rows.push_back(model->hidden(pass).view({2, count, -1}));
    pass.finish();
    begin += count;
  }
  const Tensor cached = at::cat(rows, 1);
  for (int64_t s = 0; s < 2; ++s) {
    const Packed input = alone(s, 0, T);
    EXPECT_LT(distance(cached[s], model->hidden(Pass(input))), 2e-5);
  }
}

// Prevents: rows of prompts that read the cache, or running ones that see a prompt beside them; a
// family that takes such a pass without knowing how.
TEST_P(FamilyPass, PromptsAreReadBesideRunningSequences) {
  const at::NoGradGuard no_grad;
  const int64_t T = tokens_ST.size(1);
  KvCache cache(model->shape().cache, 3, T, model->options());
  const auto run = [&](const Packed& input, const std::vector<int64_t>& slots) {
    Pass pass(input, cache, slots);
    const Tensor hidden_ND = model->hidden(pass);
    pass.finish();
    return hidden_ND;
  };
  run(alone(0, 0, T - 2), {2});
  const Packed both = {
      .tokens_N = at::cat({tokens_ST[0].narrow(0, T - 2, 1), tokens_ST[1].narrow(0, 0, T - 2)}),
      .offsets = {0, 1, T - 1}};
  if (!cache.mixes()) {
    EXPECT_THROW(run(both, {2, 0}), Error);
    return;
  }
  const Tensor mixed = run(both, {2, 0});
  const Packed step = {.tokens_N = at::stack({tokens_ST[0][T - 1], tokens_ST[1][T - 2]}),
                       .offsets = {0, 1, 2}};
  const Tensor behind = run(step, {2, 0});
  const Tensor first = model->hidden(Pass(alone(0, 0, T)));
  const Tensor second = model->hidden(Pass(alone(1, 0, T - 1)));
  EXPECT_LT(distance(mixed.narrow(0, 0, 1), first.narrow(0, T - 2, 1)), 2e-5);
  EXPECT_LT(distance(mixed.narrow(0, 1, T - 2), second.narrow(0, 0, T - 2)), 2e-5);
  EXPECT_LT(distance(behind.narrow(0, 0, 1), first.narrow(0, T - 1, 1)), 2e-5);
  EXPECT_LT(distance(behind.narrow(0, 1, 1), second.narrow(0, T - 2, 1)), 2e-5);
}

// A sequence that saw its neighbor, or whose positions went on counting, would differ by more than
// what another number of rows does to the order of a sum.
TEST_P(FamilyPass, PackedIsEachSequenceAlone) {
  const at::NoGradGuard no_grad;
  const int64_t T = tokens_ST.size(1);
  const Packed first = alone(0, 0, T), second = alone(1, 0, 9);
  const Packed both = {.tokens_N = at::cat({first.tokens_N, second.tokens_N}),
                       .offsets = {0, T, T + 9}};
  const Tensor packed = model->hidden(Pass(both));
  EXPECT_LT(distance(packed.narrow(0, 0, T), model->hidden(Pass(first))), 5e-6);
  EXPECT_LT(distance(packed.narrow(0, T, 9), model->hidden(Pass(second))), 5e-6);
}

// Beside the goldens' gradients this covers float64, where other code runs.
TEST_P(FamilyPass, GradientsEqualFiniteDifferences) {
  const auto exact = load_model(folder, {.dtype = at::kDouble, .trainable = true});
  const Packed input = alone(0, 0, 10);
  at::manual_seed(1);
  const Tensor probe_ND = at::randn({10, exact->shape().width}, at::kDouble);
  auto value = [&] { return (exact->hidden(Pass(input)) * probe_ND).sum(); };
  value().backward();
  exact->visit([&](const std::string& name, Tensor& tensor) {
    if (!tensor.grad().defined()) return;  // an untied head
    const Tensor direction = at::randn_like(tensor);
    const double along = (tensor.grad() * direction).sum().item<double>(), step = 1e-5;
    const at::NoGradGuard no_grad;
    tensor.add_(direction, step);
    const double above = value().item<double>();
    tensor.sub_(direction, 2 * step);
    const double below = value().item<double>();
    tensor.add_(direction, step);
    const double expected = (above - below) / (2 * step);
    EXPECT_NEAR(along, expected, 1e-5 * std::abs(expected) + 1e-5) << name;
  });
}

TEST_P(FamilyPass, IsMadeAtRandomAndLoadedAgain) {
  const std::unique_ptr<Model> fresh =
      make_model(read_json_object(folder / "config.json"), "config.json");
  init_weights(*fresh, 7, {});
  const auto saved = std::filesystem::path(testing::TempDir()) / ("alambic_init_" + GetParam());
  std::filesystem::remove_all(saved);
  save_model(*fresh, saved, nullptr);
  const std::unique_ptr<Model> again = load_model(saved, {});
  const at::NoGradGuard no_grad;
  const Packed input = alone(0, 0, 16);
  const Tensor x = fresh->hidden(Pass(input));
  EXPECT_TRUE(x.isfinite().all().item<bool>());
  EXPECT_TRUE(at::equal(x, again->hidden(Pass(input))));
}

INSTANTIATE_TEST_SUITE_P(All, FamilyPass, testing::ValuesIn(golden_models()), golden_name);

// Bug: scores were capped as Gemma 2's; transformers leaves them as they are, 1.4 sigma away.
TEST(Gemma3, WithCappedScoresIsRefused) {
  Json config = read_json_object(golden_folder("gemma3") / "config.json");
  config["attn_logit_softcapping"] = 0.25;
  try {
    make_model(config, "config.json");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(std::string(error.what()).find("attn_logit_softcapping"), std::string::npos);
  }
}

// What a Gemma 3 that sees images looks like on disk, in the spellings of both generations.
TEST(Gemma3, ReadsTheTextPartOfAModelThatSees) {
  const std::unique_ptr<Model> text = load_model(golden_folder("gemma3"), {});
  for (const std::string prefix : {"language_model.model.", "model.language_model."}) {
    const auto folder = std::filesystem::path(testing::TempDir()) / "alambic_gemma3";
    std::filesystem::remove_all(folder);
    std::vector<std::pair<std::string, Tensor>> tensors;
    text->visit([&](const std::string& name, Tensor& tensor) {
      tensors.emplace_back(prefix + name.substr(std::string("model.").size()), tensor);
    });
    tensors.emplace_back("vision_tower.patch.weight", at::ones({2, 2}));
    Json inner = text->config;
    inner.erase("architectures");
    const Json config = {{"architectures", {"Gemma3ForConditionalGeneration"}},
                         {"model_type", "gemma3"},
                         {"text_config", inner}};
    write_model_folder(folder, config, nullptr, to_views(tensors));
    const std::unique_ptr<Model> found = load_model(folder, {});
    const at::NoGradGuard no_grad;
    const Packed input = {.tokens_N = at::arange(3, 13), .offsets = {0, 10}};
    EXPECT_TRUE(at::equal(found->hidden(Pass(input)), text->hidden(Pass(input))));
    EXPECT_EQ(found->config["architectures"][0], "Gemma3ForCausalLM");
  }
}

}  // namespace
}  // namespace alambic::pass_test

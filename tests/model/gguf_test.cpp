// A golden model that went through a GGUF file computes what it did: settings that one side leaves
// out mean the same there, and no tensor has changed its place.
#include "alambic/io/gguf/model.h"

#include "alambic/io/model_folder.h"
#include "alambic/model/load.h"
#include "tests/golden_models.h"
#include "tests/io/gguf/gguf_testing.h"

namespace alambic::gguf_test {
namespace {

namespace fs = std::filesystem;

class GgufLogits : public testing::TestWithParam<const char*> {};

TEST_P(GgufLogits, AreThoseOfTheFolder) {
  const at::NoGradGuard no_grad;
  const fs::path folder = golden_folder(GetParam());
  const ModelFolder model = ModelFolder::open(folder);
  const fs::path file =
      fs::path(testing::TempDir()) / fmt::format("alambic_logits_{}.gguf", GetParam());
  write_gguf_model({file}, model.config(), "m", model.tensors(), *gguf_type_named("f32"),
                   GgufMetadata("m", {{"tokenizer.ggml.model", std::string("no_vocab")}}));
  const Tensor tokens = golden(folder / "golden.safetensors", "tokens").select(0, 0);
  const Packed input = {.tokens_N = tokens, .offsets = {0, tokens.size(0)}};
  const auto logits = [&](const fs::path& path) {
    const std::unique_ptr<Model> loaded = load_model(path, {});
    return at::linear(loaded->hidden(Pass(input)), loaded->head().weight_VD.dense());
  };
  EXPECT_TRUE(at::equal(logits(file), logits(folder)));
  fs::remove(file);
}

INSTANTIATE_TEST_SUITE_P(All, GgufLogits,
                         testing::Values("llama3", "mixtral", "qwen3", "gpt_neox", "deepseek_v3",
                                         "deepseek_v32", "gemma4", "gemma4_moe", "qwen3_5",
                                         "qwen3_5_moe"),
                         [](const auto& info) { return std::string(info.param); });

// Prevents: a tensor of a GGUF file, with which llama.cpp computes, passed over with a warning.
TEST(GgufTensors, WithoutAPlaceAreRefused) {
  const ModelFolder model = ModelFolder::open(golden_folder("llama"));
  const GgufFile whole = GgufFile::open(written(model.config(), model.tensors()));
  const fs::path more = with(whole, "", {}, floats("blk.7.attn_norm.weight", std::vector(32, 1.F)));
  expect_refused([&] { load_model(more, {}); }, {"model.layers.7.input_layernorm.weight", "place"});
}

}  // namespace
}  // namespace alambic::gguf_test

// What the tests of every family do not see of gpt-oss: experts in MXFP4.
#include <gtest/gtest.h>

#include "alambic/base/json_object.h"
#include "alambic/model/load.h"
#include "tests/golden.h"

namespace alambic::gpt_oss_test {
namespace {

namespace fs = std::filesystem;

TEST(GptOss, ReadsExpertsInMxfp4) {
  const fs::path folder = golden_folder("mxfp4"), expected = folder / "expected.safetensors";
  const std::string matrix = "model.layers.0.mlp.experts.down_proj";
  const std::unique_ptr<Model> model = load_model(folder, {});
  model->visit([&](const std::string& name, Tensor& tensor) {
    if (name != matrix) return;
    EXPECT_TRUE(at::equal(tensor, golden(expected, "down_proj")));
  });
  const at::NoGradGuard no_grad;
  const Packed input = {.tokens_N = golden(expected, "tokens"), .offsets = {0, 16}};
  const Tensor logits_NV = at::mm(model->hidden(Pass(input)), model->head().weight_VD.dense().t());
  EXPECT_LT(relative_distance(logits_NV, golden(expected, "logits")), 1e-5);

  const fs::path saved = fs::path(testing::TempDir()) / "alambic_gpt_oss";
  fs::remove_all(saved);
  save_model(*load_model(folder, {.dtype = at::kBFloat16}), saved, nullptr);
  EXPECT_FALSE(read_json_object(saved / "config.json").contains("quantization_config"));
  // Two bits of fraction and a power of two: bfloat16 has them all.
  EXPECT_TRUE(at::equal(golden(saved / "model.safetensors", matrix).to(at::kFloat),
                        golden(expected, "down_proj")));
}

}  // namespace
}  // namespace alambic::gpt_oss_test

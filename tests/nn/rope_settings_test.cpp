// Rotary frequencies of every scaling type against transformers, from both spellings.
#include "alambic/nn/rope.h"

#include <gtest/gtest.h>

#include "alambic/base/files.h"
#include "alambic/io/config/complete_config.h"
#include "alambic/model/config.h"
#include "tests/golden.h"

namespace alambic::rope_settings_test {
namespace {

using Json = nlohmann::ordered_json;

TEST(Rope, HasTheFrequenciesAndFactorsOfTransformers) {
  const Json cases = Json::parse(read_file(golden_folder("rope.json")));
  for (const Json& one : cases) {
    Json config = one["config"];
    const bool in_part = config.dump().find("partial_rotary_factor") != std::string::npos;
    config["model_type"] = in_part ? "gpt_neox" : "llama";
    config = complete_config(config, "rope.json");
    const RopeSettings settings = Config{{config, "rope.json"}}.rope();
    const std::vector<double> expected = one["frequencies"];
    const Tensor found = rope_frequencies(32, settings);
    const Tensor want = at::tensor(expected, at::kDouble);
    ASSERT_EQ(found.sizes(), want.sizes()) << one["config"];
    EXPECT_LT(distance(found / want.clamp_min(1e-30), want / want.clamp_min(1e-30)), 2e-6)
        << one["config"];
    EXPECT_NEAR(rope_attention_factor(settings), one["attention_factor"].get<double>(), 1e-6)
        << one["config"];
  }
}

TEST(Rope, ReadsEachLayerTypesOwnParameters) {
  const Json config = {
      {"rope_parameters",
       {{"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 7.0}}},
        {"full_attention", {{"rope_type", "linear"}, {"factor", 3.0}, {"rope_theta", 9.0}}}}}};
  EXPECT_EQ((Config{{config, "test"}}.rope("sliding_attention").theta), 7);
  EXPECT_EQ((Config{{config, "test"}}.rope("full_attention").factor), 3);
}

// Silence would be a model that is wrong beyond its first few positions.
TEST(Rope, RefusesATypeItDoesNotKnow) {
  const Json config = {{"model_type", "llama"},
                       {"rope_scaling", {{"type", "spiral"}, {"factor", 2.0}}}};
  EXPECT_THROW(complete_config(config, "test"), Error);
}

TEST(Rotation, LeavesTheRestOfAHeadAlone) {
  const Rope rope(8, {.rotary = 0.5});
  const Tensor x = at::randn({3, 2, 8});
  const Tensor y = rope.at(at::tensor({0, 4, 9}, at::kLong))(x);
  EXPECT_TRUE(at::equal(x.narrow(2, 4, 4), y.narrow(2, 4, 4)));
  EXPECT_TRUE(at::allclose(x[0], y[0]));
  EXPECT_FALSE(at::allclose(x[1].narrow(1, 0, 4), y[1].narrow(1, 0, 4)));
}

}  // namespace
}  // namespace alambic::rope_settings_test

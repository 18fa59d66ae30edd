// Counts of a configuration against the tensors of its files (tests/model/count_limits_test.cpp has
// whole models).
#include "alambic/io/count_limits.h"

#include <nlohmann/json.hpp>

#include "alambic/io/model_folder.h"
#include "tests/io/io_testing.h"

namespace alambic::count_limits_test {
namespace {

TensorView tensor(const std::string& name, const std::vector<int64_t>& shape) {
  return {.name = name, .dtype = Dtype::F32, .shape = shape, .bytes = {}};
}

TEST(CountLimits, AreReadOffNamesAndShapes) {
  const CountLimits none = limits_of({});
  EXPECT_EQ(none.layers, 0);
  const CountLimits dense = limits_of({tensor("model.layers.1.mlp.up_proj.weight", {48, 32})});
  EXPECT_EQ(dense.layers, 2);
  EXPECT_EQ(dense.size, 48);
  const CountLimits shared =
      limits_of({tensor("model.layers.0.mlp.experts.1.up_proj.weight", {48, 32}),
                 tensor("model.layers.0.mlp.shared_experts.up_proj.weight", {48, 32})});
  EXPECT_EQ(shared.experts, 2);
  for (const auto& [name, layers] : std::initializer_list<std::pair<const char*, int64_t>>{
           {"model.layers.0.mlp.experts.5.up_proj.weight", 1},
           {"model.layers.3.mlp.experts.gate_up_proj", 4},
           {"blk.7.ffn_up_exps.weight", 8},
           {"h.11.mlp.experts.5.c_fc", 12}}) {
    const CountLimits limits = limits_of({tensor(name, {6, 4, 2})});
    EXPECT_EQ(limits.layers, layers) << name;
    EXPECT_EQ(limits.experts, 6) << name;
  }
}

TEST(CountLimits, AreNamedWithKeyValueAndWhatTheFilesHold) {
  const CountLimits limits = limits_of({tensor("model.layers.1.norm.weight", {32})});
  nlohmann::ordered_json config;
  config["num_hidden_layers"] = 2;
  config["hidden_size"] = 32;
  check_counts(limits, config, "config.json");
  config["num_hidden_layers"] = 1'000'000'000;
  expect_refused([&] { check_counts(limits, config, "config.json"); },
                 {"config.json", "\"num_hidden_layers\" is 1000000000", "of 2 layers",
                  "not of the same model"});
  config["num_hidden_layers"] = ~uint64_t{0};
  expect_refused([&] { check_counts(limits, config, "config.json"); }, {"num_hidden_layers"});
  config["num_hidden_layers"] = 2;
  config["text_config"]["vocab_size"] = 33;
  expect_refused([&] { check_counts(limits, config, "config.json"); },
                 {"text_config", "\"vocab_size\" is 33", "no tensor", "above 32"});
}

// `info` and `convert` open a folder and build no model.
TEST(CountLimits, AreThoseOfEveryFolderThatIsOpened) {
  const fs::path folder = fresh_folder();
  const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/llama";
  fs::copy(golden / "model.safetensors", folder);
  nlohmann::ordered_json config = read_json_object(golden / "config.json");
  config["num_hidden_layers"] = 1'000'000'000;
  write_file(folder / "config.json", config.dump());
  expect_refused([&] { ModelFolder::open(folder); }, {"\"num_hidden_layers\" is 1000000000"});
}

}  // namespace
}  // namespace alambic::count_limits_test

// What a line of families.def must bring besides a model.
#include "alambic/model/families.h"

#include <algorithm>
#include <set>

#include "alambic/base/json_object.h"
#include "alambic/io/config/family_keys.h"
#include "alambic/io/gguf/architecture.h"
#include "tests/golden_models.h"

namespace alambic::families_test {
namespace {

bool has_gguf_row(const std::string& architecture) {
  return std::ranges::any_of(gguf_architectures(), [&](const GgufArchitecture* family) {
    return family->architecture == architecture || family->whole == architecture;
  });
}

// A family that could be trained and never left as GGUF, without a word about it.
TEST(Families, HaveAGgufRowOrTheReasonWhyNot) {
  for (const std::string& architecture : known_architectures()) {
    EXPECT_NE(has_gguf_row(architecture), !why_no_gguf(architecture).empty())
        << architecture << ": a row in alambic/io/gguf/architectures/, or a line of no_gguf in "
        << "alambic/io/gguf/architecture.cpp";
  }
}

// A row whose config.json nothing loads.
TEST(GgufRows, AreOfFamiliesThatAreLoaded) {
  const std::vector<std::string> known = known_architectures();
  for (const GgufArchitecture* family : gguf_architectures()) {
    for (const std::string& name :
         {std::string(family->architecture), std::string(family->whole)}) {
      EXPECT_TRUE(name.empty() || std::ranges::find(known, name) != known.end()) << name;
    }
  }
}

// A family whose config.json nothing completes: its code would find no defaults.
TEST(Families, HaveTheKeysOfTheirConfigurations) {
  std::set<std::string> read;
  for (const std::string& type : config_model_types()) read.insert(family_keys(type).architecture);
  for (const WholeModel& whole : whole_models()) read.insert(whole.architecture);
  const std::vector<std::string> known = known_architectures();
  EXPECT_EQ(read, std::set<std::string>(known.begin(), known.end()));
}

struct FamilyNames : testing::TestWithParam<std::string> {};

// An embedding that freeze_embeddings would not find, a key that init would add beside another.
TEST_P(FamilyNames, AreThoseOfTheFiles) {
  const Json config = read_json_object(golden_folder(GetParam()) / "config.json");
  const std::unique_ptr<Model> model = make_model(config, GetParam());
  std::set<std::string> names;
  model->visit([&](const std::string& name, Tensor&) { names.insert(name); });
  for (const std::string& name : model->embedding_names())
    EXPECT_TRUE(names.contains(name)) << name;
  EXPECT_EQ(model->config.value(model->layer_count_key(), 0), model->shape().cache.layers);
}

INSTANTIATE_TEST_SUITE_P(Golden, FamilyNames, testing::ValuesIn(golden_models()), golden_name);

// Bug: `init --model-config --layers` of a GPT-2 that names no layers wrote Llama's key.
TEST(Layers, InsteadOfTheConfigurationsAreWrittenUnderTheFamilysKey) {
  Json config = read_json_object(golden_folder("gpt2") / "config.json");
  config.erase("n_layer");
  const std::unique_ptr<Model> model = make_model(config, "config.json", {}, 3);
  EXPECT_EQ(model->shape().cache.layers, 3);
  EXPECT_EQ(model->config["n_layer"], 3);
  EXPECT_FALSE(model->config.contains("num_hidden_layers"));
}

}  // namespace
}  // namespace alambic::families_test

#include "alambic/io/generation_config.h"

#include "tests/io/io_testing.h"

namespace alambic::generation_config_test {
namespace {

using Json = nlohmann::ordered_json;
using Ids = std::vector<int32_t>;

// Prevents a model that writes on past its end: the key holds one id or several.
TEST(GenerationConfig, NamesOneEndOfSequenceOrSeveral) {
  EXPECT_EQ(eos_token_ids({{"eos_token_id", 2}}), Ids{2});
  EXPECT_EQ(eos_token_ids({{"eos_token_id", {2, 7}}}), (Ids{2, 7}));
  EXPECT_EQ(eos_token_ids({{"eos_token_id", nullptr}}), Ids{});
  EXPECT_EQ(eos_token_ids(Json::object()), Ids{});
  EXPECT_EQ(eos_token_ids(nullptr), Ids{});
}

// Prevents completions that do not end, without a word, where the end is written otherwise.
TEST(GenerationConfig, RefusesEndsThatAreNoIds) {
  for (const char* value : {"\"2\"", "2.0", "[2, null]", "true", "4294967298", "{}"}) {
    const Json config = {{"eos_token_id", Json::parse(value)}};
    expect_refused([&] { eos_token_ids(config); }, {"eos_token_id", "token id"});
  }
}

TEST(GenerationConfig, HasFurtherEndsInAListAlone) {
  EXPECT_EQ(further_eos({{"eos_token_id", {2, 7, 9}}}, 2), (Ids{7, 9}));
  EXPECT_EQ(further_eos({{"eos_token_id", {7, 2}}}, 2), Ids{7});
  EXPECT_EQ(further_eos({{"eos_token_id", 7}}, 2), Ids{});
  EXPECT_EQ(further_eos(nullptr, 2), Ids{});
}

TEST(GenerationConfig, IsNullWhereThereIsNone) {
  const fs::path folder = fresh_folder();
  EXPECT_TRUE(read_generation_config(folder).is_null());
  EXPECT_TRUE(read_generation_config(folder / "model.gguf").is_null());
  write_file(folder / "generation_config.json", R"({"eos_token_id": 3})");
  EXPECT_EQ(eos_token_ids(read_generation_config(folder)), Ids{3});
  write_file(folder / "generation_config.json", "{");
  expect_refused([&] { read_generation_config(folder); }, {"generation_config.json"});
}

}  // namespace
}  // namespace alambic::generation_config_test

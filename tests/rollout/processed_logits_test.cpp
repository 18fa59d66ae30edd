// The processors of generation_config.json against transformers' own values.
#include "alambic/rollout/processed_logits.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "alambic/base/files.h"
#include "alambic/rollout/sample.h"

namespace alambic::processed_logits_test {
namespace {

using Json = nlohmann::json;

// Prevents: completions of a model that asks for a penalty, drawn without it.
TEST(ProcessedLogits, AreThoseOfTransformers) {
  const fs::path file = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/logits_processors.json";
  const Json golden = Json::parse(read_file(file));
  const std::vector<float> logits = golden["logits"];
  for (const Json& row : golden["cases"]) {
    const Json& settings = row["settings"];
    Sampling sampling;
    sampling.repetition_penalty = settings.value("repetition_penalty", 1.0);
    sampling.suppressed = settings.value("suppress_tokens", std::vector<int32_t>());
    sampling.suppressed_at_first = settings.value("begin_suppress_tokens", std::vector<int32_t>());
    EXPECT_TRUE(sampling.changes_logits());
    const std::vector<int32_t> prompt = row["prompt"], completion = row["completion"];
    const std::vector<float> found = processed_logits(logits, sampling, prompt, completion);
    ASSERT_EQ(found.size(), logits.size());
    for (size_t i = 0; i < found.size(); ++i) {
      const Json& expected = row["processed"][i];
      EXPECT_EQ(found[i],
                expected.is_null() ? std::numeric_limits<float>::lowest() : expected.get<float>())
          << row.dump() << " at " << i;
    }
  }
  EXPECT_FALSE(Sampling().changes_logits());
}

// Prevents: a suppressed token that is drawn because it was the likeliest.
TEST(ProcessedLogits, LeaveOtherTokensToBeDrawn) {
  const std::vector<float> logits = {9, 1, 0, -1};
  Sampling sampling{.temperature = 0};
  sampling.suppressed = {0};
  EXPECT_EQ(sample(processed_logits(logits, sampling, {}, {}), sampling, 0).token, 1);
  for (const double temperature : {0.5, 1.0, 3.0}) {
    for (const int64_t k : {0, 2, 4}) {
      sampling.temperature = temperature;
      sampling.top_k = k;
      for (const double coin : {0.0, 0.3, 0.999999}) {
        EXPECT_NE(sample(processed_logits(logits, sampling, {}, {}), sampling, coin).token, 0);
      }
    }
  }
}

TEST(ProcessedLogits, AreNotWhatTheLogProbabilitiesAreOf) {
  const std::vector<float> logits = {2, 1, 0, -1};
  for (const double temperature : {0.0, 0.7}) {
    const Drawn drawn = sample(logits, {.temperature = temperature}, 0.9);
    EXPECT_EQ(log_probability(logits, temperature, drawn.token), drawn.logp);
  }
}

}  // namespace
}  // namespace alambic::processed_logits_test

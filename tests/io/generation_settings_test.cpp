#include "alambic/io/generation_settings.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"

namespace alambic::generation_settings_test {
namespace {

using Json = nlohmann::ordered_json;

GenerationSettings settings(const char* text) {
  return generation_settings(Json::parse(text), "g");
}

TEST(GenerationSettings, AreWhatTheFileAsksFor) {
  const GenerationSettings all = settings(
      R"({"repetition_penalty": 1.1, "suppress_tokens": [7, 8], "begin_suppress_tokens": [1],
          "temperature": 0.6, "do_sample": true, "eos_token_id": 2, "no_repeat_ngram_size": 3})");
  EXPECT_EQ(all.repetition_penalty, 1.1);
  EXPECT_EQ(all.suppress_tokens, (std::vector<int32_t>{7, 8}));
  EXPECT_EQ(all.begin_suppress_tokens, (std::vector<int32_t>{1}));
  EXPECT_EQ(all.processors(),
            "repetition_penalty 1.1, suppress_tokens [7, 8], begin_suppress_tokens [1]");
  ASSERT_EQ(all.others.size(), 2u);
  EXPECT_EQ(all.others[0].first, "temperature");
  EXPECT_EQ(all.others[1].first, "no_repeat_ngram_size");
}

TEST(GenerationSettings, AreNoneWhereTheValuesAreNeutral) {
  for (const char* text : {"null", "{}", R"({"repetition_penalty": null, "suppress_tokens": null,
        "temperature": 1, "top_p": 1.0, "top_k": 0, "do_sample": null, "num_beams": 1,
        "transformers_version": "5", "pad_token_id": 0, "repetition_penalty": 1.0})"}) {
    EXPECT_EQ(settings(text).processors(), "") << text;
    EXPECT_TRUE(settings(text).others.empty()) << text;
  }
}

TEST(GenerationSettings, NameTheKeyThatIsNone) {
  for (const auto& [text, key] :
       {std::pair(R"({"repetition_penalty": "x"})", "g: repetition_penalty"),
        std::pair(R"({"repetition_penalty": 0})", "g: repetition_penalty"),
        std::pair(R"({"suppress_tokens": 3})", "g: suppress_tokens"),
        std::pair(R"({"suppress_tokens": [1.5]})", "g: suppress_tokens"),
        std::pair(R"({"begin_suppress_tokens": [-1]})", "g: begin_suppress_tokens")}) {
    try {
      settings(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      EXPECT_TRUE(std::string(error.what()).starts_with(key)) << error.what();
    }
  }
}

}  // namespace
}  // namespace alambic::generation_settings_test

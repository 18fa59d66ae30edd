// A GGUF file in the place of a model folder.
#include <gtest/gtest.h>

#include <filesystem>

#include "alambic/base/files.h"
#include "tests/cli/program.h"

namespace alambic {
namespace {

const fs::path stories = fs::path(ALAMBIC_SOURCE_DIR) / "../shared/data/stories260K/hf";

// Prevents any slip between the layouts: one wrong row and the story is another. The words are
// those of transformers on the folder.
TEST(GgufModel, TellsTheStoryOfItsFolder) {
  if (!fs::exists(stories)) GTEST_SKIP() << "no " << stories;
  const std::string file =
      (fs::path(testing::TempDir()) / ("alambic_story_" + std::to_string(::getpid()) + ".gguf"))
          .string();
  for (const char* type : {"f32", "q8_0"}) {
    const Outcome made = alambic("convert --model " + stories.string() + " --out " + file +
                                 " --overwrite --type " + type);
    ASSERT_EQ(made.code, 0) << made.text;
    const Outcome told = alambic("generate --model " + file +
                                 " --prompt 'Once upon a time, there was a' --temperature 0 "
                                 "--max-new-tokens 40 --device cpu --dtype float32");
    EXPECT_NE(told.text.find(" little girl named Lily. She loved to play outside in the park. One "
                             "day, she saw a big, red ball."),
              std::string::npos)
        << type << ": " << told.text;
  }
  fs::remove(file);
}

}  // namespace
}  // namespace alambic

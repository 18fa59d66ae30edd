// Against files that the Python safetensors library wrote (tests/golden/README.md).
#include "tests/io/io_testing.h"

namespace alambic::golden_test {
namespace {

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests" / "golden";

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, ReadAndWrittenAgainHasTheBytesOfThePythonLibrary) {
  const SafetensorsFile file = SafetensorsFile::open(golden / GetParam());
  const fs::path copy = fresh_folder() / "copy.safetensors";
  std::vector<TensorView> tensors = file.tensors();
  std::reverse(tensors.begin(), tensors.end());
  write_safetensors(copy, tensors, file.metadata());
  EXPECT_TRUE(read_file(copy) == read_file(golden / GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Files, Golden,
                         testing::Values("save_file.safetensors", "objectives.safetensors",
                                         "llama/model.safetensors", "gpt2/golden.safetensors"));

TEST(GoldenFile, HasTheTensorsThatThePythonLibraryWasGiven) {
  const SafetensorsFile file = SafetensorsFile::open(golden / "save_file.safetensors");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  const TensorView* matrix = file.find("b");
  ASSERT_NE(matrix, nullptr);
  EXPECT_EQ(matrix->dtype, Dtype::F32);
  EXPECT_EQ(matrix->shape, (std::vector<int64_t>{2, 3}));
  float last = 0;
  std::memcpy(&last, matrix->bytes.data() + 5 * sizeof last, sizeof last);
  EXPECT_EQ(last, 5);
  EXPECT_NE(file.find("quote\" back\\ slash/ tab\t unit\x1f delete\x7f é 語 😀"), nullptr);
  EXPECT_TRUE(file.find("scalar")->shape.empty());
  EXPECT_EQ(file.find("empty")->bytes.size(), 0u);
  EXPECT_EQ(file.find("torch.float8_e4m3fnuz")->dtype, Dtype::F8_E4M3FNUZ);
  EXPECT_EQ(file.find("no such tensor"), nullptr);
}

}  // namespace
}  // namespace alambic::golden_test

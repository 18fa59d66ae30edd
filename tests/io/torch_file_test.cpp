// Against files that PyTorch wrote (tests/golden/README.md).
#include "alambic/io/torch_file.h"

#include <algorithm>

#include "alambic/io/model_folder.h"
#include "alambic/io/strided_copy.h"
#include "tests/io/io_testing.h"

namespace alambic::torch_file_test {
namespace {

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests" / "golden" / "torch";

TEST(TorchFile, OfAStateDictHasTheTensorsThatPyTorchWasGiven) {
  const TorchFile file = TorchFile::open(golden / "state_dict.bin");
  const SafetensorsFile expected = SafetensorsFile::open(golden / "expected.safetensors");
  EXPECT_EQ(file.tensors().size(), expected.tensors().size());
  for (const TensorView& tensor : file.tensors()) {
    const TensorView* same = expected.find(tensor.name);
    ASSERT_NE(same, nullptr) << tensor.name;
    EXPECT_EQ(tensor.dtype, same->dtype) << tensor.name;
    EXPECT_EQ(tensor.shape, same->shape) << tensor.name;
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, same->bytes)) << tensor.name;
  }
}

// A model of many GB must not be copied when it is opened.
TEST(TorchFile, PointsIntoTheFileWhereTheNumbersAreInOrder) {
  const MappedFile file = MappedFile::open(golden / "state_dict.bin");
  const TorchContents contents = parse_torch(file.bytes(), "f");
  const auto named = [&](const std::string& name) {
    return std::ranges::find(contents.tensors, name, &TensorView::name)->bytes;
  };
  EXPECT_EQ(named("shared.row").data(), named("shared.whole").data() + 12 * sizeof(float));
  EXPECT_EQ(contents.owned.size(), 4u);  // transposed (twice), every_other, column
  EXPECT_GE(named("shared.whole").data(), file.bytes().data());
  EXPECT_LT(named("shared.whole").data(), file.bytes().data() + file.bytes().size());
}

TEST(TorchFile, ThatIsNoStateDictIsRefused) {
  const auto open = [](const char* name) { return [=] { TorchFile::open(golden / name); }; };
  expect_refused(open("module.bin"), {"module.bin", "torch.nn.modules.linear Linear"});
  expect_refused(open("legacy.bin"), {"legacy.bin", "PyTorch before 1.6", "torch.load"});
  expect_refused(open("expanded.bin"), {"expanded.bin", "tensor wide", "several times over"});
}

TEST(ModelFolder, OfPyTorchFilesIsRead) {
  const ModelFolder model = ModelFolder::open(golden / "sharded");
  ASSERT_EQ(model.tensors().size(), 3u);
  EXPECT_EQ(model.tensors()[2].name, "c");
  float number = 0;
  std::memcpy(&number, model.tensors()[2].bytes.data(), sizeof number);
  EXPECT_EQ(number, 7);
}

TEST(ModelFolder, OfPyTorchFilesTakesSafetensorsWhereItHasThem) {
  const fs::path folder = fresh_folder();
  fs::copy(golden / "sharded", folder, fs::copy_options::recursive);
  const std::vector<float> other = {1};
  write_safetensors(folder / "model.safetensors", {view_of("other", other)}, {});
  EXPECT_EQ(ModelFolder::open(folder).tensors().at(0).name, "other");
}

TEST(ModelFolder, OfPyTorchFilesWhoseIndexAndShardsDisagreeIsRefused) {
  const fs::path folder = fresh_folder();
  fs::copy(golden / "sharded", folder, fs::copy_options::recursive);
  const fs::path index = folder / "pytorch_model.bin.index.json";
  const auto refused = [&](const std::string& map, const std::vector<std::string>& words) {
    write_file(index, R"({"weight_map": )" + map + "}");
    expect_refused([&] { ModelFolder::open(folder); }, words);
  };
  refused(R"({"a": "pytorch_model-00001-of-00002.bin", "d": "pytorch_model-00001-of-00002.bin"})",
          {index.filename().string(), "tensor d", "does not hold it"});
  refused(R"({"a": "../pytorch_model-00001-of-00002.bin"})",
          {"tensor a", "*.bin file of the folder"});
  refused(R"({"a": "model.safetensors"})", {"tensor a", "*.bin file of the folder"});
}

TEST(StridedCopy, TakesTheNumbersInTheOrderOfTheRows) {
  const std::string storage = "abcdefghijkl";
  const auto copied = [&](const Strided& strided) {
    std::string text;
    for (const std::byte byte : copy_in_order(strided, bytes_of(storage), 1)) {
      text += static_cast<char>(byte);
    }
    return text;
  };
  EXPECT_EQ(copied({.sizes = {3, 4}, .strides = {1, 3}}), "adgjbehkcfil");
  EXPECT_EQ(copied({.offset = 2, .sizes = {2, 1, 2}, .strides = {4, 1L << 62, 3}}), "cfgj");
  EXPECT_EQ(copied({.offset = 11, .sizes = {}, .strides = {}}), "l");
}

}  // namespace
}  // namespace alambic::torch_file_test

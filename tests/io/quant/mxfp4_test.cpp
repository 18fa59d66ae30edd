#include "alambic/io/quant/mxfp4.h"

#include "alambic/io/quant/tile_scales.h"
#include "tests/io/io_testing.h"

namespace alambic::mxfp4_test {
namespace {

using nlohmann::ordered_json;

// A tensor "w" of two experts of [32, 3]: every byte of a block is 0x21, a half and a one, in rows
// scaled by 1, 2, 4, 8, 16, 32.
struct Blocks : testing::Test {
  ordered_json config = {{"quantization_config", {{"quant_method", "mxfp4"}}}};
  std::string bytes = std::string(2 * 3 * 16, '\x21');
  std::string exponents = "\x7f\x80\x81\x82\x83\x84";
  TensorView blocks = {
      .name = "w_blocks", .dtype = Dtype::U8, .shape = {2, 3, 1, 16}, .bytes = bytes_of(bytes)};
  TensorView scales = {
      .name = "w_scales", .dtype = Dtype::U8, .shape = {2, 3, 1}, .bytes = bytes_of(exponents)};

  std::vector<TensorView> joined(std::vector<TensorView> tensors) {
    join_mxfp4(config, tensors, "folder");
    return tensors;
  }
  void refuses(const std::vector<std::string>& words) {
    expect_refused([&] { joined({blocks, scales}); }, words);
  }
};

TEST_F(Blocks, BecomeColumnsOfAMatrix) {
  const std::vector<TensorView> tensors = joined({scales, blocks});
  ASSERT_EQ(tensors.size(), 1u);
  EXPECT_EQ(tensors[0].name, "w");
  EXPECT_EQ(tensors[0].shape, (std::vector<int64_t>{2, 32, 3}));
  EXPECT_FALSE(config.contains("quantization_config"));
  std::vector<float> found(2 * 32 * 3);
  decode_tiles(tensors[0], found);
  for (int e = 0; e < 2; ++e) {
    for (int i = 0; i < 32; ++i) {
      for (int r = 0; r < 3; ++r) {
        const float scale = static_cast<float>(1 << (3 * e + r));
        EXPECT_EQ(found[(e * 32 + i) * 3 + r], (i % 2 == 0 ? 0.5F : 1.F) * scale);
      }
    }
  }
}

TEST_F(Blocks, HoldTheSixteenNumbersOfE2m1) {
  for (int i = 0; i < 16; ++i) bytes[i] = static_cast<char>(i);  // the lower half counts
  std::vector<float> found(2 * 32 * 3);
  blocks.bytes = bytes_of(bytes);
  decode_tiles(joined({blocks, scales})[0], found);
  const std::vector<float> sizes = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(found[2 * i * 3], i < 8 ? sizes[i] : -sizes[i - 8]) << i;
    EXPECT_EQ(found[(2 * i + 1) * 3], 0) << i;
  }
}

TEST_F(Blocks, WithoutTheSettingStayAsTheyAre) {
  config["quantization_config"]["quant_method"] = "fp8";
  EXPECT_EQ(joined({blocks, scales}).size(), 2u);
}

TEST_F(Blocks, MustComeWithTheirScales) {
  expect_refused([&] { joined({blocks}); }, {"folder", "w_blocks is there, but no w_scales"});
  expect_refused([&] { joined({scales}); }, {"folder", "w_scales is there, but no w_blocks"});
}

TEST_F(Blocks, OfAWrongShapeOrDtypeAreNamed) {
  blocks.shape = {2, 3, 2, 8};
  refuses({"w_blocks", "[experts, rows, blocks, 16]", "[2, 3, 2, 8]"});
  blocks.shape = {6, 1, 16};
  refuses({"w_blocks", "[6, 1, 16]"});
  blocks.shape = {2, 3, 1, 16};
  blocks.dtype = Dtype::I8;
  refuses({"w_blocks", "I8"});
  blocks.dtype = Dtype::U8;
  scales.shape = {2, 1, 3};
  refuses({"w_scales", "[2, 3, 1]", "[2, 1, 3]"});
  scales.shape = {2, 3, 1};
  scales.dtype = Dtype::F8_E8M0;
  refuses({"w_scales", "F8_E8M0"});
}

}  // namespace
}  // namespace alambic::mxfp4_test

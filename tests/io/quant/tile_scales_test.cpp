#include "alambic/io/quant/tile_scales.h"

#include <cmath>

#include "alambic/io/model_folder.h"
#include "tests/io/io_testing.h"

namespace alambic::tile_scales_test {
namespace {

using nlohmann::ordered_json;

// A matrix "w" of [5, 3] FP8 ones (0x38) and its scales, in tiles of [2, 2].
struct Tiled : testing::Test {
  ordered_json config = {
      {"quantization_config", {{"quant_method", "fp8"}, {"weight_block_size", {2, 2}}}}};
  std::string ones = std::string(15, '\x38');
  std::vector<float> numbers = {1, 2, 3, 4, 5, 6, 7};
  TensorView matrix = {
      .name = "w", .dtype = Dtype::F8_E4M3, .shape = {5, 3}, .bytes = bytes_of(ones)};
  TensorView scales = {.name = "w_scale_inv",
                       .dtype = Dtype::F32,
                       .shape = {3, 2},
                       .bytes = std::as_bytes(std::span(numbers).first(6))};
  TensorView other = {.name = "norm",
                      .dtype = Dtype::F32,
                      .shape = {7},
                      .bytes = std::as_bytes(std::span(numbers))};

  std::vector<TensorView> joined() {
    std::vector<TensorView> tensors = {scales, other, matrix};
    join_tile_scales(config, tensors, "folder");
    return tensors;
  }
  void refuses(const std::vector<std::string>& words) {
    expect_refused([&] { joined(); }, words);
  }
};

TEST_F(Tiled, ScalesEachTileTheOnesAtTheEdgesToo) {
  const std::vector<TensorView> tensors = joined();
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_FALSE(config.contains("quantization_config"));
  EXPECT_TRUE(tensors[0].tiles.bytes.empty());
  std::vector<float> found(15);
  decode_tiles(tensors[1], found);
  const std::vector<float> expected = {1, 1, 2, 1, 1, 2, 3, 3, 4, 3, 3, 4, 5, 5, 6};
  EXPECT_EQ(found, expected);
}

// DeepSeek-V4's spelling: powers of two in a byte. Read as float32 they would be another number,
// and the matrix four times too small for them.
TEST_F(Tiled, ReadsScalesThatArePowersOfTwo) {
  const std::string exponents = "\x7f\x80\x7e\x7f\x81\x7d";  // 1 2 ½ 1 4 ¼
  matrix.name = "a.weight";
  scales.name = "a.scale";
  scales.dtype = Dtype::F8_E8M0;
  scales.bytes = bytes_of(exponents);
  const std::vector<TensorView> tensors = joined();
  ASSERT_EQ(tensors.size(), 2u);
  std::vector<float> found(15);
  decode_tiles(tensors[1], found);
  const std::vector<float> expected = {1, 1, 2, 1, 1, 2, .5, .5, 1, .5, .5, 1, 4, 4, .25};
  EXPECT_EQ(found, expected);
}

// Its experts: the lower half of a byte comes first, a scale to 32 numbers of a row.
TEST_F(Tiled, ReadsExpertsInFp4) {
  const std::string bytes = std::string(16, '\x21') + std::string(16, '\xf7');  // ½ 1, 6 −6
  const std::string exponents = "\x80\x7e";
  config["expert_dtype"] = "fp4";
  matrix = {.name = "a.weight", .dtype = Dtype::I8, .shape = {2, 16}, .bytes = bytes_of(bytes)};
  scales = {
      .name = "a.scale", .dtype = Dtype::F8_E8M0, .shape = {2, 1}, .bytes = bytes_of(exponents)};
  const std::vector<TensorView> tensors = joined();
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_FALSE(config.contains("expert_dtype"));
  EXPECT_EQ(tensors[1].shape, (std::vector<int64_t>{2, 32}));
  std::vector<float> found(64), expected(64);
  decode_tiles(tensors[1], found);
  for (size_t i = 0; i < 32; ++i) {
    expected[i] = i % 2 == 0 ? 1 : 2;
    expected[32 + i] = i % 2 == 0 ? 3 : -3;
  }
  EXPECT_EQ(found, expected);
  scales.shape = {1, 2};
  config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {2, 2}}};
  refuses({"a.scale", "a.weight", "found F8_E8M0 of shape [1, 2]"});
}

// Against the definition: sign, 4 bits of exponent with bias 7, 3 bits of fraction.
TEST_F(Tiled, ReadsEveryFp8Number) {
  std::string all(256, '\0');
  for (int i = 0; i < 256; ++i) all[i] = static_cast<char>(i);
  const float one = 1;
  const TensorView every = {.name = "w",
                            .dtype = Dtype::F8_E4M3,
                            .shape = {1, 256},
                            .bytes = bytes_of(all),
                            .tiles = {std::as_bytes(std::span(&one, 1)), 1, 256}};
  std::vector<float> found(256);
  decode_tiles(every, found);
  for (int i = 0; i < 256; ++i) {
    const int exponent = i / 8 % 16, fraction = i % 8;
    const double size = exponent == 0 ? fraction / 8.0 * std::pow(2, -6)
                                      : (1 + fraction / 8.0) * std::pow(2, exponent - 7);
    if (i % 128 == 127) {
      EXPECT_TRUE(std::isnan(found[i])) << i;
    } else {
      EXPECT_EQ(found[i], static_cast<float>(i < 128 ? size : -size)) << i;
    }
  }
}

TEST_F(Tiled, OtherFoldersStayAsTheyAre) {
  for (const ordered_json& setting :
       {ordered_json(), ordered_json("fp8"), ordered_json{{"quant_method", "gptq"}}}) {
    config["quantization_config"] = setting;
    EXPECT_EQ(joined().size(), 3u);
    EXPECT_EQ(config["quantization_config"], setting);
  }
}

TEST_F(Tiled, NamesAMatrixWithoutScalesAndScalesWithoutAMatrix) {
  scales.name = "v_scale_inv";
  refuses({"folder", "tensor w is F8_E4M3", "no w_scale_inv"});
  matrix.dtype = Dtype::F8_E5M2;
  refuses({"tensor w is F8_E5M2"});
  matrix.name = "u";
  matrix.dtype = Dtype::I8;
  refuses({"v_scale_inv is there, but no v"});
}

TEST_F(Tiled, NamesScalesOfAWrongShapeOrDtype) {
  scales.shape = {2, 3};
  refuses({"w_scale_inv", "[3, 2]", "found [2, 3]"});
  scales.shape = {6};
  refuses({"w_scale_inv", "[3, 2]", "found [6]"});
  scales.shape = {3, 2};
  scales.dtype = Dtype::I32;
  refuses({"w_scale_inv", "should be F32 or F8_E8M0, found I32"});
}

TEST_F(Tiled, NamesScalesOfWhatIsNoFp8Matrix) {
  matrix.dtype = Dtype::I8;
  refuses({"w_scale_inv", "the I8 matrix w of shape [5, 3]"});
  matrix.dtype = Dtype::F8_E4M3;
  matrix.shape = {15};
  refuses({"w_scale_inv", "shape [15]"});
}

TEST_F(Tiled, NamesASettingThatItDoesNotRead) {
  ordered_json& setting = config["quantization_config"];
  for (const ordered_json& size :
       {ordered_json(), ordered_json(128), ordered_json{0, 2}, ordered_json{2, -1},
        ordered_json{2, 2, 2}, ordered_json{"2", 2}, ordered_json{2, 1e300}}) {
    setting["weight_block_size"] = size;
    refuses({"folder", "weight_block_size", size.dump()});
  }
  setting["weight_block_size"] = {2, 2};
  setting["fmt"] = "e5m2";
  refuses({"fmt", "e5m2"});
}

TEST_F(Tiled, AFolderHasItsScalesInItsTensors) {
  const fs::path folder = fresh_folder();
  write_model_folder(folder, config, nullptr, {matrix, scales, other});
  const ModelFolder model = ModelFolder::open(folder);
  EXPECT_EQ(model.tensors().size(), 2u);
  EXPECT_FALSE(model.config().contains("quantization_config"));
}

}  // namespace
}  // namespace alambic::tile_scales_test

// Against a file that gguf-py wrote and decoded (tests/golden/README.md).
#include "alambic/io/gguf/gguf.h"

#include <bit>
#include <cmath>
#include <limits>

#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/half.h"
#include "tests/io/io_testing.h"

namespace alambic::gguf_test {
namespace {

const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/gguf";

// Compares what the tensors of `tensors` decode to.
void expect_decoded(const fs::path& tensors, const fs::path& numbers) {
  const GgufFile file = GgufFile::open(tensors);
  const SafetensorsFile expected = SafetensorsFile::open(numbers);
  EXPECT_EQ(file.tensors().size(), expected.tensors().size());
  for (const TensorView& tensor : file.tensors()) {
    const TensorView* wanted = expected.find(tensor.name);
    ASSERT_NE(wanted, nullptr) << tensor.name;
    EXPECT_EQ(tensor.shape, wanted->shape) << tensor.name;
    if (tensor.dtype == wanted->dtype) {
      EXPECT_TRUE(std::ranges::equal(tensor.bytes, wanted->bytes)) << tensor.name;
      continue;
    }
    std::vector<float> found(static_cast<size_t>(count_of(tensor.shape)));
    decode(tensor.dtype, tensor.bytes, found);
    EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(found)), wanted->bytes)) << tensor.name;
  }
}

// Prevents any slip in the layout of a block: a wrong nibble, scale, sign or rounding.
TEST(Gguf, EveryFormatDecodesToTheBitsOfGgufPy) {
  expect_decoded(golden / "types.gguf", golden / "expected.safetensors");
}

// Prevents the same of IQ1 to IQ4, TQ1 and TQ2, which were refused.
TEST(Gguf, FormatsWithGridsDecodeToTheBitsOfGgufPy) {
  expect_decoded(golden / "grids.gguf", golden / "grids.safetensors");
}

// Prevents a type's number or width from being another's.
TEST(Gguf, MetadataOfEveryTypeComesBack) {
  const GgufFile file = GgufFile::open(golden / "types.gguf");
  const GgufMetadata& m = file.metadata();
  EXPECT_EQ(*m.find("a.u8"), GgufValue(uint8_t{255}));
  EXPECT_EQ(*m.find("a.i8"), GgufValue(int8_t{-128}));
  EXPECT_EQ(*m.find("a.u16"), GgufValue(uint16_t{65535}));
  EXPECT_EQ(*m.find("a.i16"), GgufValue(int16_t{-32768}));
  EXPECT_EQ(m.integer("a.u32"), 4294967295);
  EXPECT_EQ(m.integer("a.i32"), -2147483648LL);
  EXPECT_EQ(*m.find("a.f32"), GgufValue(0.1F));
  EXPECT_EQ(m.flag("a.bool"), true);
  EXPECT_EQ(m.text("a.string"), "Ġ語");
  EXPECT_EQ(*m.find("a.u64"), GgufValue(~uint64_t{0}));
  EXPECT_EQ(m.integer("a.i64"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(m.number("a.f64"), 0.1);
  EXPECT_EQ(*m.texts("a.strings"), (std::vector<std::string>{"", "b", "cc"}));
  EXPECT_EQ(m.numbers("a.ints"), (std::vector<double>{1, -2, 3}));
  EXPECT_EQ(m.numbers("a.floats"), (std::vector<double>{0.5, -1.5}));
  EXPECT_EQ(m.text("general.architecture"), "test");
  EXPECT_EQ(m.text("none"), std::nullopt);
  expect_refused([&] { m.text("a.u8"); }, {"types.gguf", "a.u8", "a string", "8-bit integer"});
  expect_refused([&] { m.integer("a.strings"); }, {"a.strings", "an integer", "a list of 3"});
  expect_refused([&] { m.integer("a.u64"); }, {"a.u64", "an integer"});
}

// Prevents a writer whose files gguf-py reads otherwise: it must make the bytes that gguf-py made.
TEST(Gguf, WrittenAgainHasTheBytesOfGgufPy) {
  const GgufFile file = GgufFile::open(golden / "types.gguf");
  std::vector<GgufTensor> tensors;
  for (const TensorView& tensor : file.tensors()) {
    tensors.push_back(
        {.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape, .bytes = [&tensor] {
           return std::vector<std::byte>(tensor.bytes.begin(), tensor.bytes.end());
         }});
  }
  const fs::path copy = fresh_folder() / "copy.gguf";
  write_gguf({copy}, file.metadata(), tensors);
  EXPECT_TRUE(read_file(copy) == read_file(golden / "types.gguf"));
}

// Prevents double rounding and lost ties; every half must survive, every midpoint goes to even.
TEST(Half, EveryHalfComesBackAndMidpointsGoToEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    EXPECT_EQ(float_to_half(half_to_float(half)), half) << bits;
    if ((bits & 0x7fff) >= 0x7bff) continue;
    const float middle = (half_to_float(half) + half_to_float(half + 1)) / 2;
    EXPECT_EQ(float_to_half(middle), (half + 1) & 0xfffe) << bits;
  }
  EXPECT_EQ(float_to_half(65519.99F), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0F), 0x7c00);
  EXPECT_EQ(float_to_half(std::bit_cast<float>(0x7f800001U)), 0x7c01);
}

TEST(Half, BfloatsRoundToEven) {
  EXPECT_EQ(float_to_bfloat(std::bit_cast<float>(0x3f808000U)), 0x3f80);
  EXPECT_EQ(float_to_bfloat(std::bit_cast<float>(0x3f818000U)), 0x3f82);
  EXPECT_EQ(float_to_bfloat(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_TRUE(std::isnan(bfloat_to_float(float_to_bfloat(std::bit_cast<float>(0x7f800001U)))));
}

TEST(Gguf, IsRefusedWhenCutAnywhereAndNeverReadOutside) {
  const std::string file = read_file(golden / "types.gguf");
  for (size_t size = 0; size < file.size(); size += size < 2500 ? 1 : 97) {
    // A copy of exactly this size, so that a sanitizer sees a read past the end.
    const std::vector<char> prefix(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(parse_gguf(std::as_bytes(std::span(prefix)), "f"), Error) << "cut at " << size;
  }
}

// Prevents any field from steering a read or an allocation.
TEST(Gguf, WithAnyByteOfItsHeaderChangedIsReadOrRefused) {
  const std::string file = read_file(golden / "types.gguf");
  for (size_t at = 0; at < 2000; ++at) {
    for (const int value : {0x00, 0x01, 0x09, 0x7f, 0x80, 0xff}) {
      std::vector<char> changed(file.begin(), file.end());
      changed[at] = static_cast<char>(value);
      const auto bytes = std::as_bytes(std::span(changed));
      try {
        for (const TensorView& tensor : parse_gguf(bytes, "f").tensors) {
          EXPECT_GE(tensor.bytes.data(), bytes.data());
          EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), bytes.data() + bytes.size());
        }
      } catch (const Error& error) {
        EXPECT_EQ(error.exit(), Exit::input);
      }
    }
  }
}

}  // namespace
}  // namespace alambic::gguf_test

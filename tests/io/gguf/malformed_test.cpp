// Hostile GGUF files by name: what is wrong, how it is made, what the error must say.
#include "alambic/io/gguf/gguf.h"
#include "tests/io/gguf/gguf_bytes.h"
#include "tests/io/io_testing.h"

namespace alambic::malformed_test {
namespace {

using namespace gguf_bytes;

struct Malformed {
  const char* name;
  std::string file;
  std::vector<std::string> words;
};

constexpr uint64_t huge = ~uint64_t{0};
constexpr uint32_t u8 = 0, u32 = 4, boolean = 7, string = 8, list = 9, f32 = 0, q4_0 = 2, q4_k = 12;

std::vector<Malformed> headers() {
  return {
      {"Empty", "", {"the magic", "4 bytes", "0 are left", "incomplete download"}},
      {"Safetensors", file_of("{}"), {"does not begin with \"GGUF\"", "is it a GGUF file?"}},
      {"VersionOne", file_with(0, 0, "", 0, 1), {"version is 1", "2 and 3"}},
      {"VersionFour", file_with(0, 0, "", 0, 4), {"version is 4"}},
      {"BigEndian", file_with(0, 0, "", 0, 0x03000000), {"big-endian"}},
      {"ManyTensors", file_with(huge, 0, ""), {"18446744073709551615 tensors"}},
      {"ManyItems", file_with(0, huge, ""), {"18446744073709551615 metadata entries"}},
      {"HugeKey", file_with(0, 1, raw(huge) + "abc"), {"name of metadata entry 0", "are left"}},
      {"HugeString", file_with(0, 1, item("k", string, raw(huge))), {"metadata k", "are left"}},
      {"HugeList", file_with(0, 1, item("k", list, raw(u8) + raw(huge))), {"k", "items"}},
      {"HugeStringList",
       file_with(0, 1, item("k", list, raw(string) + raw(huge / 8))),
       {"metadata k", "2305843009213693951 items"}},
      {"ListOfLists", file_with(0, 1, item("k", list, raw(list) + raw<uint64_t>(1))), {"of lists"}},
      {"UnknownType", file_with(0, 1, item("k", 13, "")), {"metadata k", "unknown type, 13"}},
      {"UnknownItem",
       file_with(0, 1, item("k", list, raw<uint32_t>(99) + raw<uint64_t>(0))),
       {"unknown type, 99"}},
      {"BoolTwo", file_with(0, 1, item("k", boolean, "\2")), {"metadata k", "0 or 1", "2"}},
      {"KeyTwice",
       file_with(0, 2, item("k", u8, "a") + item("k", u8, "b")),
       {"metadata k stands twice"}},
      {"KeyThatSteersATerminal", file_with(0, 1, item("\x1b[2J", 13, "")), {"\\x1b[2J"}},
      {"AlignmentThree",
       file_with(0, 1, item("general.alignment", u32, raw<uint32_t>(3))),
       {"general.alignment", "power of two", "3"}},
      {"AlignmentZero",
       file_with(0, 1, item("general.alignment", u32, raw<uint32_t>(0))),
       {"general.alignment", "found 0"}},
      {"AlignmentText",
       file_with(0, 1, item("general.alignment", string, text("x"))),
       {"general.alignment", "found a string"}},
  };
}

std::vector<Malformed> layouts() {
  return {
      {"TensorTwice",
       file_with(2, 0, tensor("t", {1}, f32, 0) + tensor("t", {1}, f32, 32)),
       {"tensor t stands twice"}},
      {"UnknownFormat", file_with(1, 0, tensor("t", {32}, 77, 0)), {"tensor t", "unknown", "77"}},
      {"FormatNotRead", file_with(1, 0, tensor("t", {256}, 40, 0)), {"tensor t", "NVFP4"}},
      {"FiveDimensions",
       file_with(1, 0, tensor("t", {1, 1, 1, 1, 1}, f32, 0)),
       {"tensor t", "at most 4 dimensions", "5"}},
      {"SizeBeyondInt64", file_with(1, 0, tensor("t", {huge}, f32, 0)), {"tensor t", "shape"}},
      {"SizeThatOverflows",
       file_with(1, 0, tensor("t", {huge / 2, huge / 2}, f32, 0)),
       {"tensor t", "shape"}},
      {"RowWithinABlock", file_with(1, 0, tensor("t", {16, 2}, q4_0, 0)), {"whole blocks of Q4_0"}},
      {"RowWithinAKBlock", file_with(1, 0, tensor("t", {32}, q4_k, 0)), {"whole blocks of Q4_K"}},
      {"BeyondTheFile",
       file_with(1, 0, tensor("t", {17}, f32, 0)),
       {"tensor t", "68 bytes", "only 64", "incomplete download"}},
      {"OffsetBeyondTheFile",
       file_with(1, 0, tensor("t", {1}, f32, huge - 31)),
       {"tensor t", "18446744073709551584"}},
      {"OffsetNotAligned",
       file_with(1, 0, tensor("t", {1}, f32, 4)),
       {"offset 4", "multiple of 32"}},
      {"Overlap",
       file_with(2, 0, tensor("a", {9}, f32, 0) + tensor("b", {1}, f32, 32)),
       {"tensor b", "inside tensor a", "36"}},
      {"SamePlace",
       file_with(2, 0, tensor("a", {1}, f32, 0) + tensor("b", {1}, f32, 0)),
       {"inside tensor a"}},
  };
}

class MalformedGguf : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedGguf, IsRefusedWithTheReason) {
  const std::vector<char> copy(GetParam().file.begin(), GetParam().file.end());
  std::vector<std::string> words = GetParam().words;
  words.emplace_back("cannot read f.gguf");
  expect_refused([&] { parse_gguf(std::as_bytes(std::span(copy)), "f.gguf"); }, words);
}

const auto name_of_case = [](const auto& info) { return std::string(info.param.name); };
INSTANTIATE_TEST_SUITE_P(Headers, MalformedGguf, testing::ValuesIn(headers()), name_of_case);
INSTANTIATE_TEST_SUITE_P(Layouts, MalformedGguf, testing::ValuesIn(layouts()), name_of_case);

TEST(Gguf, WithoutTensorsMayEndWithItsHeader) {
  const std::string file = "GGUF" + raw<uint32_t>(2) + raw<uint64_t>(0) + raw<uint64_t>(1) +
                           item("general.alignment", u32, raw<uint32_t>(64));
  EXPECT_TRUE(parse_gguf(bytes_of(file), "f").tensors.empty());
}

}  // namespace
}  // namespace alambic::malformed_test

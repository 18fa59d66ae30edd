// Hostile safetensors files by name: what is wrong, how it is made, what the error must say. The
// cases are those of the reference library's tests, and more.
#include "tests/io/io_testing.h"

namespace alambic::malformed_test {
namespace {

struct Malformed {
  const char* name;
  std::string file;
  std::vector<std::string> words;
};

// A header with one four-byte tensor called "weight".
std::string one(const std::string& fields) {
  return file_of(R"({"weight":{)" + fields + "}}", "1234");
}

std::string good() { return one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"); }

std::string with_length(uint64_t length) {
  std::string file = good();
  std::memcpy(file.data(), &length, sizeof length);
  return file;
}

std::string repeated(const std::string& text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

std::vector<Malformed> cases() {
  const std::string u8 = R"({"dtype":"U8","shape":[4],"data_offsets":[0,4]})";
  return {
      {"Empty", "", {"begins with 8 bytes", "has 0", "incomplete download"}},
      {"SevenBytes", "1234567", {"has 7"}},
      {"HeaderBeyondTheFile", with_length(1000), {"1000 bytes long", "incomplete download"}},
      {"HeaderOverTheLimit", with_length(100'000'001), {"100000001", "safetensors file?"}},
      {"HeaderLengthThatWraps", with_length(~uint64_t{0}), {"18446744073709551615"}},
      {"HeaderLengthNegative", with_length(uint64_t{1} << 63), {"9223372036854775808"}},
      {"GitLfsPointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00", {"git lfs"}},
      {"NotUtf8", file_of("{\"\xff\":1}"), {"not valid JSON at its byte"}},
      {"OverlongUtf8", file_of("{\"\xc0\xaf\":1}"), {"not valid JSON"}},
      {"LoneSurrogate", file_of(R"({"\ud800":1})"), {"not valid JSON"}},
      {"HeaderCutShort", file_of("{"), {"not valid JSON"}},
      {"HeaderOfSpaces", file_of("        "), {"not valid JSON"}},
      {"HeaderEmpty", file_of(""), {"not valid JSON"}},
      {"TwoObjects", file_of("{}{}"), {"not valid JSON"}},
      {"HeaderIsAList", file_of("[]"), {"JSON object", "a list"}},
      {"HeaderIsNull", file_of("null"), {"JSON object", "null"}},
      {"NumberOverflows", file_of(R"({"weight":1e999})"), {"not valid JSON"}},
      {"TensorTwice",
       file_of("{\"weight\":" + u8 + ",\"weight\":" + u8 + "}", "1234"),
       {"\"weight\" stands twice"}},
      {"FieldTwice",
       one(R"("dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4])"),
       {"weight", "\"dtype\" stands twice"}},
      {"MetadataTwice",
       file_of(R"({"__metadata__":{},"__metadata__":{}})"),
       {"\"__metadata__\" stands twice"}},
      {"MetadataKeyTwice",
       file_of(R"({"__metadata__":{"a":"1","a":"2"}})"),
       {"\"a\" stands twice"}},
      {"MetadataNumber",
       file_of(R"({"__metadata__":{"a":1}})"),
       {"__metadata__", "\"a\" should be a string, found 1"}},
      {"MetadataNested", file_of(R"({"__metadata__":{"a":{}}})"), {"should be a string"}},
      {"MetadataList", file_of(R"({"__metadata__":[]})"), {"__metadata__", "a list"}},
      {"TensorIsANumber", file_of(R"({"weight":1})"), {"\"weight\" should be an object, found 1"}},
      {"FieldMissing", one(R"("dtype":"F32","shape":[1])"), {"weight", "no \"data_offsets\""}},
      {"FieldUnknown",
       one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1])"),
       {"weight", "unknown field \"strides\""}},
      {"DtypeUnknown",
       one(R"("dtype":"F3","shape":[1],"data_offsets":[0,4])"),
       {"weight", "\"dtype\"", "\"F3\""}},
      {"DtypeIsANumber",
       one(R"("dtype":3,"shape":[1],"data_offsets":[0,4])"),
       {"\"dtype\"", "found 3"}},
      {"ShapeIsText",
       one(R"("dtype":"F32","shape":"1","data_offsets":[0,4])"),
       {"weight", "\"shape\"", "found \"1\""}},
      {"ShapeNests", one(R"("dtype":"F32","shape":[[1]],"data_offsets":[0,4])"), {"\"shape\""}},
      {"SizeNegative", one(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"), {"found -1"}},
      {"SizeFraction", one(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"), {"found 1.0"}},
      {"SizeOver63Bits",
       one(R"("dtype":"F32","shape":[2,18446744073709551614],"data_offsets":[0,4])"),
       {"18446744073709551614"}},
      {"ProductOverflows",
       one(R"("dtype":"I32","shape":[2,9223372036854775807],"data_offsets":[0,4])"),
       {"weight", "2^64"}},
      {"ProductWrapsToTheRightSize",
       one(R"("dtype":"U8","shape":[4294967296,536870912],"data_offsets":[0,0])"),
       {"2^64"}},
      {"AMillionSizes",
       one(R"("dtype":"F32","shape":[1)" + repeated(",1", 1'000'000) + R"(],"data_offsets":[0,4])"),
       {"at most 64 sizes"}},
      {"HalfAByte", one(R"("dtype":"F4","shape":[3],"data_offsets":[0,1])"), {"whole number"}},
      {"OffsetsBackwards",
       one(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"),
       {"weight", "backwards"}},
      {"OffsetNegative", one(R"("dtype":"F32","shape":[1],"data_offsets":[-4,0])"), {"found -4"}},
      {"OffsetFraction", one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4.5])"), {"found 4.5"}},
      {"OffsetText", one(R"("dtype":"F32","shape":[1],"data_offsets":[0,"4"])"), {"found \"4\""}},
      {"OffsetOver64Bits",
       one(R"("dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551616])"),
       {"data_offsets"}},
      {"OneOffset", one(R"("dtype":"F32","shape":[1],"data_offsets":[0])"), {"found 1 of them"}},
      {"ThreeOffsets",
       one(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,4])"),
       {"two byte positions"}},
      {"SizeAndBytesDiffer",
       one(R"("dtype":"I32","shape":[2,2],"data_offsets":[0,4])"),
       {"weight", "I32 make 16 bytes", "4"}},
      {"OffsetsBeyondTheFile",
       one(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"),
       {"weight", "byte 8", "only 4 bytes", "incomplete download"}},
      {"Overlap",
       file_of("{\"a\":" + u8 + ",\"b\":" + u8 + "}", "1234"),
       {"tensor b", "inside the tensor before"}},
      {"Hole",
       file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
               R"("b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})",
               "1234"),
       {"tensor b", "hole"}},
      {"HoleAtTheStart", one(R"("dtype":"U8","shape":[2],"data_offsets":[2,4])"), {"hole"}},
      {"BytesAfterTheEnd", good() + "a polyglot's other half", {"23 bytes follow"}},
      {"BytesWithoutATensor", file_of("{}", "1234"), {"4 bytes follow"}},
      {"NestsDeeply", file_of(repeated("[", 1'000'000)), {"JSON object"}},
      {"NestsDeeplyInAField", one("\"shape\":" + repeated("[", 1'000'000)), {"\"shape\""}},
      {"NameSteersTheTerminal",
       file_of("{\"\\u001b[2J\\u009b\\n\\u0000\":1}"),
       {"\\x1b[2J\\x9b\\x0a\\x00"}},
      {"NameOfAMegabyte", file_of("{\"" + repeated("é", 500'000) + "\":1}"), {"1000000 bytes"}},
  };
}

class Safetensors : public testing::TestWithParam<Malformed> {};

TEST_P(Safetensors, Refuses) {
  const Malformed& file = GetParam();
  std::vector<std::string> words = file.words;
  words.push_back("some/file");
  expect_refused([&] { parse_safetensors(bytes_of(file.file), "some/file"); }, words);
}

INSTANTIATE_TEST_SUITE_P(Malformed, Safetensors, testing::ValuesIn(cases()),
                         [](const auto& info) { return info.param.name; });

TEST(SafetensorsAccepts, TheFileThatTheMalformedOnesAreMadeFrom) {
  EXPECT_EQ(parse_safetensors(bytes_of(good()), "f").tensors.at(0).name, "weight");
}

TEST(SafetensorsAccepts, JsonWhitespaceAroundTheHeader) {
  parse_safetensors(bytes_of(file_of("\t\n{}\r \t\n")), "f");
}

TEST(SafetensorsAccepts, TensorsWithoutElementsAndPackedFormats) {
  const std::string file = file_of(R"({"e":{"dtype":"F32","shape":[2,0],"data_offsets":[0,0]},)"
                                   R"("p":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}})",
                                   "123");
  EXPECT_EQ(parse_safetensors(bytes_of(file), "f").tensors.size(), 2u);
}

}  // namespace
}  // namespace alambic::malformed_test

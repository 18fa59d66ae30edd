// Hostile files of torch.save by name: what is wrong, how it is made, what the error must say.
#include "alambic/io/torch_file.h"

#include <limits>

#include "tests/io/io_testing.h"
#include "tests/io/torch_builder.h"

namespace alambic::torch_malformed_test {
namespace {

using namespace std::string_literals;
using namespace torch_builder;  // NOLINT: the builder is all that this file is about

struct Malformed {
  const char* name;
  std::string file;
  std::vector<std::string> words;
};

std::string good() { return file_with({}); }

std::string repeated(const std::string& text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

// `good()` with `value` at `back` bytes before its end, where the end record has its fields.
template <class Number>
std::string with_end(size_t back, Number value) {
  std::string file = good();
  std::memcpy(file.data() + file.size() - back, &value, sizeof value);
  return file;
}

std::string with_pickle(const std::string& value) { return file(pickle(value)); }
std::string with_value(const std::string& value) { return with_pickle(dict({{"weight", value}})); }

std::string cut(const std::string& file, size_t length) { return file.substr(0, length); }

std::vector<Malformed> archives() {
  const std::string pickled = pickle(dict({{"weight", tensor({})}}));
  return {
      {"Empty", "", {"begins with \"PK\"", "incomplete download"}},
      {"NotAZip", "\x80\x02}q.", {"begins with \"PK\""}},
      {"GitLfsPointer", "version https://git-lfs.github.com/spec/v1\noid sha256:00", {"git lfs"}},
      {"Tar", std::string(257, '\0') + "ustar", {"before 1.6", "tar", "torch.save(torch.load("}},
      {"CutShort", cut(good(), 100), {"directory is missing", "incomplete download"}},
      {"CutByAByte", cut(good(), good().size() - 1), {"directory is missing"}},
      {"OnlyTheMagic", "PK\5\6", {"directory is missing"}},
      {"DirectoryBeyondTheFile", with_end(6, ~uint32_t{1}), {"do not fit"}},
      {"DirectoryLongerThanTheFile", with_end(10, uint32_t{1} << 30), {"do not fit"}},
      {"MoreEntriesThanFit", with_end(14, uint32_t{0xfffefffe}), {"65534 entries", "do not fit"}},
      {"SeveralParts", with_end(14, uint32_t{0x00020001}), {"several parts"}},
      {"Zip64WithoutALocator", with_end(6, ~uint32_t{0}), {"locator"}},
      {"DirectoryElsewhere", with_end(6, uint32_t{1}), {"zip directory"}},
      {"Compressed",
       file(pickled, {{.name = "x/y", .content = "a", .method = 8}}),
       {"x/y", "compressed"}},
      {"Encrypted",
       file(pickled, {{.name = "x/y", .content = "a", .flags = 1}}),
       {"x/y", "encrypted"}},
      {"EntryTwice", file(pickled, {{"x/data/0", "a"}}), {"x/data/0", "stands twice"}},
      {"NamesDiffer",
       file(pickled, {{.name = "x/y", .content = "a", .name_in_entry = "x/z"}}),
       {"x/z is called x/y"}},
      {"NoPickle", zip({{"x/other", ""}}), {"no data.pkl"}},
      {"PickleDeeper", zip({{"x/y/data.pkl", pickled}}), {"no data.pkl"}},
      {"TwoPickles", file(pickled, {{"y/data.pkl", pickled}}), {"two entries called data.pkl"}},
      {"BigEndian", file(pickled, {{"x/byteorder", "big"}}), {"byte order", "\"big\""}},
      {"NoStorage", zip({{"x/data.pkl", pickled}}), {"tensor weight", "no entry x/data/0"}},
  };
}

std::vector<Malformed> pickles() {
  return {
      {"PickleEmpty", file(""), {"data.pkl", "wants 1 bytes more, 0 are left"}},
      {"PickleWithoutAnEnd", file("\x80\x02}"), {"wants 1 bytes"}},
      {"NoValue", file(pickle("")), {"0 values"}},
      {"TwoValues", file(pickle("}}")), {"2 values"}},
      {"MarkLeft", file(pickle("(}")), {"1 marks"}},
      {"PopsNothing", file(pickle("\x85")), {"opcode 0x85 finds no value"}},
      {"PopsBelowTheMark", file(pickle("N(\x85")), {"finds no value"}},
      {"NoMark", file(pickle("}u")), {"finds no mark"}},
      {"GetsNothing", file(pickle("h\1")), {"nothing under 1"}},
      {"Protocol4", file("\x80\x04}."), {"pickle protocol 4", "pickle_protocol"}},
      {"RunsACommand",
       with_pickle(global("os", "system") + tuple({text("id")}) + "R"),
       {"data.pkl", "\"os system\"", "any program"}},
      {"RunsBuiltins", with_value(global("builtins", "eval")), {"\"builtins eval\""}},
      {"GlobalOfATorchModule", with_value(global("torch", "load")), {"\"torch load\""}},
      {"GlobalWithATerminalCode", with_value(global("\x1b[2J", "x")), {"\\x1b[2J x"}},
      {"GlobalWithoutAnEnd",
       file("\x80\x02"
            "cos"),
       {"end of line"}},
      {"OldOpcodeInst", file(pickle("(ios\nsystem\n")), {"opcode 0x69"}},
      {"OpcodeNewObject", file(pickle("})\x81")), {"opcode 0x81"}},
      {"OpcodeStackGlobal", file(pickle(text("os") + text("system") + "\x93")), {"opcode 0x93"}},
      {"OpcodeExtension", file(pickle("\x82\x01")), {"opcode 0x82"}},
      {"CallsAText", with_value(text("os") + ")R"), {"calls a text with a tuple"}},
      {"CallsWithAList",
       with_value(global("torch._utils", "_rebuild_tensor_v2") + "]R"),
       {"with a list"}},
      {"OrderedDictOfAList",
       with_pickle(call(global("collections", "OrderedDict"), {"]"})),
       {"OrderedDict with arguments"}},
      {"StateOfATensor", with_value(tensor({}) + "}b"), {"BUILD", "constructed object"}},
      {"OddDict", file(pickle("}(" + text("a") + "u")), {"adds 1 values to a dict"}},
      {"AppendsToADict", file(pickle("}Na")), {"adds 1 values to a dict"}},
      {"TextBeyondTheEnd", file(pickle("X" + bytes(~uint32_t{0}))), {"wants 4294967295 bytes"}},
      {"TextNotUtf8", with_pickle(dict({{"\xff", tensor({})}})), {"not UTF-8"}},
      {"IntegerOf255Bytes", with_value("\x8a\xff" + std::string(255, '\1')), {"255 bytes"}},
      {"OverAMillionValues", file(pickle(repeated("N", (1 << 20) + 1))), {"1048576 values"}},
      {"Over16MB", file(pickle(repeated("}0", 8 << 20))), {"16777216"}},
      {"TextInsteadOfADict", with_pickle(text("a")), {"a text, not a dict"}},
      {"ListInsteadOfADict", with_pickle("]"), {"a list, not a dict", "state_dict()"}},
      {"ListInItself", with_pickle("]q\0h\0a"s), {"a list, not a dict"}},
      {"DictInItself", file(pickle("}q\0("s + text("a") + "h\0u"s)), {"entry a is a dict"}},
      {"NumberAsAName", with_pickle("}K\1Ns"), {"a name of its dict is a integer"}},
      {"TensorTwice",
       with_pickle(dict({{"weight", tensor({})}, {"weight", tensor({})}})),
       {"weight stands twice"}},
      {"NotATensor", with_value("K\1"), {"entry weight is a integer", "tensors only"}},
      {"StateDictInADict",
       with_pickle(dict({{"state_dict", dict({})}})),
       {"entry state_dict is a dict"}},
  };
}

std::vector<Malformed> tensors() {
  constexpr int64_t max = std::numeric_limits<int64_t>::max();
  const auto v2 = global("torch._utils", "_rebuild_tensor_v2");
  const auto parameter = global("torch._utils", "_rebuild_parameter");
  return {
      {"StorageShorter", file_with({.numbers = 5}), {"5 numbers", "x/data/0 has 16 bytes"}},
      {"StorageLonger", file_with({.numbers = 3}), {"3 numbers"}},
      {"StorageNegative", file_with({.numbers = -4}), {"-4 numbers"}},
      {"StorageOverflows", file_with({.numbers = int64_t{1} << 62}), {"numbers", "16 bytes"}},
      {"StorageThatIsNone",
       with_value(call(v2, {tuple({text("storage"), v2, text("0"), text("cpu"), integer(4)}) + "Q",
                            integer(0), integers({4}), integers({1}), "\x89", "}"})),
       {"weight", "is no storage"}},
      {"StoragePathLeaves", file_with({.key = "../../etc/passwd"}), {"no entry x/data/../../etc"}},
      {"StorageIsATuple",
       with_value(call(v2, {")", integer(0), integers({4}), integers({1}), "\x89", "}"})),
       {"should be a reference, found a tuple"}},
      {"TooFewArguments", with_value(call(v2, {storage({})})), {"too few values"}},
      {"BeyondTheStorage", file_with({.sizes = {2, 3}, .strides = {3, 1}}), {"beyond its storage"}},
      {"OffsetBeyondTheStorage", file_with({.offset = 1}), {"beyond its storage"}},
      {"OffsetNegative", file_with({.offset = -1}), {"offset -1"}},
      {"OffsetOverflows", file_with({.offset = max}), {"beyond its storage"}},
      {"SizeNegative", file_with({.sizes = {-2, -2}}), {"a size or stride of -2"}},
      {"StrideNegative", file_with({.offset = 3, .strides = {-2, -1}}), {"stride of -2"}},
      {"StrideOverflows",
       file_with({.sizes = {3, 1}, .strides = {max, 1}}),
       {"beyond its storage"}},
      {"SizesOverflow",
       file_with({.sizes = {int64_t{1} << 32, int64_t{1} << 32}, .strides = {0, 0}}),
       {"2^64"}},
      {"FewerStrides", file_with({.strides = {1}}), {"2 sizes, 1 strides"}},
      {"Over64Dimensions",
       file_with({.sizes = std::vector<int64_t>(65, 1), .strides = std::vector<int64_t>(65, 1)}),
       {"65 dimensions"}},
      {"ExpandedOverAllBounds",
       file_with({.sizes = {1 << 20, 1 << 20}, .strides = {0, 0}}),
       {"several times over", "contiguous()"}},
      {"Conjugated", file_with({.more = dict({{"conj", "\x88"}})}), {"metadata"}},
      {"TypeOfNoStorage", file_with({.type = "QInt8Storage"}), {"torch QInt8Storage"}},
      {"ParameterInAParameter",
       with_value(call(parameter, {call(parameter, {tensor({}), "\x88", "}"}), "\x88", "}"})),
       {"a parameter within a parameter"}},
      {"ParameterOfANumber",
       with_value(call(parameter, {"K\1", "\x88", "}"})),
       {"should be a constructed object, found a integer"}},
      {"StorageAsTheFunction",
       with_value(call(global("torch", "FloatStorage"), {"K\1"})),
       {"torch FloatStorage makes no tensor"}},
  };
}

class TorchFileOf : public testing::TestWithParam<Malformed> {};

TEST_P(TorchFileOf, IsRefused) {
  const Malformed& file = GetParam();
  std::vector<std::string> words = file.words;
  words.push_back("some/file");
  expect_refused([&] { parse_torch(bytes_of(file.file), "some/file"); }, words);
}

const auto name_of_case = [](const auto& info) { return info.param.name; };
INSTANTIATE_TEST_SUITE_P(Archives, TorchFileOf, testing::ValuesIn(archives()), name_of_case);
INSTANTIATE_TEST_SUITE_P(Pickles, TorchFileOf, testing::ValuesIn(pickles()), name_of_case);
INSTANTIATE_TEST_SUITE_P(Tensors, TorchFileOf, testing::ValuesIn(tensors()), name_of_case);

// Without it the table above could be about another mistake of the builder.
TEST(TorchFile, FromWhichTheMalformedOnesAreMadeIsRead) {
  const std::string bytes = good();
  const TorchContents contents = parse_torch(bytes_of(bytes), "f");
  ASSERT_EQ(contents.tensors.size(), 1u);
  EXPECT_EQ(contents.tensors[0].shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(std::memcmp(contents.tensors[0].bytes.data(), "0123456789abcdef", 16), 0);
}

TEST(TorchFile, CutAnywhereIsRefused) {
  const std::string bytes = good();
  for (size_t length = 0; length < bytes.size(); ++length) {
    expect_refused([&] { parse_torch(bytes_of(cut(bytes, length)), "f"); }, {"f"});
  }
}

// Several tensors that are not in order could each cost a whole storage.
TEST(TorchFile, DoesNotCopyMoreThanTheFileHas) {
  std::vector<std::pair<std::string, std::string>> tensors;
  for (int i = 0; i < 1000; ++i) {
    tensors.emplace_back(std::to_string(i), "h\1");
  }
  const std::string transposed = tensor({.strides = {1, 2}}) + "q\1";
  tensors.insert(tensors.begin(), {"first", transposed});
  const std::string bytes = file(pickle(dict(tensors)));
  expect_refused([&] { parse_torch(bytes_of(bytes), "f"); }, {"several times over"});
}

}  // namespace
}  // namespace alambic::torch_malformed_test

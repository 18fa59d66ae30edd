// Broken tokenizer.json files by name: each is an input error within a second, never a crash.
#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "alambic/base/error.h"
#include "alambic/base/utf8.h"
#include "alambic/text/tokenizer/charsmap.h"
#include "alambic/text/tokenizer/tokenizer.h"
#include "tests/docs_list.h"

namespace alambic::tokenizer_malformed_test {
namespace {

using nlohmann::json;

json small() {
  return json::parse(R"({
    "added_tokens": [{"id": 3, "content": "<s>", "special": true}],
    "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s"}, "behavior": "Isolated"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
}

// The error's text and hint, or "" when the file is accepted.
std::string error_of(const std::string& bytes) {
  const std::clock_t start = std::clock();  // the machine may be busy: CPU time
  std::string message;
  try {
    Tokenizer::parse("tokenizer.json", bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    message = std::string(error.what()) + " | " + error.hint();
  }
  EXPECT_LT(std::clock() - start, CLOCKS_PER_SEC);
  EXPECT_LT(message.size(), 1000u);
  return message;
}

struct Malformed {
  const char* name;
  const char* pointer;  // what is replaced in the small tokenizer
  const char* value;
  const char* message;  // what the error must say
};

class MalformedTokenizer : public testing::TestWithParam<Malformed> {};

TEST_P(MalformedTokenizer, IsRefused) {
  json file = small();
  file[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  const std::string message = error_of(file.dump());
  EXPECT_NE(message.find(GetParam().message), message.npos) << message;
  EXPECT_NE(message.find("tokenizer.json"), message.npos) << message;
}

const Malformed table[] = {
    {"NoModel", "/model", "null", "no field \"model\""},
    {"ModelIsAList", "/model", "[]", "field \"model\": expected an object, found []"},
    {"UnknownModel", "/model/type", "\"BPX\"",
     "known: BPE, Unigram, WordPiece, WordLevel | did you mean"},
    {"UnigramVocabularyIsAnObject", "/model/type", "\"Unigram\"", "expected a list"},
    {"UnigramEntryIsText", "/model", R"({"type": "Unigram", "vocab": ["a"]})", "entry 0"},
    {"UnigramScoreIsText", "/model", R"({"type": "Unigram", "vocab": [["a", "b"]]})", "entry 0"},
    {"UnigramIsEmpty", "/model", R"({"type": "Unigram", "vocab": []})", "at least one token"},
    {"UnigramTokenTwice", "/model", R"({"type": "Unigram", "vocab": [["a", -1], ["a", -2]]})",
     "this token is there twice"},
    {"UnigramUnknownIsNoToken", "/model",
     R"({"type": "Unigram", "vocab": [["a", -1]], "unk_id": 1})", "whole number from 0 to 0"},
    {"WordPieceVocabularyIsAList", "/model", R"({"type": "WordPiece", "vocab": []})",
     "expected an object"},
    {"NoVocabulary", "/model/vocab", "null", "no field \"vocab\""},
    {"VocabularyIsAList", "/model/vocab", "[[\"a\", 0]]", "expected an object"},
    {"IdIsText", "/model/vocab/a", "\"0\"", "whole number as the token's id"},
    {"IdIsNegative", "/model/vocab/a", "-1", "the id -1 is negative"},
    {"IdIsHuge", "/model/vocab/a", "2147483647", "the largest id is 2147483647"},
    {"IdPast64Bits", "/model/vocab/a", "99999999999999999999", "tokenizer.json"},
    {"DuplicateId", "/model/vocab/a", "2", "has id 2, as has"},
    {"MergeOfUnknownToken", "/model/merges", "[\"a c\"]", "\"c\" is not in the vocabulary"},
    {"MergeMakesUnknownToken", "/model/merges", "[\"b a\"]", "\"ba\" is not in the vocabulary"},
    {"MergeOfThree", "/model/merges", "[\"a b a\"]", "expected \"a b\""},
    {"MergeIsANumber", "/model/merges", "[7]", "entry 0"},
    {"MergePairOfNumbers", "/model/merges", "[[\"a\", 1]]", "entry 0"},
    {"MergesMissing", "/model/merges", "null", "no field \"merges\""},
    {"UnknownTokenMissing", "/model/unk_token", "\"<unk>\"", "not in the vocabulary"},
    {"Dropout", "/model/dropout", "0.1", "random"},
    {"BadRegex", "/pre_tokenizer/pattern/Regex", "\"a(\"", "does not compile"},
    {"BadBehavior", "/pre_tokenizer/behavior", "\"Isolate\"", "did you mean \"Isolated\"?"},
    {"PatternIsANumber", "/pre_tokenizer/pattern", "3", "pre_tokenizer.pattern"},
    {"UnknownPreTokenizer", "/pre_tokenizer/type", "\"Bert\"", "known: Sequence, ByteLevel"},
    {"UnknownNormalizer", "/normalizer", R"({"type": "Compiled"})", "is not built; known:"},
    {"CharsmapIsNotBase64", "/normalizer",
     R"({"type": "Precompiled", "precompiled_charsmap": "####"})", "not base64"},
    {"CharsmapIsTooShort", "/normalizer",
     R"({"type": "Precompiled", "precompiled_charsmap": "AAA="})", "the trie says"},
    {"CharsmapTrieIsTooLong", "/normalizer",
     R"({"type": "Precompiled", "precompiled_charsmap": "/P///wAA"})", "the trie says"},
    {"UnknownDecoder", "/decoder", R"({"type": "XTC"})", "is not built; known:"},
    {"CtcWithoutPadding", "/decoder", R"({"type": "CTC", "pad_token": ""})", "expected some text"},
    {"BertWithoutSeparator", "/post_processor", R"({"type": "BertProcessing", "cls": ["a", 0]})",
     "no field \"sep\""},
    {"RobertaOfUnknownId", "/post_processor",
     R"({"type": "RobertaProcessing", "cls": ["a", 0], "sep": ["z", 9]})",
     "the token id 9 is not in the vocabulary"},
    {"DelimiterOfTwoCharacters", "/pre_tokenizer",
     R"({"type": "CharDelimiterSplit", "delimiter": "ab"})", "expected one character"},
    {"PiecesOfNoLength", "/pre_tokenizer", R"({"type": "FixedLength", "length": 0})",
     "whole number from 1"},
    {"UnknownPostProcessor", "/post_processor", R"({"type": "X"})", "is not built; known:"},
    {"TemplateOfUnknownId", "/post_processor",
     R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}},
         {"Sequence": {"id": "A"}}], "special_tokens": {"x": {"ids": [9]}}})",
     "the token id 9 is not in the vocabulary"},
    {"TemplateOfUndefinedToken", "/post_processor",
     R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}},
         {"Sequence": {"id": "A"}}], "special_tokens": {}})",
     "no field \"x\""},
    {"TemplateWithoutText", "/post_processor",
     R"({"type": "TemplateProcessing", "single": [], "special_tokens": {}})", "would be lost"},
    {"AddedTokenIsEmpty", "/added_tokens/0/content", "\"\"", "added token is empty"},
    {"AddedTokenTakesAnId", "/added_tokens/0/id", "1", "which is the model's \"b\""},
    {"AddedTokenHasTwoIds", "/added_tokens/0/content", "\"a\"", "gives it 0"},
    {"AddedTokenIdIsHuge", "/added_tokens/0/id", "2000000000", "expected a whole number"},
    {"AddedTokenIdIsNegative", "/added_tokens/0/id", "-5", "expected a whole number"},
    {"AddedTokensAreText", "/added_tokens", "\"<s>\"", "expected a list"},
    {"StripOfNothing", "/decoder", R"({"type": "Strip", "content": "", "start": 1, "stop": 0})",
     "expected a character"},
};

INSTANTIATE_TEST_SUITE_P(Table, MalformedTokenizer, testing::ValuesIn(table),
                         [](const auto& entry) { return entry.param.name; });

TEST(MalformedTokenizerFile, IsRefusedWhereverItIsCut) {
  EXPECT_EQ(error_of(small().dump()), "");
  const std::string whole = small().dump();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(error_of(whole.substr(0, length)), "") << length;
  }
}

TEST(MalformedTokenizerFile, MayNestAMillionDeep) {
  for (const std::string open : {"[", "{\"a\":", "{\"type\":\"Sequence\",\"normalizers\":["}) {
    std::string deep = "{\"normalizer\":";
    for (int i = 0; i < 1'000'000; ++i) deep += open;
    EXPECT_NE(error_of(deep).find("nested more than"), std::string::npos);
  }
}

TEST(MalformedTokenizerFile, MayHoldBrokenUtf8) {
  std::string bytes = small().dump();
  bytes.replace(bytes.find("<s>"), 3, "\xFF\xFE\x80");
  EXPECT_NE(error_of(bytes).find("not valid JSON"), std::string::npos);
}

TEST(MalformedTokenizerFile, MayNameATokenTwice) {
  const std::string bytes =
      R"({"model": {"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []}})";
  EXPECT_NE(error_of(bytes).find("this token is there twice"), std::string::npos);
}

TEST(MalformedTokenizerFile, MayGiveTwoAddedTokensOneId) {
  json file = small();
  file["added_tokens"].push_back({{"id", 3}, {"content", "</s>"}});
  EXPECT_NE(error_of(file.dump()).find("have the same id 3"), std::string::npos);
}

// A trie whose units point outside it, into themselves, or into the middle of a character.
TEST(MalformedTokenizerFile, MayHoldARandomCharsmap) {
  std::mt19937 draw(1);
  for (int round = 0; round < 300; ++round) {
    std::string blob(4 + 64 + 8, '\0');
    for (char& c : blob) c = static_cast<char>(draw());
    blob.replace(0, 4, std::string("\x40\0\0\0", 4));
    blob.replace(68, 8, "\xC3\xA9z\xE2\x82\xAC\0a", 8);
    for (size_t i = 0; i < 16; ++i) blob[4 + 4 * i] = static_cast<char>('a' + draw() % 4);
    const Charsmap rules(blob);
    const std::string out = rules.normalize("abcdabcd \xC3\xA9 a\xCC\x81");
    EXPECT_TRUE(is_valid_utf8(out)) << round;
  }
}

TEST(MalformedTokenizerFile, MayHoldARunawayPattern) {
  json file = small();
  file["pre_tokenizer"]["pattern"]["Regex"] = "(?:a+)+[bc]";
  const Tokenizer tokenizer = Tokenizer::parse("tokenizer.json", file.dump());
  EXPECT_THROW(tokenizer.encode(std::string(100, 'a')), Error);
}

// What an error about a part of an unknown type names as known.
std::vector<std::string> known_types(const std::string& part) {
  json file = small();
  file[part] = {{"type", "Nonsense"}};
  const std::string message = error_of(file.dump()), before = "known: ";
  const size_t begin = message.find(before) + before.size();
  std::istringstream list(message.substr(begin, message.find(" | ", begin) - begin));
  std::vector<std::string> names;
  for (std::string name; std::getline(list >> std::ws, name, ',');) names.push_back(name);
  return names;
}

// Prevents lists in the documentation, and in errors, that are not those of the reader.
TEST(TokenizerDocsLists, AreTheReaders) {
  for (const char* part : {"model", "normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    const std::vector<std::string> names = known_types(part);
    EXPECT_GT(names.size(), 3U) << part;
    for (const std::string& name : names) {
      json file = small();
      file[part]["type"] = name;
      EXPECT_EQ(error_of(file.dump()).find("is not built"), std::string::npos) << part << name;
    }
    expect_docs_list("docs/formats.md", std::string("tokenizer: ") + part, names, "", " ");
  }
}

}  // namespace
}  // namespace alambic::tokenizer_malformed_test

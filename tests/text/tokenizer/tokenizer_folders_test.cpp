// Tokens that several files of a folder say, against AutoTokenizer
// (tools/goldens/tokenizer_folders).
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "alambic/base/error.h"
#include "alambic/text/chat/chat_template.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic::tokenizer_folders_test {
namespace {

using Json = nlohmann::ordered_json;

const fs::path kGolden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden";

struct TokenizerFolders : testing::Test {
  void SetUp() override {
    folder = fs::temp_directory_path() / fmt::format("alambic-folders-{}", ::getpid());
    for (const char* name : {"vocab.json", "merges.txt"}) {
      vocabulary[name] = read_file(kGolden / "vocabulary_files/gpt2" / name);
    }
  }
  void TearDown() override { fs::remove_all(folder); }

  // As tokenizer_json() of the golden's script.
  std::string tokenizer_json(const Json& over) const {
    Json made = {{"version", "1.0"},
                 {"added_tokens", Json::array()},
                 {"normalizer", nullptr},
                 {"pre_tokenizer",
                  {{"type", "ByteLevel"},
                   {"add_prefix_space", false},
                   {"trim_offsets", true},
                   {"use_regex", true}}},
                 {"post_processor", nullptr},
                 {"decoder", {{"type", "ByteLevel"}}},
                 {"model", {{"type", "BPE"}, {"vocab", Json::parse(vocabulary.at("vocab.json"))}}}};
    Json merges = Json::array();
    std::istringstream lines(vocabulary.at("merges.txt"));
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
    }
    made["model"]["merges"] = std::move(merges);
    made.update(over);
    return made.dump();
  }

  void write(const Json& files) const {
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const auto& [name, json] : files.items()) {
      write_file(folder / name, name == "tokenizer.json" ? tokenizer_json(json) : json.dump());
    }
    if (files.contains("tokenizer.json")) return;
    for (const auto& [name, bytes] : vocabulary) write_file(folder / name, bytes);
  }

  static Json ids_of(const Tokenizer& tokenizer, const Json& texts) {
    Json ids = Json::array();
    for (const Json& text : texts) ids.push_back(tokenizer.encode(text.get<std::string>()));
    return ids;
  }

  fs::path folder;
  std::map<std::string, std::string> vocabulary;
};

// Prevents: added_tokens.json, special_tokens_map.json or add_prefix_space ignored, flags of one
// file where another's count, BOS of a config that transformers does not read beside a
// tokenizer.json.
TEST_F(TokenizerFolders, TokensAreWhatAutoTokenizerSaysTheyAre) {
  const Json golden = Json::parse(read_file(kGolden / "tokenizers/folders.json"));
  for (const Json& one : golden["cases"]) {
    write(one["files"]);
    const Tokenizer tokenizer = Tokenizer::load(folder);
    EXPECT_EQ(ids_of(tokenizer, golden["texts"]), one["ids"]) << one["files"].dump();
    EXPECT_EQ(tokenizer.size(), one["size"].get<int64_t>()) << one["files"].dump();
    const auto& special = one["special"];
    const auto id_of = [&](const char* role) -> std::optional<int32_t> {
      return special[role].is_null() ? std::nullopt : std::optional(special[role].get<int32_t>());
    };
    EXPECT_EQ(tokenizer.bos(), id_of("bos_token")) << one["files"].dump();
    EXPECT_EQ(tokenizer.eos(), id_of("eos_token")) << one["files"].dump();
    EXPECT_EQ(tokenizer.pad(), id_of("pad_token")) << one["files"].dump();
    EXPECT_EQ(Json(std::map<std::string, std::string>(tokenizer.roles().begin(),
                                                      tokenizer.roles().end())),
              Json(one["roles"].get<std::map<std::string, std::string>>()))
        << one["files"].dump();
  }
}

// Prevents: ids of tokenizer.json's added tokens taken as written, where `tokenizers` counts on
// from the number of the vocabulary's tokens; and roles that only "model_specific_special_tokens"
// says.
TEST_F(TokenizerFolders, AddedTokensAreNumberedOn) {
  const Json golden = Json::parse(read_file(kGolden / "tokenizers/folders.json"));
  EXPECT_GE(golden["numbered"].size(), 9U);
  for (const Json& one : golden["numbered"]) {
    write(one["files"]);
    testing::internal::CaptureStderr();
    const Tokenizer tokenizer = Tokenizer::load(folder);
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(ids_of(tokenizer, golden["texts"]), one["ids"]) << one["files"].dump();
    for (const Json& token : one["files"]["tokenizer.json"]["added_tokens"]) {
      const auto content = token["content"].get<std::string>();
      const bool renumbered = tokenizer.id_of(content) != token["id"].get<int32_t>();
      EXPECT_EQ(said.find("\"" + content + "\"") != said.npos, renumbered) << said;
    }
  }
}

TEST_F(TokenizerFolders, OfVersionedFilesAreRefused) {
  write({{"tokenizer.json", Json::object()},
         {"tokenizer_config.json",
          {{"fast_tokenizer_files", {"tokenizer.json", "tokenizer.4.0.0.json"}}}}});
  try {
    Tokenizer::load(folder);
    FAIL() << "transformers reads the other file";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tokenizer.4.0.0.json"), std::string::npos)
        << error.what();
  }
}

// Prevents: a folder that was made of vocabulary files and exported having other ids than its
// source.
TEST_F(TokenizerFolders, WhatIsExportedHasTheSameIds) {
  const Json golden = Json::parse(read_file(kGolden / "tokenizers/folders.json"));
  for (const Json& one : golden["cases"]) {
    write(one["files"]);
    const Tokenizer tokenizer = Tokenizer::load(folder);
    fs::remove_all(folder);
    // Beside a tokenizer.json, transformers puts nothing around the text of this class.
    if (one["files"].dump().find("GPTNeoX") != std::string::npos) continue;
    tokenizer.save_to(folder);
    if (one["files"].contains("config.json")) {
      write_file(folder / "config.json", one["files"]["config.json"].dump());
    }
    EXPECT_EQ(ids_of(Tokenizer::load(folder), golden["texts"]), one["ids"]) << one["files"].dump();
  }
}

// Bug: the space before a text was tokenizer.json's alone, where transformers makes the class anew
// with the add_prefix_space of tokenizer_config.json.
TEST_F(TokenizerFolders, HaveTheSpaceOfTheirClass) {
  struct Case {
    const char *file, *config, *first;
  };
  const Case cases[] = {
      {"gpt2_prefix", R"({"tokenizer_class": "PreTrainedTokenizerFast"})", "Ġthe"},
      {"gpt2_prefix", R"({"tokenizer_class": "GPT2Tokenizer"})", "t"},
      {"gpt2_prefix", R"({"tokenizer_class": "GPT2TokenizerFast", "add_prefix_space": true})",
       "Ġthe"},
      {"gpt2", R"({"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": true})", "Ġthe"},
      {"gpt2", R"({"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": true})", "t"},
      {"llama2", R"({"tokenizer_class": "LlamaTokenizer"})", "▁the"},
      {"llama2", R"({"tokenizer_class": "LlamaTokenizer", "add_prefix_space": false})", "t"},
      {"metaspace_always",
       R"({"tokenizer_class": "CodeLlamaTokenizer", "add_prefix_space": false})", "t"},
      {"metaspace_never", R"({"tokenizer_class": "LlamaTokenizerFast"})", "▁the"},
      {"metaspace_never", R"({"tokenizer_class": "GemmaTokenizer"})", "t"},
  };
  for (const auto& [file, config, first] : cases) {
    fs::remove_all(folder);
    fs::create_directories(folder);
    fs::copy(kGolden / "tokenizers" / file / "tokenizer.json", folder / "tokenizer.json");
    write_file(folder / "tokenizer_config.json", config);
    const Tokenizer tokenizer = Tokenizer::load(folder);
    const std::vector<int32_t> ids = tokenizer.encode("the cat sat", /*add_special=*/false);
    EXPECT_EQ(tokenizer.token_of(ids.front()), first) << file << " " << config;
  }
}

}  // namespace
}  // namespace alambic::tokenizer_folders_test

// Data files in the forms that people have them, against what `datasets` reads from them, and what
// is said of files that are no data.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "alambic/base/base64.h"
#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/text/dataset.h"

namespace alambic::data_files_test {
namespace {

struct DataFiles : testing::Test {
  TemporaryFolder folder;

  std::string at(const std::string& name) const { return (folder.path() / name).string(); }
  std::string write(const std::string& name, std::string_view bytes) const {
    make_folder((folder.path() / name).parent_path());
    write_file(folder.path() / name, bytes);
    return at(name);
  }
  std::vector<std::string> prompts(const std::string& name) const {
    std::vector<std::string> prompts;
    for (const Example& row : read_examples(name, {{"prompt"}, {"text"}})) {
      prompts.push_back(row.text ? *row.text : row.prompt);
    }
    return prompts;
  }
  std::string error_of(const std::string& name) const {
    try {
      prompts(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      return std::string(error.what()) + " | " + error.hint();
    }
    return "no error";
  }
};

TEST_F(DataFiles, HoldTheRowsThatDatasetsReads) {
  const auto golden = nlohmann::json::parse(
      read_file(fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/data/files.json"));
  for (const auto& golden_case : golden["cases"]) {
    const std::string name = golden_case["file"];
    write(name, decode_base64(golden_case["bytes"].get<std::string>()));
    EXPECT_EQ(prompts(at(name)), golden_case["rows"].get<std::vector<std::string>>()) << name;
  }
}

struct Foreign {
  const char* name;
  std::string bytes;
  const char* told;
};

// Prevents training on the bytes of an encoding or a format that is none of ours, and "not valid
// JSON" where the format could be named.
TEST_F(DataFiles, OfOtherEncodingsAndFormatsAreNamed) {
  using namespace std::string_literals;
  const std::string latin = "Ein Satz.\nNoch ein sch\xF6ner Satz.\n";
  const Foreign table[] = {
      {"a.txt", "\xFF\xFEH\0i\0"s, "looks like UTF-16"},
      {"a.txt", "\xFE\xFF\0H\0i"s, "looks like UTF-16"},
      {"a.txt", "H\0e\0l\0l\0o\0"s, "looks like UTF-16LE without a byte order mark"},
      {"a.txt", "\0H\0e\0l\0l\0o"s, "looks like UTF-16BE without a byte order mark"},
      {"a.txt", "\xFF\xFE\0\0H\0\0\0"s, "looks like UTF-32"},
      {"a.txt", latin, "byte 23 (line 2, byte 13 of it) is 0xF6; it looks like Latin-1"},
      {"a.txt", "\x82\xA0\x82\xA2\x82\xA4"s, "some other encoding"},
      {"a.txt", "\x01\x02\x03 abc \x04\x05\x06"s, "looks like a binary file"},
      {"a.jsonl", "\xFF\xFE{\0}\0"s, "looks like UTF-16"},
      {"a.jsonl", "{\"prompt\": \"sch\xF6n\"}\n", "a.jsonl:1 is not UTF-8: byte 16 of the row"},
      {"a.jsonl", "BZh91AY&SY\x01\x02"s, "is a bzip2 archive by its first bytes"},
      {"a.jsonl",
       "\xFD"
       "7zXZ\0"s,
       "is an xz archive"},
      {"a.jsonl", "PK\x03\x04"s, "is a zip archive"},
      {"a.txt", "%PDF-1.7\n"s, "is a PDF document"},
      {"a.txt", "\x89PNG\r\n\x1A\n"s, "is a PNG image"},
      {"a.json", "SQLite format 3\0"s, "is an SQLite database"},
      {"a.json", "\x89HDF\r\n\x1A\n"s, "is an HDF5 file"},
      {"a.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"s, "Git LFS"},
      {"a.jsonl", "prompt,completion\na,b\n"s, "a.jsonl:1: expected an object, found prompt,"},
      {"a.jsonl", "<html></html>"s, "a.jsonl:1: expected an object, found <html>"},
      {"a.jsonl.gz", "\x1F\x8B\x08\0\0\0\0\0\0\x03\x4B"s, "its gzip data ends too early"},
      {"a.jsonl.gz", "\x1F\x8B\x08\0\0\0\0\0\0\x03\xFF\xFF\xFF\xFF"s, "its gzip data is broken"},
      {"a.jsonl.zst", "\x28\xB5\x2F\xFD\x24"s, "its zstd data ends too early"},
      {"a.jsonl.zst", "\x28\xB5\x2F\xFD\x20\x02\x07\0\0"s, "its zstd data is broken"},
      {"a.json", "[{\"prompt\": \"x\"},"s, "a.json:1: the file is a list; expected a row or ']'"},
      {"a.json", "[{\"prompt\": \"x\"}\n{}]"s, "a.json:2: the file is a list; expected ',' or ']'"},
      {"a.json", "[{\"prompt\": \"x\"},]"s, "expected a row, found ]"},
      {"a.json", "[]"s, "has no rows"},
      {"a.jsonl", "{\"text\": null}"s, "field \"text\" is null; expected a text"},
      {"a.json", "{\"prompt\": \"x\",\n \"id\": 1"s, "a.json:1 is not valid JSON"},
      {"a.jsonl", "{\"prompt\": {\"x\": NaN}, \"y\": 1}"s, "field \"prompt\" has NaN or Infinity"},
  };
  for (const Foreign& file : table) {
    const std::string told = error_of(write(file.name, file.bytes));
    EXPECT_NE(told.find(file.told), told.npos) << file.told << "\n" << told;
  }
}

// A text may begin with the letters of a format.
TEST_F(DataFiles, ThatBeginAsAFormatButAreTextAreRead) {
  for (const char* text :
       {"ORCHESTRA", "PAR1 is a word", "GGUF files", "RIFF raff", "ID3", "BZh"}) {
    EXPECT_EQ(prompts(write("a.txt", text)), std::vector<std::string>{text});
  }
}

// gzip members one after another are one text, as for gunzip; so are zstd's frames, with a
// skippable one between.
TEST_F(DataFiles, PackedInSeveralPartsAreReadWhole) {
  const std::string gz = decode_base64("H4sIAAAAAAACA6tWKijKzy0oUbJSUKpQquUCAE4L6QcQAAAA"),
                    zst = decode_base64("KLUv/QRYgQAAeyJwcm9tcHQiOiAieCJ9CgEW6FQ=");
  EXPECT_EQ(prompts(write("a.gz", gz + gz)).size(), 2u);
  EXPECT_EQ(
      prompts(write("a.zst", zst + "\x50\x2A\x4D\x18\x02" + std::string(3, '\0') + "ab" + zst))
          .size(),
      2u);
}

// Prevents learning from the test rows that lie beside the training rows.
TEST_F(DataFiles, OfAFolderAreThoseOfItsTrainingSplit) {
  write("set/README.md", "# data");
  write("set/dataset_info.json", "{}");
  write("set/.hidden.jsonl", "{\"prompt\": \"hidden\"}");
  write("set/train-00000-of-00002.jsonl", "{\"prompt\": \"a\"}");
  write("set/train-00001-of-00002.jsonl", "{\"prompt\": \"b\"}");
  write("set/test.jsonl", "{\"prompt\": \"t\"}");
  write("set/my_dev_rows.jsonl", "{\"prompt\": \"v\"}");
  write("set/notes.txt", "notes");
  EXPECT_EQ(prompts(at("set")), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(prompts(at("set") + ":test"), std::vector<std::string>{"t"});
  EXPECT_EQ(prompts(at("set") + ":validation"), std::vector<std::string>{"v"});
  const std::string told = error_of(at("set") + ":extra");
  EXPECT_NE(told.find("has no split \"extra\"; there are: test, train, validation"), told.npos)
      << told;
}

TEST_F(DataFiles, OfAFolderWithoutSplitsAreAllRead) {
  write("plain/b/2.jsonl", "{\"prompt\": \"c\"}\n");
  write("plain/a.jsonl", "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n");
  EXPECT_EQ(prompts(at("plain")), (std::vector<std::string>{"a", "b", "c"}));
  const Examples rows(Dataset::open(at("plain")), {{"prompt"}});
  EXPECT_EQ(rows[2].place, at("plain/b/2.jsonl:1"));
  make_folder(at("none"));
  EXPECT_NE(error_of(at("none")).find("has no data files"), std::string::npos);
}

// A place with CR alone, or of a list's row, once was line 1 for all.
TEST_F(DataFiles, ArePlacedByTheirLines) {
  for (const char* bytes : {"{\"prompt\": \"x\"}\r\r{}", "[{\"prompt\": \"x\"},\n\n{}]",
                            "{\n\"prompt\": \"x\"} \n{}", "{\"prompt\": \"x\"}\r\n\r\n{}"}) {
    const std::string told = error_of(write("rows.json", bytes));
    EXPECT_NE(told.find("rows.json:3:"), told.npos) << told;
  }
}

// Rows of a file that grew or shrank would be read from wrong places; past its end a signal comes.
TEST_F(DataFiles, ThatAreWrittenToWhileTheyAreReadAreRefused) {
  const std::string name = write("rows.jsonl", std::string(100'000, ' ') + "{\"prompt\": \"x\"}\n");
  const Examples rows(Dataset::open(name), {{"prompt"}});
  EXPECT_EQ(rows[0].prompt, "x");
  ASSERT_EQ(::truncate(name.c_str(), 10), 0);
  try {
    rows[0];
    FAIL() << "it was shortened";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("rows.jsonl has been written to"), std::string::npos);
  }
}

// A file that another one replaced is still there for who has opened it.
TEST_F(DataFiles, ThatAreRemovedAreStillRead) {
  const std::string name = write("rows.jsonl", "{\"prompt\": \"x\"}\n");
  const Examples rows(Dataset::open(name), {{"prompt"}});
  remove_file(name);
  EXPECT_EQ(rows[0].prompt, "x");
}

}  // namespace
}  // namespace alambic::data_files_test

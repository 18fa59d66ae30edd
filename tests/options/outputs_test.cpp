// Every way by which a command could write over what it reads.
#include "alambic/options/outputs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "alambic/base/error.h"
#include "alambic/base/files.h"

namespace alambic::outputs_test {
namespace {

struct PathOptions : Options {
  std::string model, file, out, words;
  std::vector<std::string> data;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.text("model", model, "a model").model();
    v.text("file", file, "a file").path();
    v.list("data", data, "files, with a weight or a name").path();
    v.text("words", words, "no path");
    v.text("out", out, "what is written").path();
    v.flag("overwrite", overwrite, "replace it");
  }
};

struct Outputs : testing::Test {
  fs::path folder;
  PathOptions options;

  Outputs() {
    std::string name = fs::path(testing::TempDir()) / "alambic_outputs_XXXXXX";
    folder = ::mkdtemp(name.data());
    fs::create_directories(folder / "model");
    fs::create_directories(folder / "empty");
    for (const char* file : {"model/config.json", "model/page.html", "model/model.gguf",
                             "model/answers.jsonl", "data.jsonl", "other.jsonl"}) {
      write_file(folder / file, "x");
    }
  }
  ~Outputs() override { fs::remove_all(folder); }

  std::string at(const std::string& name) const { return folder / name; }

  // The refusal's words with folders left out; "" where there is none.
  std::string told(const std::string& out, const std::string& config = "") {
    options.out = at(out);
    try {
      check_outputs(OptionTable(options), config.empty() ? "" : at(config));
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.exit(), Exit::input);
      std::string text = error.what();
      for (size_t place; (place = text.find(folder.string() + "/")) != std::string::npos;) {
        text.erase(place, folder.string().size() + 1);
      }
      return text;
    }
  }
};

// Prevents: `eval --data X --out X`, which leaves nothing of the data.
TEST_F(Outputs, AreNoInputUnderAnyName) {
  const std::string lost = " of the same command, which would be lost";
  options.file = at("data.jsonl");
  EXPECT_EQ(told("data.jsonl"), "--out data.jsonl is the --file" + lost);
  EXPECT_EQ(told("model/../data.jsonl"), "--out model/../data.jsonl is the --file" + lost);
  fs::create_symlink("data.jsonl", folder / "link");
  fs::create_hard_link(folder / "data.jsonl", folder / "twin");
  EXPECT_EQ(told("link"), "--out link is the --file" + lost);
  EXPECT_EQ(told("twin"), "--out twin is the --file" + lost);
  options.file = at("link");
  EXPECT_EQ(told("data.jsonl"), "--out data.jsonl is the --file" + lost);
  EXPECT_EQ(told("other.jsonl"), "");
  EXPECT_EQ(told("none.jsonl"), "");
  EXPECT_EQ(told("other.jsonl", "other.jsonl"), "--out other.jsonl is the --config" + lost);
}

TEST_F(Outputs, AreNoInputInAListWithNamesAndWeights) {
  options.data = {at("other.jsonl"), at("data.jsonl") + "=0.5"};
  EXPECT_NE(told("data.jsonl"), "");
  EXPECT_NE(told("other.jsonl"), "");
  options.data = {"name=" + at("data.jsonl"), "a=" + at("other.jsonl") + "=2"};
  EXPECT_NE(told("data.jsonl"), "");
  options.data.clear();
  options.words = at("data.jsonl");
  EXPECT_EQ(told("data.jsonl"), "");
}

// Bug: FOLDER:SPLIT was no path, and `eval --data FOLDER:test --out FOLDER/test.jsonl --overwrite`
// replaced the data.
TEST_F(Outputs, AreNoFileOfAFolderWhoseSplitIsRead) {
  for (const char* value : {":test", ":main/test", ":test=0.5"}) {
    options.data = {at("model") + value};
    EXPECT_EQ(told("model/answers.jsonl"),
              "--out model/answers.jsonl is a file in --data model, which the same command reads");
  }
  options.data = {at("none:") + at("model")};
  EXPECT_EQ(told("model/answers.jsonl"), "");
}

// Prevents: `logits --model X --out X/config.json --overwrite`.
TEST_F(Outputs, AreNoFileOfAFolderThatIsRead) {
  options.model = at("model");
  options.overwrite = true;
  EXPECT_EQ(told("model/config.json"),
            "--out model/config.json is a file in --model model, which the same command reads");
  EXPECT_EQ(told("model"), "--out model is the --model of the same command, which would be lost");
  for (const char* name : {"new.safetensors", "page.html", "model.gguf", "answers.jsonl"}) {
    EXPECT_EQ(told(std::string("model/") + name), "") << name;
  }
  options.model = "";
  options.data = {at("model")};  // a folder of files
  EXPECT_NE(told("model/answers.jsonl"), "");
}

// Prevents: `train --model run/model --out run --overwrite`, which removes the model first.
TEST_F(Outputs, AreNoFolderAroundAnInputThatIsReplaced) {
  options.file = at("model/config.json");
  EXPECT_EQ(told("model"), "");  // the command says that it holds something
  options.overwrite = true;
  EXPECT_EQ(told("model"), "--file model/config.json lies in --out model, which is to be replaced");
  EXPECT_EQ(told("empty"), "");
  options.file = "";
  EXPECT_EQ(told("model", "model/config.json"), "");  // a run that its own config.toml repeats
}

// Prevents: a snapshot of the hub's cache whose blobs are written over.
TEST_F(Outputs, AreNoFolderOfLinks) {
  fs::create_symlink(folder / "other.jsonl", folder / "empty/model.safetensors");
  EXPECT_EQ(told("empty"), "");
  options.overwrite = true;
  EXPECT_EQ(told("empty"),
            "--out empty holds the link model.safetensors: what it points to is not overwritten");
}

}  // namespace
}  // namespace alambic::outputs_test

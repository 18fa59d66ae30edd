// Models in several GGUF files: llama.cpp's names and keys, read from any of them.
#include "alambic/io/gguf/split.h"

#include "alambic/base/file_system.h"
#include "tests/io/gguf/gguf_testing.h"

namespace alambic::split_test {
namespace {

// The golden llama in parts, most of one matrix each; `whole` is the same in one file.
struct Parts {
  fs::path folder = fresh_folder(), whole = folder / "whole.gguf";
  std::vector<fs::path> files;

  Parts() {
    const ModelFolder model = golden("llama");
    GgufMetadata tokenizer;
    tokenizer.add("tokenizer.ggml.model", std::string("no_vocab"));
    const auto write = [&](const GgufPlace& place) {
      return write_gguf_model(place, model.config(), "m", model.tensors(), *gguf_type_named("f32"),
                              tokenizer);
    };
    write({whole});
    files = write({.path = folder / "m.gguf", .part_bytes = 30'000}).files;
  }
};

// Prevents a part from being "an incomplete download", and tensors from being lost between them.
TEST(GgufSplit, AnyPartIsTheModel) {
  const Parts parts;
  ASSERT_GE(parts.files.size(), 3U);
  EXPECT_EQ(parts.files[1].filename(), fmt::format("m-00002-of-{:05}.gguf", parts.files.size()));
  EXPECT_FALSE(path_exists(parts.folder / "m.gguf"));
  const ModelFolder whole = ModelFolder::open(parts.whole);
  for (const fs::path& file : parts.files) {
    const ModelFolder model = ModelFolder::open(file);
    EXPECT_EQ(model.config(), whole.config());
    ASSERT_EQ(model.tensors().size(), whole.tensors().size());
    for (size_t i = 0; i < model.tensors().size(); ++i) {
      EXPECT_EQ(model.tensors()[i].name, whole.tensors()[i].name);
      EXPECT_TRUE(std::ranges::equal(model.tensors()[i].bytes, whole.tensors()[i].bytes));
    }
    EXPECT_EQ(gguf_files_of(file), parts.files);
  }
  EXPECT_EQ(gguf_files_of(parts.whole), std::vector{parts.whole});
}

// As gguf-split writes them: the metadata in the first, three keys of 16 and 32 bits in all.
TEST(GgufSplit, TheKeysAreGgufSplits) {
  const Parts parts;
  int64_t number = 0, tensors = 0;
  for (const fs::path& file : parts.files) {
    const MappedFile mapped = MappedFile::open(file);
    const GgufContents part = parse_gguf(mapped.bytes(), "p");
    EXPECT_EQ(*part.metadata.find("split.no"), GgufValue(static_cast<uint16_t>(number)));
    EXPECT_EQ(*part.metadata.find("split.count"),
              GgufValue(static_cast<uint16_t>(parts.files.size())));
    EXPECT_EQ(*part.metadata.find("split.tensors.count"), GgufValue(int32_t{21}));
    EXPECT_EQ(part.metadata.find("general.architecture") != nullptr, number == 0);
    uint64_t bytes = 0;
    for (const TensorView& tensor : part.tensors) bytes += tensor.bytes.size();
    EXPECT_TRUE(bytes <= 30'000 || part.tensors.size() == 1);
    tensors += std::ssize(part.tensors);
    ++number;
  }
  EXPECT_EQ(tensors, 21);
}

TEST(GgufSplit, WhatIsMissingOrAnotherModelsIsNamed) {
  const Parts parts;
  const auto name = [&](size_t i) { return parts.files[i].filename().string(); };
  const fs::path aside = parts.folder / "aside.gguf";
  const auto opened = [&] { ModelFolder::open(parts.files[0]); };
  fs::rename(parts.files[1], aside);
  expect_refused(opened, {name(0), "part 1 of", "there is no " + name(1), "one folder"});
  expect_refused([&] { ModelFolder::open(aside); }, {"aside.gguf", "part 2 of", "-00002-of-"});
  fs::copy_file(parts.files[2], parts.files[1]);
  expect_refused(opened, {name(1), "split.no", "should be 1"});
  fs::copy_file(parts.whole, parts.files[1], fs::copy_options::overwrite_existing);
  expect_refused(opened, {name(1), "split"});
}

// Prevents a model of parts that were made at different times.
TEST(GgufSplit, TensorsInTwoPartsOrNoneAreNamed) {
  const Parts parts;
  const MappedFile mapped = MappedFile::open(parts.files[1]);
  const GgufContents second = parse_gguf(mapped.bytes(), "p");
  const auto rewrite = [&](const std::string& tensor) {
    write_gguf({parts.files[1]}, second.metadata,
               {{.name = tensor, .dtype = Dtype::F32, .shape = {1}, .bytes = [] {
                   return std::vector<std::byte>(4);
                 }}});
  };
  rewrite("token_embd.weight");
  expect_refused([&] { GgufFile::open(parts.files[0]); },
                 {"tensor token_embd.weight", "-00001-of-", "too"});
  rewrite("other.weight");
  expect_refused([&] { GgufFile::open(parts.files[0]); }, {"split.tensors.count", "21"});
}

// Prevents --split-size from replacing files that nobody asked to be replaced.
TEST(GgufSplit, FilesThatAreThereAreReplacedOnlyWhenAsked) {
  const fs::path folder = fresh_folder(), there = folder / "m-00002-of-00002.gguf";
  const std::vector<GgufTensor> tensors = {floats("a", {1, 2}), floats("b", {3, 4})};
  write_file(there, "mine");
  const GgufPlace place{.path = folder / "m.gguf", .part_bytes = 1, .replace = false};
  expect_refused([&] { write_gguf(place, {}, tensors); }, {there.string(), "exists already"});
  EXPECT_EQ(read_file(there), "mine");
  EXPECT_FALSE(path_exists(folder / "m-00001-of-00002.gguf"));
  EXPECT_EQ(write_gguf({.path = place.path, .part_bytes = 1}, {}, tensors).size(), 2U);
  EXPECT_EQ(GgufFile::open(there).tensors().size(), 2U);
}

}  // namespace
}  // namespace alambic::split_test

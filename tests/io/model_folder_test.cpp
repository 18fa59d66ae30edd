#include "alambic/io/model_folder.h"

#include "tests/io/io_testing.h"

namespace alambic::model_folder_test {
namespace {

using nlohmann::ordered_json;

const std::vector<float> a = {1, 2, 3, 4}, b = {5, 6}, c = {7};
const ordered_json config = {{"model_type", "llama"}, {"hidden_size", 1}};

std::vector<TensorView> tensors() { return {view_of("a", a), view_of("b", b), view_of("c", c)}; }

// Two shards: a in the first, b and c in the second.
fs::path sharded() {
  const fs::path folder = fresh_folder();
  write_model_folder(folder, config, nullptr, tensors(), 16);
  return folder;
}

constexpr const char* index_name = "model.safetensors.index.json";
constexpr const char* first = "model-00001-of-00002.safetensors";
constexpr const char* second = "model-00002-of-00002.safetensors";

void write_index(const fs::path& folder, const nlohmann::json& weight_map) {
  write_file(folder / index_name, nlohmann::json{{"weight_map", weight_map}}.dump());
}

void expect_open_refused(const fs::path& folder, const std::vector<std::string>& words) {
  expect_refused([&] { ModelFolder::open(folder); }, words);
}

TEST(ModelFolder, WrittenAsOneFileIsReadBack) {
  const fs::path folder = fresh_folder() / "new" / "model";
  write_model_folder(folder, config, {{"eos_token_id", {1, 2}}}, tensors());
  const ModelFolder model = ModelFolder::open(folder);
  EXPECT_EQ(model.config(), config);
  EXPECT_EQ(model.tensors().size(), 3u);
  EXPECT_EQ(SafetensorsFile::open(folder / "model.safetensors").metadata().at("format"), "pt");
  EXPECT_EQ(read_json_object(folder / "generation_config.json")["eos_token_id"],
            ordered_json({1, 2}));
}

TEST(ModelFolder, WrittenInShardsIsReadBack) {
  const fs::path folder = sharded();
  const ordered_json index = read_json_object(folder / index_name);
  EXPECT_EQ(index["metadata"]["total_size"], 28);
  EXPECT_EQ(index["weight_map"], (ordered_json{{"a", first}, {"b", second}, {"c", second}}));
  const ModelFolder model = ModelFolder::open(folder);
  ASSERT_EQ(model.tensors().size(), 3u);
  for (const TensorView& expected : tensors()) {
    const auto found = std::ranges::find(model.tensors(), expected.name, &TensorView::name);
    ASSERT_NE(found, model.tensors().end());
    EXPECT_TRUE(std::ranges::equal(found->bytes, expected.bytes));
  }
}

// Prevents: training two tensors in memory that they share, as tied ones of torch.save do.
TEST(ModelFolder, IsToBeWrittenToOnlyWhereNoTensorsShareMemory) {
  EXPECT_EQ(ModelFolder::open(sharded(), Pages::copy_on_write).pages(), Pages::copy_on_write);
  EXPECT_EQ(ModelFolder::open(sharded()).pages(), Pages::read_only);
  const fs::path folder = fresh_folder();
  write_file(folder / "config.json", config.dump());
  const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests/golden/torch/state_dict.bin";
  fs::copy_file(golden, folder / "pytorch_model.bin");
  EXPECT_EQ(ModelFolder::open(folder, Pages::copy_on_write).pages(), Pages::read_only);
}

TEST(ModelFolder, WrittenAgainInTheOtherFormDoesNotKeepTheOldWeights) {
  const fs::path folder = sharded();
  write_model_folder(folder, config, nullptr, {view_of("new", c)});
  EXPECT_EQ(ModelFolder::open(folder).tensors().at(0).name, "new");
  EXPECT_FALSE(fs::exists(folder / index_name));
  write_model_folder(folder, config, nullptr, tensors(), 16);
  EXPECT_EQ(ModelFolder::open(folder).tensors().size(), 3u);
}

TEST(ModelFolder, CanBeWrittenOverFromItsOwnTensors) {
  const fs::path folder = sharded();
  const ModelFolder model = ModelFolder::open(folder);
  write_model_folder(folder, config, nullptr, model.tensors());
  const SafetensorsFile file = SafetensorsFile::open(folder / "model.safetensors");
  EXPECT_TRUE(std::ranges::equal(file.find("a")->bytes, std::as_bytes(std::span(a))));
}

TEST(ModelFolder, ThatIsNotThereOrNotAModelIsRefusedWithAHint) {
  const fs::path folder = fresh_folder();
  expect_open_refused(folder / "none", {"none", "no such folder"});
  expect_open_refused(folder, {"no config.json", "a model is a folder with"});
  write_file(folder / "config.json", "{\"hidden_size\": 4");
  expect_open_refused(folder, {"config.json", "not valid JSON", "incomplete download"});
  write_file(folder / "config.json", "{}");
  expect_open_refused(
      folder, {"neither model.safetensors nor", "pytorch_model.bin", "incomplete download"});
  write_file(folder / "pytorch_model.bin", "PK");
  expect_open_refused(folder, {"pytorch_model.bin", "directory is missing"});
}

TEST(ModelFolder, WhoseIndexLeavesItIsRefused) {
  const fs::path folder = sharded();
  fs::copy(folder / first, folder.parent_path() / "outside.safetensors",
           fs::copy_options::overwrite_existing);
  const std::string absolute = fs::absolute(folder / first).string();
  for (const std::string& file :
       {std::string("../outside.safetensors"), absolute, std::string("x/../../f.safetensors"),
        std::string(".."), std::string("."), std::string(""), std::string("C:\\f.safetensors"),
        std::string("\\\\host\\f.safetensors"), std::string("f.safetensors\0.safetensors", 26),
        std::string("pytorch_model.bin"), std::string("../../etc/passwd")}) {
    write_index(folder, {{"a", file}});
    expect_open_refused(folder, {index_name, "tensor a", "of the folder"});
  }
  write_index(folder, {{"a", 1}});
  expect_open_refused(folder, {"tensor a", "found 1"});
  write_file(folder / index_name, R"({"weight_map": []})");
  expect_open_refused(folder, {index_name, "\"weight_map\" should be an object"});
  write_file(folder / index_name, R"({"weight_map": {"a": "f", "a": "g"}})");
  expect_open_refused(folder, {index_name, "\"a\" stands twice"});
}

// Caches on another disk and older download tools leave links, of files, of config.json, of the
// folder, or below one; only a name in the index may not leave the folder.
TEST(ModelFolder, OfLinksIsReadLikeFiles) {
  const fs::path folder = sharded(), other = folder / "elsewhere" / "deep";
  fs::create_directories(other);
  for (const std::string name : {"config.json", index_name, first, second}) {
    fs::rename(folder / name, other / ("blob-" + name));
    fs::create_symlink(other / ("blob-" + name), folder / name);
  }
  EXPECT_EQ(ModelFolder::open(folder).tensors().size(), 3u);
  const fs::path link = folder / "linked";
  fs::create_directory_symlink(folder, link);
  EXPECT_EQ(ModelFolder::open(link).tensors().size(), 3u);
  fs::remove(folder / first);
  fs::create_hard_link(other / (std::string("blob-") + first), folder / first);
  EXPECT_EQ(ModelFolder::open(folder).tensors().size(), 3u);
  write_index(folder, {{"a", "elsewhere/deep/blob-" + std::string(first)}});
  expect_open_refused(folder, {index_name, "tensor a", "of the folder"});
}

TEST(ModelFolder, WithLinksThatLeadNowhereIsRefused) {
  const fs::path folder = sharded();
  fs::remove(folder / first);
  fs::create_symlink(first, folder / first);
  expect_open_refused(folder, {first, "Too many levels"});
  fs::remove(folder / first);
  fs::create_symlink(folder / "gone", folder / first);
  expect_open_refused(folder, {first, "No such file"});
  fs::remove(folder / first);
  fs::create_directory(folder / first);
  expect_open_refused(folder, {first, "not a regular file"});
}

TEST(ModelFolder, OfAnAdapterSaysSo) {
  const fs::path folder = fresh_folder();
  write_file(folder / "adapter_config.json", "{}");
  expect_open_refused(folder, {"no config.json", "it is an adapter", "--adapter"});
}

TEST(ModelFolder, InTheHuggingFaceCacheIsReadThroughItsLinks) {
  const fs::path written = sharded();
  const fs::path cache = written / "models--x";
  const fs::path snapshot = cache / "snapshots" / "abc";
  fs::create_directories(snapshot);
  fs::create_directories(cache / "blobs");
  for (const std::string name : {"config.json", index_name, first, second}) {
    fs::rename(written / name, cache / "blobs" / ("digest-" + name));
    fs::create_symlink("../../blobs/digest-" + name, snapshot / name);
  }
  EXPECT_EQ(ModelFolder::open(snapshot).tensors().size(), 3u);
}

TEST(ModelFolder, WhoseIndexAndShardsDisagreeIsRefusedNamingBoth) {
  const fs::path folder = sharded();
  write_index(folder, {{"a", first}, {"b", second}, {"c", second}, {"d", second}});
  expect_open_refused(folder, {"tensor d", second, "does not hold it"});
  write_index(folder, {{"a", first}, {"b", second}});
  expect_open_refused(folder, {second, "tensor c", "nowhere"});
  write_safetensors(folder / second, {view_of("a", a), view_of("b", b), view_of("c", c)}, {});
  write_index(folder, {{"a", first}, {"b", second}, {"c", second}});
  expect_open_refused(folder, {second, "tensor a", first});
}

TEST(ModelFolder, OfTheReferenceLibraryIsRead) {
  const fs::path golden = fs::path(ALAMBIC_SOURCE_DIR) / "tests" / "golden";
  const ModelFolder model = ModelFolder::open(golden / "llama");
  EXPECT_EQ(model.config()["model_type"], "llama");
  EXPECT_EQ(model.tensors().size(), 21u);
}

}  // namespace
}  // namespace alambic::model_folder_test

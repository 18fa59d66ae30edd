#include "alambic/io/model_folder.h"

#include <map>
#include <set>

#include "alambic/base/error.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";

// Which file holds which tensor, as the index says.
std::map<std::string, std::set<std::string>> read_index(const fs::path& path) {
  const Json index = read_json_object(path);
  if (!index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw input_error("cannot read {}: \"weight_map\" should be an object", path.string());
  }
  std::map<std::string, std::set<std::string>> by_file;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const std::string name = file.is_string() ? file.get<std::string>() : "";
    // A plain name cannot leave the folder.
    if (name.empty() || name != fs::path(name).filename().string() || name == "..") {
      throw input_error("cannot read {}: tensor {} should name a file of the folder, found {}",
                        path.string(), tensor, file.dump());
    }
    by_file[name].insert(tensor);
  }
  return by_file;
}

void check_shard(const fs::path& index, const std::string& file,
                 const std::set<std::string>& expected, const SafetensorsFile& shard) {
  for (const std::string& tensor : expected) {
    if (shard.find(tensor) == nullptr) {
      throw input_error("cannot read {}: {} should hold tensor {}, but does not", index.string(),
                        file, tensor);
    }
  }
  for (const TensorView& tensor : shard.tensors()) {
    if (!expected.contains(tensor.name)) {
      throw input_error("cannot read {}: {} holds tensor {}, which the index does not name",
                        index.string(), file, tensor.name);
    }
  }
}

Error no_weights(const fs::path& folder) {
  const Error error = input_error("cannot load {}: it has neither {} nor {}", folder.string(),
                                  single_name, index_name);
  if (fs::exists(folder / "pytorch_model.bin") ||
      fs::exists(folder / "pytorch_model.bin.index.json")) {
    return error.with_hint("the weights are in PyTorch's pickle format; save them as safetensors");
  }
  return error.with_hint("an incomplete download?");
}

// Names as transformers gives them: model-00001-of-00003.safetensors.
std::vector<std::vector<TensorView>> split(const std::vector<TensorView>& tensors,
                                           uint64_t max_bytes) {
  std::vector<std::vector<TensorView>> shards(1);
  uint64_t bytes = 0;
  for (const TensorView& tensor : tensors) {
    if (bytes + tensor.bytes.size() > max_bytes && !shards.back().empty()) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += tensor.bytes.size();
    shards.back().push_back(tensor);
  }
  return shards;
}

void write_shards(const fs::path& folder, const std::vector<std::vector<TensorView>>& shards) {
  Json weight_map = Json::object();
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_safetensors(folder / name, shards[i], {{"format", "pt"}});
    for (const TensorView& tensor : shards[i]) {
      weight_map[tensor.name] = name;
      total += tensor.bytes.size();
    }
  }
  const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", weight_map}};
  write_file(folder / index_name, index.dump(2) + "\n");
}

}  // namespace

Json read_json_object(const fs::path& path) {
  constexpr uint64_t most = 64 << 20;
  constexpr int most_depth = 64;
  bool deep = false;
  Json json = Json::parse(
      read_file(path, most),
      [&](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > most_depth;
        return !deep;
      },
      /*allow_exceptions=*/false);
  if (deep) throw input_error("cannot read {}: it nests too deeply", path.string());
  if (!json.is_object()) {
    throw input_error("cannot read {}: it is not a JSON object", path.string());
  }
  return json;
}

ModelFolder ModelFolder::open(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw input_error("cannot load model {}: there is no such folder", folder.string())
        .with_hint("a model is a folder with config.json, *.safetensors and tokenizer.json");
  }
  ModelFolder model;
  model.config_ = read_json_object(folder / "config.json");
  if (fs::exists(folder / single_name)) {
    model.files_.push_back(SafetensorsFile::open(folder / single_name));
  } else if (fs::exists(folder / index_name)) {
    for (const auto& [file, tensors] : read_index(folder / index_name)) {
      model.files_.push_back(SafetensorsFile::open(folder / file));
      check_shard(folder / index_name, file, tensors, model.files_.back());
    }
  } else {
    throw no_weights(folder);
  }
  for (const SafetensorsFile& file : model.files_) {
    model.tensors_.insert(model.tensors_.end(), file.tensors().begin(), file.tensors().end());
  }
  return model;
}

void write_model_folder(const fs::path& folder, const Json& config, const Json& generation_config,
                        const std::vector<TensorView>& tensors, uint64_t max_shard_bytes) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw environment_error("cannot make {}: {}", folder.string(), error.message());
  write_file(folder / "config.json", config.dump(2) + "\n");
  if (!generation_config.is_null()) {
    write_file(folder / "generation_config.json", generation_config.dump(2) + "\n");
  }
  const auto shards = split(tensors, max_shard_bytes);
  if (shards.size() == 1) {
    write_safetensors(folder / single_name, tensors, {{"format", "pt"}});
  } else {
    write_shards(folder, shards);
  }
}

}  // namespace alambic

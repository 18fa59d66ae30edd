#include "alambic/io/model_folder.h"

#include <map>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/json_nan.h"
#include "alambic/base/printable.h"
#include "alambic/io/base_class.h"
#include "alambic/io/count_limits.h"
#include "alambic/io/quant/mxfp4.h"
#include "alambic/io/quant/tile_scales.h"
#include "alambic/io/tied_head.h"

namespace alambic {

namespace {

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";
constexpr const char* torch_name = "pytorch_model.bin";
constexpr const char* torch_index_name = "pytorch_model.bin.index.json";

using WeightMap = std::map<std::string, std::string>;  // tensor -> file

bool present(const fs::path& path) {
  std::error_code error;  // a loop of links, no permission: opening it will say
  return fs::exists(fs::symlink_status(path, error));
}

WeightMap read_index(const fs::path& folder, const std::string& name, const std::string& kind) {
  const std::string where = (folder / name).string();
  const auto index = parse_json_object<nlohmann::json>(read_file(folder / name, 64 << 20), where);
  if (!index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw input_error("cannot read {}: \"weight_map\" should be an object", where);
  }
  WeightMap files;
  for (const auto& [tensor, value] : index["weight_map"].items()) {
    const std::string file = value.is_string() ? value.get<std::string>() : "";
    // A plain name cannot leave the folder. A backslash or a NUL could, elsewhere or cut short. The
    // file itself may be a link: who put the folder there put it, as caches of the hub do.
    const bool plain = file.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    if (file.empty() || !plain || !file.ends_with(kind)) {
      throw input_error("cannot read {}: tensor {} should be in a *{} file of the folder, found {}",
                        where, printable(tensor), kind, printable(value.dump()));
    }
    files[tensor] = file;
  }
  return files;
}

template <class File>
void check_index(const fs::path& index, const WeightMap& map,
                 const std::map<std::string, File>& files) {
  std::set<std::string_view> held;  // names of tensors that are where the index says
  for (const auto& [file, shard] : files) {
    for (const TensorView& tensor : shard.tensors()) {
      const auto named = map.find(tensor.name);
      if (named == map.end() || named->second != file) {
        throw input_error("cannot read {}: {} holds tensor {}, which it says is {}", index.string(),
                          printable(file), printable(tensor.name),
                          named == map.end() ? "nowhere" : "in " + printable(named->second))
            .with_hint("files of different versions of the model?");
      }
      held.insert(tensor.name);
    }
  }
  for (const auto& [tensor, file] : map) {
    if (!held.contains(tensor)) {
      throw input_error("cannot read {}: it says that tensor {} is in {}, which does not hold it",
                        index.string(), printable(tensor), printable(file))
          .with_hint("files of different versions of the model?");
    }
  }
}

Error no_weights(const fs::path& folder) {
  return input_error("cannot load {}: it has neither {} nor {}, nor {}", folder.string(),
                     single_name, index_name, torch_name)
      .with_hint("an incomplete download?");
}

Error no_config(const fs::path& folder) {
  const Error error = input_error("cannot load model {}: it has no config.json", folder.string());
  return present(folder / "adapter_config.json")
             ? error.with_hint("it is an adapter: give the model it belongs to, and --adapter " +
                               folder.string())
             : error.with_hint(
                   "a model is a folder with config.json, *.safetensors and tokenizer.json");
}

// Consecutive tensors that fit into `max_bytes`; one that is larger has a shard of its own.
std::vector<std::vector<TensorSource>> split(const std::vector<TensorSource>& tensors,
                                             uint64_t max_bytes) {
  std::vector<std::vector<TensorSource>> shards(1);
  uint64_t bytes = 0;
  for (const TensorSource& tensor : tensors) {
    if (bytes + byte_size(tensor) > max_bytes && !shards.back().empty()) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += byte_size(tensor);
    shards.back().push_back(tensor);
  }
  return shards;
}

void write_shards(const fs::path& folder, const std::vector<std::vector<TensorSource>>& shards) {
  WeightMap files;
  uint64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_safetensors(folder / name, shards[i], {{"format", "pt"}});
    for (const TensorSource& tensor : shards[i]) {
      files[tensor.name] = name;
      total += byte_size(tensor);
    }
  }
  const nlohmann::json index = {{"metadata", {{"total_size", total}}}, {"weight_map", files}};
  write_file(folder / index_name, index.dump(2) + "\n");
}

}  // namespace

ModelFolder ModelFolder::open_gguf(const fs::path& path) {
  ModelFolder model;
  model.gguf_.push_back(open_gguf_model(path));
  model.config_ = model.gguf_.back().config;
  model.config_name_ = path.string();
  model.tensors_ = model.gguf_.back().tensors;
  return model;
}

// Maps the file called `single`, or the shards that its index names.
template <class File, class Open>
void ModelFolder::map_weights(const fs::path& folder, const std::string& single,
                              std::vector<File>& files, const Open& open_file) {
  std::map<std::string, File> mapped;
  const auto open_once = [&](const std::string& name) {
    if (!mapped.contains(name)) mapped.emplace(name, open_file(folder / name));
  };
  if (present(folder / single)) {
    open_once(single);
  } else {
    const std::string index = single + ".index.json";
    const WeightMap map = read_index(folder, index, fs::path(single).extension().string());
    for (const auto& [tensor, file] : map) open_once(file);
    check_index(folder / index, map, mapped);
  }
  for (auto& [name, file] : mapped) {
    tensors_.insert(tensors_.end(), file.tensors().begin(), file.tensors().end());
    files.push_back(std::move(file));
  }
}

void ModelFolder::release(std::span<const std::byte> part) const {
  for (const SafetensorsFile& file : files_) file.release(part);
  for (const TorchFile& file : torch_files_) file.release(part);
  for (const GgufModel& model : gguf_) model.file.release(part);
}

void ModelFolder::release_gguf() const {
  for (const GgufModel& model : gguf_) model.file.release();
}

ModelFolder ModelFolder::open(const fs::path& path, Pages pages) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return open_gguf(path);
  if (!fs::is_directory(path, error)) {
    throw input_error("cannot load model {}: there is no such folder", path.string())
        .with_hint(
            "a model is a folder with config.json, *.safetensors and tokenizer.json, or a GGUF "
            "file");
  }
  if (!present(path / "config.json")) throw no_config(path);
  ModelFolder model;
  model.config_ = read_json_object(path / "config.json");
  model.config_name_ = (path / "config.json").string();
  if (present(path / single_name) || present(path / index_name)) {
    model.map_weights(path, single_name, model.files_,
                      [&](const fs::path& file) { return SafetensorsFile::open(file, pages); });
    model.pages_ = pages;
  } else if (present(path / torch_name) || present(path / torch_index_name)) {
    model.map_weights(path, torch_name, model.torch_files_, TorchFile::open);
  } else {
    throw no_weights(path);
  }
  join_tile_scales(model.config_, model.tensors_, path.string());
  join_mxfp4(model.config_, model.tensors_, path.string());
  read_as_language_model(model.config_, model.tensors_);
  model.note_ = settle_head(model.config_, model.tensors_, path.string());
  check_counts(limits_of(model.tensors_), model.config_, model.config_name_);
  return model;
}

void write_model_folder(const fs::path& folder, const nlohmann::ordered_json& config,
                        const nlohmann::ordered_json& generation_config,
                        const std::vector<TensorSource>& tensors, uint64_t max_shard_bytes) {
  make_folder(folder);
  write_file(folder / "config.json", python_json(config, 2) + "\n");
  if (!generation_config.is_null()) {
    write_file(folder / "generation_config.json", python_json(generation_config, 2) + "\n");
  }
  const auto shards = split(tensors, max_shard_bytes);
  if (shards.size() == 1) {
    write_safetensors(folder / single_name, tensors, {{"format", "pt"}});
    remove_file(folder / index_name);
  } else {
    write_shards(folder, shards);
    remove_file(folder / single_name);
  }
  sync_folder(folder);
}

void write_model_folder(const fs::path& folder, const nlohmann::ordered_json& config,
                        const nlohmann::ordered_json& generation_config,
                        const std::vector<TensorView>& tensors, uint64_t max_shard_bytes) {
  write_model_folder(folder, config, generation_config, sources_of(tensors), max_shard_bytes);
}

}  // namespace alambic

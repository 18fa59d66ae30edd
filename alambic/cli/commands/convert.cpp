#include <algorithm>
#include <cctype>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/base/units.h"
#include "alambic/cli/commands/convert_options.h"
#include "alambic/cli/commands/merge_options.h"
#include "alambic/cli/torch_library.h"
#include "alambic/io/gguf/text_part.h"
#include "alambic/io/gguf/tokenizer.h"
#include "alambic/io/model_folder.h"
#include "alambic/io/quant/decode.h"
#include "alambic/io/quant/encode.h"
#include "alambic/io/quant/tile_scales.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

struct FolderDtype {
  const char* name;
  const char* short_name;
  Dtype dtype;
};

constexpr FolderDtype folder_dtypes[] = {{"float32", "f32", Dtype::F32},
                                         {"float16", "f16", Dtype::F16},
                                         {"bfloat16", "bf16", Dtype::BF16}};

bool has_tiles(const TensorView& tensor) { return !tensor.tiles.bytes.empty(); }

// The format of the largest tensor, which stands for the model's; FP8 with scales is written as
// BF16.
Dtype dtype_of(const ModelFolder& model) {
  const auto largest = std::ranges::max_element(
      model.tensors(), {}, [](const TensorView& tensor) { return count_of(tensor.shape); });
  if (largest == model.tensors().end()) return Dtype::F32;
  return has_tiles(*largest) ? Dtype::BF16 : largest->dtype;
}

Json generation_config(const fs::path& model, const Json& config) {
  std::error_code error;
  if (fs::exists(model / "generation_config.json", error)) {
    return read_json_object(model / "generation_config.json");
  }
  if (!fs::is_regular_file(model, error)) return nullptr;
  Json generation = Json::object();
  for (const char* key : {"bos_token_id", "eos_token_id"}) {
    if (config.contains(key)) generation[key] = config[key];
  }
  return generation;
}

// The first end of sequence beside the tokenizer's own.
std::optional<int32_t> end_of_turn(const Json& generation, std::optional<int32_t> eos) {
  const Json ids = generation.is_object() ? generation.value("eos_token_id", Json()) : Json();
  for (const Json& id : ids.is_array() ? ids : Json::array()) {
    if (id.is_number_integer() && id != eos.value_or(-1)) return id.get<int32_t>();
  }
  return std::nullopt;
}

GgufSpecialTokens special_tokens(const Tokenizer& tokenizer, const Json& generation) {
  GgufSpecialTokens special = special_tokens_of(tokenizer);
  special.eot = end_of_turn(generation, special.eos);
  return special;
}

GgufMetadata tokenizer_metadata(const fs::path& path, const ModelFolder& model) {
  if (!has_tokenizer(path)) {
    say("{} has no tokenizer, and neither will the file", path.string());
    GgufMetadata metadata;
    metadata.add("tokenizer.ggml.model", std::string("no_vocab"));
    return metadata;
  }
  const Tokenizer tokenizer = load_tokenizer(path);
  const Json rows = text_config(model.config()).value("vocab_size", Json());
  if (!rows.is_number_integer() || rows < 1 || rows < tokenizer.size() || rows > (1 << 30)) {
    throw input_error("cannot convert {}: the tokenizer has {} tokens, but vocab_size is {}",
                      path.string(), tokenizer.size(), rows.dump());
  }
  std::string note;
  GgufMetadata metadata = gguf_tokenizer(
      tokenizer.files(), special_tokens(tokenizer, generation_config(path, model.config())),
      rows.get<int64_t>(), path.string(), note);
  if (!note.empty()) say("{}", note);
  return metadata;
}

// A tensor in another format; its bytes go to `storage`.
TensorView cast(const TensorView& tensor, Dtype dtype, const std::string& model,
                std::vector<std::vector<std::byte>>& storage) {
  if (!has_tiles(tensor) && (tensor.dtype == dtype || !is_decodable(tensor.dtype))) return tensor;
  std::vector<float> numbers(static_cast<size_t>(count_of(tensor.shape)));
  if (has_tiles(tensor)) {
    decode_tiles(tensor, numbers);
  } else {
    decode(tensor.dtype, tensor.bytes, numbers);
  }
  if (const std::string fault = fault_of(dtype, numbers); !fault.empty()) {
    throw input_error("cannot convert {}: tensor {}: {}", model, tensor.name, fault)
        .with_hint("--dtype bfloat16 has the range of float32");
  }
  storage.push_back(encode(dtype, numbers));
  TensorView view = tensor;
  view.tiles = {};
  view.dtype = dtype;
  view.bytes = storage.back();
  return view;
}

// `dtype` is the model's own.
void write_file_of(const ConvertOptions& options, const ModelFolder& model, Dtype dtype) {
  std::string name = options.type;
  if (name == "auto") {
    name = name_of(dtype);
    std::ranges::transform(name, name.begin(), [](char c) { return std::tolower(c); });
  }
  const auto type = gguf_type_named(name);
  if (!type) {
    const std::string known = join(gguf_type_names());
    if (options.type == "auto") {
      throw input_error("{} is {}, which is not written; choose a --type", options.model, name)
          .with_hint("one of " + known);
    }
    throw input_error("--type: expected one of {}, found '{}'", known, options.type);
  }
  const auto counts = write_gguf_model(options.out, model.config(), options.model, model.tensors(),
                                       *type, tokenizer_metadata(options.model, model));
  std::vector<std::string> parts;
  for (const auto& [dtype, count] : counts)
    parts.push_back(fmt::format("{} {}", count, name_of(dtype)));
  // As llama.cpp of 2026-10 does with files that have one.
  const std::string type_of_model = model.config().value("model_type", "");
  const bool windowless =
      type_of_model == "mistral" || type_of_model == "mixtral" || type_of_model == "phi3";
  if (windowless && !model.config().value("sliding_window", Json()).is_null()) {
    say("llama.cpp has no sliding window for {}: beyond it, its completions differ from Alambic's",
        type_of_model);
  }
  const Json keys = model.config().value("linear_key_head_dim", Json());
  if (keys != model.config().value("linear_value_head_dim", Json())) {
    say("llama.cpp reads linear attention only where linear_value_head_dim is linear_key_head_dim");
  }
  say("wrote {}: {}, tensors: {}", options.out,
      human_bytes(static_cast<double>(file_bytes(options.out))), join(parts));
}

const FolderDtype& folder_dtype(const ConvertOptions& options, Dtype own) {
  for (const FolderDtype& choice : folder_dtypes) {
    const bool named = options.dtype == choice.name || options.dtype == choice.short_name;
    if (options.dtype == "auto" ? own == choice.dtype : named) return choice;
  }
  if (options.dtype == "auto") return folder_dtypes[0];
  throw input_error("--dtype: expected float32, float16, bfloat16 or auto, found '{}'",
                    options.dtype);
}

// `own` is the model's own format.
void write_folder_of(const ConvertOptions& options, const ModelFolder& model, Dtype own) {
  const FolderDtype& dtype = folder_dtype(options, own);
  // A folder as it is keeps what it mixes; the vectors of a GGUF file are float32 whatever it is.
  const bool keep = options.dtype == "auto" && options.adapter.empty() &&
                    is_folder(options.model) && std::ranges::none_of(model.tensors(), has_tiles);
  std::vector<std::vector<std::byte>> storage;
  std::vector<TensorView> tensors;
  for (const TensorView& tensor : model.tensors()) {
    tensors.push_back(keep ? tensor : cast(tensor, dtype.dtype, options.model, storage));
  }
  Json config = model.config();
  if (!keep) {
    config.erase("torch_dtype");
    config["dtype"] = dtype.name;
  }
  if (has_tokenizer(options.model)) load_tokenizer(options.model).save_to(options.out);
  write_model_folder(options.out, config, generation_config(options.model, model.config()),
                     tensors);
}

void write_model(const ConvertOptions& options, const ModelFolder& model, Dtype own) {
  if (options.out.ends_with(".gguf")) {
    write_file_of(options, model, own);
  } else {
    write_folder_of(options, model, own);
    say("wrote {}", options.out);
  }
}

}  // namespace

int run(const ConvertOptions& options) {
  const bool to_file = options.out.ends_with(".gguf");
  if (to_file && options.dtype != "auto") {
    throw input_error("--dtype has no effect on a GGUF file")
        .with_hint("--type chooses its format");
  }
  if (!to_file && options.type != "auto") {
    throw input_error("--type has no effect on a folder").with_hint("--dtype chooses its format");
  }
  std::error_code error;
  const bool taken = to_file ? fs::exists(options.out, error)
                             : fs::exists(options.out, error) && !is_empty_folder(options.out);
  if (taken && !options.overwrite) {
    throw input_error("--out {} exists already", options.out).with_hint("--overwrite replaces it");
  }
  const ModelFolder model = ModelFolder::open(options.model);
  const Dtype own = dtype_of(model);
  if (options.adapter.empty()) {
    write_model(options, model, own);
    return 0;
  }
  const TemporaryFolder merged;
  MergeOptions merge;
  merge.model = options.model;
  merge.adapter = options.adapter;
  merge.out = merged.path() / "model";
  run_torch_command(kMergeAdapter, merge);
  write_model(options, ModelFolder::open(merge.out), own);
  return 0;
}

}  // namespace alambic

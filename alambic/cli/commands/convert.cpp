#include <algorithm>
#include <cctype>
#include <charconv>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/log.h"
#include "alambic/base/names.h"
#include "alambic/base/output_place.h"
#include "alambic/base/temporary_folder.h"
#include "alambic/base/units.h"
#include "alambic/cli/commands/convert_options.h"
#include "alambic/cli/run.h"
#include "alambic/cli/torch_library.h"
#include "alambic/io/beside_model.h"
#include "alambic/io/generation_config.h"
#include "alambic/io/gguf/llama_cpp_limits.h"
#include "alambic/io/model_folder.h"
#include "alambic/io/model_output.h"
#include "alambic/io/quant/cast.h"
#include "alambic/jobs/merge_adapter_options.h"
#include "alambic/text/tokenizer/adapter_tokenizer.h"
#include "alambic/text/tokenizer/gguf_metadata.h"
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

bool has_mxfp4(const ModelFolder& model) {
  return std::ranges::any_of(model.tensors(), [](const TensorView& tensor) {
    return tensor.dtype == Dtype::F4 && !tensor.tiles.bytes.empty();
  });
}

// The numbers of gguf-split: powers of 1000.
uint64_t split_bytes(const std::string& text) {
  if (text.empty()) return GgufPlace().part_bytes;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  for (const auto& [name, bytes] :
       {std::pair("K", uint64_t{1'000}), std::pair("M", uint64_t{1'000'000}),
        std::pair("G", uint64_t{1'000'000'000})}) {
    const bool is_unit = unit == name || unit == std::string(name) + "B";
    if (error == std::errc() && is_unit && number > 0 && number <= 1'000'000) return number * bytes;
  }
  throw input_error("--split-size: expected a number with K, M or G, as 4G, found '{}'", text);
}

// `dtype` is the model's own.
void write_file_of(const ConvertOptions& options, const ModelFolder& model, Dtype dtype) {
  std::string name = options.type;
  if (name == "auto") {
    name = name_of(has_mxfp4(model) ? Dtype::MXFP4 : dtype);
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
  if (const std::string said = left_beside(model.tensors(), options.model); !said.empty()) {
    warn("{}", said);
  }
  std::string note;
  const GgufMetadata tokenizer =
      gguf_metadata_of_tokenizer(tokenizer_folder(options.model, options.adapter), model.config(),
                                 read_generation_config(options.model), note);
  if (!note.empty()) say("{}", note);
  const GgufPlace place{.path = options.out,
                        .part_bytes = split_bytes(options.split_size),
                        .replace = options.overwrite};
  const GgufWritten written =
      write_gguf_model(place, model.config(), options.model, model.tensors(), *type, tokenizer);
  for (const std::string& limit : llama_cpp_limits(model.config(), options.model)) say("{}", limit);
  std::vector<std::string> parts;
  for (const auto& [dtype, count] : written.counts)
    parts.push_back(fmt::format("{} {}", count, name_of(dtype)));
  uint64_t bytes = 0;
  for (const fs::path& file : written.files) bytes += is_file(file) ? file_bytes(file) : 0;
  say("wrote {}{}: {}, tensors: {}", written.files[0].string(),
      written.files.size() == 1 ? "" : fmt::format(" and {} more", written.files.size() - 1),
      human_bytes(static_cast<double>(bytes)), join(parts));
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
  const bool keep =
      options.dtype == "auto" && options.adapter.empty() && is_folder(options.model) &&
      std::ranges::none_of(model.tensors(),
                           [](const TensorView& tensor) { return !tensor.tiles.bytes.empty(); });
  std::vector<TensorSource> tensors;
  for (const TensorView& tensor : model.tensors()) {
    tensors.push_back(keep ? source_of(tensor) : cast_tensor(tensor, dtype.dtype, options.model));
  }
  Json config = model.config();
  if (!keep) {
    config.erase("torch_dtype");
    config["dtype"] = dtype.name;
  }
  const std::string tokenizer = tokenizer_folder(options.model, options.adapter);
  ModelOutput out(options.out);
  if (has_tokenizer(tokenizer)) load_tokenizer(tokenizer).save_to(out.path());
  write_model_folder(out.path(), config, read_generation_config(options.model), tensors);
  out.commit();
}

void write_model(const ConvertOptions& options, const ModelFolder& model, Dtype own) {
  if (options.out.ends_with(".gguf")) {
    write_file_of(options, model, own);
  } else {
    write_folder_of(options, model, own);
    say("wrote {}", options.out);
  }
}

// Parts of --out are called NAME-00001-of-00003.gguf, as those of a model that is read may be.
void check_parts(const ConvertOptions& options) {
  const fs::path model = options.model, out = options.out;
  const std::string name = model.filename(), begin = out.stem().string() + "-";
  const bool alike = name.starts_with(begin) && name.ends_with(".gguf") &&
                     name.size() == begin.size() + std::string_view("00001-of-00003.gguf").size();
  if (options.split_size.empty() || !alike) return;
  if (full_path(model).parent_path() != full_path(out).parent_path()) return;
  throw input_error("parts of --out {} would be called as those of the --model {}", options.out,
                    options.model)
      .with_hint("choose another --out");
}

}  // namespace

int run(const ConvertOptions& given) {
  ConvertOptions options = given;
  options.adapter = adapter_of(given.model, given.adapter);
  if (options.adapter != given.adapter) say("{}: the adapter in it is merged", given.model);
  const bool to_file = options.out.ends_with(".gguf");
  if (to_file && options.dtype != "auto") {
    throw input_error("--dtype has no effect on a GGUF file")
        .with_hint("--type chooses its format");
  }
  if (!to_file && !options.split_size.empty()) {
    throw input_error("--split-size has no effect on a folder")
        .with_hint("the weights of a folder are in files of 5 GB");
  }
  if (!to_file && options.type != "auto") {
    throw input_error("--type has no effect on a folder").with_hint("--dtype chooses its format");
  }
  if (to_file) {
    check_parts(options);
    check_output_file("--out", options.out, options.overwrite);
  } else if (path_exists(options.out) && !is_empty_folder(options.out) && !options.overwrite) {
    throw input_error("--out {} exists already", options.out).with_hint("--overwrite replaces it");
  }
  const ModelFolder model = ModelFolder::open(options.model);
  if (options.adapter.empty() && !model.note().empty()) warn("{}", model.note());
  const Dtype own = main_dtype(model.tensors());
  if (options.adapter.empty()) {
    write_model(options, model, own);
    return 0;
  }
  const TemporaryFolder merged;
  MergeAdapterOptions merge;
  merge.model = options.model;
  merge.adapter = options.adapter;
  merge.out = merged.path() / "model";
  run_torch_command("merge-adapter", merge);
  write_model(options, ModelFolder::open(merge.out), own);
  return 0;
}

}  // namespace alambic

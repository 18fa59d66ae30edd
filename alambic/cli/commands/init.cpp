#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/files.h"
#include "alambic/base/log.h"
#include "alambic/base/units.h"
#include "alambic/cli/commands/init_options.h"
#include "alambic/io/model_folder.h"
#include "alambic/model/cut_width.h"
#include "alambic/model/families.h"
#include "alambic/model/load.h"
#include "alambic/text/tokenizer/character_tokenizer.h"
#include "alambic/text/tokenizer/load_tokenizer.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

namespace {

// "model.layers.3.mlp…" with its number replaced; names without a number stay.
std::string with_layer(const std::string& name, const std::vector<int64_t>& kept) {
  for (size_t begin = name.find('.'); begin != std::string::npos;
       begin = name.find('.', begin + 1)) {
    const size_t end = name.find('.', begin + 1);
    const std::string part = name.substr(begin + 1, end - begin - 1);
    if (!part.empty() && part.find_first_not_of("0123456789") == std::string::npos) {
      const int64_t source = kept.at(std::stoul(part));
      return name.substr(0, begin + 1) + std::to_string(source) + name.substr(end);
    }
  }
  return name;
}

// The first and the last layer, and evenly between.
std::vector<int64_t> evenly_spaced(int64_t kept, int64_t all) {
  std::vector<int64_t> layers;
  for (int64_t i = 0; i < kept; ++i) {
    layers.push_back(kept == 1 ? 0
                               : std::llround(static_cast<double>(i * (all - 1)) /
                                              static_cast<double>(kept - 1)));
  }
  return layers;
}

Widths widths_of(const InitOptions& options) {
  return {
      .hidden = options.hidden_size, .inner = options.intermediate_size, .heads = options.heads};
}

std::unique_ptr<Model> cut(const InitOptions& options) {
  const std::unique_ptr<Model> source = load_model(options.from, {});
  const int64_t all = source->shape().cache.layers;
  if (options.layers > all) {
    throw input_error("cannot keep {} layers: {} has {}", options.layers, options.from, all);
  }
  std::map<std::string, Tensor> tensors;
  source->visit([&](const std::string& name, Tensor& tensor) { tensors[name] = tensor; });
  Json config = source->config;
  const int64_t layers = options.layers > 0 ? options.layers : all;
  if (widths_of(options).any()) cut_width(tensors, config, widths_of(options), options.from);
  const std::vector<int64_t> kept = evenly_spaced(layers, all);
  source->keep_layers(config, kept);
  std::unique_ptr<Model> model = make_model(config, options.from + "/config.json");
  model->visit([&](const std::string& name, Tensor& tensor) {
    const auto found = tensors.find(with_layer(name, kept));
    if (found == tensors.end()) {
      throw input_error(
          "cannot keep {} layers of {}: its layers are of different kinds, and there "
          "is no {} for {}",
          layers, options.from, with_layer(name, kept), name)
          .with_hint("keep all layers, or another number of them");
    }
    check(tensor.sizes() == found->second.sizes(), "{} was cut to another shape", name);
    tensor = found->second;
  });
  return model;
}

std::unique_ptr<Model> random_model(const InitOptions& options, int64_t vocabulary) {
  fs::path file = options.config;
  if (is_folder(file)) file /= "config.json";
  Json config = read_json_object(file);
  if (vocabulary > 0 && !config.contains("vocab_size")) config["vocab_size"] = vocabulary;
  std::unique_ptr<Model> model = make_model(config, file.string(), {}, options.layers);
  if (vocabulary > model->shape().vocabulary) {
    throw input_error("{}: vocab_size is {}, but the tokenizer has {} tokens", file.string(),
                      model->shape().vocabulary, vocabulary)
        .with_hint("leave vocab_size out of the configuration to take the tokenizer's");
  }
  init_weights(*model, static_cast<uint64_t>(options.seed), {});
  return model;
}

void check_out(const InitOptions& options) {
  if (path_exists(options.out) && !is_empty_folder(options.out) && !options.overwrite) {
    throw input_error("--out {} exists already", options.out)
        .with_hint("--overwrite replaces the model in it");
  }
}

// A tokenizer to be written to --out, after everything that can fail.
struct NewTokenizer {
  std::string characters_json;  // of --characters
  std::optional<Tokenizer> copied;

  int64_t size() const {
    if (copied) return copied->size();
    if (characters_json.empty()) return 0;
    return Tokenizer::parse("tokenizer.json", characters_json).size();
  }
  void write(const fs::path& folder) const {
    if (copied) copied->save_to(folder);
    if (!characters_json.empty()) write_file(folder / "tokenizer.json", characters_json);
  }
};

NewTokenizer tokenizer_of(const InitOptions& options) {
  NewTokenizer tokenizer;
  if (!options.characters.empty()) {
    tokenizer.characters_json = character_tokenizer_json(read_file(options.characters));
    return tokenizer;
  }
  const std::string& source = options.tokenizer.empty() ? options.from : options.tokenizer;
  if (!source.empty()) tokenizer.copied = load_tokenizer(source);
  return tokenizer;
}

}  // namespace

int run(const InitOptions& options) {
  check_out(options);
  const NewTokenizer tokenizer = tokenizer_of(options);
  const std::unique_ptr<Model> model =
      options.from.empty() ? random_model(options, tokenizer.size()) : cut(options);
  Json generation;
  const fs::path source = options.from.empty() ? options.config : options.from;
  if (path_exists(source / "generation_config.json")) {
    generation = read_json_object(source / "generation_config.json");
  }
  make_folder(options.out);
  tokenizer.write(options.out);
  save_model(*model, options.out, generation);
  say("wrote {}: {} parameters", options.out,
      human_count(static_cast<double>(model->parameters())));
  return 0;
}

}  // namespace alambic

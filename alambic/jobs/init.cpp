#include "alambic/jobs/init.h"

#include "alambic/base/error.h"
#include "alambic/base/file_system.h"
#include "alambic/base/files.h"
#include "alambic/io/generation_config.h"
#include "alambic/io/model_output.h"
#include "alambic/model/cut_layers.h"
#include "alambic/model/load.h"
#include "alambic/model/new_model.h"
#include "alambic/options/outputs.h"
#include "alambic/text/tokenizer/character_tokenizer.h"
#include "alambic/text/tokenizer/load_tokenizer.h"

namespace alambic {

namespace {

Widths widths_of(const InitOptions& options) {
  return {
      .hidden = options.hidden_size, .inner = options.intermediate_size, .heads = options.heads};
}

void check_out(const InitOptions& options) {
  if (path_exists(options.out) && !is_empty_folder(options.out) && !options.overwrite) {
    throw input_error("--out {} exists already", options.out)
        .with_hint("--overwrite replaces the model in it");
  }
}

// A tokenizer to be written to --out, after everything that can fail.
struct NewTokenizer {
  std::string characters_json;  // tokenizer.json of --characters
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

int64_t jobs::init(const InitOptions& options) {
  check_outputs(OptionTable(options));
  check_out(options);
  const NewTokenizer tokenizer = tokenizer_of(options);
  const std::unique_ptr<Model> model =
      options.from.empty()
          ? new_model(options.config, {.layers = options.layers,
                                       .vocabulary = tokenizer.size(),
                                       .seed = static_cast<uint64_t>(options.seed)})
          : cut_model(options.from, options.layers, widths_of(options));
  const std::string& source = options.from.empty() ? options.config : options.from;
  const bool of_a_config = options.from.empty() && is_file(source);
  const Json generation = of_a_config ? Json() : read_generation_config(source);
  ModelOutput out(options.out);
  tokenizer.write(out.path());
  save_model(*model, out.path(), generation);
  out.commit();
  return model->parameters();
}

}  // namespace alambic

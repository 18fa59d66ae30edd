#include "alambic/base/file_system.h"
#include "alambic/cli/commands/tokenizer_train_options.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/progress.h"
#include "alambic/base/stopwatch.h"
#include "alambic/base/units.h"
#include "alambic/cli/run.h"
#include "alambic/text/dataset.h"
#include "alambic/text/tokenizer/bpe_trainer.h"
#include "alambic/text/tokenizer/tokenizer.h"

namespace alambic {

namespace {

// The bytes that were read.
int64_t add_data(const Dataset& data, BpeTrainer& trainer) {
  int64_t bytes = 0;
  for (const Example row : Examples(data, {{"text"}, {"prompt"}})) {
    for (const auto& text : {row.text, std::optional(row.prompt), row.completion}) {
      if (!text) continue;
      trainer.add(*text);
      bytes += std::ssize(*text);
    }
  }
  return bytes;
}

// Tokens of another tokenizer, which would be read as tokens of the new one.
constexpr const char* left_over[] = {"special_tokens_map.json", "added_tokens.json"};

}  // namespace

int run(const TokenizerTrainOptions& options) {
  const fs::path out = options.out;
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", left_over[0], left_over[1]}) {
    if (options.overwrite || !path_exists(out / name)) continue;
    throw input_error("--out {} already holds a tokenizer: {}", out.string(), name)
        .with_hint("--overwrite replaces it");
  }
  BpeTraining training{.vocabulary = options.vocabulary,
                       .min_count = options.min,
                       .pattern = options.pattern,
                       .special = {options.eos}};
  training.special.insert(training.special.end(), options.special.begin(), options.special.end());
  BpeTrainer trainer(training);
  Stopwatch watch;
  int64_t bytes = 0;
  const Columns columns = parse_columns(options.data_form.columns);
  for (const std::string& name : options.data)
    bytes += add_data(Dataset::open(name, columns), trainer);
  Progress progress("tokenizer", options.vocabulary);
  const std::string json = trainer.train([&](int64_t merges) {
    progress.update(merges + 256 + std::ssize(training.special), "merge", "");
  });
  progress.finish();
  const Tokenizer tokenizer = Tokenizer::parse("tokenizer.json", json);
  for (const char* name : left_over) remove_file(out / name);
  tokenizer.save_to(out);
  const nlohmann::ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                         {"eos_token", options.eos},
                                         {"pad_token", options.eos},
                                         {"clean_up_tokenization_spaces", false}};
  write_file(out / "tokenizer_config.json", config.dump(2) + "\n");
  if (tokenizer.size() < options.vocabulary) {
    warn("the text has no more pairs that occur {} times: {} tokens instead of {}", options.min,
         tokenizer.size(), options.vocabulary);
  }
  say("wrote {}: {} tokens from {} of text in {:.1f} s", out.string(), tokenizer.size(),
      human_bytes(static_cast<double>(bytes)), watch.seconds());
  return 0;
}

}  // namespace alambic

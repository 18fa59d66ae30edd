#pragma once

#include <string>
#include <vector>

#include "alambic/options/options.h"
#include "alambic/text/data/data_options.h"
#include "alambic/text/tokenizer/bpe_pattern.h"

namespace alambic {

struct TokenizerTrainOptions : Options {
  std::vector<std::string> data, special;
  DataOptions data_form;
  std::string out, eos = "<|endoftext|>";
  BpePattern pattern = BpePattern::gpt2;
  int64_t vocabulary = 32000;
  int64_t min = 2;
  bool overwrite = false;

  void visit(OptionVisitor& v) override {
    v.list("data", data,
           "text to learn from: a .txt file, or jsonl with `text`, or with `prompt` and "
           "`completion`; may be given several times")
        .required()
        .path();
    data_form.visit(v);
    v.text("out", out, "folder for tokenizer.json; `alambic init --tokenizer` takes it")
        .required()
        .path();
    v.integer(
        "vocab-size", vocabulary,
        "tokens in all: special ones, 256 bytes and what is learned; fewer where the text has "
        "no more",
        {.min = 1});
    v.integer("min-frequency", min, "a pair that is rarer makes no token", {.min = 1});
    v.choice(
        "pattern", pattern,
        {{"gpt2", BpePattern::gpt2}, {"llama3", BpePattern::llama3}, {"qwen", BpePattern::qwen}},
        "what cuts text into words: GPT-2's pattern, Llama 3's (numbers by three digits), or "
        "Qwen's (single digits)");
    v.text("eos", eos, "the token that ends a text; it gets id 0");
    v.list("special", special, "further special tokens, for example <|im_start|>");
    v.flag("overwrite", overwrite, "replace the tokenizer in --out");
  }
};

}  // namespace alambic

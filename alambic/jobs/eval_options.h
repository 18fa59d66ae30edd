#pragma once

#include "alambic/tensor/machine_options.h"
#include "alambic/text/chat/chat_options.h"
#include "alambic/text/data/data_options.h"
#include "alambic/train/long_rows.h"

namespace alambic {

struct EvalOptions : Options {
  std::string model, adapter, data, teacher, out;
  int64_t max_new_tokens = 256;
  int64_t batch = 64;
  int64_t limit = 0;
  int64_t sequence_length = 0;
  int64_t seed = 0;
  double temperature = 0;
  bool json = false;
  bool overwrite = false;
  DataOptions data_form;
  LongRowOptions long_rows;
  ChatOptions chat;
  MachineOptions machine;

  void visit(OptionVisitor& v) override {
    v.group("Model and data");
    v.text("model", model, "model folder").required().model();
    v.text("adapter", adapter, "folder of a LoRA adapter for the model, as PEFT writes it").path();
    v.text("data", data,
           "a .txt file or jsonl with `text`: perplexity; jsonl with `prompt` or `messages` and "
           "`answer` (or `completion`): exact match of the number after ####, Rouge-L")
        .required()
        .path();
    data_form.visit(v);
    long_rows.visit(v);
    chat.visit(v);
    v.text("teacher", teacher, "model folder; adds the agreement with it on the completions")
        .model();
    v.integer("limit", limit, "rows of --data that are used; 0: all", {.min = 0});
    v.integer("sequence-length", sequence_length, "tokens of a text window; 0: the whole context",
              {.min = 0});
    v.group("Completions");
    v.integer("max-new-tokens", max_new_tokens, "most tokens of a completion", {.min = 1});
    v.integer("batch", batch, "completions written side by side", {.min = 1});
    v.number("temperature", temperature, "0 takes the most likely token", {.min = 0});
    v.integer("seed", seed, "of the draws", {.min = 0});
    v.text("out", out,
           "jsonl file for the completions, each with its prompt and whether it is right")
        .path();
    v.flag("overwrite", overwrite, "replace the file of --out").only_with("out");
    v.flag("json", json, "print the result as JSON");
    machine.visit(v);
  }
};

}  // namespace alambic

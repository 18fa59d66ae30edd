#pragma once

#include "alambic/rollout/sampling.h"
#include "alambic/tensor/machine_options.h"
#include "alambic/text/chat/chat_options.h"
#include "alambic/text/data/data_options.h"

namespace alambic {

struct GenerateOptions : Options {
  std::string model, adapter, data;
  std::vector<std::string> prompts;
  int64_t max_new_tokens = 256;
  int64_t num_generations = 1;
  int64_t batch = 64;
  int64_t seed = 0;
  double repetition_penalty = 0;
  bool json = false;
  bool chat = false;
  std::string system;
  DataOptions data_form;
  ChatOptions chat_template;
  Sampling sampling;
  MachineOptions machine;

  void visit(OptionVisitor& v) override {
    v.group("Model and prompts");
    v.text("model", model, "model folder").required().model();
    v.text("adapter", adapter, "folder of a LoRA adapter for the model, as PEFT writes it").path();
    v.list("prompt", prompts, "text to continue; may be given several times; none: standard input")
        .not_with("data");
    v.text("data", data, "rows with `prompt` or `messages`").path();
    data_form.visit(v);
    v.option("columns").only_with("data");
    v.flag("chat", chat,
           "answer --prompt as a user's message, written by the model's chat template; without "
           "one, a conversation in the terminal")
        .not_with("data", {.reason = "rows with `messages` are conversations without it"});
    v.text("system", system, "the system's message of --chat").only_with("chat");
    chat_template.visit(v);
    v.option("chat-template").only_with("chat or data");
    v.group("Completions");
    v.integer("max-new-tokens", max_new_tokens, "most tokens of a completion", {.min = 1});
    v.integer("num-generations", num_generations, "completions per prompt", {.min = 1});
    v.integer("batch", batch, "completions written side by side", {.min = 1});
    v.integer("seed", seed, "of the draws", {.min = 0});
    v.flag("json", json, "one JSON object per completion, with token ids and log-probabilities");
    sampling.visit(v);
    v.number(
        "repetition-penalty", repetition_penalty,
        "divides the logits of tokens that are there already (multiplies negative ones), prompt "
        "included; 1: none; 0: as the model's generation_config.json says",
        {.min = 0});
    machine.visit(v);
  }
};

}  // namespace alambic

#pragma once

#include "alambic/jobs/run_options.h"
#include "alambic/jobs/sharding_options.h"
#include "alambic/model/lora_options.h"
#include "alambic/provenance/policy/policy_options.h"
#include "alambic/tensor/machine_options.h"
#include "alambic/text/chat/chat_options.h"
#include "alambic/text/data/data_options.h"
#include "alambic/train/long_rows.h"
#include "alambic/train/options.h"

namespace alambic {

enum class SplitTurns { automatic, never };

struct TrainOptions : Options {
  std::string model, valid_data;
  std::vector<std::string> data;
  DataOptions data_form;
  LongRowOptions long_rows;
  ChatOptions chat;
  SplitTurns split_turns = SplitTurns::automatic;
  int64_t sequence_length = 0;
  int64_t valid_batches = 20;
  int64_t valid_samples = 64;
  int64_t max_completion_length = 256;
  TrainableOptions trainable;
  TrainingOptions training;
  ShardingOptions sharding;
  MachineOptions machine;
  PolicyOptions policy;
  RunOptions run;

  void visit(OptionVisitor& v) override {
    v.group("Model and data");
    v.text("model", model, "model folder to train (a new one comes from `alambic init`)")
        .required()
        .model();
    v.list("data", data,
           "a .txt file (every token is learned), or rows with `text`, or with "
           "`prompt` and `completion` (the completion is learned), or with `messages` (all that "
           "the assistant says is learned); several are mixed, NAME=WEIGHT in these shares")
        .required()
        .path();
    data_form.visit(v);
    long_rows.visit(v);
    chat.visit(v);
    v.choice(
        "split-turns", split_turns, {{"auto", SplitTurns::automatic}, {"never", SplitTurns::never}},
        "what happens to a conversation whose earlier completions the template writes otherwise "
        "than they were generated (without their thinking): auto, each of the assistant's turns "
        "is an example of its own; never, an error that shows where");
    v.text("valid-data", valid_data, "the same kind of file, held out").path();
    v.integer("valid-batches", valid_batches, "batches of --valid-data that are used", {.min = 1});
    v.integer("valid-samples", valid_samples,
              "rows of --valid-data that are answered where they have an `answer`", {.min = 1});
    v.integer("max-completion-length", max_completion_length, "most tokens of such a completion",
              {.min = 1});
    v.integer("sequence-length", sequence_length,
              "tokens of a text window; 0: the model's whole context", {.min = 0});
    trainable.visit(v);
    training.visit(v);
    sharding.visit(v);
    v.option("tensor-parallel-size")
        .only_with("valid-data",
                   {.reason = "completions are written in validations alone", .hint = ""});
    machine.visit(v);
    policy.visit(v);
    run.visit(v);
  }
};

}  // namespace alambic

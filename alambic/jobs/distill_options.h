#pragma once

#include "alambic/jobs/run_options.h"
#include "alambic/jobs/sharding_options.h"
#include "alambic/jobs/teacher_completions_options.h"
#include "alambic/jobs/teacher_options.h"
#include "alambic/model/lora_options.h"
#include "alambic/objective/options.h"
#include "alambic/provenance/policy/policy_options.h"
#include "alambic/rollout/sampling.h"
#include "alambic/teacher/reward_options.h"
#include "alambic/tensor/machine_options.h"
#include "alambic/text/chat/chat_options.h"
#include "alambic/text/data/data_options.h"
#include "alambic/train/collapse.h"
#include "alambic/train/long_rows.h"
#include "alambic/train/options.h"

namespace alambic {

enum class OnTooLittleMemory { refuse, warn };

struct DistillOptions : Options {
  std::string student, valid_data;
  std::vector<std::string> data;
  DataOptions data_form;
  LongRowOptions long_rows;
  ChatOptions chat;
  TeacherOptions teachers;
  int64_t valid_samples = 64;
  ObjectiveOptions loss;
  RewardOptions reward;
  double lmbda = 1;
  int64_t num_generations = 1;
  int64_t max_completion_length = 256;
  int64_t generation_batch = 64;
  Sampling sampling;
  TeacherCompletionsOptions completions;
  TrainableOptions trainable;
  TrainingOptions training;
  ShardingOptions sharding;
  OnCollapse on_collapse = OnCollapse::warn;
  OnTooLittleMemory on_too_little_memory = OnTooLittleMemory::refuse;
  MachineOptions machine;
  PolicyOptions policy;
  RunOptions run;
  bool data_required = true;  ///< false for commands that may plan without rows

  void visit(OptionVisitor& v) override {
    v.group("Models and data");
    v.text("student", student, "model folder to train").required().model();
    teachers.visit(v);
    OptionFacts& rows = v.list("data", data,
                               "rows with `prompt` (text or messages) or `messages`; and "
                               "`completion` where --lmbda is "
                               "below 1; several are mixed, NAME=WEIGHT in these shares")
                            .path();
    if (data_required) rows.required();
    data_form.visit(v);
    long_rows.visit(v);
    v.text("valid-data", valid_data,
           "jsonl with `prompt` or `messages`, and `answer` to score exact match")
        .path();
    v.integer("valid-samples", valid_samples, "rows of --valid-data that are used", {.min = 1});
    chat.visit(v);
    loss.visit(v);
    v.number("lmbda", lmbda,
             "share of steps on the student's own completions; the others use the "
             "given completions",
             {.min = 0, .max = 1});
    v.option("ce-weight")
        .not_with("lmbda 1",
                  {.reason = "no step has given completions",
                   .hint = "cross-entropy on the student's own completions would teach it its own "
                           "mistakes"});
    v.option("hidden-weight")
        .not_with("teacher-cache",
                  {.reason = "a cache keeps no outputs of the teacher's layers",
                   .hint = "without --teacher-cache the teacher runs beside the student"});
    reward.visit(v);
    v.group("Completions");
    v.integer("max-completion-length", max_completion_length, "most tokens of a completion",
              {.min = 1});
    v.integer("num-generations", num_generations, "completions per prompt", {.min = 1});
    v.integer("generation-batch", generation_batch, "completions written side by side", {.min = 1});
    sampling.visit(v);
    completions.visit(v);
    trainable.visit(v);
    training.visit(v);
    sharding.visit(v);
    v.option("tensor-parallel-size")
        .not_with(
            "teacher-mix",
            {.reason = "the teacher draws too, with all of its layers on a rank", .hint = ""});
    v.choice("on-collapse", on_collapse,
             {{"warn", OnCollapse::warn},
              {"stop", OnCollapse::stop},
              {"rollback", OnCollapse::rollback}},
             "when completions run into their limit, no longer end, repeat themselves or lose the "
             "teacher's overlap over 10 steps; rollback ends the run with the newest checkpoint "
             "from before");
    v.choice("on-too-little-memory", on_too_little_memory,
             {{"refuse", OnTooLittleMemory::refuse}, {"warn", OnTooLittleMemory::warn}},
             "when the plan of memory, an estimate, is more than is free");
    machine.visit(v);
    policy.visit(v);
    run.visit(v);
  }
};

}  // namespace alambic

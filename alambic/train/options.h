// Options that every kind of training shares. Torch-free: the command line parses them.
#pragma once

#include <string>

#include "alambic/options/options.h"
#include "alambic/train/schedule.h"

namespace alambic {

/// Steps of a run that is given neither steps nor epochs.
inline constexpr int64_t default_steps = 100;

struct TrainingOptions {
  double learning_rate = 1e-5;
  ScheduleShape lr_schedule = ScheduleShape::cosine;
  int64_t warmup_steps = 0;
  double min_lr_ratio = 0;
  double weight_decay = 0;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1;
  int64_t max_steps = 0;  ///< 0: as `epochs` says, or default_steps
  double epochs = 0;      ///< 0: not limited by them
  double max_seconds = 0;
  int64_t batch_size = 16;
  int64_t micro_batch_size = 0;
  bool activation_checkpointing = false;
  int64_t seed = 0;
  int64_t valid_every = 0;
  int64_t save_every = 0;
  int64_t keep_checkpoints = 2;
  bool load_best = false;
  std::string best_metric;  ///< "": the first of best_metrics that a validation has
  int64_t early_stopping = 0;

  void visit(OptionVisitor& v) {
    v.group("Training");
    v.integer("max-steps", max_steps,
              "optimizer steps; 0: as many as --epochs makes, or 100 without it", {.min = 0});
    v.number("epochs", epochs,
             "passes over the data; --max-steps wins where both are given; 0: no limit", {.min = 0})
        .formerly("num-train-epochs");
    v.number("max-seconds", max_seconds,
             "stop after this wall-clock time; the schedule then follows time; 0: no limit",
             {.min = 0});
    v.integer("batch-size", batch_size, "prompts, examples or text windows per step", {.min = 1});
    v.integer("micro-batch-size", micro_batch_size,
              "sequences per forward and backward pass; gradients accumulate over the step; "
              "0: all at once",
              {.min = 0});
    v.flag("activation-checkpointing", activation_checkpointing,
           "keep only the input of each layer for the backward pass, which runs the layers again: "
           "the same gradients in less memory, for about a third more time");
    v.number("learning-rate", learning_rate, "peak learning rate of AdamW", {.min = 0});
    v.choice("lr-schedule", lr_schedule,
             {{"cosine", ScheduleShape::cosine},
              {"linear", ScheduleShape::linear},
              {"constant", ScheduleShape::constant}},
             "how the learning rate falls after the warm-up");
    v.integer("warmup-steps", warmup_steps, "steps over which the learning rate rises", {.min = 0});
    v.number("min-lr-ratio", min_lr_ratio, "share of the peak learning rate left at the end",
             {.min = 0, .max = 1});
    v.number("weight-decay", weight_decay, "decoupled weight decay of matrices", {.min = 0});
    v.number("adam-beta1", adam_beta1, "decay of the gradient's mean", {.min = 0, .max = 0.999999});
    v.number("adam-beta2", adam_beta2, "decay of the gradient's square",
             {.min = 0, .max = 0.999999});
    v.number("adam-epsilon", adam_epsilon, "added to the root of the square", {.min = 0});
    v.number("max-grad-norm", max_grad_norm, "gradients are scaled down to this norm; 0: never",
             {.min = 0});
    v.integer("seed", seed, "every random draw follows from it", {.min = 0});
    v.integer("valid-every", valid_every, "steps between validations; 0: only at the end",
              {.min = 0});
    v.integer("save-every", save_every, "steps between checkpoints; 0: only when stopped early",
              {.min = 0});
    v.integer("keep-checkpoints", keep_checkpoints, "newest checkpoints that are kept", {.min = 1});
    v.flag("load-best", load_best,
           "end with the weights of the best validation, not with the last ones")
        .formerly("load-best-model-at-end")
        .only_with("valid-data")
        .only_with("valid-every",
                   {.reason = "without it the only validation is that of the last weights"});
    v.integer("early-stopping", early_stopping,
              "end after so many validations in a row without a better one; 0: never", {.min = 0})
        .only_with("valid-data")
        .only_with("valid-every",
                   {.reason = "without it the only validation is that of the last weights"});
    v.text("best-metric", best_metric,
           "figure that says which validation is the best, for example valid_exact_match; without "
           "it valid_loss, or of distill valid_reverse_kl, or else valid_exact_match")
        .formerly("metric-for-best-model")
        .only_with("load-best or early-stopping");
  }
};

}  // namespace alambic

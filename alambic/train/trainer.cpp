#include "alambic/train/trainer.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/log.h"
#include "alambic/base/stopwatch.h"
#include "alambic/dist/layer_weights.h"
#include "alambic/nn/recompute.h"
#include "alambic/tensor/device.h"
#include "alambic/train/best_weights.h"
#include "alambic/train/rank_exchange.h"
#include "alambic/train/router_watch.h"
#include "alambic/train/schedule.h"
#include "alambic/train/stop_signal.h"

namespace alambic {

namespace {

double peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return 1024.0 * static_cast<double>(usage.ru_maxrss);
}

double total_seconds(const Metrics& phases) {
  double total = 0;
  for (const auto& [name, seconds] : phases) total += seconds;
  return total;
}

struct Run {
  const TrainingOptions& options;
  const TrainerParts& parts;
  AdamW optimizer;
  Schedule schedule;
  RouterWatch routers;
  const at::Device device;
  BestWeights best;
  int64_t step = 0;    // finished
  double seconds = 0;  // training time
  int failures = 0;    // steps in a row that were not finite
  LogHead log;         // where the log stood at the checkpoint that a resumed run goes on from

  Run(const TrainingOptions& options, const TrainerParts& parts)
      : options(options),
        parts(parts),
        optimizer(parts.student,
                  {.beta1 = options.adam_beta1,
                   .beta2 = options.adam_beta2,
                   .epsilon = options.adam_epsilon,
                   .weight_decay = options.weight_decay},
                  parts.task.extra_parameters(), parts.world, parts.layers),
        schedule{.peak = options.learning_rate,
                 .shape = options.lr_schedule,
                 .warmup = static_cast<double>(options.warmup_steps),
                 .floor_ratio = options.min_lr_ratio},
        routers(parts.student),
        device(parts.student.options().device()),
        best(options, parts.checkpoints, *parts.world) {
    check(options.max_steps > 0, "a run of {} steps", options.max_steps);
  }

  bool time_is_up() const { return options.max_seconds > 0 && seconds >= options.max_seconds; }
  bool ended() const {
    return step >= options.max_steps || time_is_up() || best.patience_is_over();
  }

  double learning_rate() const {
    const auto total = static_cast<double>(options.max_steps);
    double progress = static_cast<double>(step) / total;
    if (options.max_seconds > 0) progress = std::max(progress, seconds / options.max_seconds);
    return schedule.rate(static_cast<double>(step), progress, schedule.warmup / total);
  }

  void enter(const std::string& phase) const {
    if (parts.on_phase) parts.on_phase(step, phase);
  }

  // One optimizer step; returns its row of figures.
  Metrics advance() {
    Stopwatch watch;
    reset_peak_memory(device);
    routers.start();
    const double waited = parts.world->waited();
    StepReport report = parts.task.forward_backward(step, [&](const std::string& phase) {
      parts.recorder.phase(step, phase);
      enter(phase);
    });
    enter("update");
    add_ranks(*parts.world, parts.world->waited() - waited, report);
    const Metrics balance = routers.finish(*parts.world);
    report.extra.insert(report.extra.end(), balance.begin(), balance.end());
    sum_gradients(*parts.world, optimizer);
    const double norm = optimizer.gradient_norm();
    const double rate = learning_rate();
    const bool finite = std::isfinite(report.loss) && std::isfinite(norm);
    if (finite) {
      const bool clip = options.max_grad_norm > 0 && norm > options.max_grad_norm;
      optimizer.step(rate, clip ? options.max_grad_norm / norm : 1);
      failures = 0;
    } else {
      skip(report.loss, norm);
    }
    synchronize(device);
    const double elapsed = parts.world->from_first(watch.seconds(), "comparing times");
    seconds += elapsed;
    ++step;
    for (const auto& sample : report.samples) parts.recorder.sample(sample);
    return row(report, norm, rate, elapsed);
  }

  // The same; nothing where the step cannot be made for now and the run has been saved as it was
  // before it: a server that is gone, a budget that is spent. `rests`: the step before was one to
  // save after.
  std::optional<Metrics> advance_or_stop(bool rests) {
    try {
      return advance();
    } catch (const Error& error) {
      // Of several ranks the others wait for this one: they end with it.
      if (error.exit() != Exit::stopped || !parts.world->alone()) throw;
      say_error(error.what(), error.hint());
      optimizer.clear_gradients();
      if (step > 0 && rests) save();
      return {};
    }
  }

  void skip(double loss, double norm) {
    optimizer.clear_gradients();
    warn("step {}: loss {} and gradient norm {} are not both finite; the weights keep their values",
         step + 1, loss, norm);
    if (++failures == 3) {
      throw input_error(
          "three steps in a row up to step {} had a loss or gradient that is not finite", step + 1)
          .with_hint("lower --learning-rate, or check the model's weights with `alambic info`");
    }
  }

  Metrics row(const StepReport& report, double norm, double rate, double elapsed) const {
    Metrics row = {{"step", static_cast<double>(step)}, {"loss", report.loss}};
    for (const auto& [name, mean] : report.means) row.emplace_back(name, mean);
    row.emplace_back("grad_norm", norm);
    row.emplace_back("learning_rate", rate);
    row.emplace_back("tokens", static_cast<double>(report.tokens));
    row.insert(row.end(), report.extra.begin(), report.extra.end());
    row.insert(row.end(), report.seconds.begin(), report.seconds.end());
    row.emplace_back("update_seconds", std::max(0.0, elapsed - total_seconds(report.seconds)));
    for (const auto& [name, spent] : report.seconds) {
      const std::string phase = name.substr(0, name.find("_seconds"));
      row.emplace_back(phase + "_tokens_per_second", static_cast<double>(report.tokens) / spent);
    }
    row.emplace_back("tokens_per_second", static_cast<double>(report.tokens) / elapsed);
    row.emplace_back("peak_memory_bytes", peak_memory_bytes());
    if (!device.is_cpu()) row.emplace_back("device_peak_memory_bytes", peak_memory(device));
    row.emplace_back("seconds", seconds);
    return row;
  }

  Metrics validate() const {
    enter("validate");
    LayerWeights* layers = parts.layers.get();
    const bool divided = static_cast<bool>(parts.write_validation);
    if (divided) parts.write_validation();
    const HeldWeights whole(divided ? nullptr : layers);
    const WithWeights scope(divided ? layers : nullptr);
    std::vector<LayerWeights*> read = parts.read_layers;
    if (divided) read.push_back(layers);
    return figures_of_first(*parts.world, read, "waiting for rank 0's validation",
                            [&] { return parts.validate(step); });
  }

  void save() const {
    save_checkpoint(
        parts.checkpoints, optimizer,
        {.step = step, .seconds = seconds, .best = best.so_far(), .log = parts.recorder.log_head()},
        options.keep_checkpoints, [this] { enter("save"); });
    parts.recorder.saved(step);
  }
};

bool due(int64_t step, int64_t every) { return every > 0 && step % every == 0; }

double step_of(const Metrics& row) {
  for (const auto& [name, value] : row) {
    if (name == "step") return value;
  }
  return 0;
}

// The sign for which the run must end, if any.
std::optional<CollapseSign> look_for_collapse(const TrainerParts& parts, const Metrics& row) {
  if (parts.watch == nullptr) return {};
  std::optional<CollapseSign> last;
  for (const CollapseSign& sign : parts.watch->see(row)) {
    warn("step {:.0f}: {}", step_of(row), sign.text);
    last = sign;
  }
  return parts.on_collapse == OnCollapse::warn ? std::nullopt : last;
}

void go_back(Run& run, const CollapseSign& sign) {
  const int64_t before = std::max<int64_t>(sign.since - 1, 0);
  const std::string stop = fmt::format("stopped after step {}: {}", run.step, sign.text);
  std::optional<TrainingState> state;
  try {
    run.parts.world->wait_for_all("going back to a checkpoint");
    state = load_checkpoint(run.parts.checkpoints, run.optimizer, before);
  } catch (const Error& error) {
    throw Error(error.exit(), fmt::format("{}; cannot go back: {}", stop, error.what()),
                "--resume --on-collapse warn goes on all the same");
  }
  if (!state) {
    throw Error(
        Exit::refused,
        fmt::format("{}; no checkpoint of step {} or before is left to go back to", stop, before),
        "--save-every and --keep-checkpoints keep more of them");
  }
  say("back to the weights after step {}", state->step);
  run.step = state->step;
}

// Continues from the newest checkpoint; a run that ended before its first begins again.
void resume_run(Run& run) {
  const auto state = load_checkpoint(run.parts.checkpoints, run.optimizer);
  run.parts.world->require_equal(fmt::format("step {}", state ? state->step : 0),
                                 "newest checkpoints");
  if (!state) {
    say("no checkpoint was written yet: the run begins again with step 1");
    return;
  }
  run.step = state->step;
  run.seconds = state->seconds;
  run.best.go_on_from(state->best);
  run.log = state->log;
  say("resuming after step {}", run.step);
  if (run.parts.watch == nullptr) return;
  for (const Metrics& row : run.parts.history) {
    if (step_of(row) <= static_cast<double>(run.step)) run.parts.watch->see(row);
  }
}

}  // namespace

TrainingResult train(const TrainingOptions& options, const TrainerParts& parts, bool resume) {
  Run run(options, parts);
  if (resume) resume_run(run);
  parts.recorder.plan(options.max_steps);
  parts.recorder.begin(resume ? std::optional(run.step) : std::nullopt);
  if (run.log.lines > 0) parts.recorder.check_log(run.log);
  const StopSignal signal;
  Metrics validation;
  std::optional<CollapseSign> sign;
  bool save_due = false, rests = true, asked = false;
  while (!run.ended() && !(sign && rests)) {
    parts.task.rest_after_next(asked || sign || due(run.step + 1, options.save_every) ||
                               run.step + 1 == options.max_steps);
    const std::optional<Metrics> advanced = run.advance_or_stop(rests);
    if (!advanced) {
      parts.recorder.end();
      return {.steps = run.step, .seconds = run.seconds, .stopped = true};
    }
    Metrics row = *advanced;
    rests = parts.task.can_checkpoint_after(run.step);
    asked = parts.world->sum(int64_t{signal.requested()}, "looking for a signal") > 0;
    const bool stopping = asked && rests;
    // A resumed run goes on after this step and would never make up for its validation.
    const bool validates = !stopping || run.best.watches();
    if (parts.validate && validates && (due(run.step, options.valid_every) || run.ended())) {
      parts.recorder.phase(run.step, "validate");
      validation = run.validate();
      row.insert(row.end(), validation.begin(), validation.end());
      run.best.see(run.step, validation, run.optimizer);
    }
    parts.recorder.step(row);
    if (!sign) sign = look_for_collapse(parts, row);
    if (stopping && !run.ended() && !sign) {
      parts.recorder.end();
      run.save();
      return {.steps = run.step, .seconds = run.seconds, .stopped = true};
    }
    save_due |= due(run.step, options.save_every);
    if (!save_due || !rests) continue;
    run.save();
    save_due = false;
  }
  parts.recorder.end();
  if (sign && parts.on_collapse == OnCollapse::stop && rests) run.save();
  if (sign && parts.on_collapse == OnCollapse::rollback) {
    go_back(run, *sign);
    if (parts.validate) validation = run.validate();
  } else if (const auto better = run.best.load(run.optimizer)) {
    validation = *better;
  }
  return {.steps = run.step,
          .seconds = run.seconds,
          .collapse = sign ? sign->text : "",
          .validation = validation};
}

}  // namespace alambic

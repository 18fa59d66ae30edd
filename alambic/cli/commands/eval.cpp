#include "alambic/cli/commands/eval_options.h"

#include <cstdio>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/base/progress.h"
#include "alambic/jobs/evaluation.h"
#include "alambic/text/dataset.h"

namespace alambic {

namespace {

void check_text_effects(const EvalOptions& options) {
  if (!options.out.empty()) {
    throw input_error("--out has no effect: {} holds text, not prompts", options.data);
  }
  if (!options.teacher.empty()) {
    throw input_error("--teacher has no effect: {} holds text, not prompts", options.data);
  }
  if (!options.chat.file.empty()) {
    throw input_error("--chat-template has no effect: {} holds text", options.data);
  }
}

Metrics task_figures(const EvalOptions& options, const Pretrained& loaded,
                     const LoadOptions& load) {
  TaskEvaluation task{
      .model = options.model,
      .data = options.data,
      .chat = options.chat,
      .limit = options.limit,
      .engine = {.batch = options.batch, .seed = static_cast<uint64_t>(options.seed)},
      .completions_file = options.out,
      .teacher = options.teacher,
      .load_teacher = load};
  task.engine.sampling.temperature = options.temperature;
  task.engine.sampling.max_new_tokens = options.max_new_tokens;
  std::optional<Progress> progress;
  return evaluate_task(loaded, task, [&](const EngineProgress& done, int64_t completions) {
    if (!progress) progress.emplace("eval", completions);
    progress->update(done.completions_done, "generate", fmt::format("{} tokens", done.tokens));
    if (done.completions_done == completions) progress->finish();
  });
}

}  // namespace

int run(const EvalOptions& options) {
  const bool text = holds_text(options.data);
  if (text) check_text_effects(options);
  const LoadOptions load = prepare_machine(options.machine);
  LoadOptions load_adapted = load;
  load_adapted.adapter = options.adapter;
  const Pretrained loaded = from_pretrained(options.model, load_adapted);
  const Metrics figures = text ? evaluate_text(loaded, options.data, options.sequence_length)
                               : task_figures(options, loaded, load);
  if (options.json) {
    Json json;
    for (const auto& [name, value] : figures) json[name] = value;
    std::puts(json.dump().c_str());
    return 0;
  }
  for (const auto& [name, value] : figures) std::printf("%-16s %.6g\n", name.c_str(), value);
  return 0;
}

}  // namespace alambic

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/cli/commands/check_options.h"
#include "alambic/jobs/distill_checks.h"
#include "alambic/jobs/distill_setup.h"
#include "alambic/jobs/preflight/preflight.h"
#include "alambic/jobs/student.h"
#include "alambic/jobs/teacher_completions.h"
#include "alambic/jobs/teacher_pool.h"
#include "alambic/train/distillation.h"

namespace alambic {

namespace {

constexpr size_t sample_rows = 4;

void add(Findings& all, Findings more) {
  for (Finding& finding : more) all.push_back(std::move(finding));
}

Finding time_of(const StepReport& report, double share, int64_t prompts) {
  double seconds = 0;
  std::vector<std::string> phases;
  for (const auto& [name, value] : report.seconds) {
    seconds += value;
    phases.push_back(fmt::format("{} {:.2g} s", name, value));
  }
  return {Level::good, "time",
          fmt::format("a step takes at most about {:.2g} s: one of {} prompts took {:.2g} s ({})",
                      seconds * share, prompts, seconds, fmt::join(phases, ", ")),
          ""};
}

Finding first_batch(const StepReport& report) {
  constexpr std::pair<const char*, const char*> figures[] = {
      {"reverse_kl", "reverse KL"},
      {"forward_kl", "forward KL"},
      {"topk_reverse_kl", "reverse KL over top K and tail"},
      {"topk_forward_kl", "forward KL over top K and tail"},
      {"sampled_reverse_kl", "reverse KL of the drawn tokens"},
      {"cross_entropy", "cross-entropy"}};
  std::vector<std::string> facts;
  for (const auto& [name, words] : figures) {
    const auto mean = report.means.find(name);
    if (mean != report.means.end()) facts.push_back(fmt::format("{} {:.3g}", words, mean->second));
  }
  bool agree = true;
  if (const auto share = report.means.find("agreement"); share != report.means.end()) {
    agree = share->second > 0.02;
    facts.push_back(fmt::format("same most likely token {:.0f} %", 100 * share->second));
  }
  for (const auto& [name, value] : report.extra) {
    if (name == "reward") facts.push_back(fmt::format("mean score {:.3g}", value));
    if (name == "eos_share") {
      facts.push_back(fmt::format("{:.0f} % of completions end by EOS", 100 * value));
    }
  }
  return {
      agree ? Level::good : Level::warning, "first batch", join(facts),
      agree ? "" : "the student is far from the teacher: train it on text or completions first"};
}

// One small step of the run itself; the weights stay as they are.
Findings measure(DistillOptions options, const MetaModels& models, const LoadOptions& load) {
  options.teachers.cache.clear();  // a check writes nothing
  options.completions.file.clear();
  const int64_t batch = options.training.batch_size;
  Pretrained student = load_student(options.student, load, options.trainable,
                                    static_cast<uint64_t>(options.training.seed));
  const TeacherPool pool(grading_teachers(options), options.loss, student, options.student, load);
  options.lmbda = options.lmbda > 0 ? 1 : 0;
  std::vector<Example> rows = models.rows;
  models.chats.add_end_of_turn(student.tokenizer, student.stop_tokens);
  rows.resize(std::min(rows.size(), sample_rows));
  const int64_t positions = std::min(student.model->shape().positions, pool.positions());
  auto examples = tokenize(rows, student.tokenizer, positions, options.data);
  if (options.lmbda == 0 && options.completions.by_teacher()) {
    fill_completions(options, student, rows, positions, load, examples);
  }
  options.training.batch_size = std::min(batch, std::ssize(rows));
  const auto task = distillation_task(
      *student.model,
      pool.over({.examples = rows,
                 .tokenized = examples,
                 .file = options.data,
                 .max_completion = options.lmbda > 0 ? options.max_completion_length : 0}),
      examples, student.tokenizer, distillation_settings(options, student, pool, rows),
      load_auxiliary_models(options, student, rows, load));
  const StepReport report = task->forward_backward(0, [](const std::string&) {});
  const auto prompts = options.training.batch_size;
  return {time_of(report, static_cast<double>(batch) / static_cast<double>(prompts), prompts),
          first_batch(report)};
}

}  // namespace

int run(const CheckOptions& options) {
  check_options(options);
  const LoadOptions load = prepare_machine(options.machine);
  const double available = available_memory(load.device);
  const MetaModels models(options, load);
  Findings findings = check_vocabularies(models);
  add(findings, check_forms(models));
  findings.push_back(check_sampling(options));
  add(findings, check_data(options, models));
  findings.push_back(check_memory(options, memory_plan(options, models, load), available));
  if (verdict(findings) != Level::refused) add(findings, measure(options, models, load));
  std::fputs(options.json ? (json_of(findings).dump(2) + "\n").c_str() : table(findings).c_str(),
             stdout);
  return static_cast<int>(verdict(findings) == Level::refused ? Exit::refused : Exit::done);
}

}  // namespace alambic

#include "alambic/jobs/preflight/remote_cost.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/units.h"
#include "alambic/jobs/run_length.h"
#include "alambic/text/chat/chat_tokens.h"

namespace alambic {
namespace {

constexpr size_t rows_read = 256;  // enough for a mean

struct Lengths {
  double prompt = 0, completion = 0;
};

// Mean tokens of a row.
Lengths mean_lengths(const DistillPlan& plan) {
  const Tokenizer& tokenizer = plan.student.model.tokenizer;
  const bool given = plan.options.lmbda < 1 && !plan.options.completions.by_teacher();
  Lengths lengths;
  const Examples some = plan.rows.limit(rows_read);
  for (const Example row : some) {
    lengths.prompt += static_cast<double>(prompt_ids(tokenizer, row).size());
    if (given) lengths.completion += static_cast<double>(completion_ids(tokenizer, row).size());
  }
  const auto count = static_cast<double>(std::max<size_t>(1, some.size()));
  lengths.prompt /= count;
  lengths.completion /= count;
  if (!given) lengths.completion = static_cast<double>(plan.options.max_completion_length);
  return lengths;
}

int64_t servers_a_row(const DistillPlan& plan) {
  const int64_t far = std::ranges::count_if(
      plan.teachers, [](const PlannedTeacher& teacher) { return teacher.endpoint.has_value(); });
  return plan.averaged ? far : std::min<int64_t>(1, far);
}

}  // namespace

Usage expected_usage(const DistillPlan& plan) {
  const DistillOptions& options = plan.options;
  const auto rows = static_cast<double>(plan.rows.size());
  const TrainingOptions training = with_steps(
      options.training, static_cast<int64_t>(plan.rows.size()), options.loss.num_iterations);
  const double batches = std::ceil(static_cast<double>(training.max_steps) /
                                   static_cast<double>(options.loss.num_iterations));
  const double prompts = batches * static_cast<double>(training.batch_size);
  const auto longest = static_cast<double>(options.max_completion_length);
  const Lengths lengths = mean_lengths(plan);
  double input = 0, output = 0;
  if (plan.objective.asks_teachers()) {
    const double own = options.lmbda * prompts * static_cast<double>(options.num_generations);
    // Grades of given completions are kept: none is asked for in a second epoch.
    const double given = std::min((1 - options.lmbda) * prompts, rows);
    input = own * (lengths.prompt + longest) + given * (lengths.prompt + lengths.completion);
    output = own + given;
  }
  if (options.completions.by_teacher() && options.lmbda < 1) {
    input += rows * lengths.prompt;
    output += rows * longest;
  }
  const auto servers = static_cast<double>(servers_a_row(plan));
  return {.input_tokens = std::llround(servers * input),
          .output_tokens = std::llround(servers * output)};
}

std::optional<Finding> check_cost(const DistillPlan& plan) {
  if (servers_a_row(plan) == 0) return {};
  const RemoteOptions& remote = plan.options.teachers.remote;
  const Usage most = expected_usage(plan);
  const double money = plan.budget->prices().of(most);
  Finding finding{.subject = "cost",
                  .text = fmt::format("servers will read about {} tokens and write {}",
                                      human_count(static_cast<double>(most.input_tokens)),
                                      human_count(static_cast<double>(most.output_tokens)))};
  if (remote.price.empty()) {
    finding.text += "; --teacher-price says what that costs";
  } else {
    finding.text += fmt::format(", for {:.4g} by --teacher-price", money);
  }
  Budget budget = *plan.budget;
  if (!budget.reserve(most)) {
    finding.level = Level::warning;
    finding.text += ", which is more than the budget";
    finding.hint =
        "the run stops before the budget is spent, with exit code 75; --resume with a larger "
        "--teacher-budget or --teacher-budget-tokens goes on";
  }
  return finding;
}

}  // namespace alambic

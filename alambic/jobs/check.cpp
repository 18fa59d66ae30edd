#include "alambic/jobs/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/names.h"
#include "alambic/jobs/distill_setup.h"
#include "alambic/jobs/policy_gate.h"
#include "alambic/jobs/preflight/preflight.h"
#include "alambic/jobs/preflight/remote_cost.h"

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
      {"span_reverse_kl", "reverse KL of the spans"},
      {"piece_reverse_kl", "reverse KL over common strings"},
      {"topk_piece_reverse_kl", "reverse KL over common strings, at least"},
      {"teacher_known_mass", "share of the teacher's mass that its top K say"},
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

// One small step of the run itself; the weights stay as they are and nothing is written.
Findings measure(DistillPlan plan) {
  DistillOptions& options = plan.options;
  options.teachers.cache.clear();
  options.teachers.ranks = 0;  // this process has both models, and all of the student
  options.sharding.tensor_parallel_size = options.sharding.expert_parallel_size = 1;
  options.completions.file.clear();
  options.run.out.clear();  // replies of servers are kept there
  options.lmbda = options.lmbda > 0 ? 1 : 0;
  plan.rows = plan.rows.limit(sample_rows);
  const int64_t batch = options.training.batch_size;
  const int64_t prompts = std::min(batch, static_cast<int64_t>(plan.rows.size()));
  options.training.batch_size = prompts;
  DistillSetup setup(std::move(plan));
  const StepReport report = setup.task()->forward_backward(0, [](const std::string&) {});
  return {time_of(report, static_cast<double>(batch) / static_cast<double>(prompts), prompts),
          first_batch(report)};
}

// A server that stops a run for a while, which is then resumed, ends a check.
Findings measure_now(DistillPlan plan) {
  try {
    return measure(std::move(plan));
  } catch (const Error& error) {
    if (error.exit() != Exit::stopped) throw;
    throw environment_error("{}", error.what())
        .with_hint(
            "a check asks the server for a few rows: it must answer (--teacher-retries 0 asks "
            "once), and "
            "a budget must allow for them");
  }
}

}  // namespace

Findings jobs::check(const DistillOptions& options) {
  ask_policy(options);
  DistillPlan plan(options);
  Findings findings = check_vocabularies(plan);
  add(findings, check_forms(plan));
  findings.push_back(check_sampling(plan));
  add(findings, check_data(plan));
  add(findings, check_memory(plan));
  if (const auto cost = check_cost(plan)) findings.push_back(*cost);
  if (verdict(findings) != Level::refused) add(findings, measure_now(std::move(plan)));
  return findings;
}

}  // namespace alambic

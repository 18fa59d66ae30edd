#include "alambic/eval/agreement.h"

#include <gtest/gtest.h>

#include <map>

#include "alambic/eval/task.h"
#include "alambic/teacher/local.h"
#include "tests/model_fixture.h"

namespace alambic::agreement_test {
namespace {

std::vector<Rollouts> batches(size_t parts) {
  const std::vector<Request> requests = {{{3, 7}, 0}, {{5}, 1}, {{4, 8, 6}, 2}};
  const std::vector<Completion> completions = {{.tokens = {9, 2}, .logp = {0, 0}},
                                               {.tokens = {1, 30, 31, 32}, .logp = {0, 0, 0, 0}},
                                               {.tokens = {6}, .logp = {0}}};
  if (parts == 1) return {to_rollouts(requests, completions, 0, at::kCPU)};
  const std::span some(requests);
  return {to_rollouts(some.first(1), std::span(completions).first(1), 0, at::kCPU),
          to_rollouts(some.subspan(1), std::span(completions).subspan(1), 0, at::kCPU)};
}

std::map<std::string, double> figures(const Metrics& metrics) {
  return {metrics.begin(), metrics.end()};
}

TEST(Agreement, IsPerfectWithItself) {
  const auto student = random_model(small_llama_config());
  const LocalTeacher teacher(random_model(small_llama_config()), 50);
  auto found = figures(agreement(*student, teacher, batches(1)));
  EXPECT_NEAR(found.at("reverse_kl"), 0, 1e-6);
  EXPECT_NEAR(found.at("forward_kl"), 0, 1e-6);
  EXPECT_EQ(found.at("agreement"), 1);
  EXPECT_NEAR(found.at("student_entropy"), found.at("teacher_entropy"), 1e-6);
}

// The mean over tokens, not over batches.
TEST(Agreement, DoesNotDependOnTheBatches) {
  const auto student = random_model(small_llama_config(64));
  const LocalTeacher teacher(random_model(small_gpt2_config(), 2), 50);
  const auto whole = figures(agreement(*student, teacher, batches(1)));
  const auto parts = figures(agreement(*student, teacher, batches(2)));
  EXPECT_GT(whole.at("reverse_kl"), 0.1);
  for (const auto& [name, value] : whole) EXPECT_NEAR(parts.at(name), value, 1e-5) << name;
}

// Completions come back in the order in which they end when nobody sorts them.
TEST(RunTask, KeepsTheOrderOfTheExamples) {
  const Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(ALAMBIC_SOURCE_DIR) /
                                              "recipes/word_problems/tokenizer");
  const auto model = random_model(small_llama_config(tokenizer.size()), 4);
  std::vector<Example> examples;
  for (int i = 0; i < 9; ++i) examples.push_back({.prompt = std::to_string(i * 111)});
  EngineOptions options{.stop_tokens = {0, 5, 6, 7}, .vocabulary = tokenizer.size(), .batch = 3};
  options.sampling.temperature = 0;
  options.sampling.max_new_tokens = 12;
  const TaskResult together = run_task(*model, tokenizer, examples, options);
  ASSERT_EQ(together.completions.size(), examples.size());
  for (size_t i = 0; i < examples.size(); ++i) {
    EXPECT_EQ(run_task(*model, tokenizer, {examples[i]}, options).completions.at(0),
              together.completions[i])
        << i;
  }
  EXPECT_FALSE(together.exact_match);
  EXPECT_FALSE(together.rouge_l);
  EXPECT_GT(together.tokens, 0);
}

// Examples without a completion count neither as right nor as wrong.
TEST(RunTask, ScoresTheExamplesThatCanBeScored) {
  const Tokenizer tokenizer = Tokenizer::load(std::filesystem::path(ALAMBIC_SOURCE_DIR) /
                                              "recipes/word_problems/tokenizer");
  const auto model = random_model(small_llama_config(tokenizer.size()), 4);
  EngineOptions options{.vocabulary = tokenizer.size()};
  options.sampling.temperature = 0;
  options.sampling.max_new_tokens = 4;
  const std::string written =
      run_task(*model, tokenizer, {{.prompt = "1"}}, options).completions.at(0);
  const TaskResult result = run_task(*model, tokenizer,
                                     {{.prompt = "1", .completion = written, .answers = {"77"}},
                                      {.prompt = "1"},
                                      {.prompt = "1", .completion = "zzz"}},
                                     options);
  EXPECT_EQ(result.exact_match, 0);
  ASSERT_TRUE(result.rouge_l);
  EXPECT_LE(*result.rouge_l, 0.5);
}

}  // namespace
}  // namespace alambic::agreement_test

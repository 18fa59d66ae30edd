#include "alambic/train/next_token.h"

#include "alambic/base/error.h"
#include "alambic/objective/cross_entropy.h"
#include "tests/golden.h"
#include "tests/train/task_fixture.h"

namespace alambic::next_token_test {
namespace {

std::vector<int64_t> numbers(const Tensor& tensor) {
  const Tensor values = tensor.contiguous();
  return {values.data_ptr<int64_t>(), values.data_ptr<int64_t>() + values.numel()};
}

using Numbers = std::vector<int64_t>;

// Off by one, or a graded prompt, trains a model to write the questions.
TEST(CompletionBatch, GradesTheCompletionAndNeverThePrompt) {
  const std::vector<TokenizedExample> rows = {
      {.prompt = {11, 12, 13}, .completion = {{21, 22}}},
      {.prompt = {14}, .completion = {{23}}},
  };
  const TokenBatch batch = completion_batch(rows, at::kCPU);
  EXPECT_EQ(numbers(batch.input.tokens_N), (Numbers{11, 12, 13, 21, 14}));
  EXPECT_EQ(batch.input.offsets, (Numbers{0, 4, 5}));
  EXPECT_EQ(numbers(batch.loss_positions_M), (Numbers{2, 3, 4}));
  EXPECT_EQ(numbers(batch.targets_M), (Numbers{21, 22, 23}));
}

// The user's second message in a conversation is read, not learned.
TEST(CompletionBatch, LeavesOutWhatIsNotLearned) {
  const std::vector<TokenizedExample> rows = {
      {.prompt = {11, 12}, .completion = {{21, 22, 31, 23}}, .learned = {true, true, false, true}}};
  const TokenBatch batch = completion_batch(rows, at::kCPU);
  EXPECT_EQ(numbers(batch.input.tokens_N), (Numbers{11, 12, 21, 22, 31}));
  EXPECT_EQ(numbers(batch.loss_positions_M), (Numbers{1, 2, 4}));
  EXPECT_EQ(numbers(batch.targets_M), (Numbers{21, 22, 23}));
}

// Tokens before the first completion are the prompt, and what follows the last one is cut off.
TEST(TokenizeExamples, LearnsEveryCompletionOfAConversation) {
  const Tokenizer tokenizer = recipe_tokenizer();
  RowFit fit{.positions = 64};
  auto chat = std::make_shared<Chat>();
  chat->written.texts = {
      {.text = "12<|endoftext|>34<|endoftext|>\n", .learned = {{1, 15}, {16, 31}}}};
  const TokenizedExample row = tokenize({{.chat = chat}}, tokenizer, fit).front();
  EXPECT_EQ(row.prompt, tokenizer.encode("1", false));
  EXPECT_EQ(row.completion, tokenizer.encode("2<|endoftext|>34<|endoftext|>", false));
  EXPECT_EQ(row.learned, (std::vector<bool>{true, true, false, true, true}));
}

TEST(WindowBatch, GradesEveryPositionsNextToken) {
  const TokenBatch batch = window_batch({{0, 10, 20, 30}, {30, 40, 50, 60}}, at::kCPU);
  EXPECT_EQ(numbers(batch.input.tokens_N), (Numbers{0, 10, 20, 30, 40, 50}));
  EXPECT_EQ(batch.input.offsets, (Numbers{0, 3, 6}));
  EXPECT_EQ(numbers(batch.loss_positions_M), (Numbers{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(numbers(batch.targets_M), (Numbers{10, 20, 30, 40, 50, 60}));
}

// Attention across a boundary, or positions that run on, changes the loss of a packed batch.
TEST(CompletionBatch, HasTheLossOfEachSequenceAlone) {
  const auto model = random_model(small_llama_config());
  const std::vector<TokenizedExample> rows = make_examples(7);
  const TokenBatch packed = completion_batch(rows, at::kCPU);
  double sum = 0;
  for (const TokenizedExample& row : rows) {
    const TokenBatch alone = completion_batch({row}, at::kCPU);
    // A definition of its own: log-softmax of the whole logits.
    const Tensor logits_NV =
        at::linear(model->hidden(Pass(alone.input)), model->head().weight_VD.dense());
    const Tensor logp_MV = at::log_softmax(logits_NV.index_select(0, alone.loss_positions_M), -1);
    sum -= logp_MV.gather(1, alone.targets_M.unsqueeze(1)).sum().item<double>();
  }
  EXPECT_NEAR(mean_cross_entropy(*model, {packed}, 50), sum / packed.targets_M.numel(), 1e-6);
}

std::unique_ptr<TrainingTask> task_of(Model& model, int64_t micro_batch_size, bool windows) {
  const BatchOptions options{.batch_size = 7, .micro_batch_size = micro_batch_size, .seed = 4};
  std::vector<int32_t> text;
  for (const TokenizedExample& row : make_examples(40)) {
    text.insert(text.end(), row.prompt.begin(), row.prompt.end());
  }
  return next_token_task(model,
                         windows ? windows_source({{TokenSpool(text)}}, 9, options)
                                 : examples_source(make_examples(10), options),
                         {.vocabulary = 50});
}

// Dividing by the micro-batch's tokens weighs short sequences more. In float64, so that only
// rounding far below any such mistake is forgiven; float32 sums in another order by 2e-6.
TEST(NextTokenTask, HasTheSameGradientsInMicroBatches) {
  for (const bool windows : {false, true}) {
    const auto model = trainable_model(1, 1.5, at::kDouble);
    const StepReport whole = task_of(*model, 0, windows)->forward_backward(2, [](auto&) {});
    const Tensor expected = gradients_of(*model);
    for (const int64_t size : {1, 3, 7, 100}) {
      const auto other = trainable_model(1, 1.5, at::kDouble);
      const StepReport parts = task_of(*other, size, windows)->forward_backward(2, [](auto&) {});
      EXPECT_EQ(parts.tokens, whole.tokens);
      EXPECT_NEAR(parts.loss, whole.loss, 1e-12) << size;
      EXPECT_LT(relative_distance(gradients_of(*other), expected), 1e-12) << size;
    }
  }
}

TEST(NextTokenTask, ReportsTheMeanOverTheGradedTokens) {
  const auto model = trainable_model();
  const BatchOptions options{.batch_size = 5, .seed = 4};
  const double expected =
      mean_cross_entropy(*model, examples_source(make_examples(10), options)->step(3), 50);
  const StepReport report =
      next_token_task(*model, examples_source(make_examples(10), options), {.vocabulary = 50})
          ->forward_backward(3, [](auto&) {});
  EXPECT_NEAR(report.loss, expected, 1e-6);
}

// Windows draw from everything that has a next token, the very last place included.
TEST(WindowsSource, ReachesBothEndsAndNeedsANextToken) {
  const WeightedText text = {TokenSpool(std::vector<int32_t>{0, 1, 2, 3, 4})};
  const auto source = windows_source({text}, 3, {.batch_size = 40});
  const TokenBatch batch = source->step(0).front();
  EXPECT_EQ(batch.targets_M.max().item<int64_t>(), 4);
  EXPECT_EQ(batch.input.tokens_N.min().item<int64_t>(), 0);
  EXPECT_THROW(windows_source({text}, 5, {}), Error);
  EXPECT_NO_THROW(windows_source({text}, 4, {})->step(0));
}

// An empty completion of a tokenizer without an end token once read before its beginning.
TEST(TokenizeExamples, RefusesWhatCannotBeLearnedByLine) {
  const Tokenizer no_end =
      Tokenizer::load(std::filesystem::path(ALAMBIC_SOURCE_DIR) / "tests/golden/tokenizers/digits");
  ASSERT_FALSE(no_end.eos());
  const auto error_of = [](const Tokenizer& tokenizer, const Example& row, int64_t positions) {
    try {
      RowFit fit{.positions = positions};
      tokenize({row}, tokenizer, fit);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_EQ(error_of(no_end, {.prompt = "1", .completion = "", .place = "rows.jsonl:4"}, 64),
            "rows.jsonl:4: the completion is empty");
  const Tokenizer tokenizer = recipe_tokenizer();
  EXPECT_EQ(error_of(tokenizer, {.prompt = "", .place = "rows.jsonl:2"}, 64),
            "rows.jsonl:2: the prompt is empty");
  EXPECT_NE(
      error_of(tokenizer, {.prompt = "12345678", .place = "rows.jsonl:3"}, 8).find("rows.jsonl:3:"),
      std::string::npos);
  EXPECT_EQ(error_of(tokenizer, {.prompt = "1234567", .place = "rows.jsonl:3"}, 8), "no error");
  EXPECT_NE(
      error_of(tokenizer, {.prompt = "1234", .completion = "5678", .place = "rows.jsonl:3"}, 8)
          .find("rows.jsonl:3:"),
      std::string::npos);  // 8 tokens and the end
  EXPECT_EQ(
      error_of(tokenizer, {.prompt = "1234", .completion = "567", .place = "rows.jsonl:3"}, 8),
      "no error");
}

}  // namespace
}  // namespace alambic::next_token_test

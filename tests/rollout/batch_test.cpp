// Sequences that join and leave a running batch, against generate() of each alone.
#include "alambic/rollout/batch.h"

#include <gtest/gtest.h>

#include <list>

#include "alambic/model/load.h"
#include "alambic/rollout/engine.h"
#include "tests/golden.h"
#include "tests/model_fixture.h"

namespace alambic::batch_test {
namespace {

// A sequence with what it refers to.
struct Asked {
  Request request;
  Sampling sampling;
  RunningSequence sequence;

  Asked(std::vector<int32_t> prompt, uint64_t id, double temperature, int64_t room)
      : request{.prompt = std::move(prompt), .id = id}, sampling{.temperature = temperature} {
    sampling.max_new_tokens = room;
    sequence.request = &request;
    sequence.sampling = &sampling;
    sequence.seed = 11 + id;
    sequence.room = room;
  }
};

std::vector<int32_t> alone(const Model& model, const Asked& asked) {
  return generate(model, {&asked.request, 1},
                  {.sampling = asked.sampling, .seed = asked.sequence.seed})[0]
      .tokens;
}

const Batch::OnDrawn nothing = [](RunningSequence&) {};

void join(Batch& batch, RunningSequence& sequence) {
  RunningSequence* one = &sequence;
  EXPECT_EQ(batch.step({&one, 1}, nothing), 1u);
}

void run_to_the_end(Batch& batch, const Batch::OnDrawn& on_drawn = nothing) {
  while (!batch.running().empty()) batch.step({}, on_drawn);
}

// Prevents: a sequence that joins or leaves changing what others get; draws that depend on when a
// request came; keys lost where the cache grows.
TEST(Batch, SequencesJoinAndLeaveARunningBatch) {
  for (const Json& config : {small_llama_config(), small_gpt2_config()}) {
    const auto model = random_model(config);
    const c10::InferenceMode no_gradients;
    Batch batch(*model, {.slots = 3, .capacity = 4});
    std::list<Asked> asked;
    asked.emplace_back(std::vector<int32_t>{1, 2, 3}, 5, 1.0, 20);
    join(batch, asked.back().sequence);
    batch.step({}, nothing);
    batch.step({}, nothing);
    asked.emplace_back(std::vector<int32_t>{4}, 6, 0.5, 9);
    join(batch, asked.back().sequence);
    asked.emplace_back(std::vector<int32_t>{7, 8, 9, 10, 11}, 7, 0.0, 30);
    join(batch, asked.back().sequence);
    EXPECT_EQ(batch.free_slots(), 0);
    batch.step({}, nothing);
    Asked& left = *std::next(asked.begin());
    batch.leave(left.sequence);
    EXPECT_TRUE(left.sequence.ended);
    asked.emplace_back(std::vector<int32_t>{12, 13}, 8, 1.3, 25);
    join(batch, asked.back().sequence);  // in the slot of the one that left
    run_to_the_end(batch);
    EXPECT_GE(batch.capacity(), 34);
    EXPECT_EQ(batch.cached_tokens(), 0);
    EXPECT_EQ(batch.free_slots(), 3);
    for (const Asked& one : asked) {
      std::vector<int32_t> expected = alone(*model, one);
      if (&one == &left) expected.resize(left.sequence.completion.tokens.size());
      EXPECT_EQ(one.sequence.completion.tokens, expected) << one.request.id;
    }
  }
}

// Prevents: a pass of its own for every prompt that comes while others are written, for which those
// wait: with 16 clients that ask again and again it took a tenth of the server's tokens.
TEST(Batch, NewcomersShareThePassOfThoseThatRun) {
  constexpr int64_t count = 6, room = 12;
  for (const Json& config : {small_llama_config(), small_gpt2_config()}) {
    const auto model = random_model(config);
    const c10::InferenceMode no_gradients;
    Batch batch(*model, {.slots = count, .capacity = 32});
    std::list<Asked> asked;
    for (int32_t id = 0; id < count; ++id) {
      std::vector<int32_t> prompt(static_cast<size_t>(1 + id % 3), 3 + id);
      asked.emplace_back(std::move(prompt), static_cast<uint64_t>(id), 1.0, room);
      join(batch, asked.back().sequence);
    }
    run_to_the_end(batch);
    EXPECT_EQ(batch.passes(), count - 1 + room);
    for (const Asked& each : asked) {
      EXPECT_EQ(each.sequence.completion.tokens, alone(*model, each)) << each.request.id;
    }
  }
}

// Prevents: states of running sequences that a prompt's pass overwrites, in families that do not
// take both in one pass.
TEST(Batch, NewcomersHaveAPassOfTheirOwnWhereMoreIsKept) {
  for (const char* family : {"qwen3_5", "deepseek_v3"}) {
    const auto model = load_model(golden_folder(family), {.frozen = true});
    const c10::InferenceMode no_gradients;
    Batch batch(*model, {.slots = 3, .capacity = 24});
    std::list<Asked> asked;
    for (int32_t id = 0; id < 3; ++id) {
      asked.emplace_back(std::vector<int32_t>{3 + id, 5, 7}, static_cast<uint64_t>(id), 1.0, 8);
      join(batch, asked.back().sequence);
    }
    run_to_the_end(batch);
    for (const Asked& each : asked) {
      EXPECT_EQ(each.sequence.completion.tokens, alone(*model, each)) << each.request.id;
    }
  }
}

// Prevents: a copied prompt that lacks its last entries, or the slot of another sequence.
TEST(Batch, PromptsThatAreAlikeAreReadOnce) {
  for (const Json& config : {small_llama_config(), small_gpt2_config()}) {
    const auto model = random_model(config);
    const c10::InferenceMode no_gradients;
    Batch batch(*model, {.slots = 6, .capacity = 40, .prefill_tokens = 9});
    std::list<Asked> asked;
    const std::vector<int32_t> one = {1, 2, 3, 4}, other = {9, 8, 7};
    for (uint64_t id = 0; id < 6; ++id) asked.emplace_back(id < 3 ? one : other, id, 1.0, 12);
    std::vector<RunningSequence*> all;
    for (Asked& each : asked) all.push_back(&each.sequence);
    EXPECT_EQ(batch.step(all, nothing), 6u);  // 7 tokens in the pass
    run_to_the_end(batch);
    for (const Asked& each : asked) {
      EXPECT_EQ(each.sequence.completion.tokens, alone(*model, each)) << each.request.id;
    }
  }
}

// Bug: completions of a prompt, as many as it has tokens, were drawn one from each token's row.
TEST(Batch, AsManyCompletionsAsTokensAreDrawnFromThePromptsLastRow) {
  const auto model = random_model(small_llama_config());
  const c10::InferenceMode no_gradients;
  for (const uint64_t count : {3, 4, 5}) {
    Batch batch(*model, {.slots = 5, .capacity = 40});
    std::list<Asked> asked;
    for (uint64_t id = 0; id < count; ++id) asked.emplace_back(std::vector{1, 2, 3, 4}, id, 1.0, 3);
    std::vector<RunningSequence*> all;
    for (Asked& each : asked) all.push_back(&each.sequence);
    EXPECT_EQ(batch.step(all, nothing), count);
    run_to_the_end(batch);
    for (const Asked& each : asked) {
      EXPECT_EQ(each.sequence.completion.tokens, alone(*model, each)) << each.request.id;
    }
  }
}

// Prevents: log-probabilities of the tempered or filtered distribution; alternatives of other rows.
TEST(Batch, TellsTheMostLikelyTokensOfEveryDraw) {
  const auto model = random_model(small_llama_config());
  const c10::InferenceMode no_gradients;
  Batch batch(*model, {.slots = 2, .capacity = 32});
  Asked asked({1, 2}, 1, 0.7, 6);
  asked.sampling.top_k = 3;
  asked.sequence.top = 4;
  std::vector<int32_t> tokens = asked.request.prompt;
  const auto on_drawn = [&](RunningSequence& sequence) {
    const Packed input = pack({tokens});
    const Tensor logp_V = at::log_softmax(
        at::linear(model->hidden(Pass(input)), model->head().weight_VD.dense()), -1)[-1];
    const int32_t token = sequence.completion.tokens.back();
    EXPECT_NEAR(sequence.plain_logp, logp_V[token].item<float>(), 1e-5);
    const auto top = logp_V.topk(4);
    ASSERT_EQ(sequence.alternatives.size(), 4u);
    for (int64_t k = 0; k < 4; ++k) {
      EXPECT_EQ(sequence.alternatives[k].first, std::get<1>(top)[k].item<int64_t>());
      EXPECT_NEAR(sequence.alternatives[k].second, std::get<0>(top)[k].item<float>(), 1e-5);
    }
    tokens.push_back(token);
  };
  RunningSequence* one = &asked.sequence;
  batch.step({&one, 1}, on_drawn);
  run_to_the_end(batch, on_drawn);
  EXPECT_EQ(tokens.size(), 8u);
}

// Prevents: one sequence whose logits are not finite ending everybody's.
TEST(Batch, ASequenceThatFailsLeavesAlone) {
  const auto model = random_model(small_llama_config());
  const c10::InferenceMode no_gradients;
  Batch batch(*model, {.slots = 2, .capacity = 32});
  Asked good({1, 2}, 1, 1.0, 4), bad({1, 2}, 2, 1.0, 4);
  bad.sampling.logit_bias = {{3, std::numeric_limits<float>::quiet_NaN()}};
  std::vector<RunningSequence*> both = {&bad.sequence, &good.sequence};
  batch.step(both, nothing);
  run_to_the_end(batch);
  ASSERT_TRUE(bad.sequence.failure.has_value());
  EXPECT_TRUE(bad.sequence.ended);
  EXPECT_NE(std::string(bad.sequence.failure->what()).find("position 2"), std::string::npos);
  EXPECT_FALSE(good.sequence.failure.has_value());
  EXPECT_EQ(good.sequence.completion.tokens, alone(*model, good));
}

}  // namespace
}  // namespace alambic::batch_test

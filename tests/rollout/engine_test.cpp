#include "alambic/rollout/engine.h"

#include <gtest/gtest.h>

#include "alambic/base/error.h"
#include "alambic/rollout/sample.h"
#include "tests/model_fixture.h"

namespace alambic::engine_test {
namespace {

const double nan = std::numeric_limits<double>::quiet_NaN();

// Prompts of 1 to 7 tokens.
std::vector<Request> make_requests(size_t count, int64_t vocabulary = 50) {
  std::vector<Request> requests(count);
  for (size_t r = 0; r < count; ++r) {
    requests[r].id = 100 + r;
    for (uint32_t i = 0; i < 1 + r % 7; ++i) {
      const Draw draw{.seed = 5, .sample = r, .position = i};
      requests[r].prompt.push_back(
          static_cast<int32_t>(uniform_below(draw, static_cast<uint64_t>(vocabulary))));
    }
  }
  return requests;
}

// log_softmax(logits / temperature) of a plain forward without a cache, as a trainer computes it.
Tensor trainer_logp(const Model& model, const std::vector<int32_t>& tokens, double temperature) {
  const Packed input = pack({tokens});
  const Tensor logits = at::linear(model.hidden(Pass(input)), model.head().weight_VD.dense());
  return at::log_softmax(logits / temperature, -1);
}

std::vector<int32_t> whole(const Request& request, const Completion& completion) {
  std::vector<int32_t> tokens = request.prompt;
  tokens.insert(tokens.end(), completion.tokens.begin(), completion.tokens.end());
  return tokens;
}

void expect_equal(const std::vector<Completion>& a, const std::vector<Completion>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t r = 0; r < a.size(); ++r) {
    EXPECT_EQ(a[r].tokens, b[r].tokens) << "request " << r;
    EXPECT_EQ(a[r].ending, b[r].ending) << "request " << r;
    for (size_t i = 0; i < std::min(a[r].logp.size(), b[r].logp.size()); ++i) {
      EXPECT_NEAR(a[r].logp[i], b[r].logp[i], 1e-5) << "request " << r << ", token " << i;
    }
  }
}

std::string error_of(const Model& model, const std::vector<Request>& requests,
                     const EngineOptions& options = {}) {
  try {
    generate(model, requests, options);
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit(), Exit::input);
    EXPECT_NE(error.hint(), "");
    return error.what();
  }
}

struct EachFamily : testing::TestWithParam<Json> {};
INSTANTIATE_TEST_SUITE_P(Families, EachFamily,
                         testing::Values(small_llama_config(), small_gpt2_config()),
                         [](const auto& info) {
                           return info.param["model_type"].template get<std::string>();
                         });

// Wrong positions, a key written to the wrong entry, or a mask off by one in the cached path.
TEST_P(EachFamily, GreedyDecodingFollowsTheForwardWithoutACache) {
  const auto model = random_model(GetParam());
  const std::vector<Request> requests = make_requests(9);
  const std::vector<Completion> completions = generate(
      *model, requests, {.sampling = {.temperature = 0, .max_new_tokens = 40}, .batch = 4});
  for (size_t r = 0; r < requests.size(); ++r) {
    const Tensor logp = trainer_logp(*model, whole(requests[r], completions[r]), 1);
    const auto prompt = std::ssize(requests[r].prompt);
    ASSERT_EQ(completions[r].tokens.size(), 40u);
    for (int64_t i = 0; i < 40; ++i) {
      const Tensor row = logp[prompt + i - 1];
      EXPECT_EQ(row.argmax().item<int64_t>(), completions[r].tokens[i]) << "request " << r;
      EXPECT_NEAR(row.max().item<float>(), completions[r].logp[i], 1e-5) << "request " << r;
    }
  }
}

TEST_P(EachFamily, SampledLogProbabilitiesAreTheTrainers) {
  const auto model = random_model(GetParam());
  const std::vector<Request> requests = make_requests(6);
  for (const double temperature : {1.0, 0.6}) {
    const std::vector<Completion> completions =
        generate(*model, requests,
                 {.sampling = {.temperature = temperature, .top_k = 20, .max_new_tokens = 30}});
    for (size_t r = 0; r < requests.size(); ++r) {
      const Tensor logp = trainer_logp(*model, whole(requests[r], completions[r]), temperature);
      for (int64_t i = 0; i < 30; ++i) {
        const int64_t n = std::ssize(requests[r].prompt) + i - 1;
        EXPECT_NEAR(logp[n][completions[r].tokens[i]].item<float>(), completions[r].logp[i], 1e-5);
      }
    }
  }
}

// A draw that depends on the slot, the row or the batch; a slot that keeps the keys of the sequence
// before; a prefill in which one prompt sees another.
TEST_P(EachFamily, CompletionsDoNotDependOnTheBatch) {
  const auto model = random_model(GetParam());
  const std::vector<Request> requests = make_requests(20);
  EngineOptions options{.sampling = {.max_new_tokens = 25}, .stop_tokens = {3, 7}, .seed = 9};
  options.batch = 1;
  const std::vector<Completion> alone = generate(*model, requests, options);
  for (const int64_t batch : {3, 64}) {
    options.batch = batch;
    expect_equal(alone, generate(*model, requests, options));
  }
  options.prefill_tokens = 5;
  expect_equal(alone, generate(*model, requests, options));

  std::vector<Request> reversed(requests.rbegin(), requests.rend());
  options.batch = 4;
  std::vector<Completion> backwards = generate(*model, reversed, options);
  std::ranges::reverse(backwards);
  expect_equal(alone, backwards);
}

TEST(Engine, SeedStepAndIdChangeTheDraws) {
  const auto model = random_model(small_llama_config());
  const std::vector<Request> one = {{.prompt = {1, 2}, .id = 5}};
  const EngineOptions options{.sampling = {.max_new_tokens = 20}, .seed = 1, .step = 2};
  const auto tokens = generate(*model, one, options)[0].tokens;
  EXPECT_EQ(generate(*model, one, options)[0].tokens, tokens);
  EngineOptions seed = options, step = options;
  seed.seed = step.step = 3;
  EXPECT_NE(generate(*model, one, seed)[0].tokens, tokens);
  EXPECT_NE(generate(*model, one, step)[0].tokens, tokens);
  EXPECT_NE(generate(*model, {{{.prompt = {1, 2}, .id = 6}}}, options)[0].tokens, tokens);
}

TEST(Engine, APromptThatHoldsTheBeginningOfAnCompletionGetsTheRest) {
  const auto model = random_model(small_llama_config());
  const EngineOptions options{.sampling = {.max_new_tokens = 20}};
  const std::vector<Request> start = {{.prompt = {4, 8, 15}, .id = 1}};
  const std::vector<int32_t> all = whole(start[0], generate(*model, start, options)[0]);
  const std::vector<Request> later = {{.prompt = {all.begin(), all.begin() + 10}, .id = 1}};
  EngineOptions shorter = options;
  shorter.sampling.max_new_tokens = 13;
  EXPECT_EQ(whole(later[0], generate(*model, later, shorter)[0]), all);
}

// Two slots, one completion of 8 tokens and five of 2, a token a pass: 4 short ones beside the long
// one, and one behind. Waiting for the longest of each pair would take 8 + 2 + 2 passes; prompts
// that are read in passes of their own, 5 + 7. Completions end where the context of 64 is full.
TEST(Engine, AFinishedSequenceMakesRoomAtOnce) {
  const auto model = random_model(small_llama_config());
  std::vector<Request> requests = {{.prompt = std::vector<int32_t>(56, 1)}};
  for (int r = 0; r < 5; ++r) requests.push_back({.prompt = std::vector<int32_t>(62, 2)});
  EngineProgress last;
  const std::vector<Completion> completions = generate(
      *model, requests, {.batch = 2}, {}, [&](const EngineProgress& progress) { last = progress; });
  for (size_t r = 0; r < requests.size(); ++r) {
    EXPECT_EQ(completions[r].tokens.size(), r == 0 ? 8u : 2u);
    EXPECT_EQ(completions[r].ending, Ending::length);
  }
  EXPECT_EQ(last.passes, 10);
  EXPECT_EQ(last.tokens, 18);
  EXPECT_EQ(last.completions_done, 6);
}

TEST(Engine, TheStopTokenEndsTheCompletionAndBelongsToIt) {
  const auto model = random_model(small_llama_config());
  const std::vector<Request> requests = make_requests(10);
  const EngineOptions free{.sampling = {.max_new_tokens = 40}};
  EngineOptions stopping = free;
  stopping.stop_tokens = {7, 11};
  const std::vector<Completion> unstopped = generate(*model, requests, free);
  const std::vector<Completion> stopped = generate(*model, requests, stopping);
  int stops = 0;
  for (size_t r = 0; r < requests.size(); ++r) {
    const auto& all = unstopped[r].tokens;
    const auto stop = std::ranges::find_if(all, [](int32_t t) { return t == 7 || t == 11; });
    const bool stops_here = stop != all.end();
    stops += stops_here;
    EXPECT_EQ(stopped[r].tokens, std::vector(all.begin(), stop + stops_here));
    EXPECT_EQ(stopped[r].logp.size(), stopped[r].tokens.size());
    EXPECT_EQ(stopped[r].ending, stops_here ? Ending::stop_token : Ending::length);
  }
  EXPECT_GE(stops, 3);
}

TEST(Engine, NeverDrawsPaddedRowsOfTheHead) {
  const auto model = random_model(small_llama_config());
  const std::vector<Request> requests = make_requests(10, 20);
  for (const Completion& completion : generate(*model, requests, {.vocabulary = 20})) {
    for (const int32_t token : completion.tokens) EXPECT_LT(token, 20);
    const double min = *std::ranges::min_element(completion.logp);
    EXPECT_TRUE(std::isfinite(min));
  }
}

TEST(Engine, StreamsTheTokensOfEveryRequestInOrder) {
  const auto model = random_model(small_gpt2_config());
  const std::vector<Request> requests = make_requests(7);
  std::vector<std::vector<int32_t>> streamed(7);
  const std::vector<Completion> completions = generate(
      *model, requests, {.sampling = {.max_new_tokens = 10}, .stop_tokens = {3}, .batch = 3},
      [&](size_t request, int32_t token) { streamed[request].push_back(token); });
  for (size_t r = 0; r < 7; ++r) EXPECT_EQ(streamed[r], completions[r].tokens);
}

// Bug: the mixed-in teacher's cache a token behind, logits mixed in place of probabilities, the
// mixture's log-probability taken for the student's.
TEST(Engine, DrawsFromTheMixtureWithAPartner) {
  const auto model = random_model(small_llama_config()),
             mixed_teacher = random_model(small_gpt2_config(), 7);
  const auto requests = make_requests(9);
  constexpr double share = 0.3, temperature = 0.8;
  EngineOptions options{.stop_tokens = {0, 1},
                        .vocabulary = 48,
                        .batch = 4,
                        .seed = 3,
                        .step = 5,
                        .mixed_teacher = {.model = mixed_teacher.get(), .share = share}};
  options.sampling.temperature = temperature;
  options.sampling.max_new_tokens = 12;
  const auto completions = generate(*model, requests, options);
  for (size_t r = 0; r < requests.size(); ++r) {
    const auto tokens = whole(requests[r], completions[r]);
    const auto log_softmax = [&](const Model& m) {
      const Tensor logits =
          at::linear(m.hidden(Pass(pack({tokens}))), m.head().cut(48).weight_VD.dense());
      return at::log_softmax(logits / temperature, -1);
    };
    const Tensor q = log_softmax(*model), p = log_softmax(*mixed_teacher);
    const Tensor mixed = (share * p.exp() + (1 - share) * q.exp()).log().contiguous();
    ASSERT_EQ(completions[r].weights.size(), completions[r].tokens.size());
    for (size_t i = 0; i < completions[r].tokens.size(); ++i) {
      const auto position = static_cast<int64_t>(requests[r].prompt.size() + i);
      const int32_t token = completions[r].tokens[i];
      const Draw draw{.seed = 3,
                      .stream = Stream::sampling,
                      .step = 5,
                      .sample = requests[r].id,
                      .position = static_cast<uint32_t>(position)};
      const Tensor row = mixed[position - 1];
      EXPECT_EQ(sample({row.const_data_ptr<float>(), 48}, {}, uniform(draw)).token, token);
      const float own = q[position - 1][token].item<float>();
      EXPECT_NEAR(completions[r].logp[i], own, 1e-4);
      EXPECT_NEAR(completions[r].weights[i], std::exp(own - row[token].item<float>()), 1e-3);
    }
  }
  const Rollouts rollouts = to_rollouts(requests, completions, 0, at::kCPU);
  const int64_t first = std::ssize(requests[0].prompt);
  EXPECT_EQ(rollouts.weight_N[first].item<float>(), completions[0].weights[0]);
  EXPECT_EQ(rollouts.weight_N[0].item<float>(), 1);
}

TEST(Engine, RefusesPromptsThatCannotBeCompletioned) {
  const auto model = random_model(small_llama_config());
  EXPECT_EQ(error_of(*model, {{.prompt = {1}}, {.prompt = {}}}),
            "cannot answer request 1: its prompt is empty");
  EXPECT_EQ(error_of(*model, {{.prompt = {1}}, {.prompt = std::vector<int32_t>(64, 1)}}),
            "cannot answer request 1: its prompt has 64 tokens and the model's context 64");
  EXPECT_EQ(error_of(*model, {{.prompt = {1, 50}}}),
            "cannot answer request 0: token 50 in its prompt, the model has 50");
  EXPECT_EQ(error_of(*model, {{.prompt = {-1}}}),
            "cannot answer request 0: token -1 in its prompt, the model has 50");
  EXPECT_TRUE(generate(*model, {}, {}).empty());
}

TEST(Engine, NamesTheRequestWhoseLogitsAreNotFinite) {
  const auto model = random_model(small_llama_config());
  model->visit([](const std::string& name, Tensor& tensor) {
    if (name == "model.embed_tokens.weight") tensor[13].fill_(nan);
  });
  const std::string error = error_of(*model, {{.prompt = {1, 2}}}, {.vocabulary = 20});
  EXPECT_EQ(error,
            "request 0, position 2: cannot draw a token: the logit of token 13 of 20 is nan");
}

TEST(Engine, LeavesNoGradientBehindAndWorksOnWeightsThatRequireIt) {
  const auto model = random_model(small_llama_config());
  const std::vector<Completion> before = generate(*model, make_requests(3), {});
  model->visit([](const std::string&, Tensor& tensor) { tensor.requires_grad_(true); });
  expect_equal(before, generate(*model, make_requests(3), {}));
}

TEST(Rollouts, PackPromptsAndCompletions) {
  const std::vector<Request> requests = {{.prompt = {5, 7, 9}}, {.prompt = {4}}};
  const std::vector<Completion> completions = {{.tokens = {2, 3}, .logp = {-1, -2}},
                                               {.tokens = {8}, .logp = {-3}}};
  const Rollouts rollouts = to_rollouts(requests, completions, 17, at::kCPU);
  EXPECT_EQ(rollouts.sequences.offsets, (std::vector<int64_t>{0, 5, 7}));
  EXPECT_TRUE(rollouts.sequences.tokens_N.equal(at::tensor({5, 7, 9, 2, 3, 4, 8}, at::kLong)));
  EXPECT_TRUE(rollouts.completion_mask_N.equal(at::tensor({0, 0, 0, 1, 1, 0, 1}).to(at::kBool)));
  EXPECT_TRUE(rollouts.logp_N.equal(at::tensor({0., 0., 0., -1., -2., 0., -3.}, at::kFloat)));
  EXPECT_EQ(rollouts.policy_step, 17);
  EXPECT_TRUE(rollouts.loss_positions_M().equal(at::tensor({2, 3, 5}, at::kLong)));
  EXPECT_TRUE(rollouts.targets_M().equal(at::tensor({2, 3, 8}, at::kLong)));
}

}  // namespace
}  // namespace alambic::engine_test

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "alambic/base/temporary_folder.h"
#include "alambic/model/tiny.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/objective/divergence.h"
#include "alambic/rollout/engine.h"
#include "alambic/selftest/machine_properties.h"
#include "alambic/teacher/cached.h"
#include "alambic/teacher/local.h"
#include "alambic/teacher/topk.h"

namespace alambic::selftest {
namespace {

constexpr int64_t kVocabulary = 50;
constexpr int32_t kEnd = 1;

/// Prompts and completions of different lengths; one completion is the end of text alone.
const std::vector<Request> kRequests = {{{3}, 0}, {{5, 7, 9, 11}, 1}, {{4, 8}, 2}};
const std::vector<Completion> kCompletions = {
    {.tokens = {21, 22, kEnd}, .logp = {0, 0, 0}},
    {.tokens = {kEnd}, .logp = {0}},
    {.tokens = {30, 31, 32, 33, kEnd}, .logp = {0, 0, 0, 0, 0}}};

Rollouts rollouts_of(size_t first, size_t count) {
  return to_rollouts(std::span(kRequests).subspan(first, count),
                     std::span(kCompletions).subspan(first, count), 0, at::kCPU);
}

std::unique_ptr<Model> trainable(const Json& config, uint64_t seed,
                                 at::ScalarType dtype = at::kFloat) {
  std::unique_ptr<Model> model = random_model(config, seed, 1.5, dtype);
  model->visit([](const std::string&, Tensor& tensor) { tensor.requires_grad_(true); });
  return model;
}

/// With rows that pad its vocabulary; the others are those of a model without.
LocalTeacher teacher_of(const Json& config, uint64_t seed, at::ScalarType dtype = at::kFloat) {
  Json padded = config;
  padded["vocab_size"] = kVocabulary + 14;
  return {random_model(padded, seed, 1.5, dtype), kVocabulary};
}

Loss loss_of(const Model& student, const Teacher& teacher, const Rollouts& rollouts,
             const Divergence& divergence, double normalizer) {
  const Tensor hidden_MD =
      student.hidden(Pass(rollouts.sequences)).index_select(0, rollouts.loss_positions_M());
  return divergence_loss(divergence, hidden_MD, student.head(), teacher.evaluate(rollouts),
                         normalizer);
}

/// log-probability of each completion token from a pass of its sequence alone, in order.
std::vector<double> expected_logp(const Model& model) {
  std::vector<double> result;
  for (size_t s = 0; s < kRequests.size(); ++s) {
    std::vector<int32_t> tokens = kRequests[s].prompt;
    const size_t prompt = tokens.size();
    tokens.insert(tokens.end(), kCompletions[s].tokens.begin(), kCompletions[s].tokens.end());
    const Packed alone = pack({tokens});
    const Tensor logp_NV =
        model.hidden(Pass(alone)).mm(model.head().weight_VD.dense().t()).log_softmax(-1);
    for (size_t n = prompt; n < tokens.size(); ++n) {
      const auto before = static_cast<int64_t>(n) - 1;
      result.push_back(logp_NV[before][tokens[n]].item<double>());
    }
  }
  return result;
}

void graded_positions(Deviation& worst) {
  const at::NoGradGuard no_gradient;
  const auto model = random_model(small_llama_config(kVocabulary));
  const Rollouts rollouts = rollouts_of(0, kRequests.size());
  const Tensor hidden_MD =
      model->hidden(Pass(rollouts.sequences)).index_select(0, rollouts.loss_positions_M());
  const Tensor logp_M = target_log_probabilities(hidden_MD, model->head(), rollouts.targets_M());
  const std::vector<double> expected = expected_logp(*model);
  worst.expect(logp_M.size(0) == std::ssize(expected),
               fmt::format("{} graded tokens for {}", logp_M.size(0), expected.size()));
  for (int64_t m = 0; m < std::min<int64_t>(logp_M.size(0), std::ssize(expected)); ++m) {
    worst.add(std::abs(logp_M[m].item<double>() - expected[m]), 1e-5,
              fmt::format("answer token {}", m));
  }
}

void neighbors(Deviation& worst) {
  for (const Json& config : {small_llama_config(kVocabulary), small_gpt2_config(kVocabulary)}) {
    const auto student = random_model(config, 1);
    const LocalTeacher teacher = teacher_of(config, 2);
    const at::NoGradGuard no_gradient;
    const auto loss = [&](size_t first, size_t count) {
      return loss_of(*student, teacher, rollouts_of(first, count), {}, 1).value.item<double>();
    };
    worst.compare(loss(0, 1) + loss(1, 1) + loss(2, 1), loss(0, 3), 1e-5, config["model_type"]);
  }
}

void sampler(Deviation& worst) {
  const at::NoGradGuard no_gradient;
  for (const Json& config : {small_llama_config(kVocabulary), small_gpt2_config(kVocabulary)}) {
    const auto model = random_model(config);
    EngineOptions engine{
        .stop_tokens = {0, kEnd}, .vocabulary = kVocabulary, .batch = 2, .seed = 8};
    engine.sampling.temperature = 0.7;
    engine.sampling.max_new_tokens = 20;
    const auto completions = generate(*model, kRequests, engine);
    const Rollouts rollouts = to_rollouts(kRequests, completions, 0, at::kCPU);
    const Tensor loss_positions_M = rollouts.loss_positions_M();
    const Tensor hidden_MD =
        model->hidden(Pass(rollouts.sequences)).index_select(0, loss_positions_M);
    const Tensor logp_M =
        target_log_probabilities(hidden_MD, model->head(), rollouts.targets_M(), 0.7);
    worst.add(
        (rollouts.logp_N.index_select(0, loss_positions_M + 1) - logp_M).abs().max().item<double>(),
        1e-5, config["model_type"]);
  }
}

void cache(Deviation& worst) {
  const TemporaryFolder folder;
  const auto student = random_model(small_llama_config(kVocabulary), 1);
  const LocalTeacher live = teacher_of(small_llama_config(kVocabulary), 2);
  const Rollouts rollouts = rollouts_of(0, 3);
  const CacheManifest manifest{.dtype = "float32", .width = 32, .vocabulary = kVocabulary};
  {
    TeacherCache filled(folder.path() / "cache", manifest);
    filled.fill(live, rollouts);
    filled.flush();
  }
  const CachedTeacher cached(std::make_shared<TeacherCache>(folder.path() / "cache", manifest),
                             std::make_shared<HeadCache>(),
                             [&] { return live.model().head().cut(kVocabulary); });
  for (const double beta : {0.0, 0.5, 1.0}) {
    const Divergence divergence = generalized_jsd(beta, 1 + beta);
    const auto loss = [&](const Teacher& teacher) {
      return loss_of(*student, teacher, rollouts, divergence, 1).value.item<double>();
    };
    worst.expect(loss(live) == loss(cached), fmt::format("beta {}", beta));
  }
}

void kept_tokens(Deviation& worst) {
  const auto student = random_model(small_llama_config(kVocabulary), 1);
  const LocalTeacher live = teacher_of(small_llama_config(kVocabulary), 2);
  const Rollouts rollouts = rollouts_of(0, 3);
  const Tensor hidden_MD =
      student->hidden(Pass(rollouts.sequences)).index_select(0, rollouts.loss_positions_M());
  for (const double T : {1.0, 2.0}) {
    Divergence divergence{.kd_temperature = T, .topk = 6};
    const auto loss = [&](const TeacherOutput& teacher_output) {
      return measure_divergence(divergence, hidden_MD, student->head(), teacher_output)
          .value.item<double>();
    };
    const TeacherOutput whole = live.evaluate(rollouts);
    worst.compare(loss(topk_of(hidden_states(whole), 6, T)), loss(whole), 1e-5,
                  fmt::format("T = {}", T));
  }
}

void its_own_teacher(Deviation& worst) {
  for (const double beta : {0.0, 0.5, 1.0}) {
    const auto student = trainable(small_llama_config(kVocabulary), 2);
    const LocalTeacher teacher = teacher_of(small_llama_config(kVocabulary), 2);
    const Loss loss = loss_of(*student, teacher, rollouts_of(0, 3), generalized_jsd(beta, 2), 1);
    loss.value.backward();
    const std::string where = fmt::format("beta {}", beta);
    worst.add(std::abs(loss.value.item<double>()), 1e-6, where);
    student->visit([&](const std::string& name, Tensor& tensor) {
      worst.add(tensor.grad().abs().max().item<double>(), 1e-5, where + ", " + name);
    });
  }
}

// Every tensor moved a little along a random direction, in float64.
void weights(Deviation& worst) {
  for (const Json& config : {small_llama_config(kVocabulary), small_gpt2_config(kVocabulary)}) {
    const auto student = trainable(config, 1, at::kDouble);
    const LocalTeacher teacher = teacher_of(config, 2, at::kDouble);
    const Rollouts rollouts = rollouts_of(0, 3);
    const auto loss = [&] { return loss_of(*student, teacher, rollouts, {}, 9).value; };
    loss().backward();
    auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
    student->visit([&](const std::string& name, Tensor& tensor) {
      const at::NoGradGuard no_gradient;
      constexpr double step = 1e-5;
      const Tensor direction =
          at::randn(tensor.sizes(), generator, at::TensorOptions().dtype(at::kDouble));
      const Tensor kept = tensor.detach().clone();
      tensor.detach().copy_(kept + step * direction);
      const double above = loss().item<double>();
      tensor.detach().copy_(kept - step * direction);
      const double below = loss().item<double>();
      tensor.detach().copy_(kept);
      const double slope = (tensor.grad() * direction).sum().item<double>();
      worst.add(std::abs((above - below) / (2 * step) - slope), 1e-6 * (1 + std::abs(slope)), name);
    });
  }
}

}  // namespace

std::vector<Property> model_properties() {
  return {
      {"GradedPositionsPredictTheirTokens",
       "each completion token, the first and the end of text too, is graded where it is predicted",
       "EOS masked as padding (TRL #6357), logits one off (GOLD), prompts cut alike (TRL #6437)",
       graded_positions},
      {"NeighborsInABatchChangeNothing", "sequences packed together are worth what they are alone",
       "padding in the loss (MiniLLM in TRL), attention across sequences", neighbors},
      {"WeightsHaveTheLossesGradients", "every weight's gradient is a difference of the loss",
       "a tensor left out of the graph, or counted twice where it is tied", weights},
      {"AModelTeachesItselfNothing", "a model that is its own teacher learns nothing",
       "a slip of position, head or temperature between the two models", its_own_teacher},
      {"TheSamplersLogProbabilitiesAreTheTrainers",
       "the sampler's log-probabilities are the trainer's",
       "rollout engine and trainer differ (slime #714, TRL #6734)", sampler},
      {"ACachedTeacherIsTheLiveOne", "a cached teacher gives the live one's loss bit for bit",
       "a cache of other rows, or rounded on the way", cache},
      {"KeptTokensGiveTheTopKLoss", "K tokens kept by a cache give the live top-K loss",
       "log-probabilities kept at another temperature (slime #2085)", kept_tokens}};
}

}  // namespace alambic::selftest

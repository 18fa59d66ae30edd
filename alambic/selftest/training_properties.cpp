#include "alambic/selftest/training_properties.h"

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "alambic/base/temporary_folder.h"
#include "alambic/model/tiny.h"
#include "alambic/teacher/local.h"
#include "alambic/text/tokenizer/character_tokenizer.h"
#include "alambic/train/checkpoint.h"
#include "alambic/train/distillation.h"

namespace alambic::selftest {
namespace {

constexpr int64_t kVocabulary = 50;

const auto kSilent = [](const std::string&) {};

std::vector<TokenizedExample> examples() {
  return {{.prompt = {3}, .completion = {{21, 22, 1}}},
          {.prompt = {5, 7, 9, 11}, .completion = {{1}}},
          {.prompt = {4, 8}, .completion = {{30, 31, 32, 33, 1}}},
          {.prompt = {6, 2, 40}, .completion = {{12, 1}}}};
}

std::unique_ptr<Model> student() {
  std::unique_ptr<Model> model = random_model(small_llama_config(kVocabulary));
  model->visit([](const std::string&, Tensor& tensor) { tensor.requires_grad_(true); });
  return model;
}

Tensor flat(Model& model, const std::function<Tensor(const Tensor&)>& part) {
  std::vector<Tensor> all;
  model.visit(
      [&](const std::string&, Tensor& tensor) { all.push_back(part(tensor).flatten().clone()); });
  return at::cat(all);
}

/// A teacher and what a task needs beside the student.
struct Fixture {
  LocalTeacher teacher{random_model(small_llama_config(kVocabulary), 2), kVocabulary};
  Tokenizer tokenizer = Tokenizer::parse("selftest", character_tokenizer_json("0123456789 +=#"));
  DistillationSettings options{.lmbda = 0, .batch_size = 4, .seed = 3};

  std::unique_ptr<TrainingTask> task(Model& model) const {
    return distillation_task(model, teacher, examples(), tokenizer, options);
  }
};

void micro_batches(Deviation& worst) {
  Fixture fixture;
  const auto step = [&](int64_t size) {
    fixture.options.micro_batch_size = size;
    const auto model = student();
    const StepReport report = fixture.task(*model)->forward_backward(0, kSilent);
    return std::pair(report, flat(*model, [](const Tensor& tensor) { return tensor.grad(); }));
  };
  const auto [whole, expected] = step(0);
  worst.expect(whole.tokens == 11, fmt::format("{} graded tokens, not 11", whole.tokens));
  for (const int64_t size : {1, 2, 3}) {
    const auto [parts, found] = step(size);
    const std::string where = fmt::format("micro-batches of {}", size);
    worst.compare(parts.loss, whole.loss, 1e-6, where);
    worst.add((found - expected).abs().max().item<double>(),
              2e-6 * expected.abs().max().item<double>() + 1e-7, where + ", gradient");
  }
}

void resumed(Deviation& worst) {
  const Fixture fixture;
  const auto teach = [&](Model& model, AdamW& optimizer, int64_t from, int64_t to) {
    const auto task = fixture.task(model);
    for (int64_t step = from; step < to; ++step) {
      task->forward_backward(step, kSilent);
      optimizer.step(1e-2, 1);
    }
  };
  const auto weights = [](Model& model) {
    return flat(model, [](const Tensor& tensor) { return tensor.detach(); });
  };
  const auto whole = student();
  AdamW optimizer(*whole, {});
  teach(*whole, optimizer, 0, 6);

  const TemporaryFolder folder;
  {
    const auto first = student();
    AdamW half(*first, {});
    teach(*first, half, 0, 3);
    save_checkpoint(folder.path() / "checkpoints", half, {.step = 3}, 1);
  }
  const auto second = student();
  AdamW rest(*second, {});
  const TrainingState state = load_checkpoint(folder.path() / "checkpoints", rest).value();
  worst.expect(state.step == 3, "step of the checkpoint");
  teach(*second, rest, 3, 6);
  worst.expect(at::equal(weights(*second), weights(*whole)), "weights after six steps");
}

}  // namespace

std::vector<Property> training_properties() {
  return {{"AStepInMicroBatchesIsTheWholeStep", "a step in micro-batches is the whole step",
           "loss and gradient scaled by the split (TRL #4719, verl #7200)", micro_batches},
          {"AResumedRunIsTheUninterruptedOne", "a run resumed at step 3 has the same bits at 6",
           "optimizer, data position or draws lost (NeMo-RL #3171, lm-engine #250)", resumed}};
}

}  // namespace alambic::selftest

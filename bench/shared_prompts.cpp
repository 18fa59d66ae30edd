// The learning pass of GRPO with shared prompts beside that with a row for every position:
// processor seconds of a forward and backward pass of 8 completions of each of 8 prompts of 100
// tokens, one thread, both in turn.
#include <algorithm>
#include <ctime>

#include <cstdio>
#include <string>
#include <vector>

#include "alambic/model/tiny.h"
#include "alambic/nn/shared_prefixes.h"
#include "alambic/objective/cross_entropy.h"

namespace alambic {
namespace {

constexpr int64_t kPrompts = 8, kCompletions = 8, kVocabulary = 4096;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A Llama of width 384: 4 layers, 7 million numbers beside its embedding.
std::unique_ptr<Model> make_student() {
  Json config = small_llama_config(kVocabulary);
  config["hidden_size"] = 384;
  config["intermediate_size"] = 1024;
  config["num_hidden_layers"] = 4;
  config["num_attention_heads"] = 6;
  config["num_key_value_heads"] = 6;
  config["max_position_embeddings"] = 1024;
  config.erase("head_dim");
  std::unique_ptr<Model> model = random_model(config);
  model->set_trainable(true);
  return model;
}

struct Batch {
  Packed sequences;
  Tensor loss_positions_M, targets_M;
};

// Completions end before and behind `length`, which is their mean.
Batch completions(int64_t prompt_length, int64_t length) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> places;
  int64_t begin = 0;
  uint32_t state = 1;
  const auto draw = [&] {
    state = state * 1664525u + 1013904223u;
    return static_cast<int32_t>((state >> 8) % kVocabulary);
  };
  for (int64_t p = 0; p < kPrompts; ++p) {
    std::vector<int32_t> prompt;
    for (int64_t i = 0; i < prompt_length; ++i) prompt.push_back(draw());
    for (int64_t c = 0; c < kCompletions; ++c) {
      std::vector<int32_t> tokens = prompt;
      const int64_t own = length * (c + 4) / 8 + (c == 0 ? length / 2 : 0);
      for (int64_t i = 0; i < own; ++i) {
        places.push_back(begin + std::ssize(tokens) - 1);
        tokens.push_back(draw());
      }
      begin += std::ssize(tokens);
      sequences.push_back(std::move(tokens));
    }
  }
  Batch batch{.sequences = pack(sequences), .loss_positions_M = at::tensor(places, at::kLong)};
  batch.targets_M = batch.sequences.tokens_N.index_select(0, batch.loss_positions_M + 1);
  return batch;
}

struct Cost {
  double seconds = 0, loss = 0;
};

Cost learn(Model& model, const Batch& batch, bool share) {
  const SharePrefixes sharing(share);
  model.visit([](const std::string&, Tensor& tensor) { tensor.mutable_grad() = Tensor(); });
  const double start = processor_seconds();
  const Tensor hidden_MD =
      model.hidden(Pass(batch.sequences)).index_select(0, batch.loss_positions_M);
  const Tensor loss = cross_entropy_loss(hidden_MD, model.head(), batch.targets_M,
                                         static_cast<double>(batch.targets_M.size(0)))
                          .value;
  loss.backward();
  return {processor_seconds() - start, loss.item<double>()};
}

double median(std::vector<double> numbers) {
  std::ranges::sort(numbers);
  return numbers[numbers.size() / 2];
}

}  // namespace
}  // namespace alambic

int main(int count, char** arguments) {
  using namespace alambic;
  const int rounds = count > 1 ? std::stoi(arguments[1]) : 5;
  at::set_num_threads(1);
  const std::unique_ptr<Model> student = make_student();
  std::printf("%8s %12s %10s %10s %10s %8s %12s\n", "prompt", "completion", "positions", "each, s",
              "shared, s", "ratio", "loss differs");
  for (const auto& [prompt, completion] :
       {std::pair<int64_t, int64_t>{100, 32}, {100, 128}, {400, 64}}) {
    const Batch batch = completions(prompt, completion);
    std::vector<double> each, shared, ratio;
    double differs = 0;
    for (int round = 0; round < rounds; ++round) {
      const Cost first = learn(*student, batch, false), second = learn(*student, batch, true);
      each.push_back(first.seconds);
      shared.push_back(second.seconds);
      ratio.push_back(first.seconds / second.seconds);
      differs = std::max(differs, std::abs(first.loss - second.loss));
    }
    std::printf("%8ld %12ld %10ld %10.3f %10.3f %8.2f %12.1e\n", static_cast<long>(prompt),
                static_cast<long>(completion), static_cast<long>(batch.sequences.positions()),
                median(each), median(shared), median(ratio), differs);
    std::fflush(stdout);
  }
}

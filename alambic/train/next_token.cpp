#include "alambic/train/next_token.h"

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/base/stopwatch.h"
#include "alambic/nn/recompute.h"
#include "alambic/objective/cross_entropy.h"
#include "alambic/tensor/device.h"
#include "alambic/train/accompany.h"
#include "alambic/train/data_order.h"
#include "alambic/train/halves.h"
#include "alambic/train/within_memory.h"

namespace alambic {

TokenBatch completion_batch(const std::vector<TokenizedExample>& examples, at::Device device) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> graded, targets;
  int64_t position = 0;
  for (const TokenizedExample& example : examples) {
    std::vector<int32_t> sequence = example.prompt;
    const auto first = static_cast<int64_t>(sequence.size()) - 1;
    for (size_t i = 0; i < example.completion->size(); ++i) {
      if (!example.learned.empty() && !example.learned[i]) continue;
      graded.push_back(position + first + static_cast<int64_t>(i));
      targets.push_back((*example.completion)[i]);
    }
    sequence.insert(sequence.end(), example.completion->begin(), example.completion->end() - 1);
    position += static_cast<int64_t>(sequence.size());
    sequences.push_back(std::move(sequence));
  }
  return {pack(sequences, device), at::tensor(graded, at::kLong).to(device),
          at::tensor(targets, at::kLong).to(device)};
}

TokenBatch window_batch(const std::vector<std::vector<int32_t>>& windows, at::Device device) {
  std::vector<std::vector<int32_t>> sequences;
  std::vector<int64_t> targets;
  for (const std::vector<int32_t>& window : windows) {
    sequences.emplace_back(window.begin(), window.end() - 1);
    targets.insert(targets.end(), window.begin() + 1, window.end());
  }
  const auto count = static_cast<int64_t>(targets.size());
  return {pack(sequences, device), at::arange(count, at::TensorOptions(at::kLong).device(device)),
          at::tensor(targets, at::kLong).to(device)};
}

namespace {

// Calls make(first, last) for each micro-batch of this rank's part of a batch.
template <class Make>
std::vector<TokenBatch> micro_batches(const BatchOptions& options, Make make) {
  const int64_t max = options.micro_batch_size ? options.micro_batch_size : options.batch_size;
  std::vector<TokenBatch> batches;
  const int64_t end = options.world->end(options.batch_size);
  for (int64_t first = options.world->begin(options.batch_size); first < end; first += max) {
    batches.push_back(make(first, std::min(first + max, end)));
  }
  return batches;
}

struct ExamplesSource : BatchSource {
  TokenizedRows examples;
  BatchOptions options;
  DataOrder order;

  ExamplesSource(TokenizedRows rows, const BatchOptions& options,
                 const std::vector<RowShare>& shares)
      : examples(std::move(rows)),
        options(options),
        order(shares.empty() ? DataOrder(options.seed, examples.size())
                             : DataOrder(options.seed, shares)) {}

  std::vector<TokenBatch> step(int64_t step) override {
    const std::vector<int64_t> indices = order.batch(step, options.batch_size);
    return micro_batches(options, [&](int64_t first, int64_t last) {
      std::vector<TokenizedExample> chosen;
      for (int64_t i = first; i < last; ++i) chosen.push_back(examples[indices[i]]);
      return completion_batch(chosen, options.device);
    });
  }
  int64_t sequences_per_epoch() const override { return examples.size(); }
};

struct WindowsSource : BatchSource {
  std::vector<WeightedText> texts;
  int64_t length;
  BatchOptions options;

  WindowsSource(std::vector<WeightedText> texts, int64_t length, const BatchOptions& options)
      : texts(std::move(texts)), length(length), options(options) {}

  // The text of a window, drawn by the weights.
  const TokenSpool& text(int64_t step, int64_t i) const {
    double total = 0, below = 0;
    for (const WeightedText& text : texts) total += text.weight;
    const double drawn = total * uniform({options.seed, Stream::mixture,
                                          static_cast<uint64_t>(step), static_cast<uint64_t>(i)});
    for (const WeightedText& text : texts) {
      below += text.weight;
      if (drawn < below) return text.tokens;
    }
    return texts.back().tokens;
  }

  std::vector<TokenBatch> step(int64_t step) override {
    return micro_batches(options, [&](int64_t first, int64_t last) {
      std::vector<std::vector<int32_t>> windows;
      for (int64_t i = first; i < last; ++i) {
        const TokenSpool& tokens = text(step, i);
        const Draw draw{options.seed, Stream::data_order, static_cast<uint64_t>(step),
                        static_cast<uint64_t>(i)};
        const auto places = static_cast<uint64_t>(tokens.size() - length);
        windows.push_back(
            tokens.read(static_cast<int64_t>(uniform_below(draw, places)), length + 1));
      }
      return window_batch(windows, options.device);
    });
  }
  int64_t sequences_per_epoch() const override {
    int64_t tokens = 0;
    for (const WeightedText& text : texts) tokens += text.tokens.size();
    return tokens / length;
  }
};

Loss batch_loss(const Model& model, const TokenBatch& batch, int64_t vocabulary,
                double normalizer) {
  const Tensor hidden_ND = model.hidden(Pass(batch.input));
  return cross_entropy_loss(hidden_ND.index_select(0, batch.loss_positions_M),
                            model.head().cut(vocabulary), batch.targets_M, normalizer);
}

struct NextTokenTask : TrainingTask {
  Model& student;
  std::unique_ptr<BatchSource> source;
  NextTokenSettings settings;
  int64_t largest = 0;  // sequences of a micro-batch, where memory set the limit

  NextTokenTask(Model& student, std::unique_ptr<BatchSource> source,
                const NextTokenSettings& settings)
      : student(student), source(std::move(source)), settings(settings) {}

  StepReport forward_backward(int64_t step, const PhaseCallback& phase) override {
    phase("learn");
    Stopwatch watch;
    StepReport report;
    std::vector<TokenBatch> batches = source->step(step);
    const World& world = *settings.world;
    for (const TokenBatch& batch : batches) report.tokens += batch.targets_M.numel();
    report.tokens = world.sum(report.tokens, "counting tokens");
    const auto learn_all = [&] {
      report.means = {};
      int64_t micro_batch = world.rank();  // a number of its own on every rank
      for (const TokenBatch& batch : batches) {
        learn(step, micro_batch, batch, report);
        micro_batch += world.size();
      }
    };
    if (settings.layers) {
      const int64_t more = more_elsewhere(world, std::ssize(batches));
      learn_all();
      accompany(more, settings.layers.get());
    } else {
      while (largest > 0 && largest_of(batches) > largest) halve_largest(batches);
      within_memory(student, {}, learn_all, [&] { return largest = halve_largest(batches); });
    }
    report.loss = report.means["cross_entropy"];
    synchronize(student.options().device());
    report.seconds = {{"learn_seconds", watch.seconds()}};
    return report;
  }

  void learn(int64_t step, int64_t number, const TokenBatch& batch, StepReport& report) {
    student.seed_dropout(step, number);
    const RecomputeLayers recompute(settings.recompute_layers);
    const WithWeights scope(settings.layers.get());
    const Loss loss =
        batch_loss(student, batch, settings.vocabulary, static_cast<double>(report.tokens));
    loss.value.backward();
    for (const auto& [name, sum] : loss.sums) {
      report.means[name] += sum / static_cast<double>(report.tokens);
    }
  }
};

}  // namespace

std::unique_ptr<BatchSource> examples_source(TokenizedRows examples, const BatchOptions& options,
                                             const std::vector<RowShare>& shares) {
  return std::make_unique<ExamplesSource>(std::move(examples), options, shares);
}

std::unique_ptr<BatchSource> windows_source(std::vector<WeightedText> texts, int64_t length,
                                            const BatchOptions& options) {
  for (const WeightedText& text : texts) {
    if (text.tokens.size() > length) continue;
    throw input_error("the text has {} tokens, but a window of {} and its next token need {}",
                      text.tokens.size(), length, length + 1)
        .with_hint("give a longer text or a shorter --sequence-length");
  }
  return std::make_unique<WindowsSource>(std::move(texts), length, options);
}

std::unique_ptr<TrainingTask> next_token_task(Model& student, std::unique_ptr<BatchSource> source,
                                              const NextTokenSettings& settings) {
  return std::make_unique<NextTokenTask>(student, std::move(source), settings);
}

double mean_cross_entropy(const Model& model, const std::vector<TokenBatch>& batches,
                          int64_t vocabulary) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  int64_t tokens = 0;
  for (const TokenBatch& batch : batches) {
    sum += batch_loss(model, batch, vocabulary, 1).sums.at("cross_entropy");
    tokens += batch.targets_M.numel();
  }
  return sum / static_cast<double>(tokens);
}

}  // namespace alambic

#include "alambic/rollout/engine.h"

#include <algorithm>

#include "alambic/rollout/device_engine.h"
#include "alambic/rollout/filter.h"
#include "alambic/rollout/room.h"

namespace alambic {

namespace {

void check_mixture(const EngineOptions& options) {
  const MixedTeacher& mixed_teacher = options.mixed_teacher;
  if (mixed_teacher.model == nullptr) return;
  check(mixed_teacher.share > 0 && mixed_teacher.share < 1 && options.vocabulary > 0 &&
            options.sampling.temperature > 0 && !filters(options.sampling) &&
            !options.sampling.changes_logits(),
        "a mixed-in teacher's share of {}, temperature {}", mixed_teacher.share,
        options.sampling.temperature);
}

std::vector<RunningSequence> sequences_of(const ModelShape& shape,
                                          std::span<const Request> requests,
                                          const EngineOptions& options) {
  std::vector<RunningSequence> sequences(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    sequences[i].request = &requests[i];
    sequences[i].sampling = &options.sampling;
    sequences[i].stop_tokens = options.stop_tokens;
    sequences[i].seed = options.seed;
    sequences[i].step = options.step;
    sequences[i].room = room_of(requests[i], i, shape, options.sampling);
  }
  return sequences;
}

// Of slots that each hold the longest of the sequences.
Batch batch_of(const Model& model, const std::vector<RunningSequence>& sequences,
               const EngineOptions& options) {
  int64_t capacity = 1;
  for (const RunningSequence& sequence : sequences) {
    // The last token is drawn and never read.
    capacity = std::max(capacity, std::ssize(sequence.request->prompt) + sequence.room - 1);
  }
  return {model,
          {.slots = std::clamp<int64_t>(std::ssize(sequences), 1, options.batch),
           .capacity = capacity,
           .vocabulary = options.vocabulary,
           .mixed_teacher = options.mixed_teacher,
           .prefill_tokens = options.prefill_tokens,
           .ranks = options.ranks}};
}

}  // namespace

std::vector<Completion> generate(const Model& model, std::span<const Request> requests,
                                 const EngineOptions& options, const OnToken& on_token,
                                 const OnProgress& on_progress) {
  const c10::InferenceMode no_gradients;
  check(options.batch > 0 && options.sampling.max_new_tokens > 0, "batch {}, max_new_tokens {}",
        options.batch, options.sampling.max_new_tokens);
  check_mixture(options);
  const bool on_cpu = model.head().weight_VD.device().is_cpu();
  if (!on_cpu && !options.ranks && !requests.empty()) {
    return generate_on_device(model, requests, options, on_token, on_progress);
  }
  ModelShape shape = model.shape();
  if (const Model* mixed = options.mixed_teacher.model) {
    shape.positions = std::min(shape.positions, mixed->shape().positions);
  }
  std::vector<RunningSequence> sequences = sequences_of(shape, requests, options);
  std::vector<RunningSequence*> waiting;
  for (RunningSequence& sequence : sequences) waiting.push_back(&sequence);
  Batch batch = batch_of(model, sequences, options);
  EngineProgress progress;
  const auto on_drawn = [&](RunningSequence& sequence) {
    const auto index = static_cast<size_t>(&sequence - sequences.data());
    if (const std::optional<Error>& failure = sequence.failure) {
      throw Error(failure->exit(), fmt::format("request {}, {}", index, failure->what()),
                  failure->hint());
    }
    ++progress.tokens;
    if (sequence.ended) ++progress.completions_done;
    if (on_token) on_token(index, sequence.completion.tokens.back());
  };
  std::span<RunningSequence* const> left = waiting;
  while (!left.empty() || !batch.running().empty()) {
    left = left.subspan(batch.step(left, on_drawn));
    progress.passes = batch.passes();
    if (on_progress) on_progress(progress);
  }
  std::vector<Completion> completions;
  for (RunningSequence& sequence : sequences) {
    completions.push_back(std::move(sequence.completion));
  }
  return completions;
}

}  // namespace alambic

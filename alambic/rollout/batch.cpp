#include "alambic/rollout/batch.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/random.h"
#include "alambic/nn/head_logits.h"
#include "alambic/rollout/cache_moves.h"
#include "alambic/rollout/mixture.h"
#include "alambic/rollout/processed_logits.h"
#include "alambic/rollout/ranks.h"

namespace alambic {

namespace {

bool same_prompt(const RunningSequence& a, const RunningSequence& b) {
  return a.request->prompt == b.request->prompt;
}

}  // namespace

Batch::Batch(const Model& model, const BatchShape& options) : options_(options) {
  check(options.slots > 0 && options.capacity > 0, "{} slots of {} tokens", options.slots,
        options.capacity);
  check(options.vocabulary <= model.shape().vocabulary,
        "a vocabulary of {} tokens, the head has {}", options.vocabulary, model.shape().vocabulary);
  add_sampled(model);
  if (options.mixed_teacher.model != nullptr) add_sampled(*options.mixed_teacher.model);
  for (int64_t slot = options.slots; slot-- > 0;) free_slots_.push_back(slot);
}

void Batch::add_sampled(const Model& model) {
  const int64_t size = options_.vocabulary;
  const Head head = size > 0 ? model.head().cut(size) : model.head();
  sampled_.push_back({model, head, new_cache(model, head, options_.slots, options_.capacity)});
}

// Twice as much as before, so that each token is copied about once.
void Batch::reserve(int64_t capacity) {
  if (capacity <= this->capacity()) return;
  const int64_t most = std::max(capacity, sampled_.front().model.shape().positions);
  const int64_t larger_capacity = std::clamp(2 * this->capacity(), capacity, most);
  for (SampledModel& sampled : sampled_) {
    KvCache larger = new_cache(sampled.model, sampled.head, options_.slots, larger_capacity);
    move_cache(sampled.cache, larger);
    sampled.cache = std::move(larger);
  }
}

int64_t Batch::cached_tokens() const {
  int64_t tokens = 0;
  for (const RunningSequence* running : running_) {
    tokens += sampled_.front().cache.lengths[static_cast<size_t>(running->slot)];
  }
  return tokens;
}

// As many as there are slots, and prompt tokens in one pass; prompts in a row that are alike are
// one.
std::span<RunningSequence* const> Batch::first_that_fit(
    std::span<RunningSequence* const> waiting) const {
  int64_t tokens = 0;
  size_t count = 0;
  for (; count < waiting.size() && std::ssize(waiting.first(count)) < free_slots(); ++count) {
    if (count > 0 && same_prompt(*waiting[count - 1], *waiting[count])) continue;
    tokens += std::ssize(waiting[count]->request->prompt);
    if (count > 0 && tokens > options_.prefill_tokens) break;
  }
  return waiting.first(count);
}

size_t Batch::step(std::span<RunningSequence* const> waiting, const OnDrawn& on_drawn) {
  const std::span<RunningSequence* const> joining = first_that_fit(waiting);
  check(!joining.empty() || !running_.empty(), "a step of a batch without a sequence");
  int64_t longest = 0;
  for (const RunningSequence* sequence : joining) {
    // The last token is drawn and never read.
    longest = std::max(longest, std::ssize(sequence->request->prompt) + sequence->room - 1);
  }
  reserve(longest);  // before anything is changed: there may not be the memory
  const bool mixes = std::ranges::all_of(
      sampled_, [](const SampledModel& sampled) { return sampled.cache.mixes(); });
  if (mixes || joining.empty()) {
    pass(0, joining, on_drawn);
    return joining.size();
  }
  pass(running_.size(), joining, on_drawn);
  if (!running_.empty()) pass(0, {}, on_drawn);
  return joining.size();
}

// Reads the last tokens of running_[first], …, and behind them the prompts of those that join.
void Batch::pass(size_t first, std::span<RunningSequence* const> joining, const OnDrawn& on_drawn) {
  Packed input{.tokens_N = {}, .offsets = {0}};
  std::vector<int64_t> tokens, slots, drawing_rows;
  std::vector<std::pair<int64_t, int64_t>> copies;  // slots: of a prompt that is read, and alike
  const auto end_sequence = [&](int64_t slot) {
    input.offsets.push_back(std::ssize(tokens));
    slots.push_back(slot);
  };
  for (size_t b = first; b < running_.size(); ++b) {
    tokens.push_back(running_[b]->completion.tokens.back());
    end_sequence(running_[b]->slot);
    drawing_rows.push_back(std::ssize(tokens) - 1);
  }
  const size_t before = running_.size();
  for (RunningSequence* sequence : joining) {
    const std::vector<int32_t>& prompt = sequence->request->prompt;
    sequence->slot = free_slots_.back();
    free_slots_.pop_back();
    if (running_.size() > before && same_prompt(*running_.back(), *sequence)) {
      copies.emplace_back(slots.back(), sequence->slot);
    } else {
      tokens.insert(tokens.end(), prompt.begin(), prompt.end());
      end_sequence(sequence->slot);
    }
    drawing_rows.push_back(std::ssize(tokens) - 1);
    running_.push_back(sequence);
  }
  input.tokens_N = to_device(at::tensor(tokens, at::kLong));
  const bool every_row = joining.empty();
  const Tensor drawing = every_row ? Tensor() : to_device(at::tensor(drawing_rows, at::kLong));
  std::vector<Tensor> logits_BV;
  for (SampledModel& sampled : sampled_) {
    Pass pass(input, sampled.cache, slots);
    const Tensor hidden_ND = sampled.model.hidden(pass);
    logits_BV.push_back(
        logits(sampled, every_row ? hidden_ND : hidden_ND.index_select(0, drawing)));
    pass.finish();
    for (const std::pair<int64_t, int64_t>& copy : copies) {
      copy_slot(sampled.cache, copy.first, copy.second);
    }
  }
  ++passes_;
  draw(logits_BV, first, on_drawn);
}

Tensor Batch::logits(const SampledModel& sampled, const Tensor& hidden_BD) const {
  return options_.ranks ? logits_of_ranks(*options_.ranks, sampled.head, hidden_BD)
                        : head_logits(sampled.head, hidden_BD);
}

void Batch::leave(RunningSequence& sequence) {
  const auto place = std::ranges::find(running_, &sequence);
  check(place != running_.end(), "a sequence leaves a batch that it is not in");
  running_.erase(place);
  release(sequence);
}

void Batch::release(RunningSequence& sequence) {
  for (SampledModel& sampled : sampled_) sampled.cache.lengths[sequence.slot] = 0;
  free_slots_.push_back(sequence.slot);
  sequence.slot = -1;
  sequence.ended = true;
}

namespace {

// Takes the token; true when the completion goes on.
bool append(RunningSequence& sequence, const Drawn& drawn) {
  Completion& completion = sequence.completion;
  completion.tokens.push_back(drawn.token);
  completion.logp.push_back(drawn.logp);
  if (std::ranges::find(sequence.stop_tokens, drawn.token) != sequence.stop_tokens.end()) {
    completion.ending = Ending::stop_token;
    return false;
  }
  return std::ssize(completion.tokens) < sequence.room;
}

}  // namespace

// Draws the next token of running_[first], … from the rows of every voice's logits, and lets the
// sequences go that have ended.
void Batch::draw(const std::vector<Tensor>& of_sampled, size_t first, const OnDrawn& on_drawn) {
  const auto on_cpu = [](const Tensor& t) {
    return t.to(at::TensorOptions(at::kCPU).dtype(at::kFloat)).contiguous();
  };
  Mixture mixed;
  if (of_sampled.size() > 1) {
    mixed = mixture(of_sampled[0], of_sampled[1], options_.mixed_teacher.share,
                    running_[first]->sampling->temperature);
  }
  const Tensor logits_BV = on_cpu(of_sampled.size() > 1 ? mixed.mixed_BV : of_sampled[0]);
  drawn_.assign(static_cast<size_t>(logits_BV.size(0)), std::nullopt);
  if (!options_.ranks || options_.ranks->leads()) draw_rows(logits_BV, first);
  if (options_.ranks) tell_drawn(*options_.ranks, drawn_);
  if (of_sampled.size() > 1) weigh(on_cpu(mixed.own_BV), first);
  size_t still_running = first;
  for (size_t b = 0; b < drawn_.size(); ++b) {
    RunningSequence& sequence = *running_[first + b];
    if (drawn_[b] && append(sequence, *drawn_[b])) {
      running_[still_running++] = &sequence;
    } else {
      if (!drawn_[b] && !sequence.failure) {
        sequence.failure = environment_error(
            "the first of the ranks that write together could not draw a token, and says why");
      }
      release(sequence);
    }
    on_drawn(sequence);
  }
  running_.resize(still_running);
}

void Batch::draw_rows(const Tensor& logits_BV, size_t first) {
  const int64_t batch = logits_BV.size(0), vocabulary = logits_BV.size(1);
  // A thread should have work for some microseconds at least.
  const int64_t rows_per_thread = std::max<int64_t>(1, (1 << 15) / vocabulary);
  at::parallel_for(0, batch, rows_per_thread, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const float* row = logits_BV.const_data_ptr<float>() + b * vocabulary;
      drawn_[b] = draw_one({row, static_cast<size_t>(vocabulary)}, *running_[first + b]);
    }
  });
}

// Nothing where it cannot be drawn, which becomes the sequence's failure.
std::optional<Drawn> Batch::draw_one(std::span<const float> logits_V,
                                     RunningSequence& sequence) const {
  const Request& request = *sequence.request;
  const size_t position = request.prompt.size() + sequence.completion.tokens.size();
  const double coin = uniform({.seed = sequence.seed,
                               .stream = Stream::sampling,
                               .step = sequence.step,
                               .sample = request.id,
                               .position = static_cast<uint32_t>(position)});
  Sampling mixed;
  const Sampling* sampling = sequence.sampling;
  if (sampled_.size() > 1) {  // the rows are logarithms of the mixture
    mixed = *sampling;
    mixed.temperature = 1;
    sampling = &mixed;
  }
  try {
    Drawn drawn;
    if (!sampling->changes_logits()) {
      drawn = sample(logits_V, *sampling, coin);
    } else {
      const std::vector<float> changed =
          processed_logits(logits_V, *sampling, request.prompt, sequence.completion.tokens);
      drawn = sample(changed, *sampling, coin);
      drawn.logp = log_probability(logits_V, sampling->temperature, drawn.token);
    }
    if (sequence.top >= 0) {
      const bool plain = sampling->temperature == 0 || sampling->temperature == 1;
      sequence.plain_logp = plain ? drawn.logp : log_probability(logits_V, 1, drawn.token);
      sequence.alternatives = most_likely(logits_V, sequence.top, drawn.token, sequence.plain_logp);
    }
    return drawn;
  } catch (const Error& e) {
    sequence.failure =
        Error(e.exit(), fmt::format("position {}: {}", position, e.what()), e.hint());
    return std::nullopt;
  }
}

// Weights and the model's own log-probabilities of the tokens just drawn from the mixture.
void Batch::weigh(const Tensor& own_BV, size_t first) {
  for (size_t b = 0; b < drawn_.size(); ++b) {
    if (!drawn_[b]) continue;
    const float own = own_BV.const_data_ptr<float>()[b * own_BV.size(1) + drawn_[b]->token];
    running_[first + b]->completion.weights.push_back(std::exp(own - drawn_[b]->logp));
    drawn_[b]->logp = own;
  }
}

Tensor Batch::to_device(const Tensor& tensor) const {
  return tensor.to(sampled_.front().head.weight_VD.device());
}

}  // namespace alambic

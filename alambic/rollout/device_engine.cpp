#include "alambic/rollout/device_engine.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/nn/decoding_places.h"
#include "alambic/nn/head_logits.h"
#include "alambic/rollout/cache_moves.h"
#include "alambic/rollout/device_draws.h"
#include "alambic/rollout/recorded_passes.h"
#include "alambic/rollout/room.h"
#include "alambic/rollout/sample.h"
#include "alambic/rollout/weights.h"

namespace alambic {

namespace {

/// Passes on a device between two reads of what was drawn: a sequence that ends is noticed then.
constexpr int64_t kPassesPerRead = 8;
/// Coins of so many passes are brought to the device at a time.
constexpr int64_t kCoins = 256;

class DeviceEngine {
 public:
  DeviceEngine(const Model& model, std::span<const Request> requests, const EngineOptions& options)
      : requests_(requests), options_(options), completions_(requests.size()) {
    ModelShape shape = model.shape();
    if (const Model* mixed = options.mixed_teacher.model) {
      shape.positions = std::min(shape.positions, mixed->shape().positions);
    }
    positions_ = shape.positions;
    int64_t capacity = 0;
    for (size_t i = 0; i < requests.size(); ++i) {
      rooms_.push_back(room_of(requests[i], i, shape, options.sampling));
      // The last token is drawn and never read.
      capacity = std::max(capacity, std::ssize(requests[i].prompt) + rooms_[i] - 1);
    }
    capacity = std::min(capacity + kPassesPerRead - 1, positions_);
    const int64_t slots = std::min(options.batch, std::ssize(requests));
    add_sampled(model, slots, capacity);
    if (const Model* mixed = options.mixed_teacher.model) add_sampled(*mixed, slots, capacity);
    by_kernel_ = sampled_.size() == 1 && draws_by_kernel(device());
    if (by_kernel_)
      recorded_.emplace(device(), slots, capacity, model.config.value("model_type", "the model"));
    for (int64_t slot = slots; slot-- > 0;) free_slots_.push_back(slot);
  }

  std::vector<Completion> run(const OnToken& on_token, const OnProgress& on_progress) {
    while (waiting_ < requests_.size() || !running_.empty()) {
      while (waiting_ < requests_.size() && !free_slots_.empty()) prefill(on_token);
      if (!running_.empty()) decode(on_token);
      if (on_progress) on_progress(progress_);
    }
    return std::move(completions_);
  }

 private:
  struct Running {
    size_t request;
    int64_t slot;
  };

  // What the next pass on a device reads, of all running sequences.
  struct OnDevice {
    DecodingPlaces places;
    Tensor last_B;       // int64; undefined: all of it is to be uploaded
    Tensor id_B;         // int64, of the requests, where a kernel draws
    Tensor coin_PB;      // float64, of the passes to come, where operators do
    int64_t passes = 0;  // of those coins that are done
  };

  // A model that has its say in what is drawn: the first is the one that is asked.
  struct SampledModel {
    const Model& model;
    Head head;
    KvCache cache;
  };

  void add_sampled(const Model& model, int64_t slots, int64_t capacity) {
    const int64_t size = options_.vocabulary;
    const Head head = size > 0 ? model.head().cut(size) : model.head();
    sampled_.push_back({model, head, new_cache(model, head, slots, capacity)});
  }

  // Gives free slots to the next prompts, as many as one pass takes, and draws their first tokens.
  void prefill(const OnToken& on_token) {
    Packed input{.tokens_N = {}, .offsets = {0}};
    std::vector<int64_t> tokens, slots, last_positions;
    const size_t first = running_.size();
    while (waiting_ < requests_.size() && !free_slots_.empty()) {
      const std::vector<int32_t>& prompt = requests_[waiting_].prompt;
      const auto size = static_cast<int64_t>(tokens.size() + prompt.size());
      if (!slots.empty() && size > options_.prefill_tokens) break;
      tokens.insert(tokens.end(), prompt.begin(), prompt.end());
      input.offsets.push_back(size);
      last_positions.push_back(size - 1);
      slots.push_back(free_slots_.back());
      running_.push_back({waiting_++, free_slots_.back()});
      free_slots_.pop_back();
    }
    input.tokens_N = to_device(at::tensor(tokens, at::kLong));
    const Tensor last = to_device(at::tensor(last_positions, at::kLong));
    std::vector<Tensor> logits_BV;
    for (SampledModel& sampled : sampled_) {
      Pass pass(input, sampled.cache, slots);
      logits_BV.push_back(
          head_logits(sampled.head, sampled.model.hidden(pass).index_select(0, last)));
      pass.finish();
    }
    take(first_draws(logits_BV, first), first, on_token);
    on_device_ = {};
  }

  // Of running_[first], …, which have nothing but their prompts: [1, 2 or 3, B].
  Tensor first_draws(const std::vector<Tensor>& logits_BV, size_t first) {
    if (!by_kernel_) return draw(logits_BV, coins(first, 1)[0]).unsqueeze(0);
    std::vector<int64_t> numbers;
    for (size_t r = first; r < running_.size(); ++r) numbers.push_back(id_of(running_[r]));
    for (size_t r = first; r < running_.size(); ++r) {
      numbers.push_back(std::ssize(requests_[running_[r].request].prompt) - 1);
    }
    const Tensor rows = to_device(at::tensor(numbers, at::kLong).view({2, -1}));
    const Tensor drawn = numbers_of(1, rows.size(1));
    draw_by_kernel(logits_BV[0], options_.sampling, coins_of(rows[0], rows[1]),
                   at::empty_like(rows[0]), drawn[0]);
    return drawn;
  }

  // A pass over all running sequences, whose last tokens these are: every model's logits.
  std::vector<Tensor> next_logits(const Tensor& last_B) {
    Packed input{.tokens_N = last_B, .offsets = {0}};
    for (int64_t b = 0; b < last_B.size(0); ++b) input.offsets.push_back(b + 1);
    std::vector<Tensor> logits_BV;
    for (SampledModel& sampled : sampled_) {
      const Pass pass(input, sampled.cache, slots_of(last_B.size(0)));
      logits_BV.push_back(head_logits(sampled.head, sampled.model.hidden(pass)));
    }
    return logits_BV;
  }

  // The slots of a pass's rows: those of the running sequences, and behind them one that is free,
  // to which the rows write that only fill up a recorded pass.
  std::vector<int64_t> slots_of(int64_t rows) const {
    std::vector<int64_t> slots;
    for (const Running& running : running_) slots.push_back(running.slot);
    if (std::ssize(slots) < rows) slots.resize(static_cast<size_t>(rows), free_slots_.back());
    return slots;
  }

  // Counts what a pass has added to the cache.
  void passed() {
    for (SampledModel& sampled : sampled_) {
      for (const Running& running : running_) ++sampled.cache.lengths[running.slot];
    }
    ++progress_.passes;
  }

  int64_t id_of(const Running& running) const {
    return static_cast<int64_t>(requests_[running.request].id);
  }

  kernels::on_device::DrawCoins coins_of(const Tensor& id_B, const Tensor& place_B) const {
    return {.seed = options_.seed, .step = options_.step, .id_B = id_B, .place_B = place_B};
  }

  // Memory on the device for what kernels draw in some passes.
  Tensor numbers_of(int64_t passes, int64_t batch) const {
    return at::empty({passes, 2, batch}, at::TensorOptions().dtype(at::kDouble).device(device()));
  }

  double coin(size_t request, size_t completion_tokens) const {
    const size_t position = requests_[request].prompt.size() + completion_tokens;
    return uniform({.seed = options_.seed,
                    .stream = Stream::sampling,
                    .step = options_.step,
                    .sample = requests_[request].id,
                    .position = static_cast<uint32_t>(position)});
  }

  // Coins of running_[first], … for their next tokens, [passes, B], on the device.
  Tensor coins(size_t first, int64_t passes) const {
    std::vector<double> coins;
    for (int64_t p = 0; p < passes; ++p) {
      for (size_t r = first; r < running_.size(); ++r) {
        const size_t request = running_[r].request;
        coins.push_back(coin(request, completions_[request].tokens.size() + p));
      }
    }
    return to_device(at::tensor(coins, at::kDouble).view({passes, -1}));
  }

  // Uploads where the running sequences stand; not between passes of the same ones. The rows
  // behind them are of a sequence that begins, with token 0.
  void place_on_device() {
    int64_t longest = 1;
    const int64_t batch = std::ssize(running_);
    const Tensor numbers = at::zeros({4, recorded_ ? recorded_->rows(batch) : batch}, at::kLong);
    const auto set = [&](int64_t row, int64_t b, int64_t number) {
      numbers.mutable_data_ptr<int64_t>()[row * numbers.size(1) + b] = number;
    };
    const std::vector<int64_t> slots = slots_of(numbers.size(1));
    for (int64_t b = 0; b < numbers.size(1); ++b) set(0, b, slots[b]);
    for (int64_t b = 0; b < batch; ++b) {
      const Running& running = running_[b];
      set(1, b, sampled_.front().cache.lengths[running.slot]);
      set(2, b, completions_[running.request].tokens.back());
      set(3, b, id_of(running));
      longest = std::max(longest, left(running));
    }
    const Tensor rows = recorded_ ? recorded_->placed(numbers) : to_device(numbers);
    on_device_ = {.places = {.slots_B = rows[0], .positions_B = rows[1]},
                  .last_B = rows[2],
                  .id_B = rows[3],
                  .coin_PB = by_kernel_ ? Tensor() : coins(0, std::min(longest, kCoins))};
  }

  // Passes for which there are coins.
  int64_t coins_left() const {
    if (!on_device_.last_B.defined()) return 0;
    return by_kernel_ ? kPassesPerRead : on_device_.coin_PB.size(0) - on_device_.passes;
  }

  // Tokens that the completion may still have.
  int64_t left(const Running& running) const {
    return rooms_[running.request] - std::ssize(completions_[running.request].tokens);
  }

  // Some passes whose draws stay on the device, and then a read. Sequences that end before it have
  // drawn for nobody.
  void decode(const OnToken& on_token) {
    if (coins_left() == 0) place_on_device();
    int64_t passes = std::min(kPassesPerRead, coins_left());
    int64_t longest = 1;
    for (const Running& running : running_) {
      longest = std::max(longest, left(running));
      passes = std::min(passes, positions_ - sampled_.front().cache.lengths[running.slot]);
    }
    passes = std::min(passes, longest);
    if (take(by_kernel_ ? kernel_passes(passes) : operator_passes(passes), 0, on_token)) {
      on_device_ = {};
    }
  }

  // The draws of some passes, [passes, 2 or 3, B].
  Tensor operator_passes(int64_t passes) {
    std::vector<Tensor> drawn;
    for (int64_t p = 0; p < passes; ++p) {
      const DecodeAt here(on_device_.places);
      const std::vector<Tensor> logits_BV = next_logits(on_device_.last_B);
      drawn.push_back(draw(logits_BV, on_device_.coin_PB[on_device_.passes++]));
      on_device_.places.positions_B = on_device_.places.positions_B + 1;
      passed();
    }
    return at::stack(drawn);
  }

  Tensor kernel_passes(int64_t passes) {
    const Tensor drawn = numbers_of(passes, on_device_.last_B.size(0));
    for (int64_t p = 0; p < passes; ++p) {
      int64_t longest = 0;
      for (const Running& running : running_) {
        longest = std::max(longest, 1 + sampled_.front().cache.lengths[running.slot]);
      }
      recorded_->run(longest, drawn[p], [&](int64_t bound, const Tensor& numbers) {
        DecodingPlaces places = on_device_.places;
        places.longest = bound;
        const DecodeAt here(places);
        const std::vector<Tensor> logits_BV = next_logits(on_device_.last_B);
        draw_by_kernel(logits_BV[0], options_.sampling,
                       coins_of(on_device_.id_B, on_device_.places.positions_B), on_device_.last_B,
                       numbers);
      });
      passed();
    }
    return drawn;
  }

  // The draws of one pass; the tokens stay for the next.
  Tensor draw(const std::vector<Tensor>& of_sampled, const Tensor& coin_B) {
    const DrawnNumbers drawn =
        draw_numbers(of_sampled, options_.sampling, options_.mixed_teacher.share, coin_B);
    on_device_.last_B = drawn.token_B;
    return drawn.numbers;
  }

  // Reads the draws of some passes, [P, 2 or 3, B], of running_[first], …; lets the sequences go
  // that have ended. True when there were such.
  bool take(const Tensor& drawn, size_t first, const OnToken& on_token) {
    const Tensor read = drawn.cpu().contiguous();
    const int64_t batch = std::ssize(running_) - static_cast<int64_t>(first), row = read.size(2);
    std::vector<bool> ended(static_cast<size_t>(batch), false);
    for (int64_t p = 0; p < read.size(0); ++p) {
      const double* tokens = read[p].const_data_ptr<double>();
      for (int64_t b = 0; b < batch; ++b) {
        if (ended[b]) continue;
        const size_t request = running_[first + b].request;
        const Drawn one{static_cast<int32_t>(tokens[b]), static_cast<float>(tokens[row + b])};
        if (!std::isfinite(one.logp)) throw not_finite(request);
        if (read.size(1) == 3) {
          completions_[request].weights.push_back(static_cast<float>(tokens[2 * row + b]));
        }
        ended[b] = !append(request, one);
        if (on_token) on_token(request, one.token);
      }
    }
    return let_go(first, ended);
  }

  Error not_finite(size_t request) const {
    return input_error("request {}, position {}: cannot draw a token: a logit is not finite",
                       request,
                       requests_[request].prompt.size() + completions_[request].tokens.size())
        .with_hint(not_finite_hint);
  }

  // Frees the slots of running_[first + b] that have ended.
  bool let_go(size_t first, const std::vector<bool>& ended) {
    size_t still_running = first;
    for (size_t b = 0; b < ended.size(); ++b) {
      const Running running = running_[first + b];
      if (!ended[b]) {
        running_[still_running++] = running;
        continue;
      }
      for (SampledModel& sampled : sampled_) sampled.cache.lengths[running.slot] = 0;
      free_slots_.push_back(running.slot);
      ++progress_.completions_done;
    }
    const bool some = still_running < running_.size();
    running_.resize(still_running);
    return some;
  }

  // True when the completion goes on.
  bool append(size_t request, const Drawn& drawn) {
    Completion& completion = completions_[request];
    completion.tokens.push_back(drawn.token);
    completion.logp.push_back(drawn.logp);
    ++progress_.tokens;
    if (std::ranges::find(options_.stop_tokens, drawn.token) != options_.stop_tokens.end()) {
      completion.ending = Ending::stop_token;
      return false;
    }
    return std::ssize(completion.tokens) < rooms_[request];
  }

  at::Device device() const { return sampled_.front().head.weight_VD.device(); }

  Tensor to_device(const Tensor& tensor) const { return tensor.to(device()); }

  std::span<const Request> requests_;
  const EngineOptions& options_;
  std::vector<SampledModel> sampled_;
  std::vector<int64_t> rooms_;       // per request: most tokens of its completion
  std::vector<int64_t> free_slots_;  // the next one last
  std::vector<Running> running_;
  size_t waiting_ = 0;  // the first request that has had no slot yet
  std::vector<Completion> completions_;
  int64_t positions_ = 0;   // of the models' context
  bool by_kernel_ = false;  // a kernel draws
  OnDevice on_device_;
  std::optional<RecordedPasses> recorded_;  // where a kernel draws
  EngineProgress progress_;
};

}  // namespace

std::vector<Completion> generate_on_device(const Model& model, std::span<const Request> requests,
                                           const EngineOptions& options, const OnToken& on_token,
                                           const OnProgress& on_progress) {
  return DeviceEngine(model, requests, options).run(on_token, on_progress);
}

}  // namespace alambic

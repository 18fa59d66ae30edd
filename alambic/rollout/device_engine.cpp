#include "alambic/rollout/device_engine.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/nn/decoding_places.h"
#include "alambic/nn/head_logits.h"
#include "alambic/rollout/cache_moves.h"
#include "alambic/rollout/device_draws.h"
#include "alambic/rollout/device_processors.h"
#include "alambic/rollout/device_slots.h"
#include "alambic/rollout/recorded_passes.h"
#include "alambic/rollout/room.h"
#include "alambic/rollout/sample.h"
#include "alambic/rollout/weights.h"

namespace alambic {

namespace {

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
    capacity = std::min(capacity + passes_per_read - 1, positions_);
    const int64_t slots = std::min(options.batch, std::ssize(requests));
    const auto pages = std::make_shared<KvPages>(slots, options.page);
    add_sampled(model, pages, slots, capacity);
    if (const Model* mixed = options.mixed_teacher.model) {
      add_sampled(*mixed, pages, slots, capacity);
    }
    std::vector<KvCache*> caches;
    for (SampledModel& sampled : sampled_) caches.push_back(&sampled.cache);
    slots_.emplace(requests, completions_, pages, caches, passes_per_read, device());
    if (options.sampling.changes_logits()) {
      processors_.emplace(options.sampling, slots, sampled_[0].head.weight_VD.size(0), device());
    }
    by_kernel_ = sampled_.size() == 1 && draws_by_kernel(device());
    if (by_kernel_)
      recorded_.emplace(device(), slots, capacity, model.config.value("model_type", "the model"));
  }

  std::vector<Completion> run(const OnToken& on_token, const OnProgress& on_progress) {
    while (!slots_->done()) {
      while (prefill(on_token)) {
      }
      if (!slots_->running().empty()) decode(on_token);
      if (on_progress) on_progress(progress_);
    }
    return std::move(completions_);
  }

 private:
  using Running = DeviceSlots::Running;

  // What the next pass on a device reads, of all running sequences.
  struct OnDevice {
    DecodingPlaces places;
    Tensor last_B;       // int64; undefined: all of it is to be uploaded
    Tensor id_B;         // int64, of the requests, where a kernel draws
    Tensor coin_PB;      // float64, of the passes to come, where operators do
    int64_t passes = 0;  // of those coins that are done
  };

  // Slots of the sequences that draw, and where it is their first draw 1; undefined: nowhere.
  struct From {
    Tensor slots_B, first_B;
  };

  // A model that has its say in what is drawn: the first is the one that is asked.
  struct SampledModel {
    const Model& model;
    Head head;
    KvCache cache;
  };

  void add_sampled(const Model& model, const std::shared_ptr<KvPages>& pages, int64_t slots,
                   int64_t capacity) {
    const int64_t size = options_.vocabulary;
    const Head head = size > 0 ? model.head().cut(size) : model.head();
    sampled_.push_back({model, head, new_cache(model, head, slots, capacity, pages)});
  }

  // Reads the next prompts, as many as one pass takes, and draws their first tokens. False: none
  // can begin now.
  bool prefill(const OnToken& on_token) {
    const size_t first = slots_->running().size();
    DeviceSlots::Begun begun = slots_->begin(options_.prefill_tokens);
    if (begun.tokens.empty()) return false;
    if (processors_) begin_processing(first);
    const Packed input{.tokens_N = to_device(at::tensor(begun.tokens, at::kLong)),
                       .offsets = std::move(begun.offsets)};
    const Tensor drawing = to_device(at::tensor(begun.drawing_rows, at::kLong));
    std::vector<Tensor> logits_BV;
    for (SampledModel& sampled : sampled_) {
      Pass pass(input, sampled.cache, begun.slots);
      logits_BV.push_back(
          head_logits(sampled.head, sampled.model.hidden(pass).index_select(0, drawing)));
      pass.finish();
      for (const auto& [read, alike] : begun.alike) copy_slot(sampled.cache, read, alike);
    }
    take(first_draws(logits_BV, first), first, on_token);
    on_device_ = {};
    return true;
  }

  // Of the running ones from `first` on, all of whose tokens have been read: [1, 2 or 3, B].
  Tensor first_draws(const std::vector<Tensor>& logits_BV, size_t first) {
    if (!by_kernel_ && !processors_) return draw(logits_BV, coins(first, 1)[0], {}).unsqueeze(0);
    const auto begun = std::span(slots_->running()).subspan(first);
    std::vector<int64_t> numbers;
    for (const Running& running : begun) {
      const bool first_draw = completions_[running.request].tokens.empty();
      numbers.insert(numbers.end(), {id_of(running), slots_->length(running) - 1, running.slot,
                                     static_cast<int64_t>(first_draw)});
    }
    const Tensor rows = to_device(at::tensor(numbers, at::kLong).view({-1, 4}).t().contiguous());
    const From from{.slots_B = rows[2], .first_B = rows[3]};
    if (!by_kernel_) return draw(logits_BV, coins(first, 1)[0], from).unsqueeze(0);
    const Tensor drawn = numbers_of(1, rows.size(1));
    draw_by_kernel(logits_BV[0], coins_of(rows[0], rows[1]), from, at::empty_like(rows[0]),
                   drawn[0]);
    return drawn;
  }

  void begin_processing(size_t first) {
    std::vector<DeviceProcessors::Begins> sequences;
    for (const Running& running : std::span(slots_->running()).subspan(first)) {
      sequences.push_back({running.slot, slots_->tokens_of(running.request)});
    }
    processors_->begin(sequences);
  }

  // A pass over all running sequences, whose last tokens these are: every model's logits.
  std::vector<Tensor> next_logits(const Tensor& last_B) {
    Packed input{.tokens_N = last_B, .offsets = {0}};
    for (int64_t b = 0; b < last_B.size(0); ++b) input.offsets.push_back(b + 1);
    std::vector<Tensor> logits_BV;
    for (SampledModel& sampled : sampled_) {
      const Pass pass(input, sampled.cache, slots_->of_rows(last_B.size(0)));
      logits_BV.push_back(head_logits(sampled.head, sampled.model.hidden(pass)));
    }
    return logits_BV;
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

  // Coins of the running ones from `first` on for their next tokens, [passes, B], on the device.
  Tensor coins(size_t first, int64_t passes) const {
    std::vector<double> coins;
    for (int64_t p = 0; p < passes; ++p) {
      for (const Running& running : std::span(slots_->running()).subspan(first)) {
        const size_t request = running.request;
        coins.push_back(coin(request, completions_[request].tokens.size() + p));
      }
    }
    return to_device(at::tensor(coins, at::kDouble).view({passes, -1}));
  }

  // Uploads where the running sequences stand; not between passes of the same ones. The rows
  // behind them are of a sequence that begins, with token 0.
  void place_on_device() {
    int64_t longest = 1;
    const int64_t batch = std::ssize(slots_->running());
    const int64_t rows = recorded_ ? recorded_->rows(batch) : batch;
    const Tensor numbers = at::zeros({4 + slots_->pages_of_slot(), rows}, at::kLong);
    const auto set = [&](int64_t row, int64_t b, int64_t number) {
      numbers.mutable_data_ptr<int64_t>()[row * rows + b] = number;
    };
    const std::vector<int64_t> slots = slots_->of_rows(rows);
    for (int64_t b = 0; b < rows; ++b) set(0, b, slots[b]);
    for (int64_t b = 0; b < batch; ++b) {
      const Running& running = slots_->running()[b];
      set(1, b, slots_->length(running));
      set(2, b, completions_[running.request].tokens.back());
      set(3, b, id_of(running));
      longest = std::max(longest, left(running));
    }
    const auto pages_of = [&](const Tensor& all) {
      return all.narrow(0, 4, slots_->pages_of_slot()).view({rows, -1});
    };
    pages_of(numbers).copy_(page_table(rows));
    const Tensor placed = recorded_ ? recorded_->placed(numbers) : to_device(numbers);
    on_device_ = {
        .places = {.slots_B = placed[0], .pages_BP = pages_of(placed), .positions_B = placed[1]},
        .last_B = placed[2],
        .id_B = placed[3],
        .coin_PB = by_kernel_ ? Tensor() : coins(0, std::min(longest, kCoins))};
  }

  // Passes for which there are coins.
  int64_t coins_left() const {
    if (!on_device_.last_B.defined()) return 0;
    return by_kernel_ ? passes_per_read : on_device_.coin_PB.size(0) - on_device_.passes;
  }

  // Tokens that the completion may still have.
  int64_t left(const Running& running) const {
    return rooms_[running.request] - std::ssize(completions_[running.request].tokens);
  }

  // Pages for what some passes write. Where sequences stay, the device learns of their pages alone.
  void make_room(int64_t passes) {
    const DeviceSlots::Changed changed = slots_->make_room(passes);
    if (changed == DeviceSlots::Changed::sequences) on_device_ = {};
    if (changed != DeviceSlots::Changed::pages || !on_device_.last_B.defined()) return;
    Tensor& pages_BP = on_device_.places.pages_BP;
    pages_BP.copy_(page_table(pages_BP.size(0)));
  }

  // Of a pass's rows, [rows, pages of a slot].
  Tensor page_table(int64_t rows) const {
    return at::tensor(slots_->page_table(rows), at::kLong).view({rows, -1});
  }

  // Some passes whose draws stay on the device, and then a read. Sequences that end before it have
  // drawn for nobody.
  void decode(const OnToken& on_token) {
    int64_t passes = passes_per_read, longest = 1;
    for (const Running& running : slots_->running()) {
      longest = std::max(longest, left(running));
      passes = std::min(passes, positions_ - slots_->length(running));
    }
    passes = std::min(passes, longest);
    make_room(passes);
    if (coins_left() == 0) place_on_device();
    passes = std::min(passes, coins_left());
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
      drawn.push_back(draw(logits_BV, on_device_.coin_PB[on_device_.passes++],
                           {.slots_B = on_device_.places.slots_B, .first_B = {}}));
      on_device_.places.positions_B = on_device_.places.positions_B + 1;
      slots_->passed();
      ++progress_.passes;
    }
    return at::stack(drawn);
  }

  Tensor kernel_passes(int64_t passes) {
    const Tensor drawn = numbers_of(passes, on_device_.last_B.size(0));
    if (slots_->moved()) recorded_->forget();
    for (int64_t p = 0; p < passes; ++p) {
      int64_t longest = 0;
      for (const Running& running : slots_->running()) {
        longest = std::max(longest, 1 + slots_->length(running));
      }
      recorded_->run(longest, drawn[p], [&](int64_t bound, const Tensor& numbers) {
        DecodingPlaces places = on_device_.places;
        places.longest = bound;
        const DecodeAt here(places);
        const std::vector<Tensor> logits_BV = next_logits(on_device_.last_B);
        draw_by_kernel(logits_BV[0], coins_of(on_device_.id_B, on_device_.places.positions_B),
                       {.slots_B = on_device_.places.slots_B, .first_B = {}}, on_device_.last_B,
                       numbers);
      });
      slots_->passed();
      ++progress_.passes;
    }
    return drawn;
  }

  // The draws of one pass; the tokens stay for the next.
  Tensor draw(std::vector<Tensor> of_sampled, const Tensor& coin_B, const From& from) {
    const Tensor own_BV = of_sampled[0];
    of_sampled[0] = processed(own_BV, from);
    const DrawnNumbers drawn =
        draw_numbers(of_sampled, options_.sampling, options_.mixed_teacher.share, coin_B);
    if (processors_) processors_->drawn(own_BV, from.slots_B, drawn.token_B, drawn.numbers);
    on_device_.last_B = drawn.token_B;
    return drawn.numbers;
  }

  void draw_by_kernel(const Tensor& logits_BV, const kernels::on_device::DrawCoins& coins,
                      const From& from, const Tensor& token_B, const Tensor& numbers) {
    alambic::draw_by_kernel(processed(logits_BV, from), options_.sampling, coins, token_B, numbers);
    if (processors_) processors_->drawn(logits_BV, from.slots_B, token_B, numbers);
  }

  Tensor processed(const Tensor& logits_BV, const From& from) const {
    return processors_ ? processors_->processed(logits_BV, from.slots_B, from.first_B) : logits_BV;
  }

  // Reads the draws of some passes, [P, 2 or 3, B], of the running ones from `first` on; lets the
  // sequences go that have ended. True when there were such.
  bool take(const Tensor& drawn, size_t first, const OnToken& on_token) {
    const Tensor read = drawn.cpu().contiguous();
    const int64_t batch = std::ssize(slots_->running()) - static_cast<int64_t>(first);
    const int64_t row = read.size(2);
    std::vector<bool> ended(static_cast<size_t>(batch), false);
    for (int64_t p = 0; p < read.size(0); ++p) {
      const double* tokens = read[p].const_data_ptr<double>();
      for (int64_t b = 0; b < batch; ++b) {
        if (ended[b]) continue;
        const size_t request = slots_->running()[first + b].request;
        const Drawn one{static_cast<int32_t>(tokens[b]), static_cast<float>(tokens[row + b])};
        if (!std::isfinite(one.logp)) throw not_finite(request);
        if (read.size(1) == 3) {
          completions_[request].weights.push_back(static_cast<float>(tokens[2 * row + b]));
        }
        ended[b] = !append(request, one);
        if (on_token) on_token(request, one.token);
      }
    }
    const int64_t done = slots_->end(first, ended);
    progress_.completions_done += done;
    return done > 0;
  }

  Error not_finite(size_t request) const {
    return input_error("request {}, position {}: cannot draw a token: a logit is not finite",
                       request,
                       requests_[request].prompt.size() + completions_[request].tokens.size())
        .with_hint(not_finite_hint);
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
  std::vector<int64_t> rooms_;  // per request: most tokens of its completion
  std::vector<Completion> completions_;
  std::optional<DeviceSlots> slots_;
  int64_t positions_ = 0;                       // of the models' context
  bool by_kernel_ = false;                      // a kernel draws
  std::optional<DeviceProcessors> processors_;  // where the sampling changes logits
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

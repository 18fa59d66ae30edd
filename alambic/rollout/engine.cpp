#include "alambic/rollout/engine.h"

#include <algorithm>
#include <cmath>

#include "alambic/base/error.h"
#include "alambic/base/random.h"
#include "alambic/nn/head_logits.h"
#include "alambic/rollout/filter.h"
#include "alambic/rollout/processed_logits.h"
#include "alambic/rollout/sample.h"

namespace alambic {

namespace {

// Log-probabilities of the mixture and of the model alone, float32.
struct Mixture {
  Tensor mixed_BV, own_BV;
};

Mixture mixture(const Tensor& own_BV, const Tensor& mixed_BV, double share, double temperature) {
  const auto log_softmax = [&](const Tensor& logits) {
    return at::log_softmax(logits.to(at::kFloat) / temperature, -1);
  };
  const Tensor q_BV = log_softmax(own_BV);
  return {at::logaddexp(log_softmax(mixed_BV) + std::log(share), q_BV + std::log1p(-share)), q_BV};
}

// Most tokens that a completion to this request may have. Refuses requests that cannot be answered.
int64_t room(const ModelShape& shape, std::span<const Request> requests, size_t index,
             const EngineOptions& options) {
  const std::vector<int32_t>& prompt = requests[index].prompt;
  if (prompt.empty()) {
    throw input_error("cannot answer request {}: its prompt is empty", index)
        .with_hint("begin it with the beginning-of-text token, or with any text");
  }
  for (const int32_t token : prompt) {
    if (token < 0 || token >= shape.vocabulary) {
      throw input_error("cannot answer request {}: token {} in its prompt, the model has {}", index,
                        token, shape.vocabulary)
          .with_hint("does the tokenizer belong to this model?");
    }
  }
  const int64_t left = shape.positions - std::ssize(prompt);
  if (left < 1) {
    throw input_error(
        "cannot answer request {}: its prompt has {} tokens and the model's context {}", index,
        prompt.size(), shape.positions)
        .with_hint("shorten the prompt, or use a model with a longer context");
  }
  return std::min(options.sampling.max_new_tokens, left);
}

class Engine {
 public:
  Engine(const Model& model, std::span<const Request> requests, const EngineOptions& options)
      : requests_(requests), options_(options), completions_(requests.size()) {
    ModelShape shape = model.shape();
    check(options.batch > 0 && options.sampling.max_new_tokens > 0, "batch {}, max_new_tokens {}",
          options.batch, options.sampling.max_new_tokens);
    check(options.vocabulary <= shape.vocabulary, "a vocabulary of {} tokens, the head has {}",
          options.vocabulary, shape.vocabulary);
    const MixedTeacher& mixed_teacher = options.mixed_teacher;
    if (mixed_teacher.model != nullptr) {
      check(mixed_teacher.share > 0 && mixed_teacher.share < 1 && options.vocabulary > 0 &&
                options.sampling.temperature > 0 && !filters(options.sampling) &&
                !options.sampling.changes_logits(),
            "a mixed-in teacher's share of {}, temperature {}", mixed_teacher.share,
            options.sampling.temperature);
      shape.positions = std::min(shape.positions, mixed_teacher.model->shape().positions);
    }
    int64_t capacity = 0;
    for (size_t i = 0; i < requests.size(); ++i) {
      rooms_.push_back(room(shape, requests, i, options));
      // The last token is drawn and never read.
      capacity = std::max(capacity, std::ssize(requests[i].prompt) + rooms_[i] - 1);
    }
    const int64_t slots = std::min(options.batch, std::ssize(requests));
    add_sampled(model, slots, capacity);
    if (mixed_teacher.model != nullptr) add_sampled(*mixed_teacher.model, slots, capacity);
    for (int64_t slot = slots; slot-- > 0;) free_slots_.push_back(slot);
    last_tokens_ = at::empty({slots}, at::kLong);
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

  // A model that has its say in what is drawn: the first is the one that is asked.
  struct SampledModel {
    const Model& model;
    Head head;
    KvCache cache;
  };

  void add_sampled(const Model& model, int64_t slots, int64_t capacity) {
    const int64_t size = options_.vocabulary;
    const Head head = size > 0 ? model.head().cut(size) : model.head();
    const KvCache::Shape shape = model.shape().cache;
    try {
      sampled_.push_back(
          {model, head,
           KvCache(shape, slots, capacity, head.weight_VD.options().requires_grad(false))});
    } catch (const c10::OutOfMemoryError&) {
      const double gigabytes = 1e-9 *
                               static_cast<double>(at::elementSize(head.weight_VD.scalar_type())) *
                               static_cast<double>(slots) *
                               static_cast<double>(shape.numel() * capacity + shape.state_numel());
      throw environment_error(
          "not enough memory for the keys and values of {} sequences of {} tokens: {:.1f} GB",
          slots, capacity, gigabytes)
          .with_hint("generate fewer sequences at a time, or shorter ones");
    }
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
    draw(logits_BV, first, on_token);
  }

  // One token for every running sequence.
  void decode(const OnToken& on_token) {
    const int64_t batch = std::ssize(running_);
    Packed input{.tokens_N = last_tokens_.narrow(0, 0, batch), .offsets = {0}};
    std::vector<int64_t> slots;
    for (int64_t b = 0; b < batch; ++b) {
      last_tokens_.data_ptr<int64_t>()[b] = completions_[running_[b].request].tokens.back();
      slots.push_back(running_[b].slot);
      input.offsets.push_back(b + 1);
    }
    input.tokens_N = to_device(input.tokens_N);
    std::vector<Tensor> logits_BV;
    for (SampledModel& sampled : sampled_) {
      Pass pass(input, sampled.cache, slots);
      logits_BV.push_back(head_logits(sampled.head, sampled.model.hidden(pass)));
      pass.finish();
    }
    ++progress_.passes;
    draw(logits_BV, 0, on_token);
  }

  // Draws the next token of running_[first], … from the rows of every voice's logits, and lets the
  // sequences go that have ended.
  void draw(const std::vector<Tensor>& of_sampled, size_t first, const OnToken& on_token) {
    const auto on_cpu = [](const Tensor& t) {
      return t.to(at::TensorOptions(at::kCPU).dtype(at::kFloat)).contiguous();
    };
    Mixture mixed;
    if (of_sampled.size() > 1) {
      mixed = mixture(of_sampled[0], of_sampled[1], options_.mixed_teacher.share,
                      options_.sampling.temperature);
    }
    const Tensor logits_BV = on_cpu(of_sampled.size() > 1 ? mixed.mixed_BV : of_sampled[0]);
    const int64_t batch = logits_BV.size(0), vocabulary = logits_BV.size(1);
    drawn_.resize(static_cast<size_t>(batch));
    // A thread should have work for some microseconds at least.
    const int64_t rows_per_thread = std::max<int64_t>(1, (1 << 15) / vocabulary);
    at::parallel_for(0, batch, rows_per_thread, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) {
        const float* row = logits_BV.const_data_ptr<float>() + b * vocabulary;
        drawn_[b] = draw_one({row, static_cast<size_t>(vocabulary)}, running_[first + b].request);
      }
    });
    if (of_sampled.size() > 1) weigh(on_cpu(mixed.own_BV));
    size_t still_running = first;
    for (size_t b = 0; b < drawn_.size(); ++b) {
      const Running running = running_[first + b];
      if (!weights_.empty()) completions_[running.request].weights.push_back(weights_[b]);
      if (append(running.request, drawn_[b])) {
        running_[still_running++] = running;
      } else {
        for (SampledModel& sampled : sampled_) sampled.cache.lengths[running.slot] = 0;
        free_slots_.push_back(running.slot);
        ++progress_.completions_done;
      }
      if (on_token) on_token(running.request, drawn_[b].token);
    }
    running_.resize(still_running);
  }

  Drawn draw_one(std::span<const float> logits_V, size_t request) const {
    const size_t position = requests_[request].prompt.size() + completions_[request].tokens.size();
    const double coin = uniform({.seed = options_.seed,
                                 .stream = Stream::sampling,
                                 .step = options_.step,
                                 .sample = requests_[request].id,
                                 .position = static_cast<uint32_t>(position)});
    Sampling sampling = options_.sampling;
    if (sampled_.size() > 1) sampling.temperature = 1;  // the rows are logarithms of the mixture
    try {
      if (!sampling.changes_logits()) return sample(logits_V, sampling, coin);
      const std::vector<float> changed = processed_logits(
          logits_V, sampling, requests_[request].prompt, completions_[request].tokens);
      Drawn drawn = sample(changed, sampling, coin);
      drawn.logp = log_probability(logits_V, sampling.temperature, drawn.token);
      return drawn;
    } catch (const Error& e) {
      throw Error(e.exit(), fmt::format("request {}, position {}: {}", request, position, e.what()),
                  e.hint());
    }
  }

  // Weights and the model's own log-probabilities of the tokens just drawn from the mixture.
  void weigh(const Tensor& own_BV) {
    weights_.resize(drawn_.size());
    for (size_t b = 0; b < drawn_.size(); ++b) {
      const float own = own_BV.const_data_ptr<float>()[b * own_BV.size(1) + drawn_[b].token];
      weights_[b] = std::exp(own - drawn_[b].logp);
      drawn_[b].logp = own;
    }
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

  Tensor to_device(const Tensor& tensor) const {
    return tensor.to(sampled_.front().head.weight_VD.device());
  }

  std::span<const Request> requests_;
  const EngineOptions& options_;
  std::vector<SampledModel> sampled_;
  std::vector<int64_t> rooms_;       // per request: most tokens of its completion
  std::vector<int64_t> free_slots_;  // the next one last
  std::vector<Running> running_;
  size_t waiting_ = 0;  // the first request that has had no slot yet
  std::vector<Completion> completions_;
  std::vector<Drawn> drawn_;
  std::vector<float> weights_;  // weights of drawn_, with a mixed-in teacher
  Tensor last_tokens_;          // int64, on the CPU, one per slot: what the next pass reads
  EngineProgress progress_;
};

}  // namespace

std::vector<Completion> generate(const Model& model, std::span<const Request> requests,
                                 const EngineOptions& options, const OnToken& on_token,
                                 const OnProgress& on_progress) {
  const c10::InferenceMode no_gradients;
  return Engine(model, requests, options).run(on_token, on_progress);
}

}  // namespace alambic

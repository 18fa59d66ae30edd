#include "alambic/dist/layer_weights.h"

#include <algorithm>
#include <exception>
#include <tuple>

#include "alambic/base/error.h"

namespace alambic {

LayerWeights::LayerWeights(std::shared_ptr<const World> world, WeightSource source,
                           std::string model, std::shared_ptr<const World> copies,
                           bool divides_experts)
    : world_(std::move(world)),
      copies_(std::move(copies)),
      model_(std::move(model)),
      source_(source),
      divides_experts_(divides_experts) {}

LayerWeights::LayerWeights(const std::vector<LayerTensor>& tensors,
                           std::shared_ptr<const World> world, WeightSource source,
                           std::string model, std::shared_ptr<const World> copies)
    : LayerWeights(std::move(world), source, std::move(model), std::move(copies)) {
  add(tensors);
}

void LayerWeights::add(const std::vector<LayerTensor>& tensors) {
  struct Members {
    std::vector<Tensor> tensors, numbers;
  };
  using Key = std::tuple<int64_t, at::ScalarType, bool, int64_t>;
  using Division = LayerTensor::Division;
  std::map<Key, Members> kinds;
  for (const LayerTensor& entry : tensors) {
    const Tensor& tensor = entry.tensor;
    // What is frozen and outside of the layers stays where it is.
    if (entry.layer < 0 && !tensor.requires_grad()) continue;
    // A tensor whose rows are divided is a row of its own.
    const int64_t division = entry.division == Division::by_row
                                 ? 2 + std::ssize(kinds)
                                 : static_cast<int64_t>(entry.division);
    Members& members = kinds[{entry.layer, tensor.scalar_type(), tensor.requires_grad(), division}];
    members.tensors.push_back(tensor);
    members.numbers.push_back(entry.numbers.defined() ? entry.numbers : tensor);
    trained_ |= tensor.requires_grad();
    layers_ = std::max(layers_, entry.layer + 1);
  }
  for (auto& [key, members] : kinds) {
    const int64_t layer = std::get<0>(key);
    const WeightSource own = layer < 0          ? WeightSource::resident
                             : std::get<3>(key) ? WeightSource::divided
                                                : source_;
    const std::string what = layer < 0 ? model_ : fmt::format("layer {} of {}", layer + 1, model_);
    groups_.push_back(std::make_unique<LayerGroup>(std::move(members.tensors), members.numbers,
                                                   world_, own, what));
    LayerGroup* group = groups_.back().get();
    of_layer_[layer].push_back(group);
    for (int64_t i = 0; i < group->size(); ++i) {
      of_tensor_[group->tensor(i).unsafeGetTensorImpl()] = {group, i};
    }
  }
}

std::pair<LayerGroup*, int64_t> LayerWeights::find(const Tensor& tensor) const {
  const auto place = of_tensor_.find(tensor.unsafeGetTensorImpl());
  return place == of_tensor_.end() ? std::pair<LayerGroup*, int64_t>() : place->second;
}

std::vector<int64_t> LayerWeights::whole_shape(const Tensor& tensor) const {
  const auto [group, i] = find(tensor);
  return group == nullptr ? tensor.sizes().vec() : group->shape(i);
}

std::string LayerWeights::doing(const char* what) const {
  return fmt::format("{} of {}", what, model_);
}

template <class Act>
void LayerWeights::for_layer(int64_t layer, const Act& act) {
  const auto place = of_layer_.find(layer);
  if (place == of_layer_.end()) return;
  for (LayerGroup* group : place->second) act(*group);
}

void LayerWeights::fetch(int64_t layer, const char* phase) {
  for_layer(layer, [&](LayerGroup& group) {
    if (group.here() || (group.divided() && held_ == 0)) return;
    group.fetch(doing(phase));
    bytes_ += group.bytes();
  });
  if (held_ == 0) most_bytes_ = std::max(most_bytes_, bytes_);
}

void LayerWeights::enter(int64_t layer, bool backward) {
  const char* phase = trained_ ? "weights for learning" : "weights";
  fetch(layer, phase);
  // Comes while this one runs.
  const int64_t next = backward ? layer - 1 : layer + 1;
  if (next >= 0 && next < layers_) fetch(next, phase);
  for_layer(layer, [](LayerGroup& group) { group.wait(); });
}

void LayerWeights::leave(int64_t layer) {
  if (held_ > 0) return;
  for_layer(layer, [&](LayerGroup& group) {
    if (!group.here() || !group.comes_and_goes()) return;
    group.release();
    bytes_ -= group.bytes();
  });
}

void LayerWeights::leave_learned(int64_t layer) {
  for_layer(layer, [&](LayerGroup& group) {
    if (group.trained()) group.reduce_gradients(doing("layers' gradients"));
  });
  leave(layer);
}

void LayerWeights::accompany_forward() {
  if (divided_.forward && held_ == 0) return divided_.forward();
  for (int64_t i = 0; i < layers_; ++i) {
    enter(i, /*backward=*/false);
    leave(i);
  }
}

void LayerWeights::accompany_backward() {
  if (divided_.backward && held_ == 0) return divided_.backward();
  for (int64_t i = layers_ - 1; i >= 0; --i) {
    enter(i, /*backward=*/true);
    leave_learned(i);
  }
}

void LayerWeights::hold() {
  if (held_++ > 0) return;
  for (int64_t i = 0; i < layers_; ++i) fetch(i, "whole weights");
  for (const auto& group : groups_) group->wait();
  if (divided_.hold) divided_.hold(true);
}

void LayerWeights::let_go() {
  check(held_ > 0, "weights of {} are let go that nobody holds", model_);
  if (--held_ > 0) return;
  if (divided_.hold) divided_.hold(false);
  for (int64_t i = 0; i < layers_; ++i) leave(i);
}

void LayerWeights::bring(int64_t layer) {
  for_layer(layer, [&](LayerGroup& group) {
    if (group.here()) return;
    group.fetch(doing("whole layers"));
    bytes_ += group.bytes();
    group.wait();
  });
  if (held_ == 0) most_bytes_ = std::max(most_bytes_, bytes_);
}

void LayerWeights::verify() const {
  for (const auto& group : groups_) group->verify(doing("sums of weights that were read"));
}

void LayerWeights::announce(int64_t layer) const {
  world_->from_first(static_cast<double>(layer), doing("following the reader"));
}

void LayerWeights::follow_stream() {
  if (copies_ && !copies_->leads()) return;
  const std::string following = doing("following the reader");
  for (double layer = 0; (layer = world_->from_first(-1.0, following)) >= 0;) {
    bring(static_cast<int64_t>(layer));
    leave(static_cast<int64_t>(layer));
  }
}

void LayerWeights::finish_gradients() {
  for_layer(-1, [&](LayerGroup& group) { group.reduce_gradients(doing("other gradients")); });
  std::vector<Tensor> parts;
  for (const auto& group : groups_) {
    if (!group->trained()) continue;
    check(group->gradient().defined(), "a layer of {} was not learned", model_);
    parts.push_back(group->gradient());
  }
  if (copies_) copies_->sum(parts, doing("gradients between copies"));
}

void LayerWeights::share() {
  for (const auto& group : groups_) {
    if (group->trained()) group->share(doing("sharing updated weights"));
  }
}

void LayerWeights::clear_gradients() {
  for (const auto& group : groups_) group->clear_gradients();
}

int64_t LayerWeights::largest_layer_bytes() const {
  int64_t largest = 0;
  for (const auto& [layer, members] : of_layer_) {
    int64_t bytes = 0;
    for (const LayerGroup* group : members) {
      if (!group->divided()) bytes += group->bytes();
    }
    if (layer >= 0) largest = std::max(largest, bytes);
  }
  return largest;
}

LedPasses::LedPasses(const World& world, std::vector<LayerWeights*> models)
    : world_(world), models_(std::move(models)) {
  std::erase(models_, nullptr);
  if (world_.alone() || models_.empty()) return;
  constexpr const char* doing = "following rank 0";
  if (world_.leads()) {
    for (size_t i = 0; i < models_.size(); ++i) {
      models_[i]->on_pass_ = [this, i] { world_.from_first(static_cast<double>(i), doing); };
    }
    return;
  }
  const at::NoGradGuard no_grad;  // rank 0 looks at what was learned
  for (double model = 0; (model = world_.from_first(0.0, doing)) >= 0;) {
    models_[static_cast<size_t>(model)]->accompany_forward();
  }
}

LedPasses::~LedPasses() noexcept(false) {
  if (!world_.leads() || world_.alone() || models_.empty()) return;
  for (LayerWeights* model : models_) model->on_pass_ = nullptr;
  if (std::uncaught_exceptions() == 0) world_.from_first(-1.0, "following rank 0");
}

}  // namespace alambic

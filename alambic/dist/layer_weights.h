// A model's weights that come before a layer runs and go after it.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "alambic/dist/layer_group.h"

namespace alambic {

struct LayerTensor {
  int64_t layer = 0;  ///< −1: outside of the layers
  std::string name;
  Tensor tensor;
  /// Of what ranks keep for themselves, whatever the others' source is.
  enum class Division {
    none,
    by_tensor,  ///< a rank has some of those of the layer, as many numbers as each other rank
    by_row      ///< a rank has some rows of this one
  };
  Division division = Division::none;
  Tensor numbers = {};  ///< what it is to have, on any device; undefined: what it has
};

/// What a model does whose ranks ask each other for work (WeightSource::divided); empty: they do
/// not.
struct DividedPasses {
  /// Takes part in a forward pass of other ranks, and in the backward pass of the last one.
  std::function<void()> forward = {}, backward = {};
  /// Called when every rank has all weights, and when it has its part again.
  std::function<void(bool whole)> hold = {};
};

/// The groups of a model, layer by layer. While a layer runs, the one that runs next is on its way:
/// at most two are whole at a time, but what is divided of them. What lies outside the layers is
/// resident. Ranks do the same
/// passes in the same order; one that has nothing to compute accompanies the others'. ZeRO stages 2
/// (resident) and 3 (gathered) of Rajbhandari et al., arXiv 1910.02054, where tensors are trained.
class LayerWeights {
 public:
  /// `model` is told in messages ("the student"). `copies`: the ranks with the same part, null
  /// where the world has all ranks.
  LayerWeights(std::shared_ptr<const World> world, WeightSource source, std::string model,
               std::shared_ptr<const World> copies = nullptr, bool divides_experts = false);
  LayerWeights(const std::vector<LayerTensor>& tensors, std::shared_ptr<const World> world,
               WeightSource source, std::string model,
               std::shared_ptr<const World> copies = nullptr);
  LayerWeights(const LayerWeights&) = delete;
  LayerWeights& operator=(const LayerWeights&) = delete;

  /// Takes further tensors over, which are whole nowhere from here on where they come and go. All
  /// ranks add the same in the same order.
  void add(const std::vector<LayerTensor>& tensors);

  int64_t layers() const { return layers_; }
  const World& world() const { return *world_; }
  const std::shared_ptr<const World>& ranks() const { return world_; }
  const std::string& model() const { return model_; }  ///< as messages tell of it
  /// Whether gradients are added up as soon as a layer's are there.
  bool trained() const { return trained_; }
  /// Whether layers are whole only while they are needed.
  bool comes_and_goes() const { return source_ != WeightSource::resident; }

  /// Whether ranks keep their routed experts for themselves, for who adds tensors.
  bool divides_experts() const { return divides_experts_; }
  void set_divided(DividedPasses passes) { divided_ = std::move(passes); }

  /// Called as a forward pass begins: the other ranks may have to be told (LedPasses).
  void begin_pass() const {
    if (on_pass_) on_pass_();
  }
  void enter(int64_t layer, bool backward);
  void leave(int64_t layer);
  /// After a layer's backward pass.
  void leave_learned(int64_t layer);
  /// The part that others' passes need of this rank.
  void accompany_forward();
  void accompany_backward();

  /// Makes all weights whole, until as many let_go() as hold(). All ranks call them.
  void hold();
  void let_go();

  /// Makes a layer whole until it is left, with what ranks divide of it: for who reads weights. All
  /// ranks call it.
  void bring(int64_t layer);
  /// Compares the bits of all parts with what was taken over: an environment error. Before anything
  /// is learned; all ranks call it.
  void verify() const;
  /// Of the reader of a LayerStream: tells the others of its copy which layer it asks for, −1 none
  /// any more; and theirs: brings what it asks for. Copies that it does not read do nothing.
  void announce(int64_t layer) const;
  void follow_stream();

  /// Adds up the gradients outside the layers, and all of them over the copies.
  void finish_gradients();
  /// Gives resident weights what the ranks have made of their parts.
  void share();
  void clear_gradients();
  const std::vector<std::unique_ptr<LayerGroup>>& groups() const { return groups_; }
  /// The group that has this tensor, and the tensor's number in it; null: none has.
  std::pair<LayerGroup*, int64_t> find(const Tensor& tensor) const;
  /// Shape of a tensor of which this rank may have some rows.
  std::vector<int64_t> whole_shape(const Tensor& tensor) const;

  /// The most bytes of layers that were whole at a time, but for those held; and of a layer, but
  /// for what is divided.
  int64_t most_bytes() const { return most_bytes_; }
  int64_t largest_layer_bytes() const;

 private:
  friend class LedPasses;
  template <class Act>
  void for_layer(int64_t layer, const Act& act);
  void fetch(int64_t layer, const char* phase);
  std::string doing(const char* what) const;

  std::shared_ptr<const World> world_, copies_;
  std::string model_;
  WeightSource source_;
  bool divides_experts_ = false;
  bool trained_ = false;
  int64_t layers_ = 0;
  int64_t held_ = 0;
  std::vector<std::unique_ptr<LayerGroup>> groups_;
  std::map<int64_t, std::vector<LayerGroup*>> of_layer_;
  std::map<const void*, std::pair<LayerGroup*, int64_t>> of_tensor_;  // by its implementation
  std::function<void()> on_pass_;
  DividedPasses divided_;
  int64_t bytes_ = 0, most_bytes_ = 0;
};

/// While it lives the weights are whole; null: nothing is done.
class HeldWeights {
 public:
  explicit HeldWeights(LayerWeights* weights) : weights_(weights) {
    if (weights_ != nullptr) weights_->hold();
  }
  ~HeldWeights() noexcept(false) {
    if (weights_ != nullptr) weights_->let_go();
  }
  HeldWeights(const HeldWeights&) = delete;
  HeldWeights& operator=(const HeldWeights&) = delete;

 private:
  LayerWeights* weights_;
};

/// What rank 0 alone computes with models whose weights are on all ranks.
class LedPasses {
 public:
  /// On rank 0 every forward pass of these models is announced from here on; the others take part
  /// in each, and come back when rank 0's object is gone. Null entries are passed over.
  LedPasses(const World& world, std::vector<LayerWeights*> models);
  ~LedPasses() noexcept(false);
  LedPasses(const LedPasses&) = delete;
  LedPasses& operator=(const LedPasses&) = delete;

 private:
  const World& world_;
  std::vector<LayerWeights*> models_;
};

}  // namespace alambic

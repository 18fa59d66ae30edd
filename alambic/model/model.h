#pragma once

#include <nlohmann/json.hpp>

#include <memory>
#include <vector>

#include "alambic/flow/head.h"
#include "alambic/nn/lora.h"
#include "alambic/nn/pass.h"

namespace alambic {

struct Router;
class LayerWeights;
class World;

using Json = nlohmann::ordered_json;

/// Sizes that every family must tell beyond its tensors.
struct ModelShape {
  int64_t vocabulary = 0;
  int64_t width = 0;      ///< D of the final hidden state
  int64_t streams = 1;    ///< residual streams of that width side by side (DeepSeek-V4)
  int64_t positions = 0;  ///< longest sequence
  KvCache::Shape cache;
};

/// A decoder of any family: token ids in, final hidden states out. Logits are made elsewhere, in
/// chunks, from the head.
struct Model {
  Json config;  ///< config.json as read; written back unchanged but for the dtype
  /// Dropout of an adapter that is being trained with it; else null.
  std::shared_ptr<LoraDropout> dropout;

  virtual ~Model() = default;
  virtual ModelShape shape() const = 0;
  /// Walks every tensor under its Hugging Face name, with what its blocks tell besides (linear
  /// maps, routers, activations); a tied head is not visited twice.
  virtual void visit(const TensorVisitor& visitor) = 0;
  /// Hidden states after the final norm, [N, D]. What sequences of a pass without a cache begin
  /// alike with is computed once (nn/shared_prefixes.h), unless dropout draws for each copy. Of a
  /// pass that shares already the hidden states of its rows.
  Tensor hidden(const Pass& pass) const;
  virtual Head head() const = 0;
  /// Whether `hidden` shows its layers' outputs to a pass that asks (Pass::outputs).
  virtual bool has_hidden_states() const { return true; }
  /// Moves what is derived from the configuration (rotary tables) beside the weights.
  virtual void move_buffers(at::Device, at::ScalarType) {}
  /// The tensors that are rows by token or by position: what freeze_embeddings freezes.
  virtual std::vector<std::string> embedding_names() const { return {"model.embed_tokens.weight"}; }
  /// Key of the number of layers in config.json.
  virtual std::string layer_count_key() const { return "num_hidden_layers"; }
  /// The model's own name of a tensor of a file, which may have an older spelling or lack a prefix.
  /// The default is the name itself; "": the tensor is to be ignored.
  virtual std::string canonical_name(const std::string& name) const { return name; }
  /// Reason why a tensor of the files is ignored, for the log ("layers that…"); "": it is used.
  virtual std::string ignored_reason(const std::string&) const { return ""; }
  /// True for a tensor that no gradient changes.
  virtual bool is_constant(const std::string&) const { return false; }
  /// Dtype of a tensor in memory and in files, where `dtype` is that of the rest. Constants are
  /// float32 at least.
  virtual at::ScalarType type_of(const std::string& name, at::ScalarType dtype) const;
  /// Standard deviation with which `init` draws a tensor of this name; 0 means
  /// init_constant: norms one, biases zero.
  virtual double init_deviation(const std::string& name) const = 0;
  /// Initial value of a tensor of deviation 0.
  virtual double init_constant(const std::string& name) const {
    return name.ends_with(".bias") ? 0 : 1;
  }
  /// Initial values of a tensor that is neither random nor constant; undefined: it is one of these.
  virtual Tensor init_table(const std::string&) const { return {}; }

  /// Reason why so many ranks cannot each have a part of the layers, as a sentence; "": they can.
  virtual std::string undivided(int64_t ranks) const;
  /// The model of which this rank of `group` has its part of every layer's heads and columns, as
  /// copies; what lies outside of the layers is this model's. All ranks call it, and then make the
  /// same passes without gradients; each sees the hidden states of the whole model.
  /// nn/tensor_parallel.h says how. `weights`: where the layers of this model come from; null: they
  /// are here.
  virtual std::unique_ptr<Model> part(const std::shared_ptr<const World>& group,
                                      LayerWeights* weights) const;

  /// Dtype of the weights (float32, bfloat16, …) and their device.
  at::TensorOptions options();
  int64_t parameters();
  /// Numbers per token that the backward pass of the layers needs where sequences have `length`
  /// tokens: the sum of what its blocks tell (TensorVisitor::activations), the head's map left out,
  /// whose logits are made in chunks. An estimate, within a quarter of what is measured
  /// (tests/model/saved_activations_test.cpp).
  double saved_activations(double length);
  /// Routers of the MoE layers, in layer order.
  std::vector<Router*> routers();
  /// Makes every tensor but the constant ones want a gradient, or none.
  void set_trainable(bool trainable);
  /// Walks the linear maps that adapters can be attached to, by their module names.
  void visit_linears(const TensorVisitor::OnLinear& visitor);
  /// Chooses the draws of dropout that the next learning pass takes.
  void seed_dropout(int64_t step, int64_t micro_batch);

 protected:
  /// Hidden states of the pass's rows, [rows, D].
  virtual Tensor hidden_rows(const Pass& pass) const = 0;
};

}  // namespace alambic

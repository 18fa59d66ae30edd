#include "alambic/nn/self_attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/base/error.h"
#include "alambic/dist/world.h"
#include "alambic/nn/heads.h"
#include "alambic/nn/joint_linear.h"

namespace alambic {

namespace {

// [N, heads · d] to [N, heads, d]; a norm of all heads together comes before.
Heads heads_of(const Tensor& x, int64_t heads, const RmsNorm& norm) {
  const auto split = [&](const Tensor& y) { return y.unflatten(-1, {heads, -1}); };
  if (!norm.weight.defined()) return {split(x)};
  if (norm.weight.size(0) == x.size(-1)) return {split(norm(x))};
  return {split(x), &norm};
}

}  // namespace

std::string Mixer::undivided(int64_t) const {
  return "its layers have no heads that ranks could divide";
}

MixerPart Mixer::part(const World&, KvCache::LayerShape) const {
  throw bug("a part of a block that is not divided");
}

SelfAttention::SelfAttention(const AttentionShape& shape, const AttentionOptions& options)
    : shape(shape), options(options) {
  const int64_t q = shape.heads * shape.head_width, kv = shape.kv_heads * shape.head_width;
  if (shape.fused) {
    qkv_proj = {shape.width, q + 2 * kv, shape.qkv_bias};
  } else {
    q_proj = {shape.width, shape.gated ? 2 * q : q, shape.qkv_bias};
    k_proj = {shape.width, kv, shape.qkv_bias};
    v_proj = {shape.width, kv, shape.qkv_bias};
  }
  o_proj = {q, shape.width, shape.output_bias};
}

Tensor SelfAttention::forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                              int64_t layer) const {
  std::vector<Tensor> qkv;
  Tensor gate_NE;
  if (shape.fused) {
    const int64_t q = shape.heads * shape.head_width, kv = shape.kv_heads * shape.head_width;
    qkv = qkv_proj(x_ND).split_with_sizes({q, kv, kv}, -1);
  } else {
    qkv = joint_linear(x_ND, {&q_proj, &k_proj, &v_proj});
  }
  if (shape.gated) {
    const std::vector<Tensor> both = qkv[0].unflatten(-1, {shape.heads, -1}).chunk(2, -1);
    qkv[0] = both[0].flatten(-2);
    gate_NE = both[1].flatten(-2);
  }
  const Tensor v_NKd = heads_of(qkv[2], shape.kv_heads, {}).x_NHd;
  const Tensor read_NE =
      attend(heads_of(qkv[0], shape.heads, q_norm), heads_of(qkv[1], shape.kv_heads, k_norm), v_NKd,
             rotation, pass, layer, options);
  return o_proj(shape.gated ? read_NE * gate_NE.sigmoid() : read_NE);
}

std::string SelfAttention::undivided(int64_t ranks) const {
  if (shape.heads % ranks != 0) return fmt::format("its layers have {} heads", shape.heads);
  if (shape.kv_heads % ranks != 0 && ranks % shape.kv_heads != 0) {
    return fmt::format("its layers have {} key/value heads", shape.kv_heads);
  }
  for (const auto& [norm, heads] :
       {std::pair(&q_norm, shape.heads), std::pair(&k_norm, shape.kv_heads)}) {
    if (norm->weight.defined() && heads > 1 && norm->weight.size(0) == heads * shape.head_width) {
      return "it has norms of all heads together";
    }
  }
  return "";
}

MixerPart SelfAttention::part(const World& group, KvCache::LayerShape cache) const {
  const int64_t d = shape.head_width, all_q = shape.heads * d, all_kv = shape.kv_heads * d;
  AttentionShape fewer = shape;
  fewer.heads = shape.heads / group.size();
  fewer.kv_heads = std::max<int64_t>(1, shape.kv_heads / group.size());
  const Slice heads{group.rank() * fewer.heads, fewer.heads};
  const Slice q{heads.begin * d, heads.count * d};
  // A head that several ranks read is on each of them.
  const Slice kv{group.rank() * shape.kv_heads / group.size() * d, fewer.kv_heads * d};
  AttentionOptions of_heads = options;
  of_heads.sinks_H = copy_if_defined(options.sinks_H, 0, {heads});
  auto part = std::make_unique<SelfAttention>(fewer, of_heads);
  if (shape.fused) {
    part->qkv_proj = qkv_proj.with_outputs(
        {q, {all_q + kv.begin, kv.count}, {all_q + all_kv + kv.begin, kv.count}});
  } else {
    const int64_t wide = shape.gated ? 2 : 1;
    part->q_proj = q_proj.with_outputs({{wide * q.begin, wide * q.count}});
    part->k_proj = k_proj.with_outputs({kv});
    part->v_proj = v_proj.with_outputs({kv});
  }
  part->o_proj = o_proj.with_inputs({q});
  part->q_norm = q_norm.copy();
  part->k_norm = k_norm.copy();
  cache.kv_heads = fewer.kv_heads;
  return {std::move(part), cache};
}

// Numbers that a backward pass needs of each token besides the inputs and outputs of linear maps.
int64_t SelfAttention::other_activations() const {
  const auto of_heads = [&](int64_t heads) { return heads * shape.head_width; };
  int64_t numbers = shape.gated ? 2 * of_heads(shape.heads) : 0;  // the output, and the gate
  // Values are part of the fused output, which stays whole beside turned queries and keys.
  if (shape.fused) numbers += of_heads(shape.heads + shape.kv_heads);
  if (q_norm.weight.defined()) numbers += of_heads(shape.heads);
  if (k_norm.weight.defined()) numbers += of_heads(shape.kv_heads);
  return numbers;
}

void SelfAttention::visit(const std::string& prefix, const TensorVisitor& visitor) {
  if (shape.fused) {
    qkv_proj.visit(prefix + "self_attn.qkv_proj", visitor);
  } else {
    q_proj.visit(prefix + "self_attn.q_proj", visitor);
    k_proj.visit(prefix + "self_attn.k_proj", visitor);
    v_proj.visit(prefix + "self_attn.v_proj", visitor);
  }
  o_proj.visit(prefix + "self_attn.o_proj", visitor);
  if (q_norm.weight.defined()) q_norm.visit(prefix + "self_attn.q_norm", visitor);
  if (k_norm.weight.defined()) k_norm.visit(prefix + "self_attn.k_norm", visitor);
  visitor.activations([&](double) { return other_activations(); });
}

}  // namespace alambic

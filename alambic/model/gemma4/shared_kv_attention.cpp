#include "alambic/model/gemma4/shared_kv_attention.h"

namespace alambic {

SharedKvAttention::SharedKvAttention(const AttentionShape& shape, const AttentionOptions& options,
                                     KvSource source, double epsilon)
    : shape(shape), options(options), source(source) {
  const int64_t q = shape.heads * shape.head_width, kv = shape.kv_heads * shape.head_width;
  const auto make_norm = [&] {
    return RmsNorm(shape.head_width, epsilon, /*plus_one=*/false, /*wide=*/true);
  };
  q_proj = {shape.width, q, shape.qkv_bias};
  q_norm = make_norm();
  if (source != KvSource::earlier) {
    k_proj = {shape.width, kv, shape.qkv_bias};
    k_norm = make_norm();
  }
  if (source == KvSource::own) v_proj = {shape.width, kv, shape.qkv_bias};
  o_proj = {q, shape.width, shape.output_bias};
}

Tensor SharedKvAttention::forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                                  int64_t layer, KeysValues& shared) const {
  const auto heads_of = [](const Tensor& x, int64_t heads) { return x.unflatten(-1, {heads, -1}); };
  const Tensor q_NHd = rotation(q_norm(heads_of(q_proj(x_ND), shape.heads)));
  if (source == KvSource::earlier) {
    return o_proj(attend(q_NHd, shared, pass, options));
  }
  const Tensor k_NKd = heads_of(k_proj(x_ND), shape.kv_heads);
  const Tensor v_NKd = source == KvSource::keys ? k_NKd : heads_of(v_proj(x_ND), shape.kv_heads);
  shared = stored(rotation(k_norm(k_NKd)), plain_rms_norm(v_NKd, k_norm.epsilon), pass, layer);
  return o_proj(attend(q_NHd, shared, pass, options));
}

void SharedKvAttention::visit(const std::string& prefix, const TensorVisitor& visitor) {
  const std::string block = prefix + "self_attn.";
  q_proj.visit(block + "q_proj", visitor);
  q_norm.visit(block + "q_norm", visitor);
  if (source != KvSource::earlier) {
    k_proj.visit(block + "k_proj", visitor);
    k_norm.visit(block + "k_norm", visitor);
  }
  if (source == KvSource::own) v_proj.visit(block + "v_proj", visitor);
  o_proj.visit(block + "o_proj", visitor);
  // Queries, keys and values after their norms.
  visitor.activations([&](double) {
    const int64_t normed = source == KvSource::earlier ? 0 : 2 * shape.kv_heads;
    return (shape.heads + normed) * shape.head_width;
  });
}

}  // namespace alambic

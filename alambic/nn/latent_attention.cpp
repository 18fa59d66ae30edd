#include "alambic/nn/latent_attention.h"

#include <algorithm>

#include "alambic/tensor/packed_matrix.h"

namespace alambic {

namespace {

// x0 y0 x1 y1 … to x0 x1 … y0 y1 …, the order in which Rotation turns. Queries and keys are put in
// the same order, so their products are those of the pairs.
Tensor halves_of_pairs(const Tensor& x_NHR) {
  return x_NHR.unflatten(-1, {-1, 2}).transpose(-1, -2).flatten(-2);
}

Tensor widened(const Tensor& x_NHd, int64_t width) {
  return x_NHd.size(-1) == width ? x_NHd : at::constant_pad_nd(x_NHd, {0, width - x_NHd.size(-1)});
}

}  // namespace

LatentAttention::LatentAttention(const LatentShape& shape, double scale)
    : shape(shape), scale(scale) {
  const int64_t q = shape.heads * shape.query_width();
  if (shape.query_rank > 0) {
    q_a_proj = {shape.width, shape.query_rank, shape.bias};
    q_a_layernorm = {shape.query_rank, shape.latent_epsilon};
    q_b_proj = {shape.query_rank, q, false};
  } else {
    q_proj = {shape.width, q, false};
  }
  kv_a_proj_with_mqa = {shape.width, shape.cache_width(), shape.bias};
  kv_a_layernorm = {shape.latent_rank, shape.latent_epsilon};
  kv_b_proj = {shape.latent_rank, shape.heads * (shape.nope_width + shape.value_width), false};
  o_proj = {shape.heads * shape.value_width, shape.width, shape.bias};
}

Tensor LatentAttention::turned(const Tensor& x_NHR, const Rotation& rotation) const {
  return rotation(shape.interleaved ? halves_of_pairs(x_NHR) : x_NHR);
}

LatentAttention::Queries LatentAttention::queries(const Tensor& x_ND,
                                                  const Rotation& rotation) const {
  const Tensor q = shape.query_rank > 0 ? q_b_proj(q_a_layernorm(q_a_proj(x_ND))) : q_proj(x_ND);
  const std::vector<Tensor> parts =
      q.unflatten(-1, {shape.heads, -1}).split_with_sizes({shape.nope_width, shape.rope_width}, -1);
  return {parts[0], turned(parts[1], rotation)};
}

Tensor LatentAttention::forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                                int64_t layer) const {
  const Queries q = queries(x_ND, rotation);
  const std::vector<Tensor> parts =
      kv_a_proj_with_mqa(x_ND).split_with_sizes({shape.latent_rank, shape.rope_width}, -1);
  const Tensor latent_NL = kv_a_layernorm(parts[0].contiguous());
  const Tensor key_N1R = turned(parts[1].unsqueeze(1), rotation);
  if (pass.cache) {
    const Tensor& cache = pass.cache->layers[layer].keys;
    kernels::write_cache(at::cat({latent_NL.unsqueeze(1), key_N1R}, -1), pass.input.offsets, cache,
                         pass.slots, pass.starts);
    if (pass.decodes()) return o_proj(absorbed(q, cache, pass));
  }
  return o_proj(plain(q, latent_NL, key_N1R, pass));
}

Tensor LatentAttention::plain(const Queries& q, const Tensor& latent_NL, const Tensor& key_N1R,
                              const Pass& pass) const {
  const std::vector<Tensor> kv = kv_b_proj(latent_NL)
                                     .unflatten(-1, {shape.heads, -1})
                                     .split_with_sizes({shape.nope_width, shape.value_width}, -1);
  const Tensor q_NHd = at::cat({q.nope_NHd, q.rope_NHR}, -1);
  const Tensor k_NHd = at::cat({kv[0], key_N1R.expand({-1, shape.heads, -1})}, -1);
  // The kernel wants keys and values of one width; zeros change neither scores nor sums.
  const int64_t width = std::max(shape.query_width(), shape.value_width);
  return kernels::packed_attention(widened(q_NHd, width), widened(k_NHd, width),
                                   widened(kv[1], width), pass.input.offsets, {.scale = scale})
      .narrow(-1, 0, shape.value_width)
      .flatten(1);
}

Tensor LatentAttention::kv_b_weight(at::ScalarType type) const {
  if (kv_b_proj.packed) return kv_b_proj.packed->decoded(0, kv_b_proj.packed->rows);
  return kv_b_proj.lora ? kv_b_proj.lora->merged(kv_b_proj.weight).to(type) : kv_b_proj.weight;
}

Tensor LatentAttention::absorbed(const Queries& q, const Tensor& cache, const Pass& pass) const {
  const Tensor weight = kv_b_weight(cache.scalar_type());
  const std::vector<Tensor> maps_HdL =
      weight.unflatten(0, {shape.heads, -1})
          .split_with_sizes({shape.nope_width, shape.value_width}, 1);
  const Tensor q_NHL = at::bmm(q.nope_NHd.transpose(0, 1), maps_HdL[0]).transpose(0, 1);
  std::vector<int64_t> lengths = pass.starts;
  for (int64_t& length : lengths) ++length;
  // Values are the entries too; what their turned part adds up to is cut off.
  const Tensor out_NHL = kernels::cached_attention(at::cat({q_NHL, q.rope_NHR}, -1), cache, cache,
                                                   pass.slots, lengths, {.scale = scale})
                             .narrow(-1, 0, shape.latent_rank);
  return at::bmm(out_NHL.transpose(0, 1), maps_HdL[1].transpose(1, 2)).transpose(0, 1).flatten(1);
}

void LatentAttention::visit(const std::string& prefix, const TensorVisitor& visitor) {
  if (shape.query_rank > 0) {
    q_a_proj.visit(prefix + "self_attn.q_a_proj", visitor);
    q_a_layernorm.visit(prefix + "self_attn.q_a_layernorm", visitor);
    q_b_proj.visit(prefix + "self_attn.q_b_proj", visitor);
  } else {
    q_proj.visit(prefix + "self_attn.q_proj", visitor);
  }
  kv_a_proj_with_mqa.visit(prefix + "self_attn.kv_a_proj_with_mqa", visitor);
  kv_a_layernorm.visit(prefix + "self_attn.kv_a_layernorm", visitor);
  kv_b_proj.visit(prefix + "self_attn.kv_b_proj", visitor);
  o_proj.visit(prefix + "self_attn.o_proj", visitor);
}

}  // namespace alambic

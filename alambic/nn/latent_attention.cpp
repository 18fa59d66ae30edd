#include "alambic/nn/latent_attention.h"

#include <fmt/format.h>

#include <algorithm>

#include "alambic/dist/world.h"
#include "alambic/kernels/batched_attention.h"
#include "alambic/nn/decoding_places.h"
#include "alambic/nn/index_scores.h"
#include "alambic/nn/masked_attention.h"

namespace alambic {

namespace {

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

LatentAttention::Queries LatentAttention::queries(const Tensor& q_NQ,
                                                  const Rotation& rotation) const {
  const std::vector<Tensor> parts = q_NQ.unflatten(-1, {shape.heads, -1})
                                        .split_with_sizes({shape.nope_width, shape.rope_width}, -1);
  return {parts[0], turned(parts[1], rotation)};
}

Tensor LatentAttention::forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass,
                                int64_t layer) const {
  Tensor source_NQ = x_ND;
  if (shape.query_rank > 0) source_NQ = q_a_layernorm(q_a_proj(x_ND));
  const Queries q =
      queries(shape.query_rank > 0 ? q_b_proj(source_NQ) : q_proj(source_NQ), rotation);
  const std::vector<Tensor> parts =
      kv_a_proj_with_mqa(x_ND).split_with_sizes({shape.latent_rank, shape.rope_width}, -1);
  const Tensor latent_NL = kv_a_layernorm(parts[0].contiguous());
  const Tensor key_N1R = turned(parts[1].unsqueeze(1), rotation);
  const Tensor entry_NC = at::cat({latent_NL, key_N1R.squeeze(1)}, -1);
  const Tensor index_key_Nd = indexer ? indexer->keys(x_ND, rotation) : Tensor();
  if (pass.cache) {
    KvCache::Layer& cached_layer = pass.cache->layers[layer];
    store(entry_NC.unsqueeze(1), cached_layer.keys, pass);
    if (indexer) store(index_key_Nd.unsqueeze(1), cached_layer.values, pass);
  }
  if (indexer && indexer->chooses(pass)) {
    const TokenIndexer::Queries index = indexer->queries(x_ND, source_NQ, rotation);
    return o_proj(sparse(q, {pass.to_positions(index.q_NHd), pass.to_positions(index.weight_NH)},
                         pass.to_positions(entry_NC), pass.to_positions(index_key_Nd), pass,
                         layer));
  }
  return o_proj(pass.decodes() ? cached(q, pass.cache->layers[layer].keys, pass)
                               : plain(q, latent_NL, key_N1R, pass));
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
  return kernels::packed_attention(widened(q_NHd, width), pass.to_positions(widened(k_NHd, width)),
                                   pass.to_positions(widened(kv[1], width)), *pass.offsets,
                                   {.scale = scale})
      .narrow(-1, 0, shape.value_width)
      .flatten(1);
}

Tensor LatentAttention::kv_b_weight(at::ScalarType type) const {
  const Tensor weight_EL = kv_b_proj.weight.decoded();
  return kv_b_proj.lora ? kv_b_proj.lora->merged(weight_EL).to(type) : weight_EL;
}

Tensor LatentAttention::absorbed(const Queries& q,
                                 const std::function<Tensor(const Tensor&)>& attention) const {
  const Tensor weight = kv_b_weight(q.nope_NHd.scalar_type());
  const std::vector<Tensor> maps_HdL =
      weight.unflatten(0, {shape.heads, -1})
          .split_with_sizes({shape.nope_width, shape.value_width}, 1);
  const Tensor q_NHL = at::bmm(q.nope_NHd.transpose(0, 1), maps_HdL[0]).transpose(0, 1);
  // Values are the entries too; what their turned part adds up to is cut off.
  const Tensor out_NHL =
      attention(at::cat({q_NHL, q.rope_NHR}, -1)).narrow(-1, 0, shape.latent_rank);
  return at::bmm(out_NHL.transpose(0, 1), maps_HdL[1].transpose(1, 2)).transpose(0, 1).flatten(1);
}

Tensor LatentAttention::cached(const Queries& q, const Tensor& cache, const Pass& pass) const {
  return absorbed(q, [&](const Tensor& q_NHC) {
    if (const DecodingPlaces* places = decoding_places()) {
      return kernels::batched_attention(q_NHC, cache, cache, places->pages_BP, places->positions_B,
                                        pass.longest(), {.scale = scale});
    }
    std::vector<int64_t> lengths = pass.starts();
    for (int64_t& length : lengths) ++length;
    return kernels::cached_attention(q_NHC, cache, cache, pass.slots, lengths, {.scale = scale});
  });
}

Tensor LatentAttention::sparse(const Queries& q, const TokenIndexer::Queries& index,
                               const Tensor& entry_NC, const Tensor& index_key_Nd, const Pass& pass,
                               int64_t layer) const {
  return absorbed(q, [&](const Tensor& q_RHC) {
    const Tensor q_NHC = pass.to_positions(q_RHC);
    std::vector<Tensor> outputs;
    for (int64_t s = 0; s < pass.input.sequences(); ++s) {
      const int64_t begin = pass.input.offsets[s], count = pass.input.length(s);
      const int64_t length = pass.starts()[s] + count;
      Tensor entry_MC = entry_NC.narrow(0, begin, count);
      Tensor index_key_Md = index_key_Nd.narrow(0, begin, count);
      if (length > count) {
        const KvCache::Layer& cache = pass.cache->layers[layer];
        entry_MC = entries_of(cache.keys, pass, s, length);
        index_key_Md = entries_of(cache.values, pass, s, length);
      }
      const Tensor q_THC = q_NHC.narrow(0, begin, count);
      if (length <= indexer->shape.top_k) {
        const Tensor seen_TM = visible_entries(pass.starts()[s], count, length, 1, q_THC.device());
        outputs.push_back(masked_attention(q_THC, entry_MC, seen_TM, {.scale = scale}));
      } else {
        outputs.push_back(sparse_attention(
            q_THC, entry_MC, indexer->top_k(index, begin, count, index_key_Md), {.scale = scale}));
      }
    }
    return pass.to_rows(at::cat(outputs));
  });
}

std::string LatentAttention::undivided(int64_t ranks) const {
  if (indexer) return "its layers have an indexer, which chooses positions for all heads together";
  return shape.heads % ranks == 0 ? "" : fmt::format("its layers have {} heads", shape.heads);
}

MixerPart LatentAttention::part(const World& group, KvCache::LayerShape cache) const {
  LatentShape fewer = shape;
  fewer.heads = shape.heads / group.size();
  const auto of_heads = [&](int64_t width) {
    return Slices{{group.rank() * fewer.heads * width, fewer.heads * width}};
  };
  auto part = std::make_unique<LatentAttention>(fewer, scale);
  if (shape.query_rank > 0) {
    part->q_a_proj = q_a_proj.copy();
    part->q_a_layernorm = q_a_layernorm.copy();
    part->q_b_proj = q_b_proj.with_outputs(of_heads(shape.query_width()));
  } else {
    part->q_proj = q_proj.with_outputs(of_heads(shape.query_width()));
  }
  part->kv_a_proj_with_mqa = kv_a_proj_with_mqa.copy();
  part->kv_a_layernorm = kv_a_layernorm.copy();
  part->kv_b_proj = kv_b_proj.with_outputs(of_heads(shape.nope_width + shape.value_width));
  part->o_proj = o_proj.with_inputs(of_heads(shape.value_width));
  return {std::move(part), cache};
}

// As SelfAttention's, in sequences of `length` tokens.
double LatentAttention::other_activations(double length) const {
  const auto heads = static_cast<double>(shape.heads);
  if (indexer && length > static_cast<double>(indexer->shape.top_k)) {
    // The choice (9 bytes an entry), and each head's queries and sums as wide as the cache.
    return 2.25 * static_cast<double>(indexer->shape.top_k) +
           2 * heads * static_cast<double>(shape.cache_width());
  }
  // Keys, and values where they are widened, in one piece.
  return heads * static_cast<double>(shape.query_width()) *
         (shape.value_width < shape.query_width() ? 2 : 1);
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
  if (indexer) indexer->visit(prefix + "self_attn.indexer.", visitor);
  visitor.activations([&](double length) { return other_activations(length); });
}

}  // namespace alambic

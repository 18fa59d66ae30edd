#include "alambic/model/deepseek_v4/compressed_attention.h"

#include <algorithm>
#include <cmath>

#include "alambic/kernels/norm.h"
#include "alambic/model/deepseek_v4/tail_rotation.h"
#include "alambic/nn/attention.h"
#include "alambic/nn/index_scores.h"
#include "alambic/nn/masked_attention.h"

namespace alambic {

namespace {

// The two sides of a compressor in a slot, `first` of them the ring.
WindowCompressor::Memory memory_of(const Pass& pass, int64_t s, int64_t layer, size_t first) {
  if (!pass.cache) return {};
  const KvCache::Layer& cached = pass.cache->layers[layer];
  const int64_t slot = pass.slots[s];
  return {cached.sides.at(first)[slot], cached.sides.at(first + 1)[slot]};
}

// Whether positions [begin, end) see positions [first, end): themselves and what is not too far.
Tensor window_mask(int64_t first, int64_t begin, int64_t end, int64_t window, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(device);
  const Tensor back_TM =
      at::arange(begin, end, options).unsqueeze(-1) - at::arange(first, end, options);
  return (back_TM >= 0) & (back_TM < window);
}

// What each of a sequence's first `count` positions sees of the rows [positions | entries]: the
// last `window` positions and the chosen entries.
ChosenEntries with_window(const ChosenEntries& entries, int64_t count, int64_t window) {
  const auto options = entries.index_TC.options();
  const Tensor place_TW =
      at::arange(count, options).unsqueeze(-1) - at::arange(std::min(window, count), options);
  return {at::cat({place_TW.clamp_min(0), entries.index_TC + count}, 1),
          at::cat({place_TW >= 0, entries.seen_TC}, 1)};
}

}  // namespace

CompressedAttention::CompressedAttention(const CompressedShape& shape) : shape(shape) {
  const int64_t all = shape.heads * shape.head_width;
  wq_a = {shape.width, shape.query_rank, false};
  q_norm = {shape.query_rank, shape.epsilon};
  wq_b = {shape.query_rank, all, false};
  wkv = {shape.width, shape.head_width, false};
  norm = {shape.head_width, shape.epsilon};
  wo_a = placeholder({shape.groups * shape.group_rank, all / shape.groups});
  wo_b = {shape.groups * shape.group_rank, shape.width, false};
  sinks_H = placeholder({shape.heads});
}

std::vector<KvCache::Side> CompressedAttention::sides() const {
  std::vector<KvCache::Side> result;
  const auto add = [&](const CompressorShape& one) {
    result.push_back({.width = one.raw_width(), .rows = one.ring()});
    result.push_back({.width = one.entry, .tokens = one.stride});
  };
  if (compressor) add(compressor->shape);
  if (indexer) add(indexer->compressor.shape);
  return result;
}

Tensor CompressedAttention::forward(const Tensor& x_ND, const Rope& rope, const Rotation& rotation,
                                    const Pass& pass, int64_t layer) const {
  const Tensor latent_NQ = q_norm(wq_a(x_ND));
  const Tensor q_NHd = wq_b(latent_NQ).unflatten(-1, {shape.heads, -1});
  const Tensor ones_d = at::ones({shape.head_width}, q_NHd.options().requires_grad(false));
  Inputs inputs = {
      .q_NHd = rotate_tail(kernels::rms_norm(q_NHd, ones_d, shape.epsilon), rotation),
      .kv_Nd = rotate_tail(norm(wkv(x_ND)).unsqueeze(1), rotation).squeeze(1),
      .raw_NW = compressor ? compressor->raw(x_ND) : Tensor(),
      .index = indexer ? indexer->queries(x_ND, latent_NQ, rotation) : EntryIndexer::Queries()};
  if (pass.cache) store(inputs.kv_Nd.unsqueeze(1), pass.cache->layers[layer].keys, pass);
  std::vector<Tensor> outputs;
  if (pass.decodes()) {
    outputs.push_back(step(inputs, rope, pass, layer));
  } else {
    inputs = inputs.at_positions(pass);
    for (int64_t s = 0; s < pass.input.sequences(); ++s) {
      outputs.push_back(of_sequence(inputs, rope, pass, s, layer));
    }
  }
  // Values have turned with the keys: turned back by the query's angle, what a value adds depends
  // on how far away it is.
  return output(rotate_tail(pass.to_rows(at::cat(outputs)), rotation.back()));
}

CompressedAttention::Inputs CompressedAttention::Inputs::at_positions(const Pass& pass) const {
  const auto all = [&](const Tensor& x) { return x.defined() ? pass.to_positions(x) : x; };
  return {.q_NHd = all(q_NHd),
          .kv_Nd = all(kv_Nd),
          .raw_NW = all(raw_NW),
          .index = {all(index.q_NHd), all(index.weight_NH), all(index.raw_NW)}};
}

Tensor CompressedAttention::of_sequence(const Inputs& inputs, const Rope& rope, const Pass& pass,
                                        int64_t s, int64_t layer) const {
  const int64_t begin = pass.input.offsets[s], count = pass.input.length(s);
  const at::Device device = inputs.q_NHd.device();
  const Tensor kv_Td = inputs.kv_Nd.narrow(0, begin, count);
  Tensor entry_Ed, seen_TE;
  std::optional<ChosenEntries> chosen;
  if (compressor) {
    entry_Ed = compressor->entries(inputs.raw_NW.narrow(0, begin, count),
                                   memory_of(pass, s, layer, 0), rope);
    seen_TE = visible_entries(0, count, entry_Ed.size(0), compressor->shape.stride, device);
    if (indexer) {
      chosen =
          indexer->top_k(inputs.index, begin, count, memory_of(pass, s, layer, 2), rope, seen_TE);
    }
  }
  const kernels::AttentionOptions options{
      .scale = 1 / std::sqrt(static_cast<double>(shape.head_width)), .sinks_H = sinks_H};
  if (chosen) {
    return sparse_attention(inputs.q_NHd.narrow(0, begin, count), at::cat({kv_Td, entry_Ed}),
                            with_window(*chosen, count, shape.window), options);
  }
  // Blocks of queries as long as the window: each sees two windows at most.
  std::vector<Tensor> outputs;
  for (int64_t from = 0; from < count; from += shape.window) {
    const int64_t to = std::min(from + shape.window, count);
    const int64_t first = std::max<int64_t>(from + 1 - shape.window, 0);
    Tensor row_Md = kv_Td.narrow(0, first, to - first);
    Tensor seen_TM = window_mask(first, from, to, shape.window, device);
    if (compressor) {
      row_Md = at::cat({row_Md, entry_Ed});
      seen_TM = at::cat({seen_TM, seen_TE.narrow(0, from, to - from)}, 1);
    }
    outputs.push_back(masked_attention(inputs.q_NHd.narrow(0, begin + from, to - from), row_Md,
                                       seen_TM, options));
  }
  return at::cat(outputs);
}

Tensor CompressedAttention::step(const Inputs& inputs, const Rope& rope, const Pass& pass,
                                 int64_t layer) const {
  const KvCache::Layer& cached = pass.cache->layers[layer];
  const auto options = at::TensorOptions().dtype(at::kLong).device(inputs.q_NHd.device());
  const Tensor start_B1 = at::tensor(pass.starts(), options).unsqueeze(-1);
  const Tensor slot_B1 = at::tensor(pass.slots, options).unsqueeze(-1);
  std::vector<Tensor> rows, seen;
  // Slots have rows that nobody has written yet: what is not seen becomes zero.
  const auto gather = [&](const Tensor& memory, const Tensor& row_BC, const Tensor& seen_BC) {
    rows.push_back(memory.view({-1, shape.head_width})
                       .index_select(0, row_BC.flatten())
                       .view({row_BC.size(0), -1, shape.head_width})
                       .masked_fill_(~seen_BC.unsqueeze(-1), 0));
    seen.push_back(seen_BC);
  };
  // Widths are those of the slots, not of the batch: a completion does not depend on its neighbors.
  const Tensor place_BC =
      start_B1 - at::arange(std::min(shape.window, pass.cache->capacity), options);
  gather(cached.keys, rows_of_entries(cached.keys, pass, place_BC.clamp_min(0)), place_BC >= 0);
  if (compressor) {
    compressor->step(inputs.raw_NW, pass.starts(), pass.slots, cached.sides[0], cached.sides[1],
                     rope);
    const int64_t all = cached.sides[1].size(1);
    const Tensor first_B1 = slot_B1 * all;
    if (indexer) {
      const ChosenEntries chosen =
          indexer->step(inputs.index, pass.starts(), pass.slots, cached.sides[2], cached.sides[3],
                        rope, std::min(indexer->shape.top_k, all));
      gather(cached.sides[1], first_B1 + chosen.index_TC, chosen.seen_TC);
    } else {
      const Tensor index_BC = at::arange(all, options).expand({slot_B1.size(0), -1});
      const Tensor made_B1 = (start_B1 + 1).floor_divide(compressor->shape.stride);
      gather(cached.sides[1], first_B1 + index_BC, index_BC < made_B1);
    }
  }
  return gathered_attention(
      inputs.q_NHd, at::cat(rows, 1), at::cat(seen, 1),
      {.scale = 1 / std::sqrt(static_cast<double>(shape.head_width)), .sinks_H = sinks_H});
}

Tensor CompressedAttention::output(const Tensor& heads_NHd) const {
  const Tensor groups_GNi = heads_NHd.flatten(1).unflatten(-1, {shape.groups, -1}).transpose(0, 1);
  const Tensor maps_Gir = wo_a.unflatten(0, {shape.groups, -1}).transpose(1, 2);
  return wo_b(at::bmm(groups_GNi, maps_Gir).transpose(0, 1).flatten(1));
}

// Numbers that a backward pass needs of each token besides the inputs and outputs of linear maps,
// in sequences of `length` tokens.
double CompressedAttention::other_activations(double length) const {
  const auto heads = static_cast<double>(shape.heads),
             width = static_cast<double>(shape.head_width);
  double seen = std::min(length, 2 * static_cast<double>(shape.window));  // rows of a query's block
  double raw = 0;
  if (compressor) {
    seen += length / static_cast<double>(compressor->shape.stride);
    raw = static_cast<double>(compressor->shape.raw_width());
  }
  // Weights; queries after their norm and turn, sums before and after theirs; the grouped map.
  return heads * (seen + 5 * width) + 2 * raw +
         static_cast<double>(shape.groups * shape.group_rank);
}

void CompressedAttention::visit(const std::string& prefix, const TensorVisitor& visitor) {
  wq_a.visit(prefix + "wq_a", visitor);
  q_norm.visit(prefix + "q_norm", visitor);
  wq_b.visit(prefix + "wq_b", visitor);
  wkv.visit(prefix + "wkv", visitor);
  norm.visit(prefix + "norm", visitor);
  visitor(prefix + "wo_a.weight", wo_a);
  wo_b.visit(prefix + "wo_b", visitor);
  visitor(prefix + "attn_sink", sinks_H);
  if (compressor) compressor->visit(prefix + "compressor.", visitor);
  if (indexer) indexer->visit(prefix + "indexer.", visitor);
  visitor.activations([&](double length) { return other_activations(length); });
}

}  // namespace alambic

#pragma once

#include "alambic/flow/packed.h"
#include "alambic/kernels/packed_offsets.h"
#include "alambic/nn/kv_cache.h"
#include "alambic/nn/layer_outputs.h"
#include "alambic/nn/shared_prefixes.h"

namespace alambic {

/// One pass of packed sequences through a model. Without a cache: a plain forward, for training and
/// grading. With a cache: sequence s continues slot slots[s], its keys and values are stored, and
/// the caller calls finish() after the last layer. Sequences that go on take one token each; those
/// that begin come in passes of their own, or behind them where the cache mixes.
///
/// A model computes rows, one for each position of the input; without a cache, and where sequences
/// begin alike, Model::hidden makes them fewer (`shared`). N of tensors inside a model is the
/// number of rows; where positions see each other, to_positions and to_rows lead there and back.
struct Pass {
  const Packed& input;
  KvCache* cache = nullptr;
  std::vector<int64_t> slots = {};
  int64_t stepping = 0;  ///< so many sequences, the first, have one row each that reads the cache
  Tensor tokens_N = {};  ///< int64: token of each row
  Tensor positions_N = {};  ///< int64: position of each row in its own sequence
  /// With a cache, where the keys and values of each row go: entry places_N of the pages in its row
  /// of pages_NP. Of rows that read the cache too, those are all pages of the slot. int64
  Tensor pages_NP = {}, places_N = {};
  LayerOutputs* outputs = nullptr;  ///< hidden states to hand out; null: none
  SharedPrefixesPtr shared = {};    ///< null: each position has a row of its own
  /// Of the sequences that read no cache, those behind the first `stepping`: of the rows of each
  /// one's own, its last ones, as queries, and of its positions.
  std::shared_ptr<const kernels::PackedOffsets> offsets = {};

  explicit Pass(const Packed& input);
  Pass(const Packed& input, KvCache& cache, std::vector<int64_t> slots);

  /// The same pass over `copy`, a copy of its input; hands nothing out.
  Pass(const Pass& pass, const Packed& copy);

  /// Entries already in each sequence's slot. What asks cannot be recorded
  /// (kernels/device_graph.h).
  const std::vector<int64_t>& starts() const;
  /// Most entries of a sequence that goes on, its new one among them.
  int64_t longest() const;
  /// Pass with one new token for each of the running sequences, and no others. Not to be asked of
  /// one that has both.
  bool decodes() const;
  /// The same pass, with a row for each position that differs, if that is fewer.
  Pass with_shared_prefixes() const;
  /// [rows, …] to [positions of the input, …], and back: one of equals.
  Tensor to_positions(const Tensor& x_ND) const;
  Tensor to_rows(const Tensor& x_ND) const;
  /// Positions of each row, int64; undefined: one of each.
  Tensor copies_N() const;
  /// Models call it behind each layer.
  void show(int64_t layer, const Tensor& x_ND) const {
    if (outputs != nullptr) outputs->see(layer, x_ND);
  }
  /// Counts the new entries in the cache.
  void finish();

 private:
  std::vector<int64_t> starts_ = {};
};

}  // namespace alambic

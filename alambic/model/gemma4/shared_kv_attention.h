// Attention whose keys and values may be those of an earlier layer (Gemma 3n and 4; Brandon et al.,
// arXiv 2405.12981), with norms of each head's query, key and value.
#pragma once

#include "alambic/nn/self_attention.h"

namespace alambic {

enum class KvSource {
  own,     ///< a map to keys and one to values
  keys,    ///< values are the keys before their norm and turn
  earlier  ///< those of the last layer before that has made its own
};

struct SharedKvAttention {
  AttentionShape shape;
  AttentionOptions options;
  KvSource source;
  Linear q_proj, k_proj, v_proj, o_proj;
  RmsNorm q_norm, k_norm;

  SharedKvAttention(const AttentionShape& shape, const AttentionOptions& options, KvSource source,
                    double epsilon);
  /// [N, D] to [N, D]; `layer` is this layer's place in the pass's cache. Reads `shared` or
  /// replaces it.
  Tensor forward(const Tensor& x_ND, const Rotation& rotation, const Pass& pass, int64_t layer,
                 KeysValues& shared) const;
  /// `prefix` is the layer's, "model.layers.3.".
  void visit(const std::string& prefix, const TensorVisitor& visitor);
};

}  // namespace alambic

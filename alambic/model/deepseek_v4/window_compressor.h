// Compressed entries of DeepSeek-V4 (transformers' modeling_deepseek_v4.py; sections 2.3.1
// and 2.3.2 of its report): every m tokens become one entry, Σ softmax(gate + bias) · value over
// the tokens, channel by channel.
#pragma once

#include <vector>

#include "alambic/nn/linear.h"
#include "alambic/nn/norm.h"
#include "alambic/nn/rope.h"

namespace alambic {

struct CompressorShape {
  int64_t width = 0;   ///< width of x
  int64_t entry = 0;   ///< d, width of an entry
  int64_t stride = 0;  ///< m, tokens to an entry
  /// An entry also reads the m tokens before its own, by values and gates of their own.
  bool overlapping = false;
  double epsilon = 1e-6;
  /// Width of a token's raw row: values and gates.
  int64_t raw_width() const { return (overlapping ? 4 : 2) * entry; }
  /// Tokens whose raw rows the next entry may need.
  int64_t ring() const { return (overlapping ? 2 : 1) * stride; }
};

struct WindowCompressor {
  CompressorShape shape;
  Linear wkv, wgate;
  Tensor ape;  ///< [m, …], added to the gates by the place in the window
  RmsNorm norm;

  /// Tensors that a running sequence keeps; undefined without a cache.
  struct Memory {
    Tensor ring_RW;   ///< raw rows of the last tokens, that of position p in row p mod R
    Tensor entry_Ed;  ///< entries so far
  };

  explicit WindowCompressor(const CompressorShape& shape);
  /// Values and gates of each token, [N, raw width].
  Tensor raw(const Tensor& x_ND) const;
  /// Entries, [E, d], of the first tokens of a sequence. They turn as if they stood where their
  /// window begins. Written to the memory too.
  Tensor entries(const Tensor& raw_TW, const Memory& memory, const Rope& rope) const;
  /// Takes one token more of each of B running sequences, at position starts[b], into the rings and
  /// entries of their slots ([slots, rows, width]), of which sequence b has slots[b].
  void step(const Tensor& raw_BW, const std::vector<int64_t>& starts,
            const std::vector<int64_t>& slots, const Tensor& rings, const Tensor& entries,
            const Rope& rope) const;
  void visit(const std::string& prefix, const TensorVisitor& visitor);

 private:
  std::vector<Tensor> halves(const Tensor& rows_EmW) const;
  Tensor compressed(const Tensor& raw_TW, const Rope& rope) const;
  Tensor compressed(const std::vector<Tensor>& both, const Tensor& number_E,
                    const Rope& rope) const;
};

}  // namespace alambic

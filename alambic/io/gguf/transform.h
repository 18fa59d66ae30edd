#pragma once

#include "alambic/io/gguf/architecture.h"
#include "alambic/io/tensor_view.h"

namespace alambic {

/// A tensor on its way to the other side, whose bytes are made when they are asked for.
struct TransformedTensor {
  Dtype dtype;
  std::vector<int64_t> shape;
  TensorBytes bytes;
};

/// Heads of linear attention.
struct GgufDeltaNet {
  int64_t key_heads = 0, value_heads = 0, value_width = 0;
};

struct GgufHeads {
  int64_t query = 1, key = 1;
  int64_t nope_width = 0, value_width = 0;  ///< numbers a head of latent attention
  GgufDeltaNet delta_net = {};
};

TensorView view_of(const TransformedTensor& tensor, const std::string& name = "");

/// `tensor` as GGUF has it (`to_gguf`), or as the Hugging Face folder has it. Rows move as bytes,
/// so blocks stay blocks; a transposed block format, numbers with scales (tile_scales.h) and
/// Gemma's norms become F32. Nothing of the tensor is read yet, and its memory must outlive the
/// result. Input errors name `where` and the tensor when its shape does not fit the change.
TransformedTensor change_tensor(const TensorView& tensor, GgufTransform change, bool to_gguf,
                                const GgufHeads& heads, const std::string& where);

/// Its numbers; an input error that names `where` and the tensor when it holds none.
std::vector<float> floats_of(const TensorView& tensor, const std::string& where);
/// The tensor in F32; the same error.
TransformedTensor as_floats(const TensorView& tensor, const std::string& where);

/// The shape that GGUF has it in.
std::vector<int64_t> changed_shape(const TensorView& tensor, GgufTransform change,
                                   const GgufHeads& heads, const std::string& where);

}  // namespace alambic

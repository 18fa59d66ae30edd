// Tensors that GGUF keeps in parts, or turned, where the Hugging Face folder has them whole.
#pragma once

#include <vector>

#include "alambic/io/gguf/transform.h"

namespace alambic {

/// True for the changes by which a tensor of GGUF is a part of one of the folder's.
bool is_part(GgufTransform change);

/// The shape of that part of a tensor of shape `whole`. An input error that names `where` and
/// `name` when it has no such part.
std::vector<int64_t> part_shape(GgufTransform change, const std::vector<int64_t>& whole,
                                const GgufHeads& heads, const std::string& name,
                                const std::string& where);

/// The part itself. Its rows are not those of the whole, so a block format becomes F32.
TransformedTensor part_of(const TensorView& whole, GgufTransform change, const GgufHeads& heads,
                          const std::string& where);

/// The same part of an F4 tensor with scales (mxfp4.h), as MXFP4.
std::vector<std::byte> mxfp4_part_of(const TensorView& whole, GgufTransform change);

struct GgufPart {
  GgufTransform change;
  TensorView tensor;
};

/// A tensor made of parts when its bytes are asked for.
struct WholeTensor {
  TransformedTensor tensor;
  /// Exponents of an F4 tensor, one to `scaled` numbers of a column (mxfp4.h); else empty.
  TensorBytes scales = {};
  int64_t scaled = 1;
};

/// The whole of `parts`, which are all that it has. Parts in MXFP4 give the MXFP4 of the folder,
/// parts of one plain dtype that dtype, others F32. Input errors name `where` and a part that does
/// not fit.
WholeTensor whole_of(const std::vector<GgufPart>& parts, const GgufHeads& heads,
                     const std::string& where);

}  // namespace alambic

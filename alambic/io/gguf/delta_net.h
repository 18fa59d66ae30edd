// Gated DeltaNet's tensors (Qwen3.5). The folder has the value heads of each key head together;
// llama.cpp repeats the key heads in turn, so that GGUF has the first value head of every key head,
// then the second, …
#pragma once

#include "alambic/io/gguf/transform.h"

namespace alambic {

/// True for the changes of those tensors.
bool is_of_delta_net(GgufTransform change);

/// `tensor` as GGUF has it (`to_gguf`), or as the folder has it. Rows and whole blocks move as
/// bytes; A_log, and columns that split a block, become F32. Input errors name `where` and the
/// tensor when its shape or a number does not fit.
TransformedTensor change_delta_net(const TensorView& tensor, GgufTransform change, bool to_gguf,
                                   const GgufHeads& heads, const std::string& where);

/// The shape on the other side.
std::vector<int64_t> delta_net_shape(const TensorView& tensor, GgufTransform change, bool to_gguf,
                                     const std::string& where);

}  // namespace alambic

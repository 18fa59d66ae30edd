// FP8 weights as DeepSeek-V3 (arXiv 2412.19437, section 3.3) and transformers' FineGrainedFP8 store
// them: a matrix NAME of F8_E4M3 numbers and a matrix NAME_scale_inv of float32, a number to a
// tile, by which the tile's numbers are multiplied. DeepSeek-V4's files (transformers'
// integrations/finegrained_fp8.py) call the scales of NAME.weight NAME.scale; they are powers of
// two, F8_E8M0. Its experts are I8, two E2M1 numbers to a byte, the lower half first, with such a
// scale to 32 numbers of a row.
#pragma once

#include <nlohmann/json.hpp>

#include <span>
#include <string>
#include <vector>

#include "alambic/io/tensor_view.h"

namespace alambic {

/// Makes the scales a part of their tensors, drops them from the list, and drops
/// "quantization_config" of `config`, since the numbers are then whole. Only for quant_method
/// "fp8"; others are left as they are. Strict: input errors name an FP8 tensor without scales,
/// scales without one, a wrong shape or dtype, and what of the setting is not read. `where` names
/// the folder.
void join_tile_scales(nlohmann::ordered_json& config, std::vector<TensorView>& tensors,
                      const std::string& where);

/// Scales of a matrix of F8_E4M3 in float32: those of its first row of tiles, then of the next.
std::vector<float> tile_scales(const TensorView& matrix);

/// One row of such a matrix, of whose tiles these are the scales.
void decode_fp8_row(std::span<const std::byte> row, const float* scales, int64_t tile_columns,
                    float* numbers);

/// The F4 rows of DeepSeek-V4's experts as GGUF's blocks of MXFP4, row after row: as many bytes,
/// the same numbers.
std::vector<std::byte> mxfp4_blocks(const TensorView& matrix);

/// The numbers of a tensor with tile scales (MXFP4 too: mxfp4.h), multiplied out. `numbers` are as
/// many as it has.
void decode_tiles(const TensorView& tensor, std::span<float> numbers);

}  // namespace alambic

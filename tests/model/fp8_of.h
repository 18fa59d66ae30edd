// Models as folders whose matrices are FP8.
#pragma once

#include <gtest/gtest.h>

#include "alambic/base/files.h"
#include "alambic/io/model_folder.h"
#include "alambic/io/safetensors.h"
#include "alambic/tensor/view.h"
#include "tests/golden_models.h"

namespace alambic {

inline constexpr int64_t tile_rows = 10,
                         tile_columns = 16;  // no golden matrix is whole tiles of these

inline bool can_be_fp8(const std::string& name, const Tensor& tensor) {
  return tensor.dim() == 2 && tensor.is_floating_point() && name.ends_with(".weight");
}

/// Writes a folder of that model whose matrices are F8_E4M3 with a scale to a tile.
inline void write_fp8(const fs::path& from, const fs::path& folder, int64_t tile_rows,
                      int64_t tile_columns) {
  const ModelFolder model = ModelFolder::open(from);
  fs::remove_all(folder);
  fs::create_directories(folder);
  std::vector<std::pair<std::string, Tensor>> tensors;
  for (const TensorView& view : model.tensors()) {
    const Tensor numbers = to_tensor(view, scalar_type(view), at::kCPU, {});
    if (!can_be_fp8(view.name, numbers)) {
      tensors.emplace_back(view.name, numbers);
      continue;
    }
    const int64_t down = (numbers.size(0) + tile_rows - 1) / tile_rows;
    const int64_t across = (numbers.size(1) + tile_columns - 1) / tile_columns;
    tensors.emplace_back(view.name, (numbers.to(at::kFloat) * 64).to(at::kFloat8_e4m3fn));
    tensors.emplace_back(view.name + "_scale_inv",
                         at::linspace(0.01, 0.02, down * across).view({down, across}));
  }
  write_safetensors(folder / "model.safetensors", to_views(tensors), {});
  nlohmann::ordered_json config = nlohmann::ordered_json::parse(read_file(from / "config.json"));
  config["quantization_config"] = {{"quant_method", "fp8"},
                                   {"fmt", "e4m3"},
                                   {"activation_scheme", "dynamic"},
                                   {"weight_block_size", {tile_rows, tile_columns}}};
  write_file(folder / "config.json", config.dump());
}

/// Such a folder of a golden model.
inline fs::path fp8_of(const std::string& name) {
  fs::path folder = fs::path(testing::TempDir()) / ("alambic_fp8_" + name);
  write_fp8(golden_folder(name), folder, tile_rows, tile_columns);
  return folder;
}

}  // namespace alambic

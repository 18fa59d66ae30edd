#include "alambic/io/tile_scales.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

#include "alambic/base/error.h"
#include "alambic/io/mxfp4.h"
#include "alambic/io/printable.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view suffix = "_scale_inv";

struct Tile {
  int64_t rows, columns;
};

// F8_E4M3 (the "fn" form): exponent bias 7, no infinities, all bits set is not a number.
float e4m3_to_float(uint8_t bits) {
  const int exponent = bits >> 3 & 15, fraction = bits & 7;
  float size = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                             : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  if (exponent == 15 && fraction == 7) size = std::numeric_limits<float>::quiet_NaN();
  return (bits & 0x80) != 0 ? -size : size;
}

const std::array<float, 256>& e4m3_numbers() {
  static const std::array<float, 256> numbers = [] {
    std::array<float, 256> table{};
    for (size_t i = 0; i < table.size(); ++i) table.at(i) = e4m3_to_float(static_cast<uint8_t>(i));
    return table;
  }();
  return numbers;
}

int64_t parts(int64_t size, int64_t of) { return (size + of - 1) / of; }

void require(bool holds, const Json& setting, const std::string& where, const char* key,
             const char* expected) {
  if (holds) return;
  throw input_error(
      "cannot read the FP8 weights of {}: quantization_config's \"{}\" should be {}, "
      "found {}",
      where, key, expected, setting.contains(key) ? setting[key].dump() : "nothing");
}

// The tiles' size, if the folder is of this kind.
std::optional<Tile> tile_of(const Json& config, const std::string& where) {
  const Json setting = config.is_object() ? config.value("quantization_config", Json()) : Json();
  if (!setting.is_object() || setting.value("quant_method", Json()) != "fp8") return std::nullopt;
  require(setting.value("fmt", Json("e4m3")) == "e4m3", setting, where, "fmt", "\"e4m3\"");
  const Json size = setting.value("weight_block_size", Json());
  const auto is_size = [](const Json& x) {
    return x.is_number_integer() && x >= 1 && x < (int64_t{1} << 31);
  };
  require(size.is_array() && size.size() == 2 && is_size(size[0]) && is_size(size[1]), setting,
          where, "weight_block_size", "two sizes");
  return Tile{size[0], size[1]};
}

void join(TensorView& matrix, const TensorView& scales, const Tile& tile,
          const std::string& where) {
  const auto wrong = [&](const std::string& what) {
    return input_error("cannot read the FP8 weights of {}: tensor {} {}", where,
                       printable(scales.name), what);
  };
  if (matrix.dtype != Dtype::F8_E4M3 || matrix.shape.size() != 2) {
    throw wrong("should belong to a matrix of F8_E4M3, found " + name_of(matrix.dtype) +
                fmt::format(" of shape [{}]", fmt::join(matrix.shape, ", ")));
  }
  if (scales.dtype != Dtype::F32) throw wrong("should be F32, found " + name_of(scales.dtype));
  const std::vector<int64_t> expected = {parts(matrix.shape[0], tile.rows),
                                         parts(matrix.shape[1], tile.columns)};
  if (scales.shape != expected) {
    throw wrong(fmt::format(
        "should have shape [{}], one number for each tile of [{}, {}], found "
        "[{}]",
        fmt::join(expected, ", "), tile.rows, tile.columns, fmt::join(scales.shape, ", ")));
  }
  matrix.tiles = {scales.bytes, tile.rows, tile.columns};
}

void decode_fp8(const TensorView& matrix, std::span<float> numbers) {
  const int64_t rows = matrix.shape.at(0), columns = matrix.shape.at(1);
  const TileScales& tiles = matrix.tiles;
  const int64_t across = parts(columns, tiles.columns);
  check(std::ssize(numbers) == rows * columns && std::ssize(matrix.bytes) == rows * columns &&
            std::ssize(tiles.bytes) == parts(rows, tiles.rows) * across * 4,
        "the tiles of {} do not fit it", matrix.name);
  const std::array<float, 256>& values = e4m3_numbers();
  std::vector<float> scales(static_cast<size_t>(across));
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(scales.data(), tiles.bytes.data() + r / tiles.rows * across * 4,
                static_cast<size_t>(across) * 4);
    for (int64_t c = 0; c < columns; ++c) {
      const auto bits = static_cast<uint8_t>(matrix.bytes[static_cast<size_t>(r * columns + c)]);
      numbers[static_cast<size_t>(r * columns + c)] =
          values.at(bits) * scales[static_cast<size_t>(c / tiles.columns)];
    }
  }
}

}  // namespace

void join_tile_scales(Json& config, std::vector<TensorView>& tensors, const std::string& where) {
  const std::optional<Tile> tile = tile_of(config, where);
  if (!tile) return;
  std::map<std::string, TensorView> scales;  // by the name of what they scale
  std::erase_if(tensors, [&](const TensorView& tensor) {
    if (!tensor.name.ends_with(suffix)) return false;
    scales[tensor.name.substr(0, tensor.name.size() - suffix.size())] = tensor;
    return true;
  });
  for (TensorView& tensor : tensors) {
    const auto found = scales.find(tensor.name);
    if (found != scales.end()) {
      join(tensor, found->second, *tile, where);
      scales.erase(found);
    } else if (tensor.dtype == Dtype::F8_E4M3 || tensor.dtype == Dtype::F8_E5M2) {
      throw input_error("cannot read the FP8 weights of {}: tensor {} is {}, but there is no {}{}",
                        where, printable(tensor.name), name_of(tensor.dtype),
                        printable(tensor.name), suffix)
          .with_hint("an incomplete download?");
    }
  }
  if (!scales.empty()) {
    throw input_error("cannot read the FP8 weights of {}: tensor {} is there, but no {}", where,
                      printable(scales.begin()->second.name), printable(scales.begin()->first))
        .with_hint("an incomplete download?");
  }
  config.erase("quantization_config");
}

void decode_tiles(const TensorView& tensor, std::span<float> numbers) {
  if (tensor.dtype == Dtype::F4) {
    decode_mxfp4(tensor, numbers);
  } else {
    decode_fp8(tensor, numbers);
  }
}

}  // namespace alambic

#include "alambic/io/quant/tile_scales.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"
#include "alambic/io/quant/mxfp4.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view suffix = "_scale_inv";
constexpr int64_t fp4_block = 32;  // numbers of a row to a scale

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

// Powers of two in a byte (E8M0, also stored as U8), as read_scales takes them.
bool is_exponent(Dtype dtype) { return dtype == Dtype::F8_E8M0 || dtype == Dtype::U8; }

float e8m0_to_float(std::byte bits) {
  const int exponent = std::to_integer<int>(bits);
  return exponent == 255 ? std::numeric_limits<float>::quiet_NaN()
                         : std::ldexp(1.F, exponent - 127);
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

// DeepSeek-V4's experts: two E2M1 numbers to a byte, an exponent to 32 numbers of a row.
void join_fp4(TensorView& matrix, const TensorView& scales, const std::string& where) {
  const int64_t columns = matrix.shape.size() == 2 ? 2 * matrix.shape[1] : 0;
  if (columns == 0 || columns % fp4_block != 0 || !is_exponent(scales.dtype) ||
      scales.shape != std::vector<int64_t>{matrix.shape[0], columns / fp4_block}) {
    throw input_error(
        "cannot read the FP4 weights of {}: tensor {} should be F8_E8M0 numbers, one for 16 bytes "
        "of a row of the I8 matrix {} of shape [{}], found {} of shape [{}]",
        where, printable(scales.name), printable(matrix.name), fmt::join(matrix.shape, ", "),
        name_of(scales.dtype), fmt::join(scales.shape, ", "));
  }
  matrix.dtype = Dtype::F4;
  matrix.shape[1] = columns;
  matrix.tiles = {scales.bytes, 1, fp4_block};
}

void join_scales(TensorView& matrix, const TensorView& scales, const Tile& tile,
                 const std::string& where) {
  const auto wrong = [&](const std::string& what) {
    return input_error("cannot read the FP8 weights of {}: tensor {} {}", where,
                       printable(scales.name), what);
  };
  if (matrix.dtype != Dtype::F8_E4M3 || matrix.shape.size() != 2) {
    throw wrong("should belong to a matrix of F8_E4M3, found " + name_of(matrix.dtype) +
                fmt::format(" of shape [{}]", fmt::join(matrix.shape, ", ")));
  }
  if (scales.dtype != Dtype::F32 && !is_exponent(scales.dtype)) {
    throw wrong("should be F32 or F8_E8M0, found " + name_of(scales.dtype));
  }
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
  const std::span<const std::byte> bytes = matrix.bytes;
  check(std::ssize(numbers) == rows * columns && std::ssize(bytes) == rows * columns,
        "the numbers of {} do not fit it", matrix.name);
  const std::vector<float> scales = tile_scales(matrix);
  const int64_t across = parts(columns, matrix.tiles.columns);
  for (int64_t r = 0; r < rows; ++r) {
    decode_fp8_row(bytes.subspan(static_cast<size_t>(r * columns), static_cast<size_t>(columns)),
                   scales.data() + r / matrix.tiles.rows * across, matrix.tiles.columns,
                   numbers.data() + r * columns);
  }
}

void check_fp4_rows(const TensorView& matrix) {
  const int64_t numbers = matrix.shape.at(0) * matrix.shape.at(1);
  check(static_cast<int64_t>(matrix.bytes.size()) * 2 == numbers &&
            static_cast<int64_t>(matrix.tiles.bytes.size()) * fp4_block == numbers,
        "the blocks of {} do not fit it", matrix.name);
}

void decode_fp4_rows(const TensorView& matrix, std::span<float> numbers) {
  check_fp4_rows(matrix);
  const std::span<const std::byte> bytes = matrix.bytes, scales = matrix.tiles.bytes;
  check(numbers.size() == bytes.size() * 2, "{} has another size", matrix.name);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const int both = std::to_integer<int>(bytes[i / 2]);
    numbers[i] =
        e2m1_to_float(i % 2 == 0 ? both & 15 : both >> 4) * e8m0_to_float(scales[i / fp4_block]);
  }
}

}  // namespace

void join_tile_scales(Json& config, std::vector<TensorView>& tensors, const std::string& where) {
  const std::optional<Tile> tile = tile_of(config, where);
  if (!tile) return;
  std::set<std::string> names;
  for (const TensorView& tensor : tensors) names.insert(tensor.name);
  std::map<std::string, TensorView> scales;  // by the name of what they scale
  std::erase_if(tensors, [&](const TensorView& tensor) {
    std::string owner;
    if (tensor.name.ends_with(suffix)) {
      owner = tensor.name.substr(0, tensor.name.size() - suffix.size());
    } else if (tensor.name.ends_with(".scale")) {  // DeepSeek-V4
      owner = tensor.name.substr(0, tensor.name.size() - 5) + "weight";
      if (!names.contains(owner)) return false;
    } else {
      return false;
    }
    scales[owner] = tensor;
    return true;
  });
  for (TensorView& tensor : tensors) {
    const auto found = scales.find(tensor.name);
    if (found != scales.end()) {
      if (tensor.dtype == Dtype::I8) {
        join_fp4(tensor, found->second, where);
      } else {
        join_scales(tensor, found->second, *tile, where);
      }
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
  config.erase("expert_dtype");  // V4: that of the files
}

std::vector<float> tile_scales(const TensorView& matrix) {
  const TileScales& tiles = matrix.tiles;
  const int64_t count =
      parts(matrix.shape.at(0), tiles.rows) * parts(matrix.shape.at(1), tiles.columns);
  const std::span<const std::byte> bytes = tiles.bytes;
  const bool exponents = std::ssize(bytes) == count;
  check(exponents || std::ssize(bytes) == count * 4, "the tiles of {} do not fit it", matrix.name);
  std::vector<float> scales(static_cast<size_t>(count));
  if (exponents) {
    std::ranges::transform(bytes, scales.begin(), e8m0_to_float);
  } else {
    std::memcpy(scales.data(), bytes.data(), bytes.size());
  }
  return scales;
}

void decode_fp8_row(std::span<const std::byte> row, const float* scales, int64_t tile_columns,
                    float* numbers) {
  const std::array<float, 256>& values = e4m3_numbers();
  for (size_t c = 0; c < row.size(); ++c) {
    numbers[c] =
        values.at(std::to_integer<uint8_t>(row[c])) * scales[c / static_cast<size_t>(tile_columns)];
  }
}

std::vector<std::byte> mxfp4_blocks(const TensorView& matrix) {
  check_fp4_rows(matrix);
  const std::span<const std::byte> bytes = matrix.bytes, scales = matrix.tiles.bytes;
  std::vector<std::byte> blocks;
  blocks.reserve(bytes.size() + scales.size());
  const auto code = [&](size_t number) {  // the lower half of a byte is the first of its two
    return number % 2 == 0 ? bytes[number / 2] & std::byte{15} : bytes[number / 2] >> 4;
  };
  for (size_t block = 0; block < scales.size(); ++block) {
    blocks.push_back(scales[block]);
    for (size_t i = block * fp4_block; i < block * fp4_block + fp4_block / 2; ++i) {
      blocks.push_back(code(i) | code(i + fp4_block / 2) << 4);
    }
  }
  return blocks;
}

void decode_tiles(const TensorView& tensor, std::span<float> numbers) {
  if (tensor.dtype == Dtype::F4 && tensor.shape.size() == 2) {
    decode_fp4_rows(tensor, numbers);
  } else if (tensor.dtype == Dtype::F4) {
    decode_mxfp4(tensor, numbers);
  } else {
    decode_fp8(tensor, numbers);
  }
}

}  // namespace alambic

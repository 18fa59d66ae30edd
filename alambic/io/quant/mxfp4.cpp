#include "alambic/io/quant/mxfp4.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <map>

#include "alambic/base/error.h"
#include "alambic/base/printable.h"

namespace alambic {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view blocks_suffix = "_blocks", scales_suffix = "_scales";
constexpr int64_t block = 32;  // numbers to a scale, in 16 bytes

// E2M1: 0, the subnormal half, 1 1.5 2 3 4 6, and the negative ones.
constexpr std::array<float, 16> e2m1 = {0,    0.5F,  1,  1.5F,  2,  3,  4,  6,
                                        -0.F, -0.5F, -1, -1.5F, -2, -3, -4, -6};

struct Pair {
  const TensorView *blocks = nullptr, *scales = nullptr;
};

Error wrong(const std::string& where, const TensorView& tensor, const std::string& expected) {
  return input_error(
      "cannot read the MXFP4 weights of {}: tensor {} should be {}, found {} of shape [{}]", where,
      printable(tensor.name), expected, name_of(tensor.dtype), fmt::join(tensor.shape, ", "));
}

TensorView joined(const std::string& name, const Pair& pair, const std::string& where) {
  if (pair.blocks == nullptr || pair.scales == nullptr) {
    const bool scales = pair.blocks == nullptr;
    throw input_error("cannot read the MXFP4 weights of {}: tensor {}{} is there, but no {}{}",
                      where, printable(name), scales ? scales_suffix : blocks_suffix,
                      printable(name), scales ? blocks_suffix : scales_suffix)
        .with_hint("an incomplete download?");
  }
  const TensorView &blocks = *pair.blocks, &scales = *pair.scales;
  if (blocks.dtype != Dtype::U8 || blocks.shape.size() != 4 || blocks.shape[3] != block / 2) {
    throw wrong(where, blocks, "U8 of shape [experts, rows, blocks, 16]");
  }
  const std::vector<int64_t> expected(blocks.shape.begin(), blocks.shape.begin() + 3);
  if (scales.dtype != Dtype::U8 || scales.shape != expected) {
    throw wrong(where, scales, fmt::format("U8 of shape [{}]", fmt::join(expected, ", ")));
  }
  return {.name = name,
          .dtype = Dtype::F4,
          .shape = {expected[0], expected[2] * block, expected[1]},
          .bytes = blocks.bytes,
          .tiles = {scales.bytes, 1, block}};
}

}  // namespace

float e2m1_to_float(int bits) { return e2m1.at(static_cast<size_t>(bits)); }

void join_mxfp4(Json& config, std::vector<TensorView>& tensors, const std::string& where) {
  const Json setting = config.is_object() ? config.value("quantization_config", Json()) : Json();
  if (!setting.is_object() || setting.value("quant_method", Json()) != "mxfp4") return;
  const std::vector<TensorView> all = tensors;
  std::map<std::string, Pair> pairs;
  tensors.clear();
  for (const TensorView& tensor : all) {
    const auto stem = [&](std::string_view suffix) {
      return tensor.name.substr(0, tensor.name.size() - suffix.size());
    };
    if (tensor.name.ends_with(blocks_suffix)) {
      pairs[stem(blocks_suffix)].blocks = &tensor;
    } else if (tensor.name.ends_with(scales_suffix)) {
      pairs[stem(scales_suffix)].scales = &tensor;
    } else {
      tensors.push_back(tensor);
    }
  }
  for (const auto& [name, pair] : pairs) tensors.push_back(joined(name, pair, where));
  config.erase("quantization_config");
}

void put_mxfp4(const TensorView& gguf, int64_t first, int64_t each, std::vector<std::byte>& blocks,
               std::vector<std::byte>& scales) {
  constexpr int64_t half = block / 2;
  const int64_t experts = gguf.shape.at(0), rows = gguf.shape.at(1);
  const int64_t groups = gguf.shape.at(2) / block;
  scales.resize(static_cast<size_t>(experts * rows * each * groups));
  blocks.resize(scales.size() * half);
  const std::byte* from = gguf.bytes.data();
  for (int64_t row = 0; row < experts * rows; ++row) {
    const int64_t expert = row / rows;
    const int64_t place = ((expert * rows + row % rows) * each + first) * groups;
    for (int64_t g = 0; g < groups; ++g, from += 1 + half) {
      scales[static_cast<size_t>(place + g)] = from[0];
      std::byte* to = blocks.data() + (place + g) * half;
      const auto number = [&](int64_t i) {
        const std::byte both = from[1 + i % half];
        return i < half ? both & std::byte{15} : both >> 4;
      };
      for (int64_t i = 0; i < half; ++i) to[i] = number(2 * i) | number(2 * i + 1) << 4;
    }
  }
}

std::vector<std::byte> take_mxfp4(const TensorView& whole, int64_t first, int64_t each) {
  constexpr int64_t half = block / 2;
  const int64_t experts = whole.shape.at(0), groups = whole.shape.at(1) / block;
  const int64_t rows = whole.shape.at(2) / each;
  std::vector<std::byte> taken(static_cast<size_t>(experts * rows * groups * (1 + half)));
  const std::byte* bytes = whole.bytes.data();
  const std::byte* scales = whole.tiles.bytes.data();
  std::byte* to = taken.data();
  for (int64_t row = 0; row < experts * rows; ++row) {
    const int64_t place = (row * each + first) * groups;
    for (int64_t g = 0; g < groups; ++g, to += 1 + half) {
      const std::byte* from = bytes + (place + g) * half;
      const auto number = [&](int64_t i) {
        return i % 2 == 0 ? from[i / 2] & std::byte{15} : from[i / 2] >> 4;
      };
      to[0] = scales[place + g];
      for (int64_t i = 0; i < half; ++i) to[1 + i] = number(i) | number(i + half) << 4;
    }
  }
  return taken;
}

void decode_mxfp4(const TensorView& tensor, std::span<float> numbers) {
  const int64_t experts = tensor.shape.at(0), columns = tensor.shape.at(1);
  const int64_t rows = tensor.shape.at(2), groups = columns / block;
  check(std::ssize(numbers) == experts * rows * columns &&
            std::ssize(tensor.bytes) * 2 == std::ssize(numbers) &&
            std::ssize(tensor.tiles.bytes) == experts * rows * groups,
        "the blocks of {} do not fit it", tensor.name);
  const std::byte* bytes = tensor.bytes.data();
  const std::byte* scales = tensor.tiles.bytes.data();
  for (int64_t e = 0; e < experts; ++e) {
    float* matrix = numbers.data() + e * columns * rows;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; c += block, bytes += block / 2) {
        const float scale = std::ldexp(1.F, std::to_integer<int>(*scales++) - 127);
        for (int64_t i = 0; i < block; ++i) {
          const int both = std::to_integer<int>(bytes[i / 2]);
          matrix[(c + i) * rows + r] = e2m1_to_float(i % 2 == 0 ? both & 15 : both >> 4) * scale;
        }
      }
    }
  }
}

}  // namespace alambic

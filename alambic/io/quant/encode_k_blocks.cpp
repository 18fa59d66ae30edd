// The "K" formats. Both fit each sub-block by itself: for a few widths of the grid the numbers are
// rounded to it, then the scale (and minimum) of least weighted square error are solved for, and
// the best of these is kept. The sub-blocks' scales are then rounded to integers times the block's
// scale, and the numbers rounded once more to the grid that a reader will see.
#include <algorithm>
#include <array>
#include <cmath>

#include "alambic/io/quant/encode_blocks.h"

namespace alambic::blocks {

namespace {

constexpr int block_size = 256;

int rounded(double x, int min, int max) {
  return static_cast<int>(std::clamp(std::nearbyint(x), double(min), double(max)));
}

// x ≈ scale · q - min, 0 ≤ q ≤ 15, min ≥ 0.
struct Grid {
  double scale = 0, min = 0;
};

constexpr int grid_size = 32, grid_levels = 15;
using GridWeights = std::array<double, grid_size>;

double error_of(const Grid& grid, const float* x, const GridWeights& weights) {
  double error = 0;
  for (int i = 0; i < grid_size; ++i) {
    const int q = grid.scale > 0 ? rounded((x[i] + grid.min) / grid.scale, 0, grid_levels) : 0;
    const double difference = grid.scale * q - grid.min - x[i];
    error += weights[i] * difference * difference;
  }
  return error;
}

// The least-squares grid for the levels that `start` rounds to.
Grid refit(const Grid& start, const float* x, const GridWeights& weights) {
  double w = 0, q1 = 0, q2 = 0, x1 = 0, xq = 0;
  for (int i = 0; i < grid_size; ++i) {
    const int q = rounded((x[i] + start.min) / start.scale, 0, grid_levels);
    w += weights[i];
    q1 += weights[i] * q;
    q2 += weights[i] * q * q;
    x1 += weights[i] * x[i];
    xq += weights[i] * x[i] * q;
  }
  const double determinant = w * q2 - q1 * q1;
  if (determinant <= 0) return start;
  const Grid grid{.scale = (w * xq - x1 * q1) / determinant,
                  .min = (q1 * xq - q2 * x1) / determinant};
  if (grid.min >= 0) return grid;
  return {.scale = xq / q2, .min = 0};
}

// Large numbers count more, and none counts nothing.
Grid fit_grid(const float* x) {
  double square = 0;
  for (int i = 0; i < grid_size; ++i) square += double(x[i]) * x[i];
  GridWeights weights;
  for (int i = 0; i < grid_size; ++i) {
    weights[i] = std::sqrt(square / grid_size) + std::fabs(x[i]);
  }
  const auto [min, max] = std::minmax_element(x, x + grid_size);
  const double low = std::min<double>(*min, 0), high = std::max<double>(*max, 0);
  if (high == low) return {};
  Grid best{.scale = (high - low) / grid_levels, .min = -low};
  double best_error = error_of(best, x, weights);
  for (int step = -10; step <= 10; ++step) {
    const Grid start{.scale = (high - low) / (grid_levels + 0.1 * step), .min = -low};
    const Grid grid = refit(start, x, weights);
    if (!(grid.scale > 0)) continue;
    const double error = error_of(grid, x, weights);
    if (error < best_error) {
      best = grid;
      best_error = error;
    }
  }
  return best;
}

// The reverse of scale_min for all eight sub-blocks.
void put_scales(const std::array<int, 8>& scales, const std::array<int, 8>& mins, uint8_t* packed) {
  for (int i = 0; i < 4; ++i) {
    packed[i] = static_cast<uint8_t>(scales[i] | scales[i + 4] >> 4 << 6);
    packed[i + 4] = static_cast<uint8_t>(mins[i] | mins[i + 4] >> 4 << 6);
    packed[i + 8] = static_cast<uint8_t>((scales[i + 4] & 0xf) | (mins[i + 4] & 0xf) << 4);
  }
}

// The scale of 16 numbers: x ≈ scale · q, -32 ≤ q ≤ 31. The scale may be negative, so that the
// extreme can be at the longer end.
double fit_scale(const float* x) {
  constexpr int size = 16;
  const float extreme =
      *std::max_element(x, x + size, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
  if (extreme == 0) return 0;
  double best = 0, best_gain = 0;
  for (int step = -9; step <= 9; ++step) {
    const double inverse = -(32 + 0.1 * step) / extreme;
    double xq = 0, qq = 0;
    for (int i = 0; i < size; ++i) {
      const int q = rounded(x[i] * inverse, -32, 31);
      const double weight = double(x[i]) * x[i];
      xq += weight * x[i] * q;
      qq += weight * q * q;
    }
    // The square error is a constant less xq² / qq.
    if (qq > 0 && xq * xq > best_gain * qq) {
      best = xq / qq;
      best_gain = xq * xq / qq;
    }
  }
  return best;
}

}  // namespace

void encode_q4_k(const float* numbers, uint8_t* block) {
  std::array<Grid, 8> grids;
  double scale = 0, min = 0;
  for (int sub = 0; sub < 8; ++sub) {
    grids[sub] = fit_grid(numbers + 32 * sub);
    scale = std::max(scale, grids[sub].scale);
    min = std::max(min, grids[sub].min);
  }
  const double d = put_half(static_cast<float>(scale / 63), block);
  const double m = put_half(static_cast<float>(min / 63), block + 2);
  std::array<int, 8> scales{}, mins{};
  for (int sub = 0; sub < 8; ++sub) {
    scales[sub] = d > 0 ? rounded(grids[sub].scale / d, 0, 63) : 0;
    mins[sub] = m > 0 ? rounded(grids[sub].min / m, 0, 63) : 0;
  }
  put_scales(scales, mins, block + 4);
  std::fill_n(block + 16, block_size / 2, uint8_t{0});
  for (int i = 0; i < block_size; ++i) {
    const double step = d * scales[i / 32], offset = m * mins[i / 32];
    const int q = step > 0 ? rounded((numbers[i] + offset) / step, 0, grid_levels) : 0;
    block[16 + i / 64 * 32 + i % 32] |= static_cast<uint8_t>(q << (i % 64 / 32 * 4));
  }
}

void encode_q6_k(const float* numbers, uint8_t* block) {
  std::array<double, 16> scales;
  double extreme = 0;
  for (int sub = 0; sub < 16; ++sub) {
    scales[sub] = fit_scale(numbers + 16 * sub);
    if (std::fabs(scales[sub]) > std::fabs(extreme)) extreme = scales[sub];
  }
  std::fill_n(block, 210, uint8_t{0});
  // The extreme scale becomes -128, which is the longer end.
  const double d = put_half(static_cast<float>(extreme / -128), block + 208);
  for (int i = 0; i < block_size; ++i) {
    const int scale = d != 0 ? rounded(scales[i / 16] / d, -128, 127) : 0;
    block[192 + i / 16] = static_cast<uint8_t>(static_cast<int8_t>(scale));
    const double step = d * scale;
    const int q = (step != 0 ? rounded(numbers[i] / step, -32, 31) : 0) + 32;
    block[i / 128 * 64 + i % 64] |= static_cast<uint8_t>((q & 0xf) << (i % 128 / 64 * 4));
    block[128 + i / 128 * 32 + i % 32] |= static_cast<uint8_t>(q >> 4 << (i % 128 / 32 * 2));
  }
}

}  // namespace alambic::blocks

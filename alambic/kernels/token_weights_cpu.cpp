#include "alambic/kernels/kernels_cpu.h"
#include "alambic/kernels/simd/math.h"

namespace alambic::kernels::ALAMBIC_ISA {
namespace {

constexpr int64_t parts = token_columns / lanes;  // vectors across a block's columns
constexpr int64_t rows = token_block / token_columns;
static_assert(parts >= 1, "a vector is wider than a block");

}  // namespace

bool column_maxima(const float* logits, int64_t blocks, float* maxima) {
  Vec poison = {};  // x − x is 0, or not a number where x is not finite
  for (int64_t b = 0; b < blocks; ++b, logits += token_block, maxima += token_columns) {
    for (int64_t part = 0; part < parts; ++part) {
      Vec largest = splat(-3.402823466e+38f);
      for (int64_t row = 0; row < rows; ++row) {
        const Vec x = load(logits + row * token_columns + part * lanes);
        poison += x - x;
        largest = x > largest ? x : largest;
      }
      store(maxima + part * lanes, largest);
    }
  }
  bool finite = true;
  for (int i = 0; i < lanes; ++i) finite = finite && poison[i] == 0;
  return finite;
}

void block_weights(const float* logits, int64_t blocks, float largest, float inverse_temperature,
                   double* sums) {
  for (int64_t b = 0; b < blocks; ++b, logits += token_block) {
    sums[b] = 0;
    for (int64_t part = 0; part < parts; ++part) {
      Vec sum = {};
      for (int64_t row = 0; row < rows; ++row) {
        const Vec x = load(logits + row * token_columns + part * lanes);
        sum += exp_nonpositive((x - largest) * inverse_temperature);
      }
      sums[b] += sum_in_double(sum);
    }
  }
}

void token_weights(float* values, int64_t groups, float largest, float inverse_temperature) {
  for (int64_t i = 0; i < groups * token_columns; i += lanes) {
    store(values + i, exp_nonpositive((load(values + i) - largest) * inverse_temperature));
  }
}

}  // namespace alambic::kernels::ALAMBIC_ISA

#include "alambic/rollout/weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "alambic/base/error.h"

namespace alambic {

namespace {

constexpr size_t lanes = Scan::lanes, block = Scan::block, vectors = block / lanes;
constexpr float lowest = std::numeric_limits<float>::lowest();

using Floats = float __attribute__((vector_size(4 * lanes)));
using Ints = int32_t __attribute__((vector_size(4 * lanes)));

// The three loops are compiled for three generations of x86, one of which is chosen when the
// library is loaded. Vectors pass by reference: by value their calling convention differs between
// the generations.

__attribute__((always_inline)) inline void load(const float* from, Floats& to) {
  std::memcpy(&to, from, sizeof to);
}

// e^x for x ≤ 0: x = n·ln 2 + f, |f| ≤ ln 2 / 2, a polynomial for e^f (Cephes' expf) and n added
// to the exponent bits.
__attribute__((always_inline)) inline void exponential(Floats& x) {
  const Floats n = (x * 1.44269504088896341f + 12582912.f) - 12582912.f;
  const Floats f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats p = f * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.f;
  const auto in_range = x > -87.f;
  const Ints exponent = __builtin_convertvector(in_range ? n : Floats{}, Ints) << 23;
  Ints bits;
  std::memcpy(&bits, &p, sizeof bits);
  bits += exponent;
  std::memcpy(&p, &bits, sizeof p);
  x = in_range ? p : Floats{};
}

// Largest value per block and lane; false when a value is not finite.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) bool find_maxima(
    const float* logits, size_t blocks, float* maxima) {
  Floats poison{};  // x − x is 0, or not a number where x is not finite
  for (size_t b = 0; b < blocks; ++b) {
    Floats largest = Floats{} + lowest;
    for (size_t v = 0; v < vectors; ++v) {
      Floats x;
      load(logits + b * block + v * lanes, x);
      poison += x - x;
      largest = x > largest ? x : largest;
    }
    std::memcpy(maxima + b * lanes, &largest, sizeof largest);
  }
  bool all = true;
  for (size_t lane = 0; lane < lanes; ++lane) all = all && poison[lane] == 0;
  return all;
}

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void add_weights(
    const float* logits, size_t blocks, float largest, float inverse_temperature, double* sums) {
  for (size_t b = 0; b < blocks; ++b) {
    Floats sum{};
    for (size_t v = 0; v < vectors; ++v) {
      Floats x;
      load(logits + b * block + v * lanes, x);
      x = (x - largest) * inverse_temperature;
      exponential(x);
      sum += x;
    }
    sums[b] = 0;
    for (size_t lane = 0; lane < lanes; ++lane) sums[b] += static_cast<double>(sum[lane]);
  }
}

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void weigh_vectors(
    float* values, size_t count, float largest, float inverse_temperature) {
  for (size_t v = 0; v < count; ++v) {
    Floats x;
    load(values + v * lanes, x);
    x = (x - largest) * inverse_temperature;
    exponential(x);
    std::memcpy(values + v * lanes, &x, sizeof x);
  }
}

size_t whole_blocks(std::span<const float> logits) { return logits.size() / block; }

// The last block when it is not full, filled up with a logit that weighs nothing.
std::array<float, block> last_block(std::span<const float> logits) {
  std::array<float, block> padded;
  padded.fill(lowest);
  std::ranges::copy(logits.subspan(whole_blocks(logits) * block), padded.begin());
  return padded;
}

size_t all_blocks(std::span<const float> logits) { return (logits.size() + block - 1) / block; }

}  // namespace

Scan scan(std::span<const float> logits) {
  check(!logits.empty(), "a draw from no logits");
  const size_t whole = whole_blocks(logits), blocks = all_blocks(logits);
  Scan scan{.logits = logits, .maxima = std::vector<float>(blocks * lanes)};
  bool finite = find_maxima(logits.data(), whole, scan.maxima.data());
  if (whole < blocks) {
    finite &= find_maxima(last_block(logits).data(), 1, scan.maxima.data() + whole * lanes);
  }
  if (!finite) {
    const size_t token = static_cast<size_t>(
        std::ranges::find_if_not(logits, [](float x) { return std::isfinite(x); }) -
        logits.begin());
    throw input_error("cannot draw a token: the logit of token {} of {} is {}", token,
                      logits.size(), logits[token])
        .with_hint(
            "the weights hold values that are not finite, or overflow in this dtype; "
            "check the file, or try --dtype float32");
  }
  scan.largest = *std::ranges::max_element(scan.maxima);
  return scan;
}

float inverse(double temperature) { return static_cast<float>(std::min(1 / temperature, 1e30)); }

void weigh(std::span<float> values, float largest, float inverse_temperature) {
  const size_t whole = values.size() / lanes * lanes;
  weigh_vectors(values.data(), whole / lanes, largest, inverse_temperature);
  std::array<float, lanes> rest{};
  std::ranges::copy(values.subspan(whole), rest.begin());
  weigh_vectors(rest.data(), 1, largest, inverse_temperature);
  std::copy_n(rest.begin(), values.size() - whole, values.begin() + static_cast<ptrdiff_t>(whole));
}

std::vector<double> block_weights(const Scan& scan, float inverse_temperature) {
  const size_t whole = whole_blocks(scan.logits), blocks = all_blocks(scan.logits);
  std::vector<double> sums(blocks);
  add_weights(scan.logits.data(), whole, scan.largest, inverse_temperature, sums.data());
  if (whole < blocks) {
    add_weights(last_block(scan.logits).data(), 1, scan.largest, inverse_temperature,
                sums.data() + whole);
  }
  return sums;
}

}  // namespace alambic

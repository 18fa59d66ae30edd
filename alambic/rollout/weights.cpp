#include "alambic/rollout/weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "alambic/base/error.h"
#include "alambic/kernels/cpu.h"

namespace alambic {

namespace {

constexpr size_t lanes = Scan::lanes, block = Scan::block;
constexpr float lowest = std::numeric_limits<float>::lowest();

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
  bool finite = kernels::cpu().column_maxima(logits.data(), whole, scan.maxima.data());
  if (whole < blocks) {
    finite &= kernels::cpu().column_maxima(last_block(logits).data(), 1,
                                           scan.maxima.data() + whole * lanes);
  }
  if (!finite) {
    const size_t token = static_cast<size_t>(
        std::ranges::find_if_not(logits, [](float x) { return std::isfinite(x); }) -
        logits.begin());
    throw input_error("cannot draw a token: the logit of token {} of {} is {}", token,
                      logits.size(), logits[token])
        .with_hint(not_finite_hint);
  }
  scan.largest = *std::ranges::max_element(scan.maxima);
  return scan;
}

float inverse(double temperature) { return static_cast<float>(std::min(1 / temperature, 1e30)); }

void weigh(std::span<float> values, float largest, float inverse_temperature) {
  const size_t whole = values.size() / lanes * lanes;
  kernels::cpu().token_weights(values.data(), whole / lanes, largest, inverse_temperature);
  std::array<float, lanes> rest{};
  std::ranges::copy(values.subspan(whole), rest.begin());
  kernels::cpu().token_weights(rest.data(), 1, largest, inverse_temperature);
  std::copy_n(rest.begin(), values.size() - whole, values.begin() + static_cast<ptrdiff_t>(whole));
}

std::vector<double> block_weights(const Scan& scan, float inverse_temperature) {
  const size_t whole = whole_blocks(scan.logits), blocks = all_blocks(scan.logits);
  std::vector<double> sums(blocks);
  kernels::cpu().block_weights(scan.logits.data(), whole, scan.largest, inverse_temperature,
                               sums.data());
  if (whole < blocks) {
    kernels::cpu().block_weights(last_block(scan.logits).data(), 1, scan.largest,
                                 inverse_temperature, sums.data() + whole);
  }
  return sums;
}

}  // namespace alambic

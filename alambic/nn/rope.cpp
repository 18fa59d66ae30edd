#include "alambic/nn/rope.h"

#include <cmath>
#include <numbers>

#include "alambic/base/error.h"
#include "alambic/kernels/rope.h"

namespace alambic {

namespace {

Tensor plain_frequencies(int64_t angles, int64_t width, double theta) {
  const Tensor exponent = at::arange(0, 2 * angles, 2, at::kFloat) / static_cast<float>(width);
  return 1.0 / at::pow(static_cast<float>(theta), exponent);
}

// Slow angles are stretched, fast ones kept, with a ramp over wavelengths between (Llama 3.1).
Tensor llama3(const Tensor& frequency, const RopeSettings& s) {
  const auto original = static_cast<double>(s.original_positions);
  const Tensor wavelength = 2 * std::numbers::pi / frequency;
  const Tensor smooth =
      (original / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  const Tensor between = (1 - smooth) * frequency / s.factor + smooth * frequency;
  const Tensor slow =
      at::where(wavelength > original / s.low_freq_factor, frequency / s.factor, between);
  return at::where(wavelength < original / s.high_freq_factor, frequency, slow);
}

// The same by dimension instead of wavelength (Peng et al., arXiv 2309.00071).
Tensor yarn(const Tensor& frequency, int64_t width, const RopeSettings& s) {
  auto dimension = [&](double turns) {
    const double length =
        static_cast<double>(s.original_positions) / (turns * 2 * std::numbers::pi);
    return static_cast<double>(width) * std::log(length) / (2 * std::log(s.theta));
  };
  double low = dimension(s.beta_fast), high = dimension(s.beta_slow);
  if (s.truncate) low = std::floor(low), high = std::ceil(high);
  low = std::max(low, 0.0);
  high = std::min(high, static_cast<double>(width - 1));
  if (low == high) high += 0.001;
  const Tensor ramp =
      ((at::arange(frequency.size(0), at::kFloat) - low) / (high - low)).clamp(0, 1);
  return frequency / s.factor * ramp + frequency * (1 - ramp);
}

}  // namespace

Tensor rope_frequencies(int64_t head_width, const RopeSettings& s) {
  const int64_t width = static_cast<int64_t>(static_cast<double>(head_width) * s.rotary);
  if (s.type == "proportional") {
    // Widths as of the whole head; the rest of the head stands still.
    const int64_t turning = static_cast<int64_t>(s.rotary * static_cast<double>(head_width)) / 2;
    const Tensor still = at::zeros({head_width / 2 - turning}, at::kFloat);
    return at::cat({plain_frequencies(turning, head_width, s.theta), still}) / s.factor;
  }
  const Tensor frequency = plain_frequencies((width + 1) / 2, width, s.theta);
  if (s.type == "default" || s.type == "dynamic") return frequency;
  if (s.type == "linear") return frequency / s.factor;
  if (s.type == "llama3") return llama3(frequency, s);
  if (s.type == "yarn") return yarn(frequency, width, s);
  if (s.type == "longrope") {
    if (std::ssize(s.short_factor) != frequency.size(0)) {
      throw input_error("cannot make rotary positions: short_factor has {} numbers, expected {}",
                        s.short_factor.size(), frequency.size(0));
    }
    return frequency / at::tensor(s.short_factor, at::kDouble).to(at::kFloat);
  }
  throw input_error("cannot make rotary positions: unknown rope_type \"{}\"", s.type);
}

double yarn_magnitude(double factor, double mscale) {
  return factor <= 1 ? 1 : 0.1 * mscale * std::log(factor) + 1;
}

double rope_attention_factor(const RopeSettings& s) {
  if (s.type != "yarn" && s.type != "longrope") return 1;
  if (s.attention_factor) return *s.attention_factor;
  if (s.type == "longrope") {
    const auto original = static_cast<double>(s.original_positions);
    return s.factor <= 1 ? 1 : std::sqrt(1 + std::log(s.factor) / std::log(original));
  }
  const bool both = s.mscale != 0 && s.mscale_all_dim != 0;
  return both ? yarn_magnitude(s.factor, s.mscale) / yarn_magnitude(s.factor, s.mscale_all_dim)
              : yarn_magnitude(s.factor, 1);
}

Rope::Rope(int64_t head_width, const RopeSettings& settings)
    : frequency_d(rope_frequencies(head_width, settings)),
      magnitude(rope_attention_factor(settings)) {}

void Rope::to(at::Device device, at::ScalarType model_dtype) {
  frequency_d = frequency_d.to(device);
  dtype = model_dtype == at::kDouble ? at::kDouble : at::kFloat;
}

Rotation Rope::at(const Tensor& positions_N) const {
  const Tensor angle_Nd = at::outer(positions_N.to(at::kFloat), frequency_d);
  const auto sized = [&](const Tensor& x) {
    return (magnitude == 1 ? x : x * magnitude).to(dtype);
  };
  return {sized(angle_Nd.cos()), sized(angle_Nd.sin())};
}

Tensor halves_of_pairs(const Tensor& x_NHR) {
  return x_NHR.unflatten(-1, {-1, 2}).transpose(-1, -2).flatten(-2);
}

Tensor pairs_of_halves(const Tensor& x_NHR) {
  return x_NHR.unflatten(-1, {2, -1}).transpose(-1, -2).flatten(-2);
}

Tensor Rotation::operator()(const Tensor& x_NHd) const {
  if (!cos_Nd.defined()) return x_NHd;
  const int64_t turning = 2 * cos_Nd.size(1), still = x_NHd.size(2) - turning;
  if (still == 0) return kernels::rope(x_NHd, cos_Nd, sin_Nd);
  return at::cat(
      {kernels::rope(x_NHd.narrow(2, 0, turning), cos_Nd, sin_Nd), x_NHd.narrow(2, turning, still)},
      2);
}

}  // namespace alambic

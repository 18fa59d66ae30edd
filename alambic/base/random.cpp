#include "alambic/base/random.h"

#include <cmath>
#include <numbers>

#include "alambic/base/philox.h"

namespace alambic {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  return philox_words(counter, key);
}

std::array<uint32_t, 4> random_words(const Draw& draw) { return words_of(draw); }

double uniform(const Draw& draw) { return uniform_of(random_words(draw)); }

namespace {

uint64_t word64(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

}  // namespace

uint64_t uniform_below(const Draw& draw, uint64_t bound) {
  const auto words = random_words(draw);
  const auto wide = static_cast<unsigned __int128>(word64(words[0], words[1])) * bound;
  return static_cast<uint64_t>(wide >> 64);
}

double normal(const Draw& draw) {
  const auto words = random_words(draw);
  const double u = (static_cast<double>(word64(words[0], words[1]) >> 11) + 1) * 0x1p-53;
  const double v = static_cast<double>(word64(words[2], words[3]) >> 11) * 0x1p-53;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

}  // namespace alambic

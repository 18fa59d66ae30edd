// The words behind base/random.h as constant expressions, which device code may call too.
#pragma once

#include "alambic/base/random.h"

namespace alambic {

/// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
constexpr std::array<uint32_t, 4> philox_words(std::array<uint32_t, 4> counter,
                                               std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * counter[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// random_words. The six coordinates are wider than one Philox counter, so a first pass folds seed,
/// stream and step into the key of the second.
constexpr std::array<uint32_t, 4> words_of(const Draw& draw) {
  const auto low = [](uint64_t value) { return static_cast<uint32_t>(value); };
  const auto high = [](uint64_t value) { return static_cast<uint32_t>(value >> 32); };
  const auto folded =
      philox_words({low(draw.step), high(draw.step), static_cast<uint32_t>(draw.stream), 0},
                   {low(draw.seed), high(draw.seed)});
  return philox_words({low(draw.sample), high(draw.sample), draw.position, folded[2]},
                      {folded[0], folded[1]});
}

/// uniform() of these words.
constexpr double uniform_of(const std::array<uint32_t, 4>& words) {
  return static_cast<double>((uint64_t{words[1]} << 32 | words[0]) >> 11) * 0x1p-53;
}

}  // namespace alambic

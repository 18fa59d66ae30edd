// Counter-based random numbers: every draw is a pure function of its purpose, so resuming,
// refilling a batch or splitting work over ranks cannot change it.
#pragma once

#include <array>
#include <cstdint>

namespace alambic {

/// Purpose of a draw. Streams keep uses apart that share the other coordinates.
enum class Stream : uint32_t {
  init = 1,
  data_order = 2,
  sampling = 3,
  mixture = 4,
  dropout = 5,
  projection = 6
};

struct Draw {
  uint64_t seed = 0;
  Stream stream = Stream::init;
  uint64_t step = 0;
  uint64_t sample = 0;
  uint32_t position = 0;
};

/// Philox-4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

/// Four independent 32-bit words of this draw.
std::array<uint32_t, 4> random_words(const Draw& draw);

/// A uniform number in [0, 1) with 53 random bits.
double uniform(const Draw& draw);

/// A uniform integer in [0, bound); bound > 0. The bias is below bound / 2^64.
uint64_t uniform_below(const Draw& draw, uint64_t bound);

/// A standard normal number (Box-Muller).
double normal(const Draw& draw);

}  // namespace alambic

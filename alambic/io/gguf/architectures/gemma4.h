// Parts that reading and writing Gemma 4 share.
#pragma once

#include <algorithm>

#include "alambic/io/gguf/architectures/words.h"

namespace alambic::gguf {

/// Kinds of Gemma 4's layers, with a window and without, in layer order.
struct Gemma4Kinds {
  std::vector<bool> slides;
  int64_t own_keys = 0;  ///< layers before those that read the keys of earlier ones

  int64_t count() const { return std::ssize(slides); }
  /// First layer of a kind; count(): there is none.
  int64_t first(bool sliding) const { return std::ranges::find(slides, sliding) - slides.begin(); }
};

constexpr const char* gemma4_frequencies = "rope_freqs.weight";
constexpr float gemma4_standstill = 1e30F;   ///< divides a frequency
constexpr double gemma4_usual_share = 0.25;  ///< share of a head that turns, in published models
constexpr int64_t gemma4_widest = int64_t{1} << 20;  ///< limit of a head's width

/// Pairs of a head that turn.
inline int64_t gemma4_turning(int64_t head, double share) {
  return static_cast<int64_t>(share * static_cast<double>(head)) / 2;
}

/// GgufWords' `read`, `is_switched_off` and `add` of Gemma 4.
void read_gemma4(const GgufReading& from, Json& config);
bool is_switched_off_gemma4(const Json& config, const std::string& name, const std::string& where);
GgufFrequencies add_gemma4(const GgufWriting& to, const Json& config, Json& rope);

}  // namespace alambic::gguf
